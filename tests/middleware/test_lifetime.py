"""Ends that come from the garbage collector, from signal handlers, from fork and from exit."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from asking import returning

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

MESSAGES = [{"role": "user", "content": "hi"}]


def stream() -> Generator[dict[str, Any], None, None]:
    while True:
        yield {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}


def reply(number: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": f"r-{number}", "object": "chat.completion", "choices": [], "usage": usage}


class LockingExporter(InMemoryExporter):
    """Holds a lock that is not re-entrant while it allocates, as a ledger or an SDK would."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def finish(self, record: Any) -> None:
        with self.lock:
            _ = [[object()] for _ in range(50)]  # room for the collector to strike
            super().finish(record)


def test_cyclic_abandoned_streams_under_an_aggressive_collector() -> None:
    exporter = LockingExporter()
    meter = Meter(exporters=[exporter])
    ask = wrap(returning(stream), lambda: meter)
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(200):
            got: Any = ask("gpt-4o", MESSAGES)
            next(got)
            cycle: list[Any] = [got]
            cycle.append(cycle)  # only the cyclic collector frees it
            del got, cycle
    finally:
        gc.set_threshold(*before)
    gc.collect()
    meter.flush()

    assert len(exporter.calls) == 200
    assert {call.status for call in exporter.calls} == {"interrupted"}
    assert len({call.call_id for call in exporter.calls}) == 200


def test_a_signal_handler_that_records_while_we_record() -> None:
    exporter = LockingExporter()
    meter = Meter(exporters=[exporter])
    numbers = itertools.count()
    ask = wrap(returning(lambda: reply(next(numbers))), lambda: meter)
    fired: list[int] = []

    def handler(number: int, frame: object) -> None:
        fired.append(number)
        ask("gpt-4o", MESSAGES)
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        until = time.monotonic() + 1.0
        made = 0
        while time.monotonic() < until:
            ask("gpt-4o", MESSAGES)
            made += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    meter.flush()

    assert len(fired) > 50
    # One that interrupts the function of another is a second request of that call.
    requests = [request for call in exporter.calls for request in call.requests]
    assert len(requests) == made + len(fired)
    assert len({request.response_id for request in requests}) == made + len(fired)


def test_a_dropped_stream_is_recorded_soon_without_any_further_call() -> None:
    exporter = InMemoryExporter()
    meter = Meter(exporters=[exporter])
    got: Any = wrap(returning(stream), lambda: meter)("gpt-4o", MESSAGES)
    next(got)
    got.close()

    until = time.monotonic() + 5
    while not exporter.calls and time.monotonic() < until:
        time.sleep(0.01)
    assert len(exporter.calls) == 1


def test_a_forked_child_does_not_end_its_parents_calls() -> None:
    exporter = InMemoryExporter()
    meter = Meter(exporters=[exporter])
    ask = wrap(returning(stream), lambda: meter)
    got: Any = ask("gpt-4o", MESSAGES)
    next(got)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's lines are not measured
        del got
        gc.collect()
        meter.flush()
        inherited = len(exporter.calls)
        own: Any = ask("gpt-4o", MESSAGES)
        next(own)
        own.close()
        meter.flush()
        os.write(writer, bytes([inherited, len(exporter.calls)]))
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 2) == bytes([0, 1])
    assert exporter.calls == ()
    got.close()
    meter.flush()
    assert len(exporter.calls) == 1


def test_open_streams_end_at_interpreter_exit(tmp_path: Path) -> None:
    code = """
import sys
from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

class Printing(InMemoryExporter):
    def finish(self, record):
        sys.stdout.write(f"{record.status} {record.ended_by}\\n")

def stream():
    while True:
        yield {"choices": [{"index": 0, "delta": {"content": "x"}}]}

meter = Meter(exporters=[Printing()])
kept = wrap(lambda model, messages: stream(), lambda: meter)("gpt-4o", [])
next(kept)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    assert done.stdout == "interrupted exit\n"
