"""What options of recording cost a call: syncing each record, and hashing tags."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ledger_calls import call

from costspan.exporters.home import Home
from costspan.exporters.ledger.row import RECORD_VERSION, encode
from costspan.exporters.ledger.spool import Sync, Writer
from costspan.middleware.hashing import tag_hasher

TAGS = {"user": "someone@example.org", "team": "search"}


def median_us(work: Callable[[], object], times: int) -> float:
    """The median of many runs, in microseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - started)
    return statistics.median(taken) / 1000


def main() -> None:
    """Measure each option, and print a line for it."""
    record = call(1)
    line = encode(record)
    print(f"projection and encoding of a call: {median_us(lambda: encode(record), 20_000):.1f} us")
    syncs: tuple[Sync, ...] = ("interval", "always")
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
        for sync in syncs:
            home = Home(Path(folder, sync), named=True, fallback=False, reason="benchmark")
            writer = Writer(home, record_version=RECORD_VERSION, sync=sync)
            times = 20_000 if sync == "interval" else 1000
            taken_us = median_us(lambda writer=writer: writer.put(line), times)  # type: ignore[misc]
            print(f"put, sync = {sync}: {taken_us:.1f} us")
            writer.close()
    hasher = tag_hasher(["user"], {**os.environ, "COSTSPAN_HASH_KEY": "0123456789abcdef"})
    assert hasher is not None
    print(f"hashing a tag that was seen before: {median_us(lambda: hasher(TAGS), 20_000):.2f} us")


if __name__ == "__main__":
    main()
