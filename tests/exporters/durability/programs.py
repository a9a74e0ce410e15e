"""Programs that record calls through ``costspan.wrap`` and fork, spawn, are cancelled or killed.

Usage: python programs.py COMMAND [ARGUMENT ...], with COSTSPAN_HOME set.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import mmap
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import costspan
from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.exporter import LedgerExporter

REPLY: dict[str, Any] = {
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hello."}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}
EXPORTER = LedgerExporter(resolve_home())
METER = costspan.Meter(exporters=[EXPORTER])


def _ask(model: str, messages: Sequence[object]) -> dict[str, Any]:
    return REPLY


async def _ask_slowly(model: str, messages: Sequence[object], seconds: float) -> dict[str, Any]:
    await asyncio.sleep(seconds)
    return REPLY


ask = costspan.wrap(_ask, meter=METER)
ask_slowly = costspan.wrap(_ask_slowly, meter=METER)


def record(who: object, number: int) -> int:
    """Make one call, which must come back as it is."""
    with costspan.tags(session_id=who, unit_id=number):
        assert ask("gpt-4o-mini", []) is REPLY
    return number


def record_all(who: object, numbers: Sequence[int]) -> None:
    """Make one call for each number."""
    for number in numbers:
        record(who, number)


def until_killed(who: str, acknowledged: str) -> None:
    """Call for ever; count every call that returned in a mapped file, which outlives a kill."""
    with open(acknowledged, "r+b") as file:
        count = mmap.mmap(file.fileno(), 8)
    number = 0
    while True:
        record(who, number)
        number += 1
        count[:8] = number.to_bytes(8, "little")


def import_and_record(who: str, calls: str) -> None:
    """What an application does at its start, and then until its input ends."""
    record_all(who, range(int(calls)))
    print("ready", flush=True)
    sys.stdin.read()
    record(who, int(calls))


def record_some() -> None:
    """Ten calls, and the end."""
    record_all("some", range(10))


def threads(calls: str) -> None:
    """Eight threads call at once."""
    workers = [
        threading.Thread(target=record_all, args=(f"thread-{number}", range(int(calls))))
        for number in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def tasks(calls: str) -> None:
    """Many asynchronous calls at once, every third cancelled while it runs."""

    async def one(number: int) -> None:
        with costspan.tags(session_id="task", unit_id=number):
            assert await ask_slowly("gpt-4o-mini", [], 30 if number % 3 == 0 else 0.01) is REPLY

    async def all_of_them() -> None:
        running = [asyncio.create_task(one(number)) for number in range(int(calls))]
        await asyncio.sleep(0.2)
        for task in running[::3]:
            task.cancel()
        ends = await asyncio.gather(*running, return_exceptions=True)
        cancelled = [isinstance(end, asyncio.CancelledError) for end in ends]
        assert cancelled == [number % 3 == 0 for number in range(int(calls))]

    asyncio.run(all_of_them())


def prefork_pool(workers: str, tasks_each: str, rounds: str) -> None:
    """A pool as Celery's: the master records too, children are replaced and end by os._exit."""
    stop = threading.Event()
    made = 0

    def beat() -> None:
        nonlocal made
        while not stop.wait(0.0005):
            made = record("master", made) + 1

    heart = threading.Thread(target=beat)
    heart.start()
    children = 0
    for _ in range(int(rounds)):
        forked = []
        for _ in range(int(workers)):
            pid = os.fork()
            if pid == 0:
                _end_as_billiard(f"child-{children}", int(tasks_each))
            forked.append(pid)
            children += 1
        _reap(forked)
    stop.set()
    heart.join()
    print(json.dumps({"master": made, "children": children}))


def _end_as_billiard(who: str, calls: int) -> None:
    signal.alarm(30)  # a child that hangs is ended, and seen by its status
    status = 1
    with contextlib.suppress(BaseException):
        record_all(who, range(calls))
        status = 0
    os._exit(status)


def _reap(pids: Sequence[int]) -> None:
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert ends == [0] * len(pids), ends


def pool(method: Any, kind: str) -> None:
    """multiprocessing in the ways that it has, with children that are replaced."""
    record("master", 0)
    context = multiprocessing.get_context(method)
    if kind == "pool":
        with context.Pool(2, maxtasksperchild=4) as workers:
            assert workers.map(_in_child, range(16), chunksize=1) == list(range(16))
            workers.close()
            workers.join()
    elif kind == "futures":
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
            assert list(executor.map(_in_child, range(16))) == list(range(16))
    else:
        children = [
            context.Process(target=record_all, args=("child", range(first, first + 4)))
            for first in range(0, 16, 4)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join(50)
        assert [child.exitcode for child in children] == [0] * 4
    record("master", 1)


def _in_child(number: int) -> int:
    return record("child", number)


def fork_while_importing() -> None:
    """Fork as soon as the first call has begun to load what counts tokens; count in the child."""
    record("parent", 0)
    while "tiktoken" not in sys.modules:
        time.sleep(0.0002)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        hello = [{"role": "user", "content": "hi"}]
        assert costspan.estimate(model="gpt-4o-mini", messages=hello).input_tokens.likely > 0
        _end_as_billiard("child", 1)
    _reap([pid])


def daemon(pid_file: str) -> None:
    """Become a daemon by two forks, as a program that has already recorded."""
    record("before", 0)
    if os.fork():
        os.wait()
        record("before", 1)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    record_all("daemon", range(10))
    with open(pid_file + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(pid_file + ".new", pid_file)
    os._exit(0)


def exec_while_recording() -> None:
    """Replace the program while two threads record, and record on as another program."""
    counts = [0, 0]

    def on(number: int) -> None:
        while True:
            counts[number] = record(f"thread-{number}", counts[number]) + 1

    for number in range(2):
        threading.Thread(target=on, args=(number,), daemon=True).start()
    while min(counts) < 200:
        time.sleep(0.001)
    returned = json.dumps(counts)
    words = [sys.executable, __file__, "after_exec", returned, str(os.getpid())]
    os.execv(sys.executable, words)


def after_exec(returned: str, pid: str) -> None:
    """The program that took the place of `exec_while_recording`."""
    assert os.getpid() == int(pid)
    record("after", 0)
    print(returned)


def child_programs() -> None:
    """Other programs start and end while threads record; one outlives this one."""
    stop = threading.Event()
    counts = [0] * 4

    def on(number: int) -> None:
        while not stop.is_set():
            counts[number] = record(f"thread-{number}", counts[number]) + 1

    workers = [threading.Thread(target=on, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(30):
        subprocess.run(["/bin/true"], check=True, close_fds=True)
        subprocess.run(["/bin/true"], check=True, close_fds=False)
    late = subprocess.Popen(
        ["/bin/sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stop.set()
    for worker in workers:
        worker.join()
    print(json.dumps({"counts": counts, "late": late.pid}), flush=True)
    late.returncode = 0  # it is meant to live on: no warning that it does


def cut_off(calls: str) -> None:
    """Call on through a limit of file size, which stands in for a full disk, and after it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    record_all("before", range(int(calls)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, hard))
    # The segment that is open is filled already: only the next one does not fit any more.
    started = time.monotonic()
    record_all("during", range(int(calls) * 20))
    seconds = time.monotonic() - started
    lost = EXPORTER.health().lost
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    time.sleep(1.05)
    record_all("after", range(int(calls)))
    error = EXPORTER.health().last_error
    print(json.dumps({"lost": lost, "seconds": seconds, "last_error": error}))


def merge_repeatedly(times: str) -> None:
    """Record and merge in one process; print its size in kB early and at the end."""
    from costspan.exporters.ledger.merge import merge

    sizes = []
    for round_ in range(int(times)):
        record_all("repeated", range(round_ * 200, round_ * 200 + 200))
        assert merge(resolve_home()).rows == 200
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(json.dumps([sizes[int(times) // 3], sizes[-1]]))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
