"""What the completion core adds to bare httpx: a call, a chunk, many calls at once, memory.

Run: ``python benchmarks/completion.py``; with ``--peer`` LiteLLM is installed into an environment
of its own (.venv-peer) and measured beside us, in turns with us; ``--fast`` takes half a minute.
The server is a process of its own. Prints a table in Markdown: read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import completion_server
import peer
from completion_memory import memory_rows

HERE = Path(__file__).resolve().parent
CALL_LIMIT_MS = 0.35
CHUNK_LIMIT_US = 25
THROUGHPUT_LIMIT = 0.8
AT_ONCE = 200
APIS = ("chat", "messages", "responses", "gemini")
PEER_APIS = ("chat", "messages")
"""The wire formats that the peer is measured in."""
OURS = ("core", "metered")
PEER = "litellm"


class Worker:
    """A process of clients: bare httpx, and what is measured against it."""

    def __init__(self, process: subprocess.Popen[str], names: tuple[str, ...]) -> None:
        self.names = names
        self._process = process

    def do(self, kind: str, names: tuple[str, ...], *rest: object) -> dict[str, Any]:
        """Let it do a job; what it measured, by candidate."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([kind, names, *rest]) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def worker(names: tuple[str, ...], *, of_peer: bool) -> Iterator[Worker]:
    """Run a worker with a ledger that is thrown away."""
    python = str(peer.PYTHON) if of_peer else sys.executable
    pipe = subprocess.PIPE
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "COSTSPAN_HOME": home, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        command = [python, str(HERE / "completion_worker.py"), "work"]
        with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdin is not None
            yield Worker(process, names)
            process.stdin.close()
            process.wait()


class Row(NamedTuple):
    """A line of the table."""

    name: str
    measured: str
    limit: str = ""
    ok: bool | None = None

    def __str__(self) -> str:
        verdict = "" if self.ok is None else "yes" if self.ok else "no"
        return f"| {self.name} | {self.measured} | {self.limit} | {verdict} |"


class Over(NamedTuple):
    """Medians of a candidate's calls over the calls of bare httpx beside them, nanoseconds."""

    base: float
    wall: float
    processor: float


def measured(
    workers: list[Worker], kind: str, base: tuple[str, ...], api: str, url: str, times: int
) -> dict[str, Over]:
    """Call by turns, the workers in short blocks by turns as well."""
    taken: dict[str, list[tuple[float, float, float]]] = {}
    workers = [each for each in workers if each.names == OURS or api in PEER_APIS]
    for _ in range(5):
        for each in workers:
            found = each.do(kind, base + each.names, api, url, times // 5)
            for name, runs in found.items():
                pairs = zip(runs, found["httpx"], strict=True)
                known = taken.setdefault(name, [])
                known += [(bare[0], run[0] - bare[0], run[1] - bare[1]) for run, bare in pairs]
    return {
        name: Over(*(statistics.median(column) for column in zip(*runs, strict=True)))
        for name, runs in taken.items()
    }


def call_rows(workers: list[Worker], api: str, url: str, times: int) -> Iterator[Row]:
    """What a whole answer takes over ``client.post(...).json()``."""
    found = measured(workers, "calls", ("httpx",), api, f"{url}/1", times)
    yield Row(f"{api}: bare httpx, ms a call", f"{found['httpx'].base / 1e6:.2f}")
    for name, over in list(found.items())[1:]:
        limit = f"{CALL_LIMIT_MS}" if name in OURS else ""
        yield Row(
            f"{api}: {name}, ms over bare httpx",
            f"{over.wall / 1e6:.2f} (processor {over.processor / 1e6:.2f})",
            limit,
            over.wall / 1e6 <= CALL_LIMIT_MS if limit else None,
        )


def chunk_rows(workers: list[Worker], api: str, url: str, chunks: int, times: int) -> Iterator[Row]:
    """What a chunk takes over ``iter_bytes`` of the same stream."""
    base = ("httpx", "httpx lines")
    found = measured(workers, "streams", base, api, f"{url}/{chunks}", times)
    each = f"{api}, {chunks} chunks"
    yield Row(f"{each}: bare httpx, us a chunk", f"{found['httpx'].base / chunks / 1e3:.1f}")
    for name, over in list(found.items())[1:]:
        wall, processor = over.wall / chunks / 1e3, over.processor / chunks / 1e3
        limit = f"{CHUNK_LIMIT_US}" if name in OURS else ""
        shown = "iter_lines and json.loads" if name == "httpx lines" else name
        yield Row(
            f"{each}: {shown}, us a chunk over bare httpx",
            f"{wall:.1f} (processor {processor:.1f})",
            limit,
            wall <= CHUNK_LIMIT_US if limit else None,
        )


def concurrency_rows(
    workers: list[Worker], api: str, url: str, blocks: int, calls: int
) -> Iterator[Row]:
    """The throughput of many calls at once, as a share of bare httpx's."""
    shares: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    for number in range(blocks):
        for each in workers:
            names = ("httpx", *each.names)
            names = names[number % len(names) :] + names[: number % len(names)]
            found = each.do("concurrent", names, api, f"{url}/1", AT_ONCE, calls)
            for name, rate in found.items():
                shares.setdefault(name, []).append(rate / found["httpx"])
                rates.setdefault(name, []).append(rate)
    for name, known in shares.items():
        share = statistics.median(known)
        limit = f"at least {THROUGHPUT_LIMIT}" if name in OURS else ""
        rate = statistics.median(rates[name])
        yield Row(
            f"{api}: {AT_ONCE} at once, {name} / bare httpx",
            f"{share:.2f} ({rate:,.0f} a second)",
            limit,
            share >= THROUGHPUT_LIMIT if limit else None,
        )


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="store_true", help="measure LiteLLM beside us")
    parser.add_argument("--fast", action="store_true", help="fewer calls")
    parser.add_argument("--only", choices=("calls", "chunks", "concurrency", "memory"))
    parser.add_argument("--api", choices=APIS, action="append", help="only this wire format")
    given = parser.parse_args()
    if given.peer:
        peer.install(peer.LITELLM)
    print("| | measured | limit | ok |\n|---|---|---|---|")
    with ExitStack() as stack:
        url = stack.enter_context(completion_server.running())
        workers = [stack.enter_context(worker(OURS, of_peer=False))]
        if given.peer:
            workers.append(stack.enter_context(worker((PEER,), of_peer=True)))
        for row in rows(workers, given, url):
            print(row, flush=True)


def rows(workers: list[Worker], given: argparse.Namespace, url: str) -> Iterator[Row]:
    """All lines of the table."""
    times = 100 if given.fast else 500
    apis = given.api or APIS
    if given.only in (None, "calls"):
        for api in apis:
            yield from call_rows(workers, api, url, times)
    if given.only in (None, "chunks"):
        for api in apis:
            for chunks, streams in ((200, 20),) if given.fast else ((200, 60), (1000, 20)):
                yield from chunk_rows(workers, api, url, chunks, streams)
    if given.only in (None, "concurrency"):
        for api in apis[:1]:
            yield from concurrency_rows(workers, api, url, *((3, 2) if given.fast else (6, 5)))
    if given.only in (None, "memory"):
        yield from (Row(*row) for row in memory_rows(url, with_peer=given.peer))


if __name__ == "__main__":
    main()
