"""The server of the completion benchmarks: fixed answers over keep-alive, in its own process.

It looks at the path and for ``stream`` only, so that it takes a fraction of what any client
does. ``/200/v1/chat/completions`` streams 200 chunks, each as an HTTP chunk of its own, all of
them written at once.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from completion_answers import ANSWERS


@cache
def answer(target: str, streamed: bool) -> bytes:
    """The whole HTTP answer for a path such as ``/200/v1/messages``."""
    chunks, slash, path = target.partition("?")[0].removeprefix("/").partition("/")
    reply, frames = ANSWERS[slash + path]
    if not streamed:
        body = json.dumps(reply()).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\n" + head.encode() + body
    parts = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames(int(chunks))]
    head = "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\n" + head.encode() + b"".join(parts) + b"0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self.received = b""
        target = head.split(b" ", 2)[1]
        streamed = b'"stream":true' in body or b'"stream": true' in body or b":stream" in target
        self.transport.write(answer(target.decode(), streamed))


async def serve() -> None:
    """Serve on a free port, which is printed, until the parent closes our input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def running() -> Iterator[str]:
    """Run the server; its address."""
    command = [sys.executable, str(Path(__file__).resolve()), "serve"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


if __name__ == "__main__" and sys.argv[1:] == ["serve"]:
    asyncio.run(serve())
