"""Damage is set aside, never deleted, and what the spool still holds is merged again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import (
    LedgerCorruptError,
    LedgerHeldError,
    LedgerVersionError,
    LedgerWriteError,
    NoLedgerError,
)
from costspan.exporters.ledger.integrity import check
from costspan.exporters.ledger.merge import MergeResult, merge
from costspan.exporters.ledger.repair import Repaired, repair
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]
Query = Callable[[str], list[tuple[Any, ...]]]

PROGRAM = Path(__file__).with_name("care_program.py")
STORED = "SELECT count(*), count(DISTINCT unit_id) FROM calls"


def run(command: str, *arguments: object) -> int:
    """Run a program of ``care_program.py`` to its end."""
    words = [sys.executable, str(PROGRAM), command, *map(str, arguments)]
    return subprocess.run(words, check=False, timeout=60).returncode


def flip(path: Path, share: float = 0.5) -> bytes:
    """Flip one byte of a file; return what it holds then."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0xFF
    path.write_bytes(content)
    return bytes(content)


@pytest.fixture
def database(home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any) -> Path:
    """A database with 10 calls in the file, and 40 in its log, whose merge was killed."""
    first = open_writer(home)
    for number in range(10):
        first.put(encode(make_call(0, number)))
    first.close()
    merge(home)
    writer = open_writer(home)
    for number in range(10, 50):
        writer.put(encode(make_call(0, number)))
    writer.close()
    assert program("merge_and_die", "committed").wait(30) == -9
    return home.path / "ledger.duckdb"


def aside(home: Home) -> list[Path]:
    """What was set aside."""
    return sorted(home.path.glob("*.damaged-*"))


def test_nothing_is_damaged(home: Home, database: Path, query: Query) -> None:
    done = repair(home)

    assert done == Repaired((), False, 0, MergeResult(), 50)
    assert done.nothing
    assert query(STORED) == [(50, 50)]


def test_a_damaged_log(home: Home, database: Path, query: Query) -> None:
    """gizmodata/gizmosql#53, norrietaylor/distillery#647: a damaged log bricks the database."""
    log = database.with_name("ledger.duckdb.wal")
    damaged = flip(log)
    with pytest.raises(LedgerCorruptError, match=r"\.wal is damaged"):
        merge(home)

    done = repair(home)

    (kept,) = aside(home)
    assert kept.name.startswith("ledger.duckdb.wal.damaged-20")
    assert kept.read_bytes() == damaged
    assert done == Repaired((kept,), False, 0, MergeResult(40, 1), 50)
    assert query(STORED) == [(50, 50)]
    assert {finding.level for finding in check(home)} == {"ok"}
    assert repair(home).nothing


@pytest.mark.parametrize("point", ["inserted", "noted", "committed"])
def test_before_its_checkpoint_a_merge_removes_no_segment(
    home: Home,
    make_call: MakeCall,
    open_writer: OpenWriter,
    program: Any,
    query: Query,
    point: str,
) -> None:
    """So whatever becomes of the log, the calls are in the spool."""
    writer = open_writer(home, segment_bytes=1 << 14)
    for number in range(300):
        writer.put(encode(make_call(0, number)))
    writer.close()
    assert program("merge_and_die", point).wait(30) == -9
    log = home.path / "ledger.duckdb.wal"
    if log.exists():  # a transaction that is not committed has left no trace
        flip(log)

    assert repair(home).calls == 300
    assert query(STORED) == [(300, 300)]
    assert (point == "committed") == bool(aside(home))


def test_repricings_that_were_only_in_the_log_are_lost_and_nothing_else(
    home: Home, database: Path, query: Query
) -> None:
    merge(home)
    code = (
        "import duckdb, os, signal\n"
        f"c = duckdb.connect({str(database)!r})\n"
        "c.execute(\"INSERT INTO repricings SELECT call_id, now()::TIMESTAMP, 1, 'priced', NULL, "
        "NULL, NULL, 2, 'priced', NULL FROM calls\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    flip(database.with_name("ledger.duckdb.wal"))

    done = repair(home)

    assert (len(done.set_aside), done.calls) == (1, 50)
    assert query("SELECT count(*) FROM repricings") == [(0,)]


def test_a_damaged_database_is_left_where_it_is(home: Home, database: Path) -> None:
    content = flip(database, 0.001)
    log = database.with_name("ledger.duckdb.wal").read_bytes()

    with pytest.raises(LedgerCorruptError, match=r"Put a backup in its place.*repair --new"):
        repair(home)

    assert database.read_bytes() == content
    assert database.with_name("ledger.duckdb.wal").read_bytes() == log
    assert aside(home) == []


def test_a_damaged_database_is_set_aside_if_that_is_said(
    home: Home, database: Path, query: Query, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    merge(home)
    damaged = flip(database, 0.001)
    open_writer(home).put(encode(make_call(0, 99)))

    done = repair(home, new=True)

    (kept,) = aside(home)
    assert kept.name.startswith("ledger.duckdb.damaged-20")
    assert kept.read_bytes() == damaged
    assert done == Repaired((kept,), True, 0, MergeResult(1, 1), 1)
    assert query("SELECT unit_id FROM calls") == [("99",)]


def test_both_are_damaged(home: Home, database: Path) -> None:
    flip(database, 0.001)
    flip(database.with_name("ledger.duckdb.wal"))

    done = repair(home, new=True)

    assert [path.name.partition(".damaged-")[0] for path in aside(home)] == [
        "ledger.duckdb",
        "ledger.duckdb.wal",
    ]
    # The 40 calls whose merge was killed are in the spool; the others are in the file set aside.
    assert (done.lost_database, done.calls) == (True, 40)


def test_damage_in_the_data_is_found_though_the_file_opens(
    home: Home, database: Path, query: Query
) -> None:
    merge(home)
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "INSERT INTO calls SELECT c.* REPLACE (uuid() AS call_id, uuid()::TEXT AS session_id) "
            "FROM calls c, range(10000) WHERE unit_id = '0'"
        )
    flip(database, 0.4)
    flip(database, 0.6)
    assert merge(home) == MergeResult()

    with pytest.raises(LedgerCorruptError, match="checksum"):
        repair(home)


def test_a_folder_in_place_of_the_ledger(home: Home) -> None:
    (home.path / "ledger.duckdb").mkdir(parents=True)
    (home.path / "ledger.duckdb" / "mine").write_text("precious")
    for look in (merge, repair):
        with pytest.raises(LedgerCorruptError, match=r"it is a folder, not a file.*repair --new"):
            look(home)

    done = repair(home, new=True)

    assert (done.set_aside[0] / "mine").read_text() == "precious"
    assert done.calls == 0


@pytest.mark.parametrize("point", ["log set aside", "database set aside"])
def test_a_kill_loses_nothing(home: Home, database: Path, query: Query, point: str) -> None:
    log = database.with_name("ledger.duckdb.wal")
    flip(log)
    if point.startswith("database"):
        flip(database, 0.001)

    assert run("repair_and_die", home, point) == -9

    expected = 50 if point.startswith("log") else 40
    assert query(STORED) == [(expected, expected)]
    assert repair(home, new=True).nothing
    assert len(aside(home)) == (1 if point.startswith("log") else 2)


def test_leftovers_are_removed_and_counted(home: Home, database: Path) -> None:
    (home.path / ".merge.1.jsonl").write_text("half")
    (home.path / "ledger.duckdb.new.1").write_text("half")
    (home.path / "ledger.duckdb.new.1.wal").write_text("half")

    done = repair(home)

    assert (done.leftovers, done.set_aside, done.nothing) == (3, (), False)
    names = ["ledger.duckdb", "merge.lock", "published", "spool"]
    assert sorted(os.listdir(home.path)) == names


def test_two_repairs_within_a_second_keep_both(home: Home, database: Path) -> None:
    for _ in range(2):
        database.write_bytes(b"no database" * 1000)
        repair(home, new=True)
    assert len([path for path in aside(home) if ".wal." not in path.name]) == 2


def test_what_stands_in_the_way(home: Home, database: Path, tmp_path: Path, program: Any) -> None:
    nothing = Home(tmp_path / "nothing", named=True, fallback=False, reason="named by the test")
    with pytest.raises(NoLedgerError):
        repair(nothing)
    holder = program("hold", "read")
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(LedgerHeldError, match=f"process {holder.pid}"):
        repair(home, new=True, wait_s=0.1)
    holder.communicate()
    with duckdb.connect(str(database)) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, 'later', NULL)")
    with pytest.raises(LedgerVersionError):
        repair(home, new=True)
    assert aside(home) == []


def test_a_full_disk_is_no_damage(home: Home, database: Path) -> None:
    """What cannot be written is not set aside."""
    (home.path / "merge.lock").unlink(missing_ok=True)
    (home.path / "merge.lock").mkdir()
    with pytest.raises(LedgerWriteError, match="Make room or give this user access"):
        repair(home, new=True)
    assert aside(home) == []
