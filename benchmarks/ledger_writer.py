"""What recording costs the application: time in the caller's thread, and memory."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from ledger_calls import call
from ledger_table import Ratio, run

import costspan
from costspan.exporters.home import Home
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.ledger.row import RECORD_VERSION, encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.request import from_arguments
from costspan.middleware.watch import watch

REPLY = {
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
}
MEMORY = """
import sys
from pathlib import Path
import costspan
from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.exporter import LedgerExporter
def resident_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
reply = {"object": "chat.completion", "model": "gpt-4o", "choices": [],
         "usage": {"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16}}
def resident_after(meter):
    ask = costspan.wrap(lambda model, messages: reply, meter=meter)
    for _ in range(int(sys.argv[1])):
        ask("gpt-4o", [])
    return resident_mb()
nowhere = costspan.Meter(exporters=[])
# The tokenizer, which would come by itself some time later.
costspan.estimate(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], meter=nowhere)
without = resident_after(nowhere)
ledger = LedgerExporter(resolve_home())
added = resident_after(costspan.Meter(exporters=[ledger])) - without
print(added, "duckdb" in sys.modules)
"""


def writer_ratios(folder: Path, puts: int) -> Iterator[Ratio]:
    """Measure the caller's side.

    Args:
        folder: Where to write, on a local disk.
        puts: How many of each kind.
    """
    yield from _put_cost(folder, puts)
    yield _sync_thread(folder, puts)
    added, imported = run(str(puts), code=MEMORY, home=folder / "memory").split()
    yield Ratio("memory that the writer adds to the application, MB", float(added), 16, form=".1f")
    yield Ratio("duckdb in its sys.modules", float(imported == "True"), 0, form=".0f")


def _put_cost(folder: Path, puts: int) -> Iterator[Ratio]:
    columns = orjson.loads(encode(call(1)))
    line = encode(call(1))
    writer = open_writer(folder / "put")
    with open(folder / "plain", "ab", buffering=0) as plain:
        option = orjson.OPT_APPEND_NEWLINE
        base, put, whole = _in_turns(
            puts,
            lambda: plain.write(orjson.dumps(columns, option=option)),
            lambda: writer.put(orjson.dumps(columns, option=option)),
            _recording(folder / "whole"),
        )
        base_us, put_us, whole_us = (_quantile(one, 50) for one in (base, put, whole))
        terms = f"{put_us:.2f} / {base_us:.2f} us"
        yield Ratio("put, p50 / orjson + os.write, p50", put_us / base_us, 2, note=terms)
        terms = f"{whole_us:.1f} / {base_us:.2f} us"
        name = "settle, price, store a call / orjson + os.write, p50"
        yield Ratio(name, whole_us / base_us, 25, form=".1f", note=terms)
        works = (lambda: writer.put(line), lambda: plain.write(line))
        shares = [[_beside_a_busy_thread(work, puts // 25) for work in works] for _ in range(5)]
        spared, written = map(statistics.median, zip(*shares, strict=True))
        terms = f"os.write: {written:.1f} %"
        yield Ratio("puts over 1 ms beside a busy thread, %", spared, 0.5, note=terms)
    writer.close()


def _recording(home: Path) -> Callable[[], float]:
    """Record one call that has a reply; gives the time from the reply to the stored record."""
    exporter = LedgerExporter(Home(home, named=True, fallback=False, reason="benchmark"))
    meter = costspan.Meter(exporters=[exporter], home=home, tags={"team": "a", "feature": "b"})
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}

    def read(args: tuple[Any, ...], kwargs: Any) -> Any:
        return from_arguments(kwargs)

    def record() -> float:
        live = meter.begin(read, (), asked)
        assert live is not None
        started = time.perf_counter_ns()
        watch(live, REPLY)
        return (time.perf_counter_ns() - started) / 1000

    return record


def _in_turns(times: int, *works: Callable[[], object]) -> list[list[float]]:
    """Microseconds of many runs of each work, sorted; blocks of 1,000 take turns.

    A work that returns a float has timed itself.
    """
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(max(1, times // 1000)):
        for work, mine in zip(works, taken, strict=True):
            for _ in range(1000):
                started = time.perf_counter_ns()
                own = work()
                total = (time.perf_counter_ns() - started) / 1000
                mine.append(own if isinstance(own, float) else total)
    return [sorted(one) for one in taken]


def _beside_a_busy_thread(work: Callable[[], object], times: int) -> float:
    """The share in per cent of runs over 1 ms: who gives up the interpreter waits to get it."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin)
    thread.start()
    taken = _paced(work, times)
    stop.set()
    thread.join()
    return 100 * sum(one > 1000 for one in taken) / len(taken)


def _sync_thread(folder: Path, puts: int) -> Ratio:
    """The 99th percentile of a paced put, with the thread that syncs and without it."""
    line = encode(call(1))
    synced, unsynced = open_writer(folder / "synced"), open_writer(folder / "unsynced")
    unsynced.put(line)
    unsynced._ticker.stop(1)  # a put needs no thread: it makes its segments itself then
    with_it: list[float] = []
    without: list[float] = []
    for _ in range(10):
        with_it += _paced(lambda: synced.put(line), puts // 100)
        without += _paced(lambda: unsynced.put(line), puts // 100)
    synced.close()
    unsynced.close()
    p99, p99_without = (_quantile(sorted(one), 99) for one in (with_it, without))
    terms = f"{p99:.0f} / {p99_without:.0f} us"
    return Ratio("put, p99 / the same without the sync", p99 / p99_without, 5, note=terms)


def _paced(work: Callable[[], object], times: int) -> list[float]:
    """Microseconds of runs with a third of a millisecond between them, as calls come."""
    taken = []
    for _ in range(times):
        started = time.perf_counter_ns()
        work()
        taken.append((time.perf_counter_ns() - started) / 1000)
        time.sleep(0.0003)
    return taken


def _quantile(taken: list[float], percent: int) -> float:
    return taken[len(taken) * percent // 100]


def open_writer(folder: Path) -> Writer:
    """A writer to a named folder."""
    home = Home(folder, named=True, fallback=False, reason="benchmark")
    return Writer(home, record_version=RECORD_VERSION)


def write(folder: str, calls: int, first: int) -> None:
    """One of many writers, in a process of its own; prints how many records were lost."""
    writer = open_writer(Path(folder))
    for number in range(first, first + calls):
        writer.put(encode(call(number)))
    writer.close()
    print(json.dumps(writer.lost))
