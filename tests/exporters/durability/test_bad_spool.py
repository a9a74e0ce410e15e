"""Damage in the spool: what it does not touch arrives, once; what it touches is kept or counted."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

import costspan
from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.layout import segment_name, segment_paths
from costspan.exporters.ledger.merge import MergeResult, merge
from costspan.exporters.ledger.row import RECORD_VERSION
from costspan.exporters.ledger.segment import Segment
from costspan.exporters.ledger.spool import Writer

if TYPE_CHECKING:
    from tests.exporters.durability.conftest import Start

READERS = Path(__file__).with_name("readers.py")

Lines = Callable[[str, range], list[bytes]]
LeaveSegment = Callable[..., Path]
Query = Callable[[str], list[tuple[Any, ...]]]
Stored = Callable[[], dict[str, list[int]]]


def damage(content: bytearray, chance: random.Random) -> set[int]:
    """Overwrite some bytes in one of the ways in which disks do it; returns which ones."""
    at = chance.randrange(len(content))
    length = min(chance.choice([1, 1, 2, 40, 3000]), len(content) - at)
    what = chance.choice(["flip", "zero", "noise", "newline", "invalid UTF-8"])
    for position in range(at, at + length):
        content[position] = {
            "flip": content[position] ^ (1 << chance.randrange(8)),
            "zero": 0,
            "noise": chance.randrange(256),
            "newline": 10,
            "invalid UTF-8": 0xFF,
        }[what]
    return set(range(at, at + length))


def test_damage_costs_the_lines_it_touches_and_no_other(
    home: Path, lines: Lines, segment: LeaveSegment, query: Query
) -> None:
    chance = random.Random(2026)
    untouched: set[str] = set()
    for round_ in range(25):
        made = lines(f"round-{round_}", range(12))
        content = bytearray(b"".join(made))
        touched = damage(content, chance)
        end = 0
        for line in made:
            start, end = end, end + len(line)
            # The newline before a line is its too: without it, it is the end of another.
            if touched.isdisjoint(range(start - 1, end)):
                untouched.add(str(orjson.loads(line)["call_id"]))
        segment(bytes(content))
        if round_ % 5 == 4:
            assert merge(home).state == "merged"

    counted: dict[str, int] = dict(query("SELECT call_id::VARCHAR, count(*) FROM calls GROUP BY 1"))

    assert len(untouched) > 200
    assert {call_id: counted.get(call_id) for call_id in untouched} == dict.fromkeys(untouched, 1)
    assert segment_paths(home) == []


def test_a_segment_that_is_cut_under_its_writer(home: Path, lines: Lines, stored: Stored) -> None:
    """What was cut off is gone, as it must be; what is written after it is there."""
    writer = Writer(resolve_home(home), record_version=RECORD_VERSION, mapped=False)
    made = lines("cut", range(10))
    for line in made[:6]:
        assert writer.put(line)
    (path,) = segment_paths(home)
    os.truncate(path, sum(map(len, made[:3])) + 20)
    assert stored() == {"cut": [0, 1, 2]}

    for line in made[6:]:
        assert writer.put(line)
    writer.close()

    result = merge(home)
    assert result.state == "merged"
    # Behind the cut there is a hole of zeros, whose end spoils the first line after it.
    assert (result.rows, result.quarantined) == (3, 1)
    assert stored() == {"cut": [0, 1, 2, 7, 8, 9]}


def test_a_segment_that_is_sealed_while_it_is_measured(home: Path, start: Start) -> None:
    """Sealing cuts off the zeros; whoever looks at them in that moment must not die of it."""
    (home / "spool").mkdir(parents=True)
    reader = start(READERS, "measure_until_input_ends", home)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for number in range(400):
        path = home / "spool" / segment_name("host", number, RECORD_VERSION)
        writer = Segment.create(path, 1 << 20)
        for _ in range(200):  # a whole number of pages, behind which there is nothing
            writer.append(b"x" * 4095 + b"\n")
        writer.seal()
        path.unlink()
    reader.communicate(timeout=30)

    assert reader.returncode == 0


def test_spools_of_two_hosts_in_one_folder(
    home: Path, lines: Lines, segment: LeaveSegment, stored: Stored
) -> None:
    """The same process id on both, as in containers, where it is 7 every time."""
    for host in ("host-a", "host-b"):
        for part in range(3):
            segment(b"".join(lines(host, range(part * 4, part * 4 + 4))), host)

    assert merge(home) == MergeResult(rows=24, segments=6)

    assert stored() == {"host-a": list(range(12)), "host-b": list(range(12))}


class Clock(datetime):
    """A clock that a test sets."""

    at = datetime(2026, 11, 25)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Clock:
        return cls.fromisoformat(cls.at.isoformat()).replace(tzinfo=tz)


def test_a_clock_that_is_set_back_between_merges(
    home: Path, lines: Lines, query: Query, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest notes when it merged: a wrong time must never have a segment merged again."""
    monkeypatch.setattr("costspan.exporters.ledger.merge.datetime", Clock)
    writer = Writer(resolve_home(home), record_version=RECORD_VERSION)
    made = lines("clock", range(8))
    for number, year in enumerate([2026, 2036, 2016, 2026]):
        monkeypatch.setattr(Clock, "at", datetime(year, 11, 25))
        for line in made[number * 2 : number * 2 + 2]:
            assert writer.put(line)
        assert merge(home) == MergeResult(rows=2, segments=1)
    writer.close()

    assert merge(home) == MergeResult()
    assert stored() == {"clock": list(range(8))}


def test_calls_while_the_clock_is_set_back(home: Path, query: Query) -> None:
    """Instants are what the clock said, ids differ, and durations know nothing of it."""
    meter = costspan.Meter(home=home, exporters=["ledger"])
    second = [0]
    meter.clock = lambda: second[0] * 10**9

    def ask(model: str, messages: list[Any]) -> dict[str, Any]:
        second[0] = 1_600_000_000  # set back while the call runs
        return {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}

    wrapped = costspan.wrap(ask, meter=meter)
    for second[0] in (1_800_000_000, 1_800_000_001, 1_700_000_000, 1_700_000_000):
        wrapped("gpt-4o-mini", [])
    meter.close()

    rows = query("SELECT call_id, started_at, ended_at, latency_us FROM calls ORDER BY started_at")

    assert len({call_id for call_id, *_ in rows}) == 4
    # Seconds after 1970: 1,700,000,000 is 2023-11-14 22:13:20, 1,800,000,000 is 2027-01-15 08:00.
    assert [str(started_at) for _, started_at, *_ in rows] == [
        "2023-11-14 22:13:20",
        "2023-11-14 22:13:20",
        "2027-01-15 08:00:00",
        "2027-01-15 08:00:01",
    ]
    assert {str(ended_at) for _, _, ended_at, _ in rows} == {"2020-09-13 12:26:40"}
    assert all(0 <= latency_us < 10_000_000 for *_, latency_us in rows)
