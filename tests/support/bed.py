"""The test bed of the surfaces: one server, one Meter and the clients, for a whole module."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import time
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ways import Outcome, drive, drive_async

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call

if TYPE_CHECKING:
    from surfaces import Surface, Way

    from tests.conftest import FrameServer

HOLD_S = 30.0
"""How long the server holds what comes after the first part: until the client has left."""

OF_ONE_REQUEST = ("authorization", "amz-sdk-invocation-id", "x-amz-date", "idempotency-key")
"""Request headers that differ from request to request by themselves."""


class Server(Protocol):
    """Who answers."""

    @property
    def url(self) -> str:
        """Base URL, without a path."""

    def prepare(self, surface: Surface, way: Way, refusals: int) -> None:
        """Be ready to answer a surface in one way, after refusals; forget what was before."""

    def requests(self) -> list[tuple[object, ...]]:
        """What came since: all of each request that is the same each time."""


class Frames:
    """Answers byte for byte, and holds the second part of a stream that is to be left."""

    def __init__(self, server: FrameServer) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Base URL, without a path."""
        return self._server.url

    def prepare(self, surface: Surface, way: Way, refusals: int) -> None:
        """Script the answer, and before it as many times "too many requests"."""
        server, answer = self._server, surface.answer
        server.reset()
        for _ in range(refusals):
            server.json(surface.path, surface.error[1], 429, {"retry-after-ms": "1"})
        if way == "error":
            status, body = surface.error
            server.json(surface.path, body, status)
        elif isinstance(answer, Mapping):
            self._prepare_body(surface, answer, way)
        else:
            count = surface.first or len(answer) // 2
            first, rest = list(answer[:count]), list(answer[count:])
            if way == "ok":
                server.script(surface.path, headers=surface.headers, frames=first + rest)
            elif way == "cut":
                server.script(surface.path, headers=surface.headers, frames=first, cut=True)
            else:
                parts = [b"".join(first), b"".join(rest)]
                server.script(surface.path, headers=surface.headers, frames=parts, pause_s=HOLD_S)

    def _prepare_body(self, surface: Surface, body: Mapping[str, Any], way: Way) -> None:
        if way == "cut":
            whole = json.dumps(body).encode()
            self._server.script(surface.path, frames=[whole[: len(whole) // 2]], cut=True)
        elif way == "cancel":
            self._server.script(surface.path, frames=[b"{}"], delay_s=HOLD_S)
        else:
            self._server.json(surface.path, body, headers=surface.headers)

    def requests(self) -> list[tuple[object, ...]]:
        """Method, path, headers and body of each."""
        return [
            (
                request.method,
                request.path,
                {n: v for n, v in request.headers.items() if n not in OF_ONE_REQUEST},
                request.body,
            )
            for request in self._server.requests
        ]


def collect() -> None:
    """Collect garbage; sockets in it are not minded.

    The ways leave streams in the middle, and what an SDK leaves open then is left open unwrapped,
    too: the garbage of one test would be the failure of the next.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Bed:
    """Plays surfaces against a server.

    Clients are made once for each ``client`` and ``wrap`` of a surface: an SDK's client takes tens
    of milliseconds. Garbage that was there before is set aside, so that collecting is quick.

    Attributes:
        server: Who answers.
        memory: Where the calls go.
        meter: The one Meter.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.memory = InMemoryExporter()
        self.meter = Meter(exporters=[self.memory])
        self._clients: dict[tuple[object, ...], tuple[Any, Any]] = {}
        self._runner = asyncio.Runner()

    def __enter__(self) -> Bed:
        collect()
        gc.freeze()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._shut())
        self._runner.close()
        self._clients.clear()  # those that cannot be closed are collected here, with the others
        gc.unfreeze()
        collect()

    def play(
        self, surface: Surface, way: Way, *, wrapped: bool, refusals: int = 0
    ) -> tuple[Outcome, object]:
        """Go one way; what the user got, and what the server got.

        Args:
            surface: What is asked.
            way: How it goes.
            wrapped: Whether the client is wrapped.
            refusals: How often the server says "too many requests" first.
        """
        self.memory.clear()
        self.server.prepare(surface, way, refusals)
        gc.freeze()
        if surface.is_async:
            outcome = self._runner.run(self._play_async(surface, way, wrapped))
        else:
            outcome = drive(surface, way, self._client(surface, wrapped), self._arrived)
            collect()
        return outcome, self.server.requests()

    async def _play_async(self, surface: Surface, way: Way, wrapped: bool) -> Outcome:
        outcome = await drive_async(surface, way, self._client(surface, wrapped), self._arrived)
        # The loop closes the asynchronous generators that were collected, which drop further ones.
        for _ in range(3):
            collect()
            for _ in range(3):
                await asyncio.sleep(0)
        return outcome

    def _arrived(self) -> bool:
        return bool(self.server.requests())

    def _client(self, surface: Surface, wrapped: bool) -> Any:
        key = (surface.client, surface.wrap, surface.is_async) if wrapped else (surface.client,)
        if key not in self._clients:
            client = surface.client(self.server.url)
            used = surface.wrap(client, lambda: self.meter) if wrapped else client
            self._clients[key] = client, used
        return self._clients[key][1]

    def calls(self, count: int, timeout_s: float = 5) -> tuple[Call, ...]:
        """The records, once there are as many as expected; no failure of ours is behind them."""
        deadline = time.monotonic() + timeout_s
        self.meter.flush()
        while len(self.memory.calls) < count and time.monotonic() < deadline:
            self._runner.run(asyncio.sleep(0.001))
            collect()  # LiteLLM's threads hold a stream for a moment after it was left
            self.meter.flush()
        assert self.meter.guard.failures == {}
        assert len(self.memory.calls) == count, self.memory.calls
        return self.memory.calls

    async def _shut(self) -> None:
        for client, _ in self._clients.values():
            close = getattr(client, "aclose", None) or getattr(client, "close", None)
            if close is not None:
                closings = [close()]
            else:  # those of mistralai and cohere are only left
                ways = [getattr(client, name, None) for name in ("__exit__", "__aexit__")]
                closings = [leave(None, None, None) for leave in ways if leave is not None]
            for closing in closings:
                if inspect.isawaitable(closing):
                    await closing
