"""The four figures of the main job: import, a wrapped call, many processes, kill -9.

Run it with ``python benchmarks/main_job.py``; with ``--peer`` LiteLLM is installed into an
environment of its own (.venv-peer) and measured beside us in the same run.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import peer

IMPORT = """
import resource, sys, time
t = time.perf_counter()
import {module}
seconds = time.perf_counter() - t
heavy = [m for m in ("httpx", "duckdb", "tiktoken", "opentelemetry.sdk") if m in sys.modules]
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, *heavy)
"""
CALL = """
import time, {module} as module
messages = [{{"role": "user", "content": "What is the capital of France?"}}]
{setup}
for _ in range(300):
    call()
runs = []
for _ in range(7):
    t = time.perf_counter()
    for _ in range({rounds}):
        call()
    runs.append((time.perf_counter() - t) / {rounds} * 1e6)
print(min(runs), sorted(runs)[3])
"""
OURS = """
reply = {
    "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "Paris."}}],
    "usage": {"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16},
}
def plain(model, messages):
    return reply
wrapped = module.wrap(plain)
def call():
    wrapped("gpt-4o", messages)
call()
module.estimate(model="gpt-4o", messages=messages)  # the vocabulary is loaded
"""
PEERS = """
def call():
    module.completion("gpt-4o", messages, mock_response="Paris.")
"""
RECORDER = """
import costspan, sys
reply = {"object": "chat.completion", "model": "gpt-4o-2024-08-06", "choices": [],
         "usage": {"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16}}
ask = costspan.wrap(lambda model, messages: reply)
written = 0
while written < int(sys.argv[1]):
    ask("gpt-4o", [])
    written += 1
    if sys.argv[1] == "1000000000":
        sys.stdout.write(f"{written}\\n")
        sys.stdout.flush()
"""


def main() -> None:
    """Print the table."""
    with_peer = "--peer" in sys.argv
    if with_peer:
        peer.install(peer.LITELLM)
    print(f"{'':<44}{'costspan':>12}{'LiteLLM':>12}{'ratio':>8}")
    _compare("import, wall, ms (best of 5)", _import_ms, with_peer)
    _compare("import, peak memory, MB", _import_mb, with_peer)
    _compare("a call that returns at once, us added", _call_us, with_peer)
    print(f"{'import loads of httpx, duckdb, tiktoken, SDK':<44}{_heavy():>12}")
    with tempfile.TemporaryDirectory() as home:
        _many_processes(home)
    with tempfile.TemporaryDirectory() as home:
        _kill_9(home)


def _compare(name: str, measure: Callable[[bool], float], with_peer: bool) -> None:
    ours = measure(False)
    line = f"{name:<44}{ours:>12,.1f}"
    if with_peer:
        theirs = measure(True)
        line += f"{theirs:>12,.1f}{theirs / ours:>7,.0f}x"
    print(line)


def _import_ms(of_peer: bool) -> float:
    return min(float(_imported(of_peer)[0]) for _ in range(5)) * 1000


def _import_mb(of_peer: bool) -> float:
    return statistics.median(float(_imported(of_peer)[1]) for _ in range(3))


def _heavy() -> str:
    return ", ".join(_imported(False)[2:]) or "none"


def _imported(of_peer: bool) -> list[str]:
    code = IMPORT.format(module="litellm" if of_peer else "costspan")
    return peer.last_line(["-c", code], peer=of_peer).split()


def _call_us(of_peer: bool) -> float:
    """Microseconds added by the wrapper (ours), or taken by a mocked call (theirs)."""
    code = CALL.format(
        module="litellm" if of_peer else "costspan",
        setup=PEERS if of_peer else OURS,
        rounds=200 if of_peer else 2000,
    )
    with tempfile.TemporaryDirectory() as home:
        printed = peer.last_line(["-c", code], peer=of_peer, COSTSPAN_HOME=home)
    return float(printed.split()[0])


def _many_processes(home: str, processes: int = 8, calls: int = 2000) -> None:
    started = time.perf_counter()
    workers = [_recorder(home, calls) for _ in range(processes)]
    for worker in workers:
        worker.wait()
    recorded_s = time.perf_counter() - started
    started = time.perf_counter()
    found = _reported(home)
    print(
        f"{processes} processes x {calls:,} calls, then a report: "
        f"{found:,} of {processes * calls:,} "
        f"(recorded in {recorded_s:.1f} s, report in {time.perf_counter() - started:.1f} s)"
    )


def _kill_9(home: str, processes: int = 20) -> None:
    acknowledged = 0
    for number in range(processes):
        worker = _recorder(home, 1_000_000_000, stdout=subprocess.PIPE)
        time.sleep(0.5 + 0.02 * number)
        worker.send_signal(signal.SIGKILL)
        lines = worker.communicate()[0].decode().split("\n")[:-1]
        acknowledged += int(lines[-1]) if lines else 0
    found = _reported(home)
    # The last call of each process may have been recorded and not yet said.
    lost = max(0, acknowledged - found)
    print(
        f"kill -9 of {processes} recording processes: {acknowledged:,} calls had returned, "
        f"{found:,} in the report, {lost} lost, {max(0, found - acknowledged - processes)} twice"
    )


def _recorder(home: str, calls: int, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(calls)],
        env={**os.environ, "COSTSPAN_HOME": home},
        **options,
    )


def _reported(home: str) -> int:
    command = [sys.executable, "-m", "costspan", "report", "--format", "json", "--home", home]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return sum(row["calls"] for row in rows)


if __name__ == "__main__":
    main()
