"""The clients of the completion benchmarks, one process for us and one for the peer.

It reads jobs from its input, a JSON list a line, and writes what each took. The candidates of a
job take turns, call by call, so that a busy neighbour meets all of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer in one sentence. " * 3},
    {"role": "user", "content": "What is the capital of France, and since when? " * 2},
]
KEY = "sk-benchmark"
BEARER = {"authorization": f"Bearer {KEY}"}


class Format(NamedTuple):
    """How a wire format is asked for.

    Attributes:
        model: As a completion function has it.
        base: The end of the base URL.
        path: What bare httpx puts after it.
        stream_path: The same for a stream.
        more: Further arguments of a completion function.
    """

    model: str
    base: str
    path: str
    stream_path: str
    more: dict[str, object] = {}  # noqa: RUF012  # read only


FORMATS = {
    "chat": Format("openai/gpt-4o", "/v1", "/chat/completions", "/chat/completions"),
    "messages": Format("anthropic/claude-sonnet-4-5", "", "/v1/messages", "/v1/messages"),
    "responses": Format("openai/gpt-4o", "/v1", "/responses", "/responses", {"api": "responses"}),
    "gemini": Format(
        "gemini/gemini-2.5-flash",
        "",
        "/models/gemini-2.5-flash:generateContent",
        "/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    ),
}


def body(api: str, **more: object) -> dict[str, object]:
    """What bare httpx sends: in chat's format what all send, in the others about as much."""
    model = FORMATS[api].model.partition("/")[2]
    return {"model": model, "messages": MESSAGES, "max_tokens": 300, **more}


def arguments(api: str, url: str, **more: object) -> dict[str, Any]:
    """The same as arguments of a completion function."""
    return {
        "model": FORMATS[api].model,
        "messages": MESSAGES,
        "max_tokens": 300,
        "api_key": KEY,
        "base_url": url + FORMATS[api].base,
        **FORMATS[api].more,
        **more,
    }


def completion_function(name: str, suffix: str = "") -> Callable[..., Any]:
    """The completion function of a candidate, or with ``a`` before it the asynchronous one."""
    if name == "core":
        import costspan.core.completion as module
    elif name == "metered":
        import costspan as module  # type: ignore[no-redef]
    else:
        import litellm as module  # type: ignore[no-redef,import-not-found]
    found: Callable[..., Any] = getattr(module, f"{suffix}completion")
    return found


def caller(name: str, api: str, url: str) -> Callable[[], object]:
    """One whole answer."""
    if name != "httpx":
        run, given = completion_function(name), arguments(api, url)
        return lambda: run(**given)
    import httpx

    client = httpx.Client(limits=httpx.Limits(max_connections=None))
    address, sent = url + FORMATS[api].base + FORMATS[api].path, body(api)
    return lambda: client.post(address, json=sent, headers=BEARER).json()


def streamer(name: str, api: str, url: str) -> Callable[[], object]:
    """One stream, read to its end; it gives the chunks that it saw."""
    if name not in ("httpx", "httpx lines"):
        run, given = completion_function(name), arguments(api, url, stream=True)
        return lambda: sum(1 for _ in run(**given))
    import httpx

    client = httpx.Client(limits=httpx.Limits(max_connections=None))
    address, sent = url + FORMATS[api].base + FORMATS[api].stream_path, body(api, stream=True)

    def read() -> int:
        with client.stream("POST", address, json=sent, headers=BEARER) as response:
            if name == "httpx":
                return sum(1 for _ in response.iter_bytes())
            return sum(1 for line in response.iter_lines() if parsed(line))

    return read


def parsed(line: str) -> bool:
    """Read a line of a stream as the plainest client does."""
    return line.startswith("data: {") and bool(json.loads(line[6:]))


def timed(calls: dict[str, Callable[[], object]], times: int) -> dict[str, list[list[int]]]:
    """Wall and processor nanoseconds of each candidate's calls, by turns."""
    taken: dict[str, list[list[int]]] = {name: [] for name in calls}
    names = list(calls)
    warm_up = times // 10 + 2
    for number in range(times + warm_up):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            call = calls[name]
            processor, wall = time.thread_time_ns(), time.perf_counter_ns()
            call()
            wall = time.perf_counter_ns() - wall
            processor = time.thread_time_ns() - processor
            if number >= warm_up:
                taken[name].append([wall, processor])
    return taken


def acaller(name: str, api: str, url: str) -> Callable[[], Awaitable[object]]:
    """One whole answer, awaited."""
    if name != "httpx":
        run, given = completion_function(name, "a"), arguments(api, url)
        return lambda: run(**given)
    import httpx

    # Of all limits those with which bare httpx does most: a pool looks through all that it keeps.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    client = httpx.AsyncClient(limits=limits)
    address, sent = url + FORMATS[api].base + FORMATS[api].path, body(api)

    async def call() -> object:
        return (await client.post(address, json=sent, headers=BEARER)).json()

    return call


async def concurrent(
    calls: dict[str, Callable[[], Awaitable[object]]], tasks: int, times: int
) -> dict[str, float]:
    """Calls a second of each candidate: so many tasks at once, with so many calls each."""

    async def several(call: Callable[[], Awaitable[object]], times: int) -> None:
        for _ in range(times):
            await call()

    rates: dict[str, float] = {}
    for name, call in calls.items():
        await asyncio.gather(*(several(call, 1) for _ in range(tasks)))
        started = time.perf_counter()
        await asyncio.gather(*(several(call, times) for _ in range(tasks)))
        rates[name] = tasks * times / (time.perf_counter() - started)
    return rates


def work(job: list[Any]) -> object:
    """Do a job."""
    kind, names, api, url, *rest = job
    make = {"calls": caller, "streams": streamer, "concurrent": acaller}[kind]
    calls = {name: candidate(make, name, api, url) for name in names}
    if kind == "concurrent":
        return loop.run_until_complete(concurrent(calls, *rest))
    return timed(calls, *rest)


made: dict[tuple[Any, ...], Callable[[], Any]] = {}


def candidate(
    make: Callable[..., Callable[[], Any]], name: str, api: str, url: str
) -> Callable[[], Any]:
    """A candidate; its client and connections are kept for the next job."""
    key = (make, name, api, url)
    if key not in made:
        made[key] = make(name, api, url)
    return made[key]


if __name__ == "__main__" and sys.argv[1:] == ["work"]:
    loop = asyncio.new_event_loop()
    for line in sys.stdin:
        print(json.dumps(work(json.loads(line))), flush=True)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
