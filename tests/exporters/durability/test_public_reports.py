"""What others have reported of DuckDB in programs like ours: each report is tried on the ledger.

docs/durability.md has the table of all of them, with the tests that stand elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import orjson
import pytest

from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.errors import LedgerError
from costspan.exporters.ledger.merge import MergeResult, merge
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import RECORD_VERSION
from costspan.exporters.ledger.spool import Writer

if TYPE_CHECKING:
    from tests.exporters.durability.conftest import Start

Lines = Callable[[str, range], list[bytes]]
LeaveSegment = Callable[..., Path]
Query = Callable[[str], list[tuple[Any, ...]]]
Stored = Callable[[], dict[str, list[int]]]

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(__file__).with_name("programs.py")
READERS = Path(__file__).with_name("readers.py")
TEN = {"ten": list(range(10))}
COSTSPAN = "import sys; from costspan.cli import main; main(sys.argv[1:])"
WITHOUT_PYTZ = f"import sys; sys.modules['pytz'] = None\n{COSTSPAN}"


@pytest.fixture
def recorded(lines: Lines, segment: LeaveSegment) -> Path:
    """Ten calls wait in the spool."""
    return segment(b"".join(lines("ten", range(10))))


def costspan(*arguments: str, program: str = COSTSPAN) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own."""
    words = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def changed(line: bytes, **columns: object) -> bytes:
    """A line of the spool with other values."""
    return orjson.dumps({**orjson.loads(line), **columns}, option=orjson.OPT_APPEND_NEWLINE)


def hold(start: Start, home: Path, mode: str) -> subprocess.Popen[str]:
    """Have another process keep the database open until its input ends."""
    holder = start(READERS, "hold", home / "ledger.duckdb", mode)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    return holder


def test_reports_of_eight_processes_beside_merges(start: Start, stored: Stored) -> None:
    """frappe/builder#644: workers lock each other out; reading is tried again, for a while."""
    application = start(PROGRAMS, "import_and_record", "application", 50)
    assert application.stdout is not None
    assert application.stdout.readline() == "ready\n"
    readers = [start(READERS, "read_often", 4) for _ in range(8)]
    for reader in readers:
        said, _ = reader.communicate(timeout=60)
        assert reader.returncode == 0
        assert json.loads(said) == [50] * 4
    application.communicate(timeout=30)

    assert stored() == {"application": list(range(51))}


def test_a_report_beside_a_program_that_writes(
    home: Path, recorded: Path, start: Start, stored: Stored
) -> None:
    """duckdb/duckdb#17158, semantic-reasoning/verinote#169: it fails with a traceback, or hangs."""
    merge(home)
    holder = hold(start, home, "write")
    began = time.monotonic()
    said = costspan("report")
    took_s = time.monotonic() - began
    holder.communicate()

    assert (said.returncode, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert f"process {holder.pid}" in line
    assert f"kill {holder.pid}" in line
    assert "Recording goes on meanwhile and nothing is lost." in line
    assert took_s < 10  # 2.5 s of them are the wait
    assert stored() == TEN


def test_a_failed_try_to_write_leaves_no_lock(home: Path, recorded: Path, start: Start) -> None:
    """duckdb/duckdb#11795: after it, nobody could open the database while the process lived."""
    merge(home)
    reader = hold(start, home, "read")
    assert merge(home).state == "held"
    reader.communicate()

    hold(start, home, "write").communicate()

    assert merge(home) == MergeResult()


@pytest.mark.parametrize("command", ["merge", "report", "calls", "doctor"])
def test_commands_end_cleanly(home: Path, recorded: Path, command: str) -> None:
    """duckdb/duckdb#13904, duckdb-python#709, #719: aborts and hangs at the interpreter's exit."""
    for _ in range(2):
        said = costspan(command)
        assert (said.returncode, said.stderr) == (0, "")


def test_the_end_of_a_program_whose_thread_has_the_ledger_open(
    home: Path, recorded: Path, start: Start
) -> None:
    """duckdb/duckdb#13904: abort at exit with a connection in a thread."""
    program = start(READERS, "end_beside_a_reader")
    said, _ = program.communicate(timeout=60)

    assert (program.returncode, json.loads(said)) == (0, 10)


def test_the_release_that_hangs_at_exit_is_shut_out() -> None:
    """duckdb/duckdb-python#709, #719: hangs and crashes at exit in 2.0.0."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (wanted,) = [one for one in project["project"]["dependencies"] if one.startswith("duckdb")]

    assert "!=2.0.0" in wanted


def test_a_log_that_is_cut_anywhere(home: Path, recorded: Path, start: Start) -> None:
    """duckdb/duckdb#8592: a log that was written in part is refused, from then on."""
    killed = start(READERS, "merge_and_die", home, "committed")
    assert killed.wait(30) == -9
    length = (home / "ledger.duckdb.wal").stat().st_size
    for cut in (1, 2, 3, 8, 64, 500, length // 2, length - 1, length):
        copy = home.with_name(f"cut-{cut}")
        shutil.copytree(home, copy)
        os.truncate(copy / "ledger.duckdb.wal", length - cut)

        with open_ledger(copy) as reader:
            counted = reader.execute("SELECT count(*), count(DISTINCT unit_id) FROM calls").rows
        assert counted == [(10, 10)], cut


@pytest.mark.parametrize("point", ["inserted", "noted", "committed"])
def test_a_log_that_somebody_removes(
    home: Path, recorded: Path, stored: Stored, point: str
) -> None:
    """duckdb/duckdb#19343: the connection is invalid when its log has been removed."""

    def remove(passed: str) -> None:
        if passed == point:
            (home / "ledger.duckdb.wal").unlink(missing_ok=True)

    with contextlib.suppress(LedgerError):  # said, if it is
        merge(home, hook=remove)

    assert stored() == TEN


def test_no_index_and_no_key(home: Path, recorded: Path) -> None:
    """duckdb/duckdb#14303, #19712, #22044: deadlocks and logs that cannot be replayed."""
    merge(home)
    with duckdb.connect(str(home / "ledger.duckdb"), read_only=True) as connection:
        indexes = connection.execute("SELECT index_name FROM duckdb_indexes()").fetchall()
        kinds = connection.execute(
            "SELECT DISTINCT constraint_type FROM duckdb_constraints()"
        ).fetchall()

    assert indexes == []
    assert kinds == [("NOT NULL",)]


def test_memory_of_repeated_merges(start: Start) -> None:
    """duckdb/duckdb#15176, #20569, #20045: memory grows with every insert."""
    program = start(PROGRAMS, "merge_repeatedly", 18)
    said, _ = program.communicate(timeout=60)
    early_kb, late_kb = json.loads(said)

    assert program.returncode == 0
    assert late_kb - early_kb < 32_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--by", "day", "--tz", "Europe/Berlin"),
        ("report", "--by", "hour", "--format", "json"),
        ("calls",),
        ("calls", "--format", "csv"),
    ],
    ids=" ".join,
)
def test_without_pytz(home: Path, recorded: Path, arguments: tuple[str, ...]) -> None:
    """duckdb/duckdb#11974, RailtownAI/railtracks#1556: DuckDB 1.5 asks for it."""
    said = costspan(*arguments, program=WITHOUT_PYTZ)

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout


def test_summer_time_after_2037(home: Path, lines: Lines, segment: LeaveSegment) -> None:
    """duckdb/duckdb-python#579: winter time in every summer from 2038 on."""
    at_us = int(datetime(2040, 7, 1, 22, 30, tzinfo=UTC).timestamp()) * 10**6
    (line,) = lines("2040", range(1))
    segment(changed(line, started_at=at_us, ended_at=at_us))

    said = costspan("report", "--by", "day", "--tz", "Europe/Berlin", "--format", "json")

    # 22:30 UTC is half past midnight in Berlin's summer, and half past eleven in its winter.
    assert [row["day"] for row in json.loads(said.stdout)] == ["2040-07-02"]


def test_instants_are_utc_and_say_so(home: Path, lines: Lines, segment: LeaveSegment) -> None:
    """duckdb/duckdb#7915: the zone of an instant gets lost or changed on the way out."""
    at_us = int(datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp()) * 10**6
    (line,) = lines("utc", range(1))
    segment(changed(line, started_at=at_us, ended_at=at_us))

    for zone in ("America/New_York", "Asia/Kolkata"):
        said = subprocess.run(
            [sys.executable, "-c", COSTSPAN, "calls", "--format", "json"],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(said.stdout)[0]["started_at"] == "2026-03-29T01:30:00Z"


def test_sums_of_tokens_are_exact(
    home: Path, lines: Lines, segment: LeaveSegment, query: Query
) -> None:
    """duckdb/duckdb#3143, #24081, neilotoole/sq#855: sums of integers become floats, or wrap."""
    largest = 2**63 - 1
    segment(b"".join(changed(one, input_tokens=largest) for one in lines("sum", range(3))))

    ((total,),) = query("SELECT sum(input_tokens) FROM calls")
    said = costspan("report", "--format", "json")

    assert isinstance(total, int)
    assert total == 3 * largest == 27670116110564327421
    assert f'"input_tokens": {3 * largest}' in said.stdout


def test_a_writer_is_not_stopped_by_a_report(
    home: Path, lines: Lines, start: Start, stored: Stored
) -> None:
    """The promise of the table of failures: held for reading or writing, recording goes on."""
    writer = Writer(resolve_home(home), record_version=RECORD_VERSION)
    made = lines("held", range(30))
    for line in made[:10]:
        assert writer.put(line)
    merge(home)
    for mode, part in (("read", made[10:20]), ("write", made[20:])):
        holder = hold(start, home, mode)
        for line in part:
            assert writer.put(line)
        if mode == "read":
            assert stored() == {"held": list(range(20))}
        holder.communicate()
    writer.close()

    assert stored() == {"held": list(range(30))}
