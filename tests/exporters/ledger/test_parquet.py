"""Parquet files of the calls: read by a tool that is not DuckDB, to the last digit."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as dataset  # type: ignore[import-untyped]  # it ships no types
import pytest

from costspan.core.types import Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import LedgerError, NoLedgerError
from costspan.exporters.ledger.parquet import export_parquet
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.schema import CALL_COLUMNS
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call
from costspan.pricing.types import Cost

MakeCall = Callable[..., Call]
MakeRequest = Callable[..., Any]
OpenWriter = Callable[..., Writer]

PROGRAM = Path(__file__).with_name("care_program.py")
STARTS = (
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 10, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2026, 10, 15, tzinfo=UTC),
)
COSTS = ("0.000000000001", "999999.999999999999", "0.1", "0.0026", None)
TEXT = {"ca'll_😀": '=cmd|"x"\n,', "empty": ""}


def run(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of ``care_program.py`` to its end."""
    words = [sys.executable, str(PROGRAM), command, *map(str, arguments)]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


def read(folder: Path) -> Any:
    """The table that pyarrow reads."""
    return dataset.dataset(folder, format="parquet", partitioning="hive").to_table()


@pytest.fixture
def filled(
    home: Home, make_call: MakeCall, make_request: MakeRequest, open_writer: OpenWriter
) -> Home:
    """Five calls of three months, the last one unpriced."""
    writer = open_writer(home)
    for number, (start, cost) in enumerate(zip(STARTS, COSTS, strict=True)):
        priced = Cost(Decimal(cost), "reported") if cost else Cost(None, "unpriced")
        usage = Usage({"tokens.in.text": 1000, "seconds.audio.in": Decimal("1.125")})
        request = make_request(cost=priced, usage=usage)
        ended = start + timedelta(seconds=1)
        call = make_call(
            0, number, requests=(request,), started_at=start, ended_at=ended, tags=TEXT
        )
        assert writer.put(encode(call))
    writer.close()
    return home


def test_a_folder_a_month_in_the_order_of_time(filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "calls"

    done = export_parquet(filled, target)

    files = sorted(str(path.relative_to(target)) for path in target.glob("*/*"))
    assert files == [f"month={month}/calls.parquet" for month in ("2024-02", "2026-10", "2026-11")]
    size = sum(path.stat().st_size for path in target.glob("*/*"))
    assert (done.calls, done.months, done.size_bytes, done.left_out) == (5, 3, size, 0)
    assert read(target / "month=2026-10")["unit_id"].to_pylist() == ["2", "4", "1"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.glob("*/*")} == {0o600}
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_types_and_values_in_another_tool(filled: Home, tmp_path: Path) -> None:
    export_parquet(filled, tmp_path / "calls")

    table = read(tmp_path / "calls").sort_by("unit_id")

    types = {field.name: str(field.type) for field in table.schema}
    assert set(types) == {name for name, _ in CALL_COLUMNS} | {"month"}
    assert {name: types[name] for name in ("cost_usd", "started_at", "call_id", "tags")} == {
        "cost_usd": "decimal128(18, 12)",
        "started_at": "timestamp[us]",
        "call_id": "string",
        "tags": "string",
    }
    assert types["input_tokens"] == "int64"
    assert types["buckets"].startswith("map<string, decimal128(18, 3)")
    assert table["cost_usd"].to_pylist() == [Decimal(cost) if cost else None for cost in COSTS]
    known = [Decimal(cost) for cost in COSTS if cost]
    assert sum(cost for cost in table["cost_usd"].to_pylist() if cost) == sum(known)
    assert table["started_at"].to_pylist() == [start.replace(tzinfo=None) for start in STARTS]
    assert [json.loads(text) for text in table["tags"].to_pylist()] == [TEXT] * 5
    assert table["call_id"].to_pylist()[3] == "00000000-0000-0000-0000-000000000003"
    assert dict(table["buckets"].to_pylist()[0]) == {
        "tokens.in.text": Decimal(1000),
        "seconds.audio.in": Decimal("1.125"),
    }


def test_duckdb_reads_it_back(filled: Home, tmp_path: Path) -> None:
    export_parquet(filled, tmp_path / "calls")

    with duckdb.connect() as connection:
        source = f"read_parquet('{tmp_path}/calls/*/*.parquet', hive_partitioning = true)"
        rows = connection.execute(
            f"SELECT month::VARCHAR, sum(cost_usd), count(*) FROM {source} GROUP BY 1 ORDER BY 1"
        ).fetchall()

    assert rows[0][1:] == (Decimal("0.0026"), 1)
    assert rows[1][1:] == (Decimal("1000000.099999999999"), 3)
    assert rows[2][1:] == (Decimal("0.000000000001"), 1)


@pytest.mark.parametrize(
    ("since", "until", "units"),
    [
        (STARTS[2], STARTS[1], ["2", "4"]),
        (STARTS[1], None, ["1", "0"]),
        (None, STARTS[2], ["3"]),
        (STARTS[4], STARTS[4] + timedelta(microseconds=1), ["4"]),
    ],
)
def test_a_period(
    filled: Home,
    tmp_path: Path,
    since: datetime | None,
    until: datetime | None,
    units: list[str],
) -> None:
    done = export_parquet(filled, tmp_path / "calls", since=since, until=until)

    table = read(tmp_path / "calls").sort_by("started_at")
    assert table["unit_id"].to_pylist() == units
    assert done.calls == len(units)


def test_a_period_without_calls_makes_no_folder(filled: Home, tmp_path: Path) -> None:
    done = export_parquet(filled, tmp_path / "calls", until=datetime(2020, 1, 1, tzinfo=UTC))

    assert (done.calls, done.months, done.size_bytes) == (0, 0, 0)
    assert not (tmp_path / "calls").exists()


def test_what_cannot_be_merged_is_in_it(
    filled: Home, tmp_path: Path, make_call: MakeCall, open_writer: OpenWriter, program: Any
) -> None:
    export_parquet(filled, tmp_path / "first")
    holder = program("hold", "read")
    assert holder.stdout.readline() == "open\n"
    writer = open_writer(filled)
    writer.put(encode(make_call(1, 0)))
    writer.put(b"{damaged\n")

    done = export_parquet(filled, tmp_path / "second")

    assert (done.calls, done.left_out) == (6, 1)


def test_a_folder_that_is_empty_will_do(filled: Home, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    assert export_parquet(filled, tmp_path / "calls").calls == 5


def test_a_folder_is_replaced_only_if_that_is_said(filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "calls"
    target.mkdir()
    (target / "mine.txt").write_text("precious")

    with pytest.raises(LedgerError, match=r"calls is not empty.*--force"):
        export_parquet(filled, target)
    assert os.listdir(target) == ["mine.txt"]

    export_parquet(filled, target, force=True)
    assert sorted(os.listdir(target)) == ["month=2024-02", "month=2026-10", "month=2026-11"]
    assert sorted(os.listdir(tmp_path)) == ["calls", "home"]


def test_the_folder_of_the_ledger_is_never_replaced(filled: Home, tmp_path: Path) -> None:
    for place in (filled.path, tmp_path, filled.path / "spool", filled.path / "calls"):
        with pytest.raises(LedgerError, match="holds the ledger or is in its folder"):
            export_parquet(filled, place, force=True)
    assert export_parquet(filled, tmp_path / "calls").calls == 5


@pytest.mark.parametrize(
    ("name", "said"),
    [("file", "is a file: name a folder"), ("none/calls", "none is no folder: make it")],
)
def test_places_that_are_refused(filled: Home, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(LedgerError, match=said):
        export_parquet(filled, tmp_path / name, force=True)


def test_a_kill_leaves_the_old_folder(filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "calls"
    export_parquet(filled, target, until=STARTS[2])

    assert run("export_and_die", filled, target, "2026-10").returncode == -9
    assert os.listdir(target) == ["month=2024-02"]

    assert export_parquet(filled, target, force=True).calls == 5
    assert sorted(os.listdir(tmp_path)) == ["calls", "home"]


def test_a_full_disk_leaves_the_old_folder(filled: Home, tmp_path: Path) -> None:
    target = tmp_path / "calls"
    export_parquet(filled, target, until=STARTS[2])

    said = run("export_with_little_room", filled, target, 1 << 10).stdout

    assert said.startswith(f"LedgerWriteError {target} cannot be written")
    assert os.listdir(target) == ["month=2024-02"]
    assert sorted(os.listdir(tmp_path)) == ["calls", "home"]


def test_there_is_no_ledger(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        export_parquet(home, tmp_path / "calls")
