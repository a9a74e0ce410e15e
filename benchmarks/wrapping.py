"""What wrapping costs: microseconds a call and a chunk, memory, streams that are dropped.

``python benchmarks/wrapping.py`` takes about four minutes, with ``--fast`` half a minute. The SDKs
run over a transport in memory. A candidate makes some calls in a row, then the next one, in a
random order each round. The figures are lower quartiles of the thread's processor time, which busy
neighbours change least.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import quantiles
from typing import Any

import wrapping_memory
from completion_answers import WORDS, chat_frames, messages_frames
from wrapping_clients import (
    CHAT_BODY,
    MESSAGES_BODY,
    QUESTION,
    anthropic_client,
    async_openai_client,
    chat,
    function,
    generator,
    messages,
    openai_client,
    untold_frames,
)

import costspan
from costspan.middleware.live import LiveCall
from costspan.middleware.meter import Meter

FAST = "--fast" in sys.argv
IN_A_ROW, ROUNDS = 20, 8 if FAST else 40
SHORT, LONG = 40, 240
BARE = "unwrapped"
Call = Callable[[], object]
loop = asyncio.new_event_loop()


class Observing(Meter):
    """A Meter that only watches: it estimates nothing and exports nothing."""

    def _estimate(self, call: LiveCall) -> Any:
        return None


def timed(calls: dict[str, Call], in_a_row: int, rounds: int) -> dict[str, float]:
    """Microseconds of processor time of a call of each candidate: the lower quartile of all."""
    taken: dict[str, list[int]] = {name: [] for name in calls}
    names, order = list(calls), random.Random(1)
    for number in range(rounds + 2):
        order.shuffle(names)
        for name in names:
            call = calls[name]
            for turn in range(in_a_row + in_a_row // 4):
                started = time.thread_time_ns()
                call()
                ended = time.thread_time_ns()
                if number >= 2 and turn >= in_a_row // 4:  # the first ones warm up
                    taken[name].append(ended - started)
    return {name: quantiles(each)[0] / 1000 for name, each in taken.items()}


def candidates(make: Callable[[], Any], use: Callable[[Any], Call]) -> dict[str, Call]:
    """What is compared, each with a client of its own."""
    return {
        BARE: use(make()),
        "observing": use(costspan.wrap(make(), meter=METERS["observing"])),
        "with an estimate": use(costspan.wrap(make(), meter=METERS["estimate"])),
        "and the ledger": use(costspan.wrap(make())),
    }


def show(name: str, bare: float, added: list[float], digits: int = 0) -> None:
    """Print a row."""
    print(f"{name:<36}{bare:>10,.{digits}f}" + "".join(f"{each:>19,.{digits}f}" for each in added))


def whole(name: str, make: Callable[[], Any], use: Callable[[Any], Call]) -> None:
    """Measure whole answers."""
    bare, *others = timed(candidates(make, use), IN_A_ROW, ROUNDS).values()
    show(name, bare, [other - bare for other in others])


def streamed(name: str, make: Callable[[int], Any], use: Callable[[Any], Call]) -> None:
    """Measure a chunk: a long stream less a short one."""
    short, long = (
        timed(candidates(lambda: make(chunks), use), 2, ROUNDS)  # noqa: B023  # used at once
        for chunks in (SHORT, LONG)
    )
    bare, *others = ((long[each] - short[each]) / (LONG - SHORT) for each in short)
    show(name, bare, [other - bare for other in others], 1)


def create(client: Any) -> Call:
    """A whole answer of openai's client."""
    return lambda: client.chat.completions.create(**chat())


def acreate(client: Any) -> Call:
    """The same, asynchronous."""
    return lambda: loop.run_until_complete(client.chat.completions.create(**chat()))


def read(client: Any) -> Call:
    """A stream of openai's client."""
    return lambda: [None for _ in client.chat.completions.create(**chat(stream=True))]


def aread(client: Any) -> Call:
    """The same, asynchronous."""

    async def consume() -> None:
        async for _ in await client.chat.completions.create(**chat(stream=True)):
            pass

    return lambda: loop.run_until_complete(consume())


def message(client: Any) -> Call:
    """A whole answer of anthropic's client."""
    return lambda: client.messages.create(**messages())


def read_message(client: Any) -> Call:
    """A stream of anthropic's client."""
    return lambda: [None for _ in client.messages.create(**messages(stream=True))]


def new_text(kilobytes: int = 8) -> None:
    """Measure texts that were never seen, less the same number of bytes that were."""
    order = random.Random(2)

    def fresh(client: Any) -> Call:
        return lambda: client.chat.completions.create(**chat(text()))

    def again(client: Any) -> Call:
        same = text()
        return lambda: client.chat.completions.create(**chat(same))

    def text() -> str:
        return "".join(order.choices(WORDS, k=kilobytes * 300))[: kilobytes * 1024]

    made = {
        "new, unwrapped": fresh(openai_client(CHAT_BODY)),
        "new": fresh(costspan.wrap(openai_client(CHAT_BODY))),
        "again, unwrapped": again(openai_client(CHAT_BODY)),
        "again": again(costspan.wrap(openai_client(CHAT_BODY))),
    }
    new, wrapped_new, seen, wrapped = timed(made, IN_A_ROW, ROUNDS).values()
    added = (wrapped_new - new) - (wrapped - seen)
    print(f"\nnew text of {kilobytes} KB in a request, us per KB: {added / kilobytes:.0f}")


def main() -> None:
    """Print all tables."""
    for model in ("gpt-4o", "claude-sonnet-5"):
        costspan.estimate(model=model, messages=[{"role": "user", "content": QUESTION}])
    heads = "".join(f"{'+ ' + name:>19}" for name in ("observing", "an estimate", "and the ledger"))
    print(f"{'us a whole answer':<36}{BARE:>10}{heads}")
    whole("openai", lambda: openai_client(CHAT_BODY), create)
    whole("openai, async", lambda: async_openai_client(CHAT_BODY), acreate)
    whole("anthropic", lambda: anthropic_client(MESSAGES_BODY), message)
    whole("a function", lambda: function, lambda ask: lambda: ask(**chat()))
    print(f"\n{'us a chunk':<36}{BARE:>10}{heads}")
    streamed("openai, usage: null", lambda n: openai_client(list(chat_frames(n))), read)
    streamed("openai, no usage asked for", lambda n: openai_client(untold_frames(n)), read)
    streamed("openai, async", lambda n: async_openai_client(list(chat_frames(n))), aread)
    streamed("anthropic", lambda n: anthropic_client(list(messages_frames(n))), read_message)
    streamed("a generator function", generator, lambda ask: lambda: list(ask(**chat())))
    new_text()
    wrapping_memory.main(10_000 if FAST else 100_000)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["COSTSPAN_HOME"] = home
        METERS = {"observing": Observing(), "estimate": Meter()}
        print(f"load of the machine: {os.getloadavg()[0]:.1f}\n")
        main()
        costspan.flush()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
