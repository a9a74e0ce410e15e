"""A backup: whole under its name, complete, made while others record and read."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.backup import Backup, backup
from costspan.exporters.ledger.errors import (
    LedgerCorruptError,
    LedgerError,
    LedgerHeldError,
    NoLedgerError,
)
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]

PROGRAM = Path(__file__).with_name("care_program.py")


def run(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of ``care_program.py`` to its end."""
    words = [sys.executable, str(PROGRAM), command, *map(str, arguments)]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


def units(path: Path) -> list[str]:
    """Which calls a backup holds, by the reader of reports."""
    folder = path.parent / f"restored-{path.name}"
    folder.mkdir()
    shutil.copy(path, folder / "ledger.duckdb")
    with open_ledger(folder) as reader:
        return [str(unit) for (unit,) in reader.execute("SELECT unit_id FROM calls").rows]


@pytest.fixture
def writer(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> Writer:
    """A running writer: two calls are merged, one is not."""
    running = open_writer(home)
    running.put(encode(make_call(0, 0)))
    running.put(encode(make_call(0, 1)))
    merge(home)
    running.put(encode(make_call(0, 2)))
    return running


def test_what_is_recorded_until_now_is_in_it(home: Home, writer: Writer, tmp_path: Path) -> None:
    target = tmp_path / "backup.duckdb"

    done = backup(home, target)

    assert done == Backup(3, 0, 0, 0, target.stat().st_size)
    assert units(target) == ["0", "1", "2"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["backup.duckdb", "home", "restored-backup.duckdb"]


def test_a_notebook_that_reads_does_not_stand_in_the_way(
    home: Home, writer: Writer, tmp_path: Path, program: Any
) -> None:
    holder = program("hold", "read")
    assert holder.stdout.readline() == "open\n"
    target = tmp_path / "backup.duckdb"

    done = backup(home, target)

    assert (done.calls, done.unmerged) == (3, 1)
    assert units(target) == ["0", "1", "2"]
    # Back in the same folder, beside a spool that still has the call, it is there once.
    holder.communicate()
    os.replace(target, home.path / "ledger.duckdb")
    assert merge(home).rows == 0
    with open_ledger(home) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(3,)]


def test_who_writes_is_named(home: Home, writer: Writer, tmp_path: Path, program: Any) -> None:
    holder = program("hold", "write")
    assert holder.stdout.readline() == "open\n"

    with pytest.raises(LedgerHeldError, match=f"process {holder.pid}"):
        backup(home, tmp_path / "backup.duckdb", wait_s=0.1)
    assert sorted(os.listdir(tmp_path)) == ["home"]


def test_the_lock_is_held_all_the_time(home: Home, writer: Writer, tmp_path: Path) -> None:
    """facebook/rocksdb#1780, duckdb/duckdb-sqlite#82: who opens and closes the file drops it."""
    tried = []

    def try_to_write(point: str) -> None:
        code = f"import duckdb; duckdb.connect({str(home.path / 'ledger.duckdb')!r})"
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        tried.append((point, b"Could not set lock" in done.stderr))

    backup(home, tmp_path / "backup.duckdb", hook=try_to_write)

    assert tried == [("copied", True), ("added", True)]


def test_damaged_lines_are_left_out(
    home: Home, writer: Writer, tmp_path: Path, program: Any
) -> None:
    writer.put(b"{damaged\n")
    holder = program("hold", "read")
    assert holder.stdout.readline() == "open\n"

    done = backup(home, tmp_path / "backup.duckdb")

    assert (done.calls, done.unmerged, done.left_out) == (3, 1, 1)
    holder.communicate()
    assert merge(home).quarantined == 1


def test_only_a_spool(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    open_writer(home).put(encode(make_call(0, 7)))
    target = home.path.parent / "backup.duckdb"

    assert backup(home, target).calls == 1
    assert units(target) == ["7"]


def test_a_file_is_replaced_only_if_that_is_said(
    home: Home, writer: Writer, tmp_path: Path
) -> None:
    target = tmp_path / "backup.duckdb"
    target.write_text("precious")

    with pytest.raises(LedgerError, match=r"backup\.duckdb exists.*--force"):
        backup(home, target)
    assert target.read_text() == "precious"

    assert backup(home, target, force=True).calls == 3
    assert units(target) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("home/ledger.duckdb", "is, or belongs to, the ledger itself"),
        ("home/ledger.duckdb.wal", "is, or belongs to, the ledger itself"),
        ("link/ledger.duckdb", "is, or belongs to, the ledger itself"),
        ("home", "is a folder: name a file in it"),
        ("none/backup.duckdb", "none is no folder: make it"),
    ],
)
def test_places_that_are_refused(
    home: Home, writer: Writer, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "link").symlink_to(home.path)
    before = (home.path / "ledger.duckdb").stat().st_ino

    with pytest.raises(LedgerError, match=said):
        backup(home, tmp_path / name, force=True)

    assert (home.path / "ledger.duckdb").stat().st_ino == before
    assert backup(home, tmp_path / "backup.duckdb").calls == 3


@pytest.mark.parametrize("point", ["copied", "added"])
def test_a_kill_leaves_the_old_backup(
    home: Home, writer: Writer, tmp_path: Path, point: str
) -> None:
    target = tmp_path / "backup.duckdb"
    target.write_text("the old one")

    assert run("backup_and_die", home, target, point).returncode == -9
    assert target.read_text() == "the old one"

    assert backup(home, target, force=True).calls == 3
    assert sorted(os.listdir(tmp_path)) == ["backup.duckdb", "home"]


def test_a_full_disk_leaves_the_old_backup(home: Home, writer: Writer, tmp_path: Path) -> None:
    target = tmp_path / "backup.duckdb"
    target.write_text("the old one")

    said = run("backup_with_little_room", home, target, 1 << 16).stdout

    assert said.startswith(f"LedgerWriteError {target} cannot be written")
    assert "Make room" in said
    assert target.read_text() == "the old one"
    assert sorted(os.listdir(tmp_path)) == ["backup.duckdb", "home"]


def test_a_damaged_ledger_is_not_taken_for_a_full_disk(home: Home, tmp_path: Path) -> None:
    home.path.mkdir()
    (home.path / "ledger.duckdb").write_bytes(b"no database" * 1000)

    with pytest.raises(LedgerError, match=r"ledger\.duckdb is damaged"):
        backup(home, tmp_path / "backup.duckdb")


def test_damage_that_is_met_on_the_way_leaves_the_old_backup(
    home: Home, writer: Writer, tmp_path: Path
) -> None:
    merge(home)
    database = home.path / "ledger.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "INSERT INTO calls SELECT c.* REPLACE (uuid() AS call_id, uuid()::TEXT AS session_id) "
            "FROM calls c, range(20000) WHERE unit_id = '0'"
        )
    content = bytearray(database.read_bytes())
    for place in range(1 << 17, len(content), 1 << 16):  # past what is read to open it
        content[place] ^= 0xFF
    database.write_bytes(content)
    target = tmp_path / "backup.duckdb"
    target.write_text("the old one")

    with pytest.raises(LedgerCorruptError, match=r"ledger\.duckdb is damaged.*checksum"):
        backup(home, target, force=True)

    assert target.read_text() == "the old one"
    assert sorted(os.listdir(tmp_path)) == ["backup.duckdb", "home"]


def test_there_is_no_ledger(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        backup(home, tmp_path / "backup.duckdb")
    assert os.listdir(tmp_path) == []


def test_a_ledger_of_an_older_version_that_cannot_be_written_is_copied_as_the_newest(
    home: Home, writer: Writer, tmp_path: Path, program: Any
) -> None:
    with duckdb.connect(str(home.path / "ledger.duckdb")) as connection:
        connection.execute("DROP TABLE repricings")
        connection.execute("DELETE FROM migrations WHERE version = 2")
    holder = program("hold", "read")
    assert holder.stdout.readline() == "open\n"

    backup(home, tmp_path / "backup.duckdb")

    with duckdb.connect(str(tmp_path / "backup.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM repricings").fetchall() == [(0,)]
