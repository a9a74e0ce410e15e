"""Nothing that was accepted is lost, and nothing is stored twice, whoever is killed when."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

Query = Callable[[str], list[tuple[Any, ...]]]

BY_WRITER = (
    "SELECT session_id::INT, count(*), count(DISTINCT unit_id), max(unit_id::INT) + 1 "
    "FROM calls GROUP BY 1"
)
POINTS = ("collected", "inserted", "noted", "committed", "checkpointed", "removed")


def spooled(home: Home) -> list[str]:
    """Names of the segments in the spool."""
    return [name for name in os.listdir(Path(home) / "spool") if name.endswith(".seg")]


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_kill_of_writers_loses_no_accepted_record(
    home: Home, tmp_path: Path, program: Any, query: Query, mode: str
) -> None:
    moments = random.Random(0)
    acknowledged: dict[int, int] = {}
    for round_ in range(3):
        writers = {}
        for number in range(4):
            writer = round_ * 4 + number
            counter = tmp_path / f"acknowledged-{writer}"
            counter.write_bytes(bytes(8))
            process = program("lines_until_killed", writer, counter, mode)
            writers[writer] = (process, counter)
        while not all(int.from_bytes(c.read_bytes(), "little") for _, c in writers.values()):
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        for writer, (process, counter) in writers.items():
            process.kill()
            process.wait()
            acknowledged[writer] = int.from_bytes(counter.read_bytes(), "little")
        if round_ == 1:
            merge(home)

    stored = {writer: counts for writer, *counts in query(BY_WRITER)}

    assert stored.keys() == acknowledged.keys()
    for writer, (rows, distinct, whole) in stored.items():
        assert rows == distinct == whole
        # A put that was under way when the kill came may be there or not.
        assert acknowledged[writer] <= rows <= acknowledged[writer] + 1
    assert spooled(home) == []


@pytest.mark.parametrize("point", POINTS)
def test_kill_of_the_merger_at_each_point(
    home: Home,
    program: Any,
    query: Query,
    make_call: Callable[..., Call],
    open_writer: Callable[..., Writer],
    point: str,
) -> None:
    live, dead = open_writer(home), open_writer(home)
    for number in range(50):
        live.put(encode(make_call(0, number)))
        dead.put(encode(make_call(1, number)))
    dead.close()

    killed = program("merge_and_die", point)

    assert killed.wait(30) == -9
    for number in range(50, 60):
        live.put(encode(make_call(0, number)))
    assert sorted(query(BY_WRITER)) == [(0, 60, 60, 60), (1, 50, 50, 50)]
    assert len(spooled(home)) == 1
    assert not list(Path(home).glob(".merge*"))


def test_kill_of_the_merger_with_damaged_lines(
    home: Home,
    program: Any,
    query: Query,
    make_call: Callable[..., Call],
    open_writer: Callable[..., Writer],
) -> None:
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    writer.put(b"{damaged\n")

    assert program("merge_and_die", "quarantined").wait(30) == -9
    writer.put(encode(make_call(0, 1)))

    assert query(BY_WRITER) == [(0, 2, 2, 2)]
    (kept,) = (Path(home) / "quarantine").iterdir()
    assert kept.read_bytes() == b"{damaged\n"


def test_kill_of_the_merger_at_random_moments(home: Home, program: Any, query: Query) -> None:
    moments = random.Random(1)
    for writer in range(12):
        assert program("write", writer, 200).wait(30) == 0
        merger = program("merge_once")
        time.sleep(moments.uniform(0.05, 0.4))
        merger.kill()
        merger.wait()

    assert sorted(query(BY_WRITER)) == [(writer, 200, 200, 200) for writer in range(12)]
    assert spooled(home) == []


def test_eight_processes_then_one_report(home: Home, program: Any, query: Query) -> None:
    """frappe/builder#644: several workers of one application lock each other out."""
    writers = [program("write", writer, 2000) for writer in range(8)]
    assert [process.wait(60) for process in writers] == [0] * 8

    assert sorted(query(BY_WRITER)) == [(writer, 2000, 2000, 2000) for writer in range(8)]
    assert spooled(home) == []


def test_merges_while_others_write(home: Home, program: Any, query: Query) -> None:
    writers = [program("write", writer, 3000) for writer in range(3)]
    while any(process.poll() is None for process in writers):
        merge(home, wait_s=5)

    assert sorted(query(BY_WRITER)) == [(writer, 3000, 3000, 3000) for writer in range(3)]
