"""How large the spool may get, where it is mapped, and when its records reach the disk."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger import automerge, folder, spool
from costspan.exporters.ledger.doctor import diagnose
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.notes import read_notes
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]


def test_a_full_spool_refuses_counts_says_so_and_recovers(
    home: Home,
    make_call: MakeCall,
    open_writer: OpenWriter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = encode(make_call())
    # Room for three segments of 64 KiB.
    writer = open_writer(home, segment_bytes=1 << 16, limit_bytes=200_000)
    with caplog.at_level(logging.WARNING, logger="costspan"):
        stored = sum(writer.put(line) for _ in range(1000))
        assert not writer.flush()

    assert 0 < stored < 3 * (1 << 16) // len(line) + 1
    assert writer.lost == 1000 - stored
    assert writer.last_error == "SpoolFullError(EDQUOT)"
    (said,) = [entry.getMessage() for entry in caplog.records]
    assert said.startswith(f"The spool {home}/spool holds 0 MB and may hold 0 MB, so new records")
    assert "`costspan merge`" in said
    (note,) = read_notes(home.path)
    assert (note.lost, note.reason) == (1000 - stored, "the spool held as much as it may")

    merge(home)
    time.sleep(1.05)
    assert writer.put(line)
    assert merge(home).rows == 1


def test_a_full_spool_is_merged_at_once(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSTSPAN_AUTOMERGE")
    line = encode(make_call())
    writer = open_writer(home, segment_bytes=1 << 16, limit_bytes=200_000)
    stored = 0
    for _ in range(1000):
        stored += writer.put(line)
    deadline = time.monotonic() + 20
    while not writer.put(line):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert writer.lost > 0
    assert (home.path / "merge.stamp").exists()


def test_doctor_warns_before_the_spool_is_full(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_writer(home).put(encode(make_call()))
    monkeypatch.setattr("costspan.exporters.ledger.doctor.LIMIT_BYTES", 1 << 20)
    (found,) = [one for one in diagnose(home) if one.level == "warning"]
    assert found.what == "The spool grows: nobody merges it."
    assert "costspan merge --watch" in found.cure


@pytest.mark.parametrize(("kind", "mode"), [("btrfs", "write"), ("zfs", "write"), ("ext4", "mmap")])
def test_where_zeros_reserve_no_room_lines_are_written(
    home: Home,
    make_call: MakeCall,
    open_writer: OpenWriter,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    mode: str,
) -> None:
    monkeypatch.setattr(folder, "file_system", lambda path: kind)
    writer = open_writer(home)
    assert writer.put(encode(make_call()))
    assert writer.mode == mode
    (path,) = segment_paths(home.path)
    assert (path.stat().st_size < 1 << 20) == (mode == "write")


def test_a_named_network_folder_is_refused_with_the_cure(
    home: Home,
    open_writer: OpenWriter,
    make_call: MakeCall,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """sisig-ai/doctor#15, trinodb/trino#25802: locks on NFS are held by nobody who can be seen."""
    monkeypatch.setattr("costspan.exporters.home.file_system", lambda path: "nfs4")
    writer = open_writer(home)
    with caplog.at_level(logging.WARNING, logger="costspan"):
        assert not writer.put(encode(make_call()))
        writer.flush()
    (said,) = [entry.getMessage() for entry in caplog.records]
    assert said == (
        f"The ledger's folder {home} is on a network file system (nfs4). Name a folder on a local "
        "disk that you can write, by COSTSPAN_HOME."
    )


@pytest.mark.parametrize(("sync", "at_once"), [("always", True), ("interval", False)])
def test_when_records_reach_the_disk(
    home: Home,
    make_call: MakeCall,
    open_writer: OpenWriter,
    monkeypatch: pytest.MonkeyPatch,
    sync: str,
    at_once: bool,
) -> None:
    synced: list[int] = []

    def note(fd: int) -> None:
        synced.append(fd)
        os.fsync(fd)

    monkeypatch.setattr(spool, "datasync", note)
    monkeypatch.setattr(spool, "SYNC_S", 3600.0)
    writer = open_writer(home, sync=sync)

    for number in range(3):
        assert writer.put(encode(make_call(0, number)))

    assert len(synced) == (3 if at_once else 0)
    assert writer.flush()
    assert len(synced) == (4 if at_once else 1)


def test_the_system_call_is_made(home: Home) -> None:
    """The kernel's own word for it: each put of ``sync=always`` is one fdatasync."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import runpy; "
        "m = runpy.run_path(sys.argv[1], run_name='p'); "
        "w = m['open_writer'](sys.argv[2], sync='always'); "
        "io = lambda: int(open('/proc/self/io').read().split('write_bytes: ')[1].split()[0]); "
        "w.put(m['encode'](m['make_call']())); before = io(); "
        "[w.put(m['encode'](m['make_call'](0, n))) for n in range(20)]; "
        "print(io() - before); w.close()"
    )
    program = Path(__file__).with_name("program.py")
    words = [sys.executable, "-c", code, str(program), str(home)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    # A page of 4 KiB goes to the disk each time; on a file system in memory nothing does.
    assert int(done.stdout) >= 20 * 4096 or home_is_in_memory(home.path)


def home_is_in_memory(path: Path) -> bool:
    """Whether the tests run on a file system without a disk below."""
    from costspan.exporters.home import file_system

    return file_system(path) in ("tmpfs", "ramfs", "overlay")


def test_a_segment_of_another_user_is_left_alone_and_named(
    make_call: MakeCall, open_writer: OpenWriter, answer_for: Any
) -> None:
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place), named=True, fallback=False, reason="named by the test")
        for number in range(2):
            writer = open_writer(home)
            writer.put(encode(make_call(0, number)))
            writer.close()
        for path in (home.path, *home.path.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        segment_paths(home.path)[0].chmod(0o000)

        assert answer_for(home) == {"calls": 1, "unmerged": 1, "unreadable": 1}


if hasattr(os, "geteuid") and os.geteuid() == 0:
    GROUP = "54321"

    AS = """
import grp, json, os, runpy, sys
home, user, mode, program = sys.argv[1:]
import duckdb
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.merge import merge
module = runpy.run_path(program, run_name="program")
os.umask(0o077)
os.setgroups([54321])
os.setgid(int(user))
os.setuid(int(user))
if mode == "write":
    writer = module["open_writer"](home)
    assert writer.put(module["encode"](module["make_call"](int(user), 0)))
    print(writer.lost)
elif mode == "merge":
    result = merge(home)
    print(json.dumps([result.rows, result.unreadable, result.state]))
else:
    with open_ledger(home) as reader:
        print(json.dumps(reader.execute("SELECT count(*) FROM calls").rows))
"""

    def run_as(home: Path, user: int, mode: str, **environment: str) -> str:
        """Do something as a user of the group whose umask lets nobody else in."""
        program = Path(__file__).with_name("program.py")
        words = [sys.executable, "-c", AS, str(home), str(user), mode, str(program)]
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, env={**os.environ, **environment}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def test_a_home_shared_by_a_group(tmp_path: Path) -> None:
        """Two users record, each merges what both wrote, though their umask shuts others out."""
        top = tmp_path / "shared"
        top.mkdir(mode=0o777)
        for path in (top, *tmp_path.parents, tmp_path):
            if path.stat().st_uid == os.geteuid() and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o055)
        top.chmod(0o1777)
        home = top / "home"

        assert run_as(home, 50001, "write", COSTSPAN_GROUP=GROUP) == "0"
        assert run_as(home, 50002, "write") == "0"
        assert home.stat().st_mode & 0o7777 == 0o2770
        assert home.stat().st_gid == 54321
        assert json.loads(run_as(home, 50002, "merge")) == [2, 0, "merged"]
        assert run_as(home, 50001, "write") == "0"
        assert json.loads(run_as(home, 50001, "merge")) == [1, 0, "merged"]
        assert run_as(home, 50002, "write") == "0"
        assert json.loads(run_as(home, 50002, "read")) == [[4]]
        for path in home.rglob("*"):
            expected = 0o2770 if path.is_dir() else 0o660
            assert path.stat().st_mode & 0o7777 == expected, path
            assert path.stat().st_gid == 54321, path


def test_a_group_that_cannot_be_used(
    home: Home,
    open_writer: OpenWriter,
    make_call: MakeCall,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("COSTSPAN_GROUP", "no-such-group")
    writer = open_writer(home)
    with caplog.at_level(logging.WARNING, logger="costspan"):
        assert not writer.put(encode(make_call()))
        writer.flush()
    (said,) = [entry.getMessage() for entry in caplog.records]
    assert "COSTSPAN_GROUP names no-such-group, which is no group here" in said
    assert not home.path.exists()


def test_the_pause_of_the_background_merge_is_a_minute() -> None:
    """What the documentation promises."""
    assert (automerge.PAUSE_S, automerge.WAITING_S, automerge.WAITING_BYTES) == (60, 300, 8 << 20)
