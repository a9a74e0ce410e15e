"""A merge that is started beside the application: when, by whom, and what becomes of it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.beside import command, has_interpreter
from costspan.exporters.home import Home
from costspan.exporters.ledger import automerge
from costspan.exporters.ledger.automerge import AutoMerge
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.published import read_spend
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.exporters.ledger.waiting import Waiting, waiting
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Background merges are off in other tests."""
    monkeypatch.delenv("COSTSPAN_AUTOMERGE")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at once and merge whatever waits; the tests do not wait for minutes."""
    monkeypatch.setattr(automerge, "LOOK_S", 0.0)
    monkeypatch.setattr(automerge, "WAITING_S", -1.0)


@pytest.fixture
def record(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> Callable[[int], None]:
    """Records some calls with a writer that is closed again."""

    def put(calls: int) -> None:
        writer = open_writer(home)
        for number in range(calls):
            assert writer.put(encode(make_call(0, number)))
        writer.close()

    return put


def process_of(one: AutoMerge) -> subprocess.Popen[bytes] | None:
    """The merge that it started."""
    return one._process


def ended(one: AutoMerge) -> int:
    """Wait for the merge that it started; its exit code."""
    process = process_of(one)
    assert process is not None
    return process.wait(30)


@pytest.mark.usefixtures("looks")
def test_what_waits_is_merged_by_another_process(
    home: Home, record: Callable[[int], None], query: Callable[[str], Any]
) -> None:
    record(3)
    one = AutoMerge(home)
    one.look()

    assert ended(one) == 0
    one.look()
    assert process_of(one) is None
    assert one.warning is None
    assert segment_paths(home.path) == []
    assert query("SELECT count(*) FROM calls") == [(3,)]


@pytest.mark.usefixtures("looks")
def test_once_a_minute_on_a_host(home: Home, record: Callable[[int], None]) -> None:
    record(1)
    first, second = AutoMerge(home), AutoMerge(home)
    first.look()
    second.look()
    assert process_of(second) is None
    ended(first)
    record(1)
    second.look()
    assert process_of(second) is None

    stamp = home.path / "merge.stamp"
    os.utime(stamp, (time.time() - 61, time.time() - 61))
    second.look()
    assert ended(second) == 0


@pytest.mark.usefixtures("looks")
def test_a_clock_that_was_set_back_does_not_stop_it(
    home: Home, record: Callable[[int], None]
) -> None:
    record(1)
    (home.path / "merge.stamp").write_text("1\n")
    os.utime(home.path / "merge.stamp", (time.time() + 86_400, time.time() + 86_400))
    one = AutoMerge(home)
    one.look()
    assert ended(one) == 0


def test_when_it_is_time(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automerge, "LOOK_S", 0.0)
    one = AutoMerge(home)
    one.look()
    assert process_of(one) is None  # there is no ledger yet
    writer = open_writer(home)
    line = encode(make_call())
    writer.put(line)
    one.look()
    assert process_of(one) is None  # little, and young

    while waiting(home.path).bytes <= 8 << 20:
        writer.put(line)
    one.look()
    assert ended(one) == 0
    assert waiting(home.path) == Waiting(0, None)

    writer.put(line)
    os.utime(home.path / "merge.stamp", (0, 0))
    one.look()
    assert process_of(one) is None
    old = time.time() - 301
    os.utime(home.path / "published" / "spend.json", (old, old))
    found = waiting(home.path)
    assert found.bytes == len(line)
    assert found.since == pytest.approx(old, abs=0.01)
    one.look()
    assert ended(one) == 0


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("said", ["0", "false", "No", "OFF"])
def test_it_can_be_switched_off(
    home: Home, record: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("COSTSPAN_AUTOMERGE", said)
    record(1)
    one = AutoMerge(home)
    one.look(now=True)
    assert process_of(one) is None


@pytest.mark.parametrize(
    ("executable", "frozen", "expected"),
    [
        (sys.executable, False, True),
        (sys.executable, True, False),
        ("/usr/sbin/uwsgi", False, False),
        ("/opt/blender/blender", False, False),
        ("/nowhere/python3", False, False),
        ("", False, False),
        (None, False, False),
    ],
)
def test_only_where_the_program_is_a_python(
    monkeypatch: pytest.MonkeyPatch, executable: str | None, frozen: bool, expected: bool
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    assert has_interpreter() is expected


@pytest.mark.usefixtures("looks")
def test_a_merge_that_fails_is_said_once_and_tried_ever_more_rarely(
    home: Home,
    make_call: MakeCall,
    open_writer: OpenWriter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (home.path / "ledger.duckdb").mkdir(parents=True)
    writer = open_writer(home)
    stamp = home.path / "merge.stamp"
    with caplog.at_level(logging.WARNING, logger="costspan"):
        for pause_s in (60, 120):
            writer.put(encode(make_call()))
            one = writer._automerge
            wait_for(lambda: process_of(one) is not None)  # noqa: B023
            assert ended(one) == 2
            wait_for(lambda: process_of(one) is None)  # noqa: B023
            old = time.time() - pause_s - 1
            os.utime(stamp, (old, old))
            time.sleep(0.5)
            assert process_of(one) is None
            os.utime(stamp, (old - 60 * pause_s, old - 60 * pause_s))
    said = [entry.getMessage() for entry in caplog.records]
    assert len(said) == 1
    assert said[0].startswith(f"The records in {home} could not be merged in the background")
    assert "`costspan merge`" in said[0]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something has happened in the background."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("looks")
def test_a_writer_has_its_records_merged(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    writer = open_writer(home)
    line = encode(make_call())
    writer.put(line)

    wait_for(lambda: read_spend(home.path) is not None)

    (segment,) = segment_paths(home.path)
    spend = read_spend(home.path)
    assert spend is not None
    assert spend.merged == {segment.name: len(line)}
    wait_for(lambda: process_of(writer._automerge) is None)  # reaped


@pytest.mark.usefixtures("looks")
def test_a_merge_outlives_who_started_it(home: Home, record: Callable[[int], None]) -> None:
    record(1)
    one = AutoMerge(home)
    one.look()
    process = process_of(one)
    one.leave()

    assert process is not None
    assert process_of(one) is None
    wait_for(lambda: read_spend(home.path) is not None)
    os.waitpid(process.pid, 0)


def test_the_merge_runs_this_costspan_and_nothing_of_the_current_folder(
    home: Home, record: Callable[[int], None], tmp_path: Path
) -> None:
    record(1)
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "costspan.py").write_text("raise SystemExit(7)")
    words, environment = command("merge", "--home", str(home))

    done = subprocess.run(
        words, env=environment, cwd=planted, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0
    assert done.stdout == f"merged 1 call of 1 segment into {home}\n"


def test_a_held_ledger_is_put_off_without_a_word(
    home: Home, record: Callable[[int], None], program: Any
) -> None:
    record(1)
    merge(home)
    record(1)
    holder = program("hold", "write")
    assert holder.stdout.readline() == "open\n"
    words, environment = command("merge", "--home", str(home), "--background")

    done = subprocess.run(words, env=environment, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")


def test_waiting_counts_what_is_stored_and_not_the_zeros_behind_it(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    live, written = open_writer(home), open_writer(home, mapped=False)
    lines = [encode(make_call(0, number)) for number in range(100)]
    for line in lines:
        live.put(line)
        written.put(line)
    spool = home.path / "spool"
    (spool / "host.1.0123456789ab.000000.v99.seg").write_bytes(b"newer\n")
    (spool / "host.1.0123456789ab.000000.v1.seg").write_bytes(b"")
    (spool / "note.txt").write_bytes(b"no segment")

    assert waiting(home.path).bytes == 2 * sum(map(len, lines))
    merge(home)
    assert waiting(home.path) == Waiting(0, None)
    live.put(lines[0])
    assert waiting(home.path).bytes == len(lines[0])
