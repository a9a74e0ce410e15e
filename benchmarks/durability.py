"""Kills writers and merges, forks and damages, and counts what is missing or there twice: nothing.

Usage: python benchmarks/durability.py [--records N] [--kills N] [--merge-kills N] [--forks N]
[--damages N] [--seed N]. It ends with 1 when something was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import costspan

AT_ONCE = 4
POINTS = ("collected", "inserted", "noted", "committed", "checkpointed", "published", "removed")
REPLY = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A line of the table.

    Attributes:
        what: What was done.
        times: How often.
        written: Calls that had returned, or lines that were left whole.
        lost: How many of them no report shows.
        twice: How many calls there are more than once.
    """

    what: str
    times: int
    written: int
    lost: int
    twice: int


def make_ask(home: Path) -> Any:
    """A wrapped function that records into a folder."""
    return costspan.wrap(
        lambda model, messages: REPLY, meter=costspan.Meter(home=home, exporters=["ledger"])
    )


def record(ask: Any, who: object, number: int) -> None:
    """Make one call."""
    with costspan.tags(session_id=who, unit_id=number):
        ask("gpt-4o-mini", [])


def record_until_killed(home: str, who: str, counter: str) -> None:
    """Call for ever; count every call that returned in a mapped file, which outlives a kill."""
    ask = make_ask(Path(home))
    with open(counter, "r+b") as file:
        count = mmap.mmap(file.fileno(), 8)
    number = 0
    while True:
        record(ask, who, number)
        number += 1
        count[:8] = number.to_bytes(8, "little")


def merge_and_die(home: str, point: str) -> None:
    """Merge, killed at a named point; at none, to the end."""
    from costspan.exporters.ledger.merge import merge

    def die(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    merge(home, wait_s=5, hook=die)


def stored(home: Path) -> dict[str, tuple[int, int]]:
    """Calls and distinct calls by who made them, of a report."""
    from costspan.exporters.ledger.read import open_ledger

    with open_ledger(home) as reader:
        rows: list[Any] = reader.execute(
            "SELECT session_id, count(*), count(DISTINCT unit_id) FROM calls GROUP BY 1"
        ).rows
    return {who: (calls, distinct) for who, calls, distinct in rows}


def compare(what: str, times: int, home: Path, written: dict[str, int]) -> Outcome:
    """Hold what a report shows against what was written."""
    found = stored(home)
    lost = sum(max(0, calls - found.get(who, (0, 0))[1]) for who, calls in written.items())
    twice = sum(calls - distinct for calls, distinct in found.values())
    return Outcome(what, times, sum(written.values()), lost, twice)


def kill_writers(folder: Path, kills: int, records: int, chance: random.Random) -> Outcome:
    """Kill applications at random moments, each after its share of the records."""
    from costspan.exporters.ledger.merge import merge

    home, share, returned = folder / "writers", records // kills, {}
    for first in range(0, kills, AT_ONCE):
        running = []
        for who in range(first, min(first + AT_ONCE, kills)):
            counter = folder / f"writer-{who}"
            counter.write_bytes(bytes(8))
            running.append((who, counter, start("record_until_killed", home, who, counter)))
        for who, counter, process in running:
            while (done := count(counter)) < share:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
            process.wait()
            done = count(counter)
            returned[str(who)] = done
        merge(home, wait_s=5)
    return compare("applications killed at random moments", kills, home, returned)


def count(counter: Path) -> int:
    """The calls of an application that have returned."""
    return int.from_bytes(counter.read_bytes(), "little")


def kill_merges(folder: Path, kills: int, chance: random.Random) -> Outcome:
    """Kill merges: every other one at a random moment, the others at each point in turn."""
    home = folder / "merges"
    live = make_ask(home)
    written = {"live": 0}
    for number in range(kills):
        pid = os.fork()
        if pid == 0:
            for call in range(250):
                record(live, f"dead-{number}", call)
            os._exit(0)
        for call in range(250):
            record(live, "live", written["live"] + call)
        assert os.waitpid(pid, 0)[1] == 0
        written |= {"live": written["live"] + 250, f"dead-{number}": 250}
        if number % 2:
            process = start("merge_and_die", home, POINTS[number // 2 % len(POINTS)])
        else:
            process = start("merge_and_die", home, "")
            time.sleep(chance.uniform(0.05, 0.5))
            process.kill()
        process.wait()
    return compare("merges killed, half of them at named points", kills, home, written)


def fork_children(folder: Path, forks: int) -> Outcome:
    """Fork children beside four threads that record; each records and ends at once."""
    home = folder / "forks"
    ask = make_ask(home)
    stop = threading.Event()
    written = {f"thread-{number}": 0 for number in range(4)}

    def on(who: str) -> None:
        while not stop.wait(0.0005):
            record(ask, who, written[who])
            written[who] += 1

    threads = [threading.Thread(target=on, args=(who,)) for who in tuple(written)]
    for thread in threads:
        thread.start()
    hung = 0
    for child in range(forks):
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            for call in range(20):
                record(ask, f"child-{child}", call)
            os._exit(0)
        hung += os.waitpid(pid, 0)[1] != 0
        written[f"child-{child}"] = 20
    stop.set()
    for thread in threads:
        thread.join()
    assert hung == 0, f"{hung} children hung or died"
    return compare("children forked beside recording threads", forks, home, written)


def damage_segments(folder: Path, damages: int, chance: random.Random) -> Outcome:
    """Overwrite random bytes of segments; the lines that were not touched must arrive."""
    from costspan.exporters.ledger.layout import segment_paths
    from costspan.exporters.ledger.merge import merge
    from costspan.exporters.ledger.read import open_ledger

    home, whole = folder / "damages", set()
    for number in range(damages):
        with start("record_some", home, number) as process:
            assert process.wait() == 0
        (path,) = segment_paths(home)
        content = bytearray(path.read_bytes())
        at = chance.randrange(len(content))
        hit = range(at, min(at + chance.choice([1, 2, 50, 4096]), len(content)))
        fill = chance.choice([0, 10, 0xFF, ord("1"), ord('"')])
        end = 0
        for line in bytes(content).splitlines(keepends=True):
            begin, end = end, end + len(line)
            if hit.stop <= begin - 1 or hit.start >= end:
                whole.add(json.loads(line)["call_id"])  # other values may be damaged into its own
        content[hit.start : hit.stop] = bytes([fill]) * len(hit)
        path.write_bytes(content)
        merge(home)
    with open_ledger(home) as reader:
        rows: list[Any] = reader.execute("SELECT call_id::VARCHAR FROM calls").rows
    found = [call_id for (call_id,) in rows if call_id in whole]
    return Outcome(
        "segments damaged; lines that were not touched",
        *(damages, len(whole), len(whole - set(found)), len(found) - len(set(found))),
    )


def record_some(home: str, who: str) -> None:
    """Make 40 calls and end."""
    ask = make_ask(Path(home))
    for number in range(40):
        record(ask, who, number)


def start(command: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a function of this file as a process of its own."""
    return subprocess.Popen([sys.executable, __file__, f":{command}", *map(str, arguments)])


def run(words: argparse.Namespace, folder: Path) -> Iterator[Outcome]:
    """Do everything."""
    chance = random.Random(words.seed)
    if words.kills:
        yield kill_writers(folder, words.kills, words.records, chance)
    if words.merge_kills:
        yield kill_merges(folder, words.merge_kills, chance)
    if words.forks:
        yield fork_children(folder, words.forks)
    if words.damages:
        yield damage_segments(folder, words.damages, chance)


def main() -> int:
    """Print the table; 1 when something was lost or is there twice."""
    os.environ["COSTSPAN_AUTOMERGE"] = "0"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, help="on a local disk; else a temporary one"
    )
    for name, default in (("records", 500_000), ("kills", 80), ("merge-kills", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("forks", 400), ("damages", 100), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    words = parser.parse_args()
    print(f"{'what':<48} {'times':>6} {'written':>9} {'lost':>6} {'twice':>6} {'seconds':>8}")
    failed = False
    with tempfile.TemporaryDirectory(dir=words.folder) as temporary:
        began = time.monotonic()
        for one in run(words, Path(temporary)):
            took, began = time.monotonic() - began, time.monotonic()
            numbers = f"{one.written:>9,} {one.lost:>6,} {one.twice:>6,} {took:>8.1f}"
            print(f"{one.what:<48} {one.times:>6,} {numbers}", flush=True)
            failed |= bool(one.lost or one.twice)
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith(":"):
        with contextlib.suppress(KeyboardInterrupt):
            globals()[sys.argv[1][1:]](*sys.argv[2:])
    else:
        sys.exit(main())
