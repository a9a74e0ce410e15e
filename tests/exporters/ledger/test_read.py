"""Reading: complete, closed off, and clear about what is in the way."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.database import held_error
from costspan.exporters.ledger.errors import LedgerError, LedgerHeldError, NoLedgerError
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest
from costspan.pricing.types import Cost

MakeCall = Callable[..., Call]
MakeRequest = Callable[..., ProviderRequest]
OpenWriter = Callable[..., Writer]


def test_no_ledger_yet(home: Home) -> None:
    with pytest.raises(NoLedgerError) as raised:
        open_ledger(home)

    assert str(home.path) in str(raised.value)
    assert "COSTSPAN_HOME" in str(raised.value)
    assert not home.path.exists()


def test_a_report_shows_what_was_recorded_a_moment_ago(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    writer = open_writer(home)
    for number in range(3):
        writer.put(encode(make_call(0, number)))
        with open_ledger(home) as reader:
            answer = reader.execute("SELECT count(*) AS n, sum(cost_usd) AS usd FROM calls")
        assert answer.columns == ["n", "usd"]
        assert answer.rows == [(number + 1, Decimal("0.0026") * (number + 1))]


def test_parameters_by_place_and_by_name(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    open_writer(home).put(encode(make_call(0, 0)))

    with open_ledger(home) as reader:
        assert reader.execute("SELECT ? + 1", [2]).rows == [(3,)]
        assert reader.execute("SELECT $a || $b", {"a": "x", "b": "y"}).rows == [("xy",)]


def test_a_database_that_is_open_for_reading_is_shared(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any
) -> None:
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    merge(home)
    notebook = program("hold", "read")
    assert notebook.stdout.readline() == "open\n"
    writer.put(encode(make_call(0, 1)))

    with open_ledger(home) as reader:
        assert (reader.merged.state, reader.unmerged) == ("held", 1)
        assert reader.execute("SELECT count(*), count(DISTINCT unit_id) FROM calls").rows == [
            (2, 2)
        ]
        assert reader.execute("SELECT count(*) FROM call_requests").rows == [(2,)]


def test_a_database_that_is_open_for_writing_names_the_program(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any
) -> None:
    """duckdb/duckdb#17158, semantic-reasoning/verinote#169: a traceback while a UI is open."""
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    merge(home)
    notebook = program("hold", "write")
    assert notebook.stdout.readline() == "open\n"
    assert writer.put(encode(make_call(0, 1)))

    started = time.monotonic()
    with pytest.raises(LedgerHeldError) as raised:
        open_ledger(home)

    assert 2.4 < time.monotonic() - started < 4
    assert raised.value.pid == notebook.pid
    assert f"process {notebook.pid} (" in str(raised.value)
    assert "program.py hold" in str(raised.value)
    notebook.communicate()
    with open_ledger(home) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(2,)]


def test_a_program_that_closes_in_time_is_waited_for(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any
) -> None:
    """frappe/builder#644: a bounded retry."""
    open_writer(home).put(encode(make_call(0, 0)))
    merge(home)
    notebook = program("hold", "write")
    assert notebook.stdout.readline() == "open\n"
    notebook.stdin.close()

    with open_ledger(home) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(1,)]
    notebook.stdin = None


def test_this_very_process_holds_the_database(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    """duckdb/duckdb#18857: two instances in one process could both write."""
    open_writer(home).put(encode(make_call(0, 0)))
    merge(home)
    mine = duckdb.connect(str(home.path / "ledger.duckdb"))

    with pytest.raises(LedgerHeldError) as raised:
        open_ledger(home, wait_s=0)

    assert raised.value.pid == os.getpid()
    mine.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Could not set lock: Conflicting lock is held in PID 0.", "cannot be seen from here"),
        ("Could not set lock on file", "cannot be seen from here"),
        ("Conflicting lock is held in x (PID 4194304)", "process 4194304. Close"),
    ],
)
def test_a_holder_that_cannot_be_seen(text: str, expected: str) -> None:
    """sisig-ai/doctor#15, duckdb/duckdb#6477: "PID 0" from containers, and processes long gone."""
    assert expected in str(held_error(Exception(text), Path("ledger.duckdb")))


def test_nothing_can_be_written_or_read_beside_the_ledger(
    home: Home, tmp_path: Path, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    open_writer(home).put(encode(make_call(0, 0)))
    (tmp_path / "secret.csv").write_text("a\n1\n")

    with open_ledger(home) as reader:
        for sql in (
            f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
            f"COPY calls TO '{tmp_path}/stolen.csv'",
            f"ATTACH '{tmp_path}/other.duckdb'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SET autoinstall_known_extensions = true",
            "DELETE FROM ledger.calls",
        ):
            with pytest.raises(duckdb.Error):
                reader.execute(sql)
    assert sorted(os.listdir(tmp_path)) == ["home", "secret.csv"]


def test_a_long_query_prints_no_progress_bar(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    open_writer(home).put(encode(make_call(0, 0)))

    with open_ledger(home) as reader:
        assert reader.execute("SELECT current_setting('enable_progress_bar')").rows == [(False,)]


def test_nothing_is_left_behind(
    home: Home,
    tmp_path: Path,
    make_call: MakeCall,
    open_writer: OpenWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    open_writer(home).put(encode(make_call(0, 0)))

    with open_ledger(home) as reader:
        reader.execute("SELECT 1")

    assert list(temporary.iterdir()) == []
    assert sorted(os.listdir(tmp_path)) == ["home", "temporary"]
    assert stat.S_IMODE((home.path / "ledger.duckdb").stat().st_mode) == 0o600


def test_a_user_who_can_only_read_sees_everything(
    make_call: MakeCall, answer_for: Callable[[Home], Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), named=True, fallback=False, reason="named by the test")
        writer = Writer(home, record_version=1)
        writer.put(encode(make_call(0, 0)))
        merge(home)
        writer.put(encode(make_call(0, 1)))
        writer.close()
        for path in (home.path, *home.path.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

        assert answer_for(home) == {"calls": 2, "unmerged": 1}

        for path in (home.path, *home.path.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_user_who_can_only_read_and_no_database(
    make_call: MakeCall, answer_for: Callable[[Home], Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), named=True, fallback=False, reason="named by the test")
        writer = Writer(home, record_version=1)
        writer.put(encode(make_call(0, 0)))
        writer.close()
        for path in (home.path, *home.path.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

        assert answer_for(home) == {"calls": 1, "unmerged": 1}

        for path in (home.path, *home.path.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("held", [False, True])
def test_requests_keep_their_own_model_and_money(
    home: Home, make_call: MakeCall, make_request: MakeRequest, open_writer: OpenWriter, held: bool
) -> None:
    failed = make_request(
        provider="azure", model="a", error=ErrorFacts("openai.APIError", 500), cost=None
    )
    dear = make_request(provider="mistral", model="m", cost=Cost(Decimal("0.5"), "reported"))
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    merge(home)
    notebook = duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True) if held else None
    writer.put(encode(make_call(0, 1, requests=(failed, dear), tags={"team": "x"})))

    with open_ledger(home) as reader:
        answer = reader.execute(
            "SELECT request_number, provider, model, status, cost_usd, cost_status, "
            "input_tokens, tags->>'team', buckets['tokens.out.text'] FROM call_requests "
            "ORDER BY call_id, request_number"
        )
        calls = reader.execute("SELECT cost_usd, cost_status, status FROM calls ORDER BY call_id")
    if notebook is not None:
        notebook.close()

    usd = Decimal("0.0026")
    assert answer.rows == [
        (1, "openai", "gpt-x-2026-10-01", "ok", usd, "priced", 1000, None, Decimal(100)),
        (1, "azure", "a", "error", None, "unpriced", 1000, "x", Decimal(100)),
        (2, "mistral", "m", "ok", Decimal("0.5"), "reported", 1000, "x", Decimal(100)),
    ]
    assert calls.rows == [(usd, "priced", "ok"), (Decimal("0.5"), "reported", "ok")]


def test_the_view_is_in_the_file_for_notebooks(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    open_writer(home).put(encode(make_call(0, 0)))
    merge(home)

    with duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True) as notebook:
        found = notebook.execute("SELECT model, cost_usd FROM call_requests").fetchall()

    assert found == [("gpt-x-2026-10-01", Decimal("0.0026"))]


def test_sums_of_money_are_exact(
    home: Home, make_call: MakeCall, make_request: MakeRequest, open_writer: OpenWriter
) -> None:
    """duckdb/duckdb#3143, neilotoole/sq#855: sums turn into floats and drift."""
    writer = open_writer(home)
    smallest = Decimal("0.000000000001")
    for number in range(1000):
        cost = Cost(Decimal("0.1") + smallest * number, "priced")
        writer.put(encode(make_call(0, number, requests=(make_request(cost=cost),))))

    with open_ledger(home) as reader:
        answer = reader.execute("SELECT sum(cost_usd) FROM calls")

    assert answer.rows == [(Decimal("100.000000499500"),)]


def test_a_planted_fallback_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "costspan-0").symlink_to(tmp_path / "theirs")
    fallback = Home(tmp_path / "costspan-0", named=False, fallback=True, reason="temporary")

    with pytest.raises(LedgerError, match="costspan-0 is not a folder, or is a link"):
        open_ledger(fallback)


def test_a_folder_with_quotes_in_its_name(
    tmp_path: Path, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    home = Home(tmp_path / 'it\'s "mine" %20 ä', named=True, fallback=False, reason="test")
    open_writer(home).put(encode(make_call(0, 0)))

    with open_ledger(home) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(1,)]


def test_a_query_can_be_interrupted(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    """duckdb/duckdb#10216, #15925: Ctrl-C is ignored by a running query."""
    open_writer(home).put(encode(make_call(0, 0)))
    with open_ledger(home) as reader:
        timer = threading.Timer(0.2, reader.interrupt)
        timer.start()
        started = time.monotonic()
        # duckdb 2.0 says RuntimeError here, 1.5 an error of its own.
        with pytest.raises((duckdb.Error, RuntimeError)):
            reader.execute("SELECT count(*) FROM range(10000000000) a, range(1000) b")
        assert time.monotonic() - started < 2
        timer.join()
