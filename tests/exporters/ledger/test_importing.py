"""Calls from elsewhere in the ledger: each once, whole batches or nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.core.types import Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import LedgerError, LedgerHeldError
from costspan.exporters.ledger.importing import Imported, compare, import_batches
from costspan.exporters.ledger.merge import merge_lock
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost

FOREIGN = {"sdk_version": "import:claude-code"}
MakeCall = Callable[..., Call]
MakeRequest = Callable[..., ProviderRequest]
Query = Callable[[str], list[tuple[Any, ...]]]

POINTS = ("read", "removed", "inserted", "committed")


def result(done: Imported) -> tuple[int, int, int, Decimal]:
    return done.new, done.known, done.replaced, done.cost_usd


@pytest.fixture
def grown(make_call: MakeCall, make_request: MakeRequest) -> Callable[..., bytes]:
    """A foreign call that has got to a number of tokens: ``grown(number, tokens, usd)``."""

    def build(number: int, tokens: int, usd: str | None = "0.1", **origin: str) -> bytes:
        usage = Usage({"tokens.in.text": 10, "tokens.out.text": tokens})
        cost = Cost(Decimal(usd), "priced") if usd else Cost(None, "unpriced")
        call = make_call(0, number, requests=(make_request(usage=usage, cost=cost),))
        return encode(call, origin or FOREIGN)

    return build


def test_each_call_once_however_often_it_is_imported(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    lines = [encode(make_call(0, number)) for number in range(10)]

    first = import_batches(home, [lines[:6], lines[4:]])
    again = import_batches(home, [lines])

    # $0.0026 each.
    assert result(first) == (10, 0, 0, Decimal("0.026"))
    assert result(again) == (0, 10, 0, Decimal(0))
    assert query("SELECT count(*), sum(cost_usd) FROM calls") == [(10, Decimal("0.026"))]


def test_copies_within_a_batch_are_one_call(home: Home, grown: Callable[..., bytes]) -> None:
    done = import_batches(home, [[grown(1, 5), grown(1, 9, "0.3"), grown(1, 7)]])

    assert result(done) == (1, 0, 0, Decimal("0.3"))


def test_a_foreign_call_that_has_grown_is_replaced(
    home: Home, grown: Callable[..., bytes], query: Query
) -> None:
    import_batches(home, [[grown(1, 5), grown(2, 5)]])

    done = import_batches(home, [[grown(1, 9, "0.3"), grown(2, 4, "0.2"), grown(3, 1)]])

    # By 0.3 instead of 0.1, and the new one's 0.1.
    assert result(done) == (1, 1, 1, Decimal("0.3"))
    assert query("SELECT output_tokens FROM calls ORDER BY unit_id") == [(9,), (5,), (1,)]


def test_a_call_that_grows_from_batch_to_batch_counts_once(
    home: Home, grown: Callable[..., bytes], query: Query
) -> None:
    done = import_batches(home, [[grown(1, 5)], [grown(1, 9, "0.3")], [grown(1, 2)]])

    assert result(done) == (1, 0, 0, Decimal("0.3"))
    assert query("SELECT output_tokens, cost_usd FROM calls") == [(9, Decimal("0.3"))]


def test_our_own_record_is_never_replaced(
    home: Home, grown: Callable[..., bytes], query: Query
) -> None:
    import_batches(home, [[grown(1, 5, sdk_version="0.1.0")]])

    assert import_batches(home, [[grown(1, 9, sdk_version="0.1.0")]]).known == 1
    assert import_batches(home, [[grown(1, 9)]]).known == 1
    assert query("SELECT output_tokens FROM calls") == [(5,)]


def test_what_waits_in_the_spool_is_known(
    home: Home, make_call: MakeCall, open_writer: Callable[..., Writer], query: Query
) -> None:
    """A serverless function that also keeps a ledger has its calls in both."""
    assert open_writer(home).put(encode(make_call(0, 1)))

    done = import_batches(home, [[encode(make_call(0, 1)), encode(make_call(0, 2))]])

    assert result(done)[:2] == (1, 1)
    assert query("SELECT count(*) FROM calls") == [(2,)]


def test_calls_are_stored_by_time(home: Home, make_call: MakeCall) -> None:
    """Reports of a period read only the part of the file that holds it."""
    import_batches(home, [[encode(make_call(0, number)) for number in (3, 1, 2)]])

    with duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True) as connection:
        stored = connection.execute("SELECT unit_id FROM calls ORDER BY rowid").fetchall()
    assert stored == [("1",), ("2",), ("3",)]


def test_first_last_and_unpriced(home: Home, grown: Callable[..., bytes]) -> None:
    done = import_batches(home, [[grown(2, 5, None)], [grown(9, 5), grown(4, 5)]])

    start = datetime(2026, 11, 1, 12, 0, 0, 250)
    assert (done.first, done.last) == (
        start + timedelta(milliseconds=2),
        start + timedelta(milliseconds=9),
    )
    assert (done.unpriced, done.cost_usd) == (1, Decimal("0.2"))


def test_a_line_that_the_database_refuses_is_left_out(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    wrong = encode(make_call(0, 1)).replace(b'"status":"ok"', b'"status":null')

    done = import_batches(home, [[wrong, encode(make_call(0, 2))]])

    assert (done.new, done.damaged) == (1, 1)
    assert query("SELECT unit_id FROM calls") == [("2",)]


def test_the_folder_and_its_files_are_private(home: Home, make_call: MakeCall) -> None:
    import_batches(home, [[encode(make_call())]])

    assert home.path.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.path.iterdir()}
    assert modes["ledger.duckdb"] == 0o600
    assert not [name for name in modes if name.startswith(".")]


def test_another_merge_is_waited_for_and_named(home: Home, make_call: MakeCall) -> None:
    import_batches(home, [[encode(make_call(0, 1))]])

    with merge_lock(home.path, 0) as locked:
        assert locked
        with pytest.raises(LedgerError, match="Another process merges"):
            import_batches(home, [[encode(make_call(0, 2))]], wait_s=0.1)


def test_a_program_that_holds_the_ledger_is_named(
    home: Home, make_call: MakeCall, program: Callable[..., subprocess.Popen[str]]
) -> None:
    import_batches(home, [[encode(make_call(0, 1))]])
    holder = program("hold", "read")
    assert holder.stdout is not None
    holder.stdout.readline()

    with pytest.raises(LedgerHeldError, match=rf"process {holder.pid} "):
        import_batches(home, [[encode(make_call(0, 2))]], wait_s=0.1)


class TestCompare:
    """What an import would do."""

    def test_with_a_ledger(self, home: Home, grown: Callable[..., bytes], tmp_path: Path) -> None:
        other = Home(tmp_path / "other", named=True, fallback=False, reason="for the test")
        import_batches(home, [[grown(1, 5), grown(2, 5)]])
        import_batches(other, [[grown(1, 9, "0.3"), grown(2, 5), grown(3, 1)]])

        assert result(compare(home, other)) == (1, 1, 1, Decimal("0.3"))
        assert result(import_batches(home, [[grown(1, 5), grown(2, 5)]]))[1] == 2

    def test_without_one(self, home: Home, grown: Callable[..., bytes], tmp_path: Path) -> None:
        other = Home(tmp_path / "other", named=True, fallback=False, reason="for the test")
        import_batches(other, [[grown(1, 9, "0.3")]])

        assert result(compare(home, other)) == (1, 0, 0, Decimal("0.3"))
        assert not home.path.exists()


DYING = """\
import os, signal, sys
from pathlib import Path
from costspan.exporters.home import Home
from costspan.exporters.ledger.importing import import_batches

home, point, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
passed = 0

def die(name):
    global passed
    passed += name == point
    if name == point and passed == batch:
        os.kill(os.getpid(), signal.SIGKILL)

lines = sys.stdin.buffer.readlines()
batches = [lines[at : at + 10] for at in range(0, len(lines), 10)]
import_batches(Home(Path(home), True, False, "named by the test"), batches, hook=die)
"""


def killed_import(home: Home, lines: Iterable[bytes], point: str, batch: int) -> int:
    """Import in batches of ten, killed at the named point of a batch; the exit code."""
    return subprocess.run(
        [sys.executable, "-c", DYING, str(home), point, str(batch)],
        input=b"".join(lines),
        check=False,
    ).returncode


@pytest.mark.parametrize("point", POINTS)
def test_killed_it_leaves_whole_batches_and_importing_again_brings_the_rest(
    home: Home, grown: Callable[..., bytes], query: Query, point: str
) -> None:
    old: Sequence[bytes] = [grown(number, 5) for number in range(30)]
    import_batches(home, [old])
    lines = [grown(number, 9, "0.3") for number in range(40)]

    assert killed_import(home, lines, point, 2) == -signal.SIGKILL

    whole = 20 if point == "committed" else 10
    assert query("SELECT output_tokens, count(*) FROM calls GROUP BY ALL ORDER BY 1") == [
        (5, 30 - whole),
        (9, whole),
    ]
    done = import_batches(home, [lines])
    assert (done.new, done.replaced, done.known) == (10, 30 - whole, whole)
    assert query("SELECT count(*), count(DISTINCT call_id), sum(cost_usd) FROM calls") == [
        (40, 40, Decimal(12))
    ]
