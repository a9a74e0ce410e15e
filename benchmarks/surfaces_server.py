"""The server of the surfaces' table: whole answers, streams, refusals, cuts, on loopback.

The first part of a path says how it behaves: ``/ok/v1/...`` answers, ``/refuse`` gives status 429,
``/retry`` status 500 on the first attempt, ``/cut`` drops the connection after 5 events of a
stream, ``/slow`` stops after 5 until the client leaves, ``/json`` answers with a JSON text.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from completion_answers import ANSWERS, CHAT_USAGE, TEXT

INPUT_TOKENS, OUTPUT_TOKENS = 57, 200
EVENTS = 12
_EMBEDDINGS = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2, 0.3]}],
    "usage": {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS},
}
_COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1764000000,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "text": TEXT, "logprobs": None, "finish_reason": "stop"}],
    "usage": CHAT_USAGE,
}
_ERROR = {"error": {"message": "Too much.", "type": "rate_limit", "code": "rate_limit_exceeded"}}
_PART = {"type": "output_text", "text": "", "annotations": []}
_PART_ADDED = {
    "type": "response.content_part.added",
    "sequence_number": 1,
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "part": _PART,
}


def reply(behaviour: str, path: str) -> Any:
    """A whole answer."""
    if path == "/v1/embeddings":
        return _EMBEDDINGS
    if path == "/v1/completions":
        return _COMPLETION
    body: Any = ANSWERS[path][0]()
    if behaviour == "json":
        body["choices"][0]["message"]["content"] = '{"city": "Paris"}'
    return body


def frames(path: str, asked: dict[str, Any]) -> list[bytes]:
    """The events of a stream; a chat's has usage only if that is asked for."""
    found = list(ANSWERS[path][1](EVENTS))
    if path == "/v1/responses":
        added = f"event: response.content_part.added\ndata: {json.dumps(_PART_ADDED)}\n\n"
        found.insert(2, added.encode())
    elif not (asked.get("stream_options") or {}).get("include_usage"):
        del found[-2]
        found = [frame.replace(b',"usage":null', b"") for frame in found]
    return found


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, and close."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("\r\ncontent-length:")[2].partition("\r\n")[0] or 0)
        asked = json.loads(await reader.readexactly(length) or b"{}")
        behaviour, _, path = head.split(" ", 2)[1].removeprefix("/").partition("/")
        first = "\r\nx-stainless-retry-count: 0\r\n" in head
        await _answer(reader, writer, behaviour, "/" + path, asked, first)
    except ConnectionError:
        pass  # the client has left
    finally:
        writer.close()


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    behaviour: str,
    path: str,
    asked: dict[str, Any],
    first: bool,
) -> None:
    if behaviour == "refuse":
        _whole(writer, "429 Too Many Requests", _ERROR)
    elif behaviour == "retry" and first:
        _whole(writer, "500 Internal Server Error", _ERROR)
    elif not asked.get("stream"):
        _whole(writer, "200 OK", reply(behaviour, path))
    else:
        head = "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n".encode())
        for number, frame in enumerate(frames(path, asked)):
            if number == 5 and behaviour == "cut":
                return
            if number == 5 and behaviour == "slow":
                await reader.read()  # until the client leaves
            writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _whole(writer: asyncio.StreamWriter, status: str, body: object) -> None:
    data = json.dumps(body).encode()
    head = f"content-type: application/json\r\ncontent-length: {len(data)}\r\nconnection: close"
    writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n\r\n".encode() + data)


@contextmanager
def running() -> Iterator[str]:
    """Run the server in a thread of its own; its address."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
