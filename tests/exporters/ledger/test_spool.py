"""The writer: segments, room, refusal, end."""

from __future__ import annotations

import gc
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.layout import parse_segment_name, segment_paths
from costspan.exporters.ledger.notes import read_notes
from costspan.exporters.ledger.scan import measure
from costspan.exporters.ledger.segment import Segment
from costspan.exporters.ledger.spool import Writer

OpenWriter = Callable[..., Writer]
LINE = b'{"a":1}\n'


def content(home: Home) -> bytes:
    """What a reader may trust, of all segments."""
    return b"".join(path.read_bytes()[: measure(path)[0]] for path in segment_paths(home.path))


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what the background thread does within a few ticks."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("mapped", [True, False])
def test_a_line_can_be_read_when_put_has_returned(
    home: Home, open_writer: OpenWriter, mapped: bool
) -> None:
    writer = open_writer(home, mapped=mapped)

    assert writer.put(LINE)
    assert content(home) == LINE
    assert writer.put(b'{"b":2}\n')
    assert content(home) == LINE + b'{"b":2}\n'
    assert writer.mode == ("mmap" if mapped else "write")


def test_nothing_is_made_before_the_first_put(home: Home, open_writer: OpenWriter) -> None:
    threads = threading.active_count()

    open_writer(home)

    assert not home.path.exists()
    assert threading.active_count() == threads


def test_files_are_for_their_owner_alone_and_named_for_the_merger(
    home: Home, open_writer: OpenWriter
) -> None:
    open_writer(home).put(LINE)

    (path,) = segment_paths(home.path)
    name = parse_segment_name(path.name)
    assert name is not None
    assert (name.pid, name.record_version) == (os.getpid(), 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.stat().st_size == 1 << 20
    assert path.read_bytes().rstrip(b"\0") == LINE


def test_close_seals(home: Home, open_writer: OpenWriter) -> None:
    writer = open_writer(home)
    writer.put(LINE)
    assert measure(segment_paths(home.path)[0]) == (len(LINE), True)

    writer.close()

    (path,) = segment_paths(home.path)
    assert path.read_bytes() == LINE
    assert measure(path) == (len(LINE), False)
    assert not writer.put(LINE)
    assert writer.lost == 0
    writer.close()


def test_full_segments_are_sealed_and_a_spare_is_kept(home: Home, open_writer: OpenWriter) -> None:
    writer = open_writer(home, segment_bytes=80)
    for _ in range(6):  # 48 of 80 bytes: more than half
        writer.put(LINE)
    wait_for(lambda: len(segment_paths(home.path)) == 2)

    for _ in range(6):
        writer.put(LINE)

    assert content(home) == LINE * 12
    wait_for(lambda: sorted(p.stat().st_size for p in segment_paths(home.path))[0] == 80)
    writer.close()
    assert sorted(path.stat().st_size for path in segment_paths(home.path))[-2:] == [16, 80]


def test_a_long_line_gets_a_segment_of_its_own(home: Home, open_writer: OpenWriter) -> None:
    writer = open_writer(home, segment_bytes=80)
    long = b"x" * (10 << 20) + b"\n"

    assert writer.put(LINE)
    assert writer.put(long)
    assert writer.put(LINE)
    writer.close()

    assert sorted(path.stat().st_size for path in segment_paths(home.path)) == [8, 8, len(long)]


def test_a_file_that_cannot_be_mapped_is_written(tmp_path: Path) -> None:
    """A descriptor that is open for writing only cannot be mapped, and some mounts never can."""
    from costspan.exporters.ledger import segment

    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT, 0o600)

    assert segment._mapping(fd, 100) is None
    assert os.write(fd, LINE) == len(LINE)
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == LINE


def test_a_segment_has_its_name_only_when_it_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "host.1.0123456789ab.000000.v1.seg"

    segment = Segment.create(path, 100)

    assert measure(path) == (0, True)
    segment.seal()
    assert measure(path) == (0, False)
    assert os.listdir(tmp_path) == [path.name]


def test_a_home_that_cannot_be_written(
    home: Home, open_writer: OpenWriter, caplog: pytest.LogCaptureFixture
) -> None:
    home.path.write_text("a file where the folder should be")
    writer = open_writer(home)

    assert [writer.put(LINE) for _ in range(3)] == [False] * 3
    assert writer.lost == 3
    assert writer.last_error == "HomeError"
    writer.flush()
    writer.flush()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("costspan.ledger", logging.WARNING)
    assert str(home.path) in record.message
    assert "COSTSPAN_HOME" in record.message


def test_a_writer_recovers_by_itself(home: Home, open_writer: OpenWriter) -> None:
    home.path.write_text("a file where the folder should be")
    writer = open_writer(home)
    assert not writer.put(LINE)
    home.path.unlink()

    assert not writer.put(LINE)  # refused for a second, without a look at the disk
    time.sleep(1.05)
    assert writer.put(LINE)

    assert writer.lost == 2
    wait_for(lambda: bool(read_notes(home.path)))
    (noted,) = read_notes(home.path)
    assert (noted.lost, noted.last_error) == (2, "HomeError")
    assert noted.process.endswith(f".{os.getpid()}")


def test_losses_of_an_earlier_process_with_the_same_id_are_kept(
    home: Home, open_writer: OpenWriter
) -> None:
    for expected in (1, 2):
        (home.path / "spool").parent.mkdir(exist_ok=True)
        (home.path / "spool").write_text("a file where the folder should be")
        writer = open_writer(home)
        assert not writer.put(LINE)
        writer.close()
        assert [one.lost for one in read_notes(home.path)] == [expected]


def test_a_removed_spool_is_begun_anew(home: Home, open_writer: OpenWriter) -> None:
    writer = open_writer(home)
    writer.put(LINE)
    segment_paths(home.path)[0].unlink()

    wait_for(lambda: writer.put(LINE) and bool(segment_paths(home.path)))

    assert content(home).startswith(LINE)


def test_a_forgotten_writer_is_collected_and_seals(home: Home) -> None:
    threads = threading.active_count()
    writer = Writer(home, record_version=1)
    writer.put(LINE)

    del writer
    gc.collect()

    wait_for(lambda: segment_paths(home.path)[0].read_bytes() == LINE)
    wait_for(lambda: threading.active_count() == threads)


def test_the_end_of_the_program_seals(home: Home, answer: Any) -> None:
    answer("write", 0, 1)

    (path,) = segment_paths(home.path)
    assert not path.read_bytes().endswith(b"\0")
    assert path.read_bytes().count(b"\n") == 1


def test_threads_share_a_writer(home: Home, open_writer: OpenWriter) -> None:
    writer = open_writer(home, segment_bytes=1 << 12)

    def put() -> None:
        for _ in range(500):
            assert writer.put(LINE)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()

    assert content(home) == LINE * 2000


def test_recording_loads_no_database() -> None:
    code = (
        "import sys, costspan.exporters.ledger.exporter, costspan.exporters.ledger.merge, "
        "costspan.exporters.ledger.read, costspan.exporters.ledger.doctor\n"
        "sys.exit('duckdb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_segment_that_somebody_cut_off_is_left(home: Home, open_writer: OpenWriter) -> None:
    """A store behind the end of a mapped file would end the application by a bus error."""
    writer = open_writer(home)
    assert writer.put(b'{"a": 1}\n')
    (path,) = segment_paths(home.path)
    os.truncate(path, 0)

    wait_for(lambda: writer._segment is None)

    assert writer.put(b'{"a": 2}\n')
    assert writer.lost == 0
