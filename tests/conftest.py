"""Fixtures that all rooms share: a real HTTP server that plays recorded frames.

Tests annotate it with ``if TYPE_CHECKING: from tests.conftest import FrameServer``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest
from hypothesis import HealthCheck, settings

# Time limits on single examples say how busy the machine is, and nothing about the code.
settings.register_profile("costspan", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("costspan")

# Who starts tests in the background may have them ignore these, and their programs would too.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# The assertions of the table of all SDKs say what was unequal, as those of a test do.
pytest.register_assert_rewrite("bed", "surfaces")

# Merges come when the tests say so; those that are about background merges switch them on.
os.environ["COSTSPAN_AUTOMERGE"] = "0"


@dataclass(frozen=True)
class Script:
    """What the server answers once, byte for byte."""

    status: int
    headers: Mapping[str, str]
    frames: Sequence[bytes]
    pause_s: float
    delay_s: float
    cut: bool
    gzip: bool


@dataclass(frozen=True)
class Journaled:
    """A request as the server received it; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass
class FrameServer:
    """HTTP/1.1 on the loopback: scripts by path, keep-alive, chunked bodies, pauses and cuts.

    Several scripts of one path are served in order, the last one repeats.

    Attributes:
        requests: Every request that arrived, in order.
        hung_up: Paths of answers whose client went away before the end.
    """

    requests: list[Journaled] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    _scripts: dict[str, list[Script]] = field(default_factory=dict)
    _port: int = 0
    _connections: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _ready: threading.Event = field(default_factory=threading.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _left: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Base URL, without a path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port that the system gave."""
        return self._port

    def script(
        self,
        path: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        frames: Sequence[bytes] = (),
        pause_s: float = 0,
        delay_s: float = 0,
        cut: bool = False,
        gzip: bool = False,
    ) -> None:
        """Add an answer.

        Args:
            path: Request path without a query.
            status, headers: Head of the answer. Without a ``content-type`` it is an event stream
                where the first frame looks like one, else JSON.
            frames: Parts of the body; each is sent at once, as one HTTP chunk.
            pause_s: Seconds before each frame after the first.
            delay_s: Seconds before the head.
            cut: Drop the connection after the last frame, in the middle of the body.
            gzip: Compress the body, each frame flushed.
        """
        known = {"content-type": _content_type(frames), **(headers or {})}
        script = Script(status, known, frames, pause_s, delay_s, cut, gzip)
        self._scripts.setdefault(path, []).append(script)

    def json(
        self, path: str, body: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Add an answer with a JSON body."""
        self.script(path, status, headers, [json.dumps(body).encode()])

    def reset(self) -> None:
        """Forget all answers and requests."""
        self._scripts.clear()
        self.requests.clear()
        with self._left:
            self.hung_up.clear()

    def wait_hung_up(self, count: int = 1, timeout_s: float = 5) -> bool:
        """Wait until ``count`` clients have left early; whether they have."""
        with self._left:
            return self._left.wait_for(lambda: len(self.hung_up) >= count, timeout_s)

    def run(self) -> None:
        """Serve until `stop`; the body of the server's thread."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        """End the server's thread."""
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer, number):
                pass
        writer.transport.abort()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        """Answer one request; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(Journaled(method, target, headers, body, number))
        path = target.partition("?")[0]
        script = self._next(path)
        try:
            await self._answer(script, reader, writer)
        except ConnectionError:
            with self._left:
                self.hung_up.append(path)
                self._left.notify_all()
            raise
        return not script.cut

    def _next(self, path: str) -> Script:
        scripts = self._scripts.get(path)
        if not scripts:
            body = json.dumps({"error": {"message": f"no script for {path}"}}).encode()
            return Script(404, {"content-type": "application/json"}, [body], 0, 0, False, False)
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    async def _answer(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _pause(script.delay_s, reader)
        packer = zlib.compressobj(wbits=31) if script.gzip else None
        headers = {**script.headers, "transfer-encoding": "chunked"}
        if packer:
            headers["content-encoding"] = "gzip"
        reason = HTTPStatus(script.status).phrase if script.status != 529 else "Overloaded"
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {script.status} {reason}", *lines, "", ""])
        writer.write(head.encode("latin-1"))
        for position, frame in enumerate(script.frames):
            await _pause(script.pause_s if position else 0, reader)
            if packer:
                frame = packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH)
            if frame:
                writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
                await writer.drain()
        if script.cut:
            return
        tail = packer.flush() if packer else b""
        if tail:
            writer.write(b"%x\r\n%b\r\n" % (len(tail), tail))
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _pause(seconds: float, reader: asyncio.StreamReader) -> None:
    """Sleep, and notice a client that leaves meanwhile."""
    if not seconds:
        return
    try:
        await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return
    raise ConnectionResetError("the client left")


def _content_type(frames: Sequence[bytes]) -> str:
    start = frames[0].lstrip(b"\xef\xbb\xbf\r\n") if frames else b""
    streamed = start.startswith((b"data", b"event", b":"))
    return "text/event-stream; charset=utf-8" if streamed else "application/json"


@pytest.fixture
def frame_server() -> Iterator[FrameServer]:
    """A running `FrameServer`, ended after the test."""
    with _serving() as server:
        yield server


@pytest.fixture(scope="module")
def shared_frame_server() -> Iterator[FrameServer]:
    """A running `FrameServer` for a whole module, whose tests `FrameServer.reset` it."""
    with _serving() as server:
        yield server


@contextmanager
def _serving() -> Iterator[FrameServer]:
    server = FrameServer()
    thread = threading.Thread(target=server.run, name="frame-server")
    thread.start()
    assert server._ready.wait(5)
    yield server
    server.stop()
    thread.join(5)
    assert not thread.is_alive()
