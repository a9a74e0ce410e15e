"""A ledger written anew with some of its calls: whole wherever it is killed, in the same order."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.exporters.home import Home
from costspan.exporters.ledger.copying import Replaced, copy_ledger, replacing
from costspan.exporters.ledger.errors import (
    LedgerError,
    LedgerHeldError,
    LedgerWriteError,
    NoLedgerError,
)
from costspan.exporters.ledger.locks import try_lock
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.output import refuse_little_room
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.schema import MIGRATIONS, create_database, migrate
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]
Query = Callable[[str], list[tuple[Any, ...]]]

PROGRAM = Path(__file__).with_name("care_program.py")
POINTS = ("merged", "copied", "checkpointed", "closed", "renamed")


def run(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of ``care_program.py`` to its end."""
    words = [sys.executable, str(PROGRAM), command, *map(str, arguments)]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


def asked(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query on a database file that nobody else has open."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def filled(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> Path:
    """The database of a home: ten calls merged, the first two repriced, and two more in the spool.

    Their order in the file is not that of their instants.
    """
    writer = open_writer(home)
    for number in (5, 6, 7, 8, 9):
        writer.put(encode(make_call(0, number)))
    merge(home)
    for number in (0, 1, 2, 3, 4):
        writer.put(encode(make_call(0, number)))
    merge(home)
    database = home.path / "ledger.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "INSERT INTO repricings SELECT call_id, TIMESTAMP '2026-11-20 10:00:00', cost_usd, "
            "'priced', NULL, NULL, NULL, 1.5, 'priced', 'new' FROM calls WHERE unit_id IN (0, 1)"
        )
        connection.execute("UPDATE migrations SET applied_at = TIMESTAMP '2026-01-02 03:04:05'")
    for number in (10, 11):
        writer.put(encode(make_call(0, number)))
    return database


def test_a_copy_holds_what_the_ledger_holds(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "it's a copy.duckdb"
    before = {
        table: asked(filled, f"SELECT * FROM {table}")
        for table in ("calls", "repricings", "merged_segments", "migrations", "call_requests")
    }
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{filled}' AS old (READ_ONLY)")
        copy_ledger(connection, "old", target)
        ((current,),) = connection.execute("SELECT current_database()").fetchall()
        assert current == "memory"
        names = connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        assert ("fresh",) not in names

    assert {table: asked(target, f"SELECT * FROM {table}") for table in before} == before
    assert len(before["calls"]) == 10
    assert len(before["repricings"]) == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "home") == os.listdir(filled.parent)
    assert not target.with_name(target.name + ".wal").exists()
    format_ = asked(target, "SELECT tags FROM duckdb_databases() WHERE NOT internal")
    assert "v1.5.0" in str(format_)


def test_a_copy_holds_the_calls_that_are_wanted_and_their_repricings(
    filled: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    with duckdb.connect(str(filled)) as connection:
        copy_ledger(connection, "ledger", target, "unit_id <> $unit", {"unit": "1"})
        assert connection.execute("SELECT count(*) FROM calls").fetchall() == [(10,)]

    kept = [unit for (unit,) in asked(target, "SELECT unit_id FROM calls")]
    assert kept == ["5", "6", "7", "8", "9", "0", "2", "3", "4"]
    assert asked(
        target,
        "SELECT c.unit_id, new_cost_usd::VARCHAR FROM repricings JOIN calls c USING (call_id)",
    ) == [("0", "1.500000000000")]
    assert len(asked(target, "SELECT * FROM merged_segments")) == 2


@given(units=st.lists(st.integers(0, 20), max_size=30), kept=st.sets(st.integers(0, 20)))
@settings(max_examples=20, deadline=None)
def test_whatever_is_kept_stays_in_order(
    tmp_path_factory: pytest.TempPathFactory, units: list[int], kept: set[int]
) -> None:
    target = tmp_path_factory.mktemp("law") / "copy"
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS old")
        connection.execute("USE old")
        migrate(connection, target, unfinished=True)
        connection.execute("USE memory")
        connection.execute(
            "INSERT INTO old.calls BY NAME SELECT uuid() AS call_id, 1 AS record_version, "
            "TIMESTAMP '2026-11-01' AS started_at, started_at AS ended_at, 'ok' AS status, "
            "'unpriced' AS cost_status, unnest(?::INT[])::VARCHAR AS unit_id",
            [units],
        )
        chosen = {"kept": sorted(kept)}
        copy_ledger(connection, "old", target, "list_contains($kept::INT[], unit_id::INT)", chosen)

    rows = asked(target, "SELECT unit_id FROM calls")
    assert [int(unit) for (unit,) in rows] == [unit for unit in units if unit in kept]


def test_a_copy_of_an_older_ledger_is_of_the_newest_version(tmp_path: Path) -> None:
    old, target = tmp_path / "old.duckdb", tmp_path / "copy.duckdb"
    with duckdb.connect(str(old)) as connection:
        migrate(connection, old, MIGRATIONS[:1])
        connection.execute("UPDATE migrations SET applied_at = TIMESTAMP '2026-01-02 03:04:05'")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{old}' AS old (READ_ONLY)")
        copy_ledger(connection, "old", target)

    versions = asked(target, "SELECT version, applied_at::VARCHAR FROM migrations ORDER BY 1")
    assert [version for version, _ in versions] == [step.version for step in MIGRATIONS]
    assert versions[0] == (1, "2026-01-02 03:04:05")
    assert versions[1][1] > "2026-01-02 03:04:05"


def test_a_copy_replaces_no_file(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("precious")
    with duckdb.connect(str(filled)) as connection, pytest.raises(FileExistsError):
        copy_ledger(connection, "ledger", target)
    assert target.read_text() == "precious"


def test_a_copy_that_fails_leaves_nothing(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with duckdb.connect(str(filled)) as connection:
        with pytest.raises(duckdb.Error):
            copy_ledger(connection, "ledger", target, "no_such_column = 1")
        assert connection.execute("SELECT count(*) FROM calls").fetchall() == [(10,)]
    assert sorted(os.listdir(tmp_path)) == ["home"]


def test_a_ledger_is_replaced(home: Home, filled: Path, query: Query) -> None:
    before = filled.stat().st_ino
    filled.chmod(0o660)
    with replacing(home, "unit_id::INT % 2 = $rest", {"rest": 0}) as replaced:
        assert (replaced.kept, replaced.removed) == (6, 6)
        assert replaced.after_bytes == filled.stat().st_size
        assert replaced.before_bytes >= replaced.after_bytes > 0
        assert merge(home).state == "busy"
        with open(home.path / "merge.lock", "rb") as other:
            assert not try_lock(other.fileno())

    assert filled.stat().st_ino != before
    assert stat.S_IMODE(filled.stat().st_mode) == 0o660
    assert [unit for (unit,) in query("SELECT unit_id FROM calls")] == [
        *("6", "8", "0", "2", "4", "10"),
    ]
    assert sorted(os.listdir(home.path)) == ["ledger.duckdb", "merge.lock", "published", "spool"]


def test_nothing_is_merged_again_after_a_replacement(
    home: Home, filled: Path, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    """The writers go on, and what they wrote before stays removed."""
    with replacing(home, "false") as replaced:
        assert replaced == Replaced(0, 12, replaced.before_bytes, replaced.after_bytes)
    open_writer(home).put(encode(make_call(1, 0)))

    assert query("SELECT session_id, unit_id FROM calls") == [("1", "0")]


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_the_old_ledger_or_the_new_one(
    home: Home, filled: Path, query: Query, point: str
) -> None:
    done = run("replace_and_die", home, point)
    assert (done.returncode, done.stderr) == (-9, "")

    units = {int(unit) for (unit,) in query("SELECT unit_id FROM calls")}

    assert units == set(range(0, 12, 2) if point == "renamed" else range(12))
    assert merge(home).state == "merged"
    assert sorted(os.listdir(home.path)) == ["ledger.duckdb", "merge.lock", "published", "spool"]
    with replacing(home, "unit_id::INT % 2 = 0") as replaced:
        assert replaced.kept == 6


def test_a_full_disk_leaves_the_old_ledger(
    home: Home, filled: Path, open_writer: OpenWriter, query: Query
) -> None:
    merge(home)
    with duckdb.connect(str(filled)) as connection:
        connection.execute(
            "INSERT INTO calls SELECT c.* REPLACE (uuid() AS call_id, uuid()::TEXT AS session_id, "
            "(n % 9)::VARCHAR AS unit_id) FROM calls c, range(20000) AS r(n) WHERE unit_id = '0'"
        )
    before = filled.stat().st_size

    done = run("replace_with_little_room", home, 1 << 18)

    assert done.stdout.startswith("LedgerWriteError")
    assert "Make room" in done.stdout
    assert done.stderr == ""
    assert sorted(os.listdir(home.path)) == ["ledger.duckdb", "merge.lock", "published", "spool"]
    assert filled.stat().st_size == before
    assert query("SELECT count(*) FROM calls") == [(20_012,)]


def test_too_little_room_is_said_before(tmp_path: Path) -> None:
    refuse_little_room(tmp_path, 0)
    with pytest.raises(LedgerWriteError, match=r"needs about 1000000\.0 GB.*has .* left"):
        refuse_little_room(tmp_path, 10**15)


def test_a_log_of_the_old_ledger_is_never_given_to_the_new_one(
    home: Home, filled: Path, query: Query
) -> None:
    def leave_log(point: str) -> None:
        if point == "checkpointed":
            filled.with_name("ledger.duckdb.wal").write_bytes(b"a log of another program")

    with (
        pytest.raises(LedgerWriteError, match=r"ledger\.duckdb\.wal could not be taken"),
        replacing(home, "false", hook=leave_log),
    ):
        raise AssertionError
    filled.with_name("ledger.duckdb.wal").unlink(missing_ok=True)
    assert query("SELECT count(*) FROM calls") == [(12,)]


def test_an_older_ledger_is_migrated_first(home: Home) -> None:
    home.path.mkdir()
    old = home.path / "ledger.duckdb"
    with duckdb.connect(str(old)) as connection:
        migrate(connection, old, MIGRATIONS[:1])
    with replacing(home, "true") as replaced:
        assert replaced.kept == 0
    assert asked(old, "SELECT max(version) FROM migrations") == [(MIGRATIONS[-1].version,)]


def test_of_an_empty_ledger_nothing_is_removed(home: Home) -> None:
    home.path.mkdir()
    create_database(home.path / "ledger.duckdb")
    with replacing(home, "false") as replaced:
        assert (replaced.kept, replaced.removed) == (0, 0)


def test_who_has_the_ledger_open_is_named(home: Home, filled: Path, program: Any) -> None:
    holder = program("hold", "read")
    assert holder.stdout.readline() == "open\n"

    with (
        pytest.raises(LedgerHeldError, match=rf"process {holder.pid} .*program\.py hold"),
        replacing(home, "true", wait_s=0.1),
    ):
        raise AssertionError


def test_another_process_that_merges_is_waited_for_and_named(home: Home, filled: Path) -> None:
    with open(home.path / "merge.lock", "rb") as other:
        assert try_lock(other.fileno())
        with (
            pytest.raises(LedgerError, match="Another process merges"),
            replacing(home, "true", wait_s=0.05),
        ):
            raise AssertionError


def test_there_is_no_ledger(home: Home) -> None:
    with pytest.raises(NoLedgerError), replacing(home, "true"):
        raise AssertionError
    assert not home.path.exists()
