"""Memory of wrapped calls: over many streams, of streams that are dropped, of wrap and unwrap."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from completion_answers import chat_frames, messages_frames
from wrapping_clients import (
    CHAT_BODY,
    MESSAGES_BODY,
    anthropic_client,
    chat,
    function,
    messages,
    openai_client,
)

import costspan


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def streams(calls: int) -> None:
    """Make streamed calls with the ledger on, and print the memory on the way."""
    client = costspan.wrap(openai_client(list(chat_frames(5))))
    for number in range(1, calls + 1):
        for _ in client.chat.completions.create(**chat(stream=True)):
            pass
        if number in (calls // 10, calls // 2, calls):
            gc.collect()
            blocks = sys.getallocatedblocks()
            print(f"{number:>9,} streamed calls: {resident_mb():.1f} MB, {blocks:,} blocks")


def dropped(open_one: Callable[[], Any], times: int = 100) -> str:
    """How many of the streams that are read in part and dropped are gone without a collection."""
    gc.collect()
    gc.disable()
    left = []
    for _ in range(times):
        stream = open_one()
        next(iter(stream))
        left.append(weakref.ref(stream))
        del stream
    freed = sum(each() is None for each in left)
    gc.enable()
    gc.collect()
    return f"{freed} of {times}"


def wrapped_again(times: int) -> int:
    """Bytes that wrapping and unwrapping an application so many times leaves behind."""
    app: list[Any] = [openai_client(CHAT_BODY), anthropic_client(MESSAGES_BODY)]
    functions: list[Any] = [function, app[0].embeddings.create]

    def once() -> None:
        for client in app:
            assert costspan.unwrap(costspan.wrap(client)) is client
        for each in functions:
            assert costspan.unwrap(costspan.wrap(each)) == each

    for _ in range(50):
        once()
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(times):
        once()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown


def main(calls: int) -> None:
    """Print what was found; the streams run in a process of their own."""
    print("\nmemory")
    command = [sys.executable, str(Path(__file__).resolve()), str(calls)]
    subprocess.run(command, check=True)
    print(f"\n{'dropped streams freed at once':<36}{'unwrapped':>12}{'wrapped':>12}")
    makers: dict[str, Callable[[], Any]] = {
        "openai": lambda: openai_client(list(chat_frames(20))),
        "anthropic": lambda: anthropic_client(list(messages_frames(20))),
    }
    for name, make in makers.items():
        found = [dropped(_opener(client)) for client in (make(), costspan.wrap(make()))]
        print(f"{name:<36}{found[0]:>12}{found[1]:>12}")
    print("\nwrap and unwrap of an application")
    for times in (1000, 3000):
        print(f"{times:>9,} times: {wrapped_again(times):,} bytes grown")


def _opener(client: Any) -> Callable[[], Any]:
    if hasattr(client, "messages"):
        return lambda: client.messages.create(**messages(stream=True))
    return lambda: client.chat.completions.create(**chat(stream=True))


if __name__ == "__main__" and len(sys.argv) > 1:
    streams(int(sys.argv[1]))
