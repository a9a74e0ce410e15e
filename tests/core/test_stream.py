"""Streams end exactly once, however they are left, and hang up on the server."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.errors import APIConnectionError, OverloadedError, Timeout
from costspan.core.reply import Chunk
from costspan.core.stream import AsyncStream, EndedBy, Stream

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


@dataclass
class Notes:
    """An observer that writes down what it is told."""

    chunks: int = 0
    ends: list[tuple[EndedBy, BaseException | None]] = field(default_factory=list)

    def chunk(self, chunk: Chunk) -> None:
        self.chunks += 1

    def end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        self.ends.append((ended_by, error))


def opened(server: FrameServer, model: str = "m", **arguments: Any) -> tuple[Stream, Notes]:
    base_url = f"{server.url}/v1"
    stream = completion(model, HELLO, base_url=base_url, stream=True, **arguments)
    notes = Notes()
    stream.observers.append(notes)
    return stream, notes


async def aopened(
    server: FrameServer, model: str = "m", **arguments: Any
) -> tuple[AsyncStream, Notes]:
    base_url = f"{server.url}/v1"
    stream = await acompletion(model, HELLO, base_url=base_url, stream=True, **arguments)
    notes = Notes()
    stream.observers.append(notes)
    return stream, notes


def texts(chunks: list[Chunk]) -> list[str | None]:
    return [choice.delta.content for chunk in chunks for choice in chunk.choices]


@pytest.mark.parametrize("gzip", [False, True])
def test_chat_stream(frame_server: FrameServer, chat_frames: list[bytes], gzip: bool) -> None:
    frame_server.script(CHAT, frames=chat_frames, gzip=gzip)
    stream, notes = opened(frame_server)
    chunks = list(stream)
    assert texts(chunks) == ["", "Grö", "ße 🎈", None]
    assert notes.chunks == 4
    assert notes.ends == [("exhausted", None)]
    assert stream.seen.complete
    reply = stream.reply
    assert reply is stream.reply
    assert reply.choices[0].message.content == "Größe 🎈" == stream.output_text
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.model_dump() == {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert reply.meters == stream.meters
    assert (reply.provider, stream.provider) == ("openai-compatible", "openai-compatible")
    assert (stream.endpoint, stream.port, stream.api) == ("127.0.0.1", frame_server.port, "chat")
    assert list(stream) == []
    assert notes.ends == [("exhausted", None)]


def test_message_stream(frame_server: FrameServer, message_frames: list[bytes]) -> None:
    frame_server.script(MESSAGES, frames=message_frames)
    stream, notes = opened(frame_server, "anthropic/m")
    assert "".join(text or "" for text in texts(list(stream))) == "Größe 🎈"
    assert notes.ends == [("exhausted", None)]
    reply = stream.reply
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 7)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_litellm_usage_is_always_known_and_its_chunk_shown_when_asked_for(
    path: str,
    frame_server: FrameServer,
    chat_frames: list[bytes],
    message_frames: list[bytes],
) -> None:
    frame_server.script(path, frames=chat_frames if path == CHAT else message_frames)
    model = "m" if path == CHAT else "anthropic/m"
    stream, _ = opened(frame_server, model)
    assert all(chunk.choices for chunk in stream)
    assert stream.reply.usage is not None
    stream, _ = opened(frame_server, model, stream_options={"include_usage": True})
    last = list(stream)[-1]
    assert (last.choices, last.usage) == ([], stream.reply.usage)


async def test_async_streams(
    frame_server: FrameServer, chat_frames: list[bytes], message_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames)
    frame_server.script(MESSAGES, frames=message_frames)
    for model in ("m", "anthropic/m"):
        stream, notes = await aopened(frame_server, model)
        chunks = [chunk async for chunk in stream]
        assert "".join(text or "" for text in texts(chunks)) == "Größe 🎈"
        assert notes.ends == [("exhausted", None)]
        assert stream.reply.usage is not None
        assert stream.reply.usage.total_tokens == 17
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


def test_leaving_by_close(frame_server: FrameServer, chat_frames: list[bytes]) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = opened(frame_server)
    next(stream)
    stream.close()
    stream.close()
    assert frame_server.wait_hung_up()
    assert notes.ends == [("closed", None)]
    assert list(stream) == []
    assert (stream.meters, stream.reply.usage, stream.seen.complete) == (None, None, False)


def test_openlit_1454_break_in_with_ends_the_stream(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = opened(frame_server)
    with stream:
        for _ in stream:
            break
    assert frame_server.wait_hung_up()
    assert notes.ends == [("closed", None)]


def test_an_error_of_the_callers_in_with_is_not_the_streams(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = opened(frame_server)
    with pytest.raises(ZeroDivisionError), stream:
        1 / 0  # noqa: B018
    assert notes.ends == [("closed", None)]


def test_dropping_a_stream_hangs_up_at_once(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    gc.disable()
    try:
        stream, notes = opened(frame_server)
        next(stream)
        del stream
        assert notes.ends == [("dropped", None)]
        assert frame_server.wait_hung_up()
    finally:
        gc.enable()
    # The pool gets the connection back at the next call.
    frame_server.script(CHAT, frames=chat_frames)
    opened(frame_server)[0].close()


def test_an_observer_that_keeps_the_assembly_does_not_keep_the_stream(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=0.2)
    seen: list[object] = []

    class Keeps(Notes):
        def end(self, ended_by: EndedBy, error: BaseException | None) -> None:
            seen.append((ended_by, assembly.reply.choices[0].message.content))

    gc.disable()
    try:
        stream, _ = opened(frame_server)
        assembly = stream.assembly
        stream.observers.append(Keeps())
        assert texts([next(stream), next(stream)]) == ["", "Grö"]
        del stream
        assert seen == [("dropped", "Grö")]
    finally:
        gc.enable()


async def test_dropping_an_async_stream_hangs_up(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = await aopened(frame_server)
    await anext(stream)
    del stream
    gc.collect()
    assert notes.ends == [("dropped", None)]
    assert await asyncio.to_thread(frame_server.wait_hung_up)


async def test_leaving_an_async_stream(frame_server: FrameServer, chat_frames: list[bytes]) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, first = await aopened(frame_server)
    async with stream:
        await anext(stream)
    stream, second = await aopened(frame_server)
    await stream.close()
    stream, third = await aopened(frame_server)
    await stream.aclose()
    assert first.ends == second.ends == third.ends == [("closed", None)]
    assert await asyncio.to_thread(frame_server.wait_hung_up, 3)


async def test_cancelling_a_task_that_reads(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = await aopened(frame_server)
    await anext(stream)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ((ended_by, error),) = notes.ends
    assert ended_by == "cancelled"
    assert isinstance(error, asyncio.CancelledError)
    assert await asyncio.to_thread(frame_server.wait_hung_up)


async def test_cancelling_inside_async_with(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = await aopened(frame_server)

    async def work() -> None:
        async with stream:
            await anext(stream)
            await asyncio.sleep(5)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [ended_by for ended_by, _ in notes.ends] == ["cancelled"]


def test_keyboard_interrupt_in_with_is_a_cancellation(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = opened(frame_server)
    with pytest.raises(KeyboardInterrupt), stream:
        raise KeyboardInterrupt
    assert [ended_by for ended_by, _ in notes.ends] == ["cancelled"]


def test_a_cut_connection_is_an_error_after_what_came(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames[:2], cut=True)
    stream, notes = opened(frame_server)
    got: list[Chunk] = []
    with pytest.raises(APIConnectionError, match=r"the connection to .* broke") as caught:
        got.extend(iter(stream))
    assert texts(got) == ["", "Grö"]
    assert stream.reply.choices[0].message.content == "Grö"
    assert notes.chunks == 2
    assert notes.ends == [("raised", caught.value)]
    assert type(caught.value.__cause__).__name__ == "RemoteProtocolError"
    assert list(stream) == []


async def test_a_cut_connection_asynchronously(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames[:2], cut=True)
    stream, notes = await aopened(frame_server)
    with pytest.raises(APIConnectionError) as caught:
        [chunk async for chunk in stream]
    assert notes.ends == [("raised", caught.value)]


def test_a_stalled_stream_times_out(frame_server: FrameServer, chat_frames: list[bytes]) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    stream, notes = opened(frame_server, timeout=0.2)
    with pytest.raises(Timeout):
        list(stream)
    assert [ended_by for ended_by, _ in notes.ends] == ["raised"]


ERROR = (
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
)


def test_an_error_event_comes_after_the_chunks_before_it(
    frame_server: FrameServer, message_frames: list[bytes]
) -> None:
    frame_server.script(MESSAGES, frames=[b"".join(message_frames[:4]) + ERROR])
    stream, notes = opened(frame_server, "anthropic/m")
    assert texts([next(stream), next(stream)]) == ["", "Grö"]
    with pytest.raises(OverloadedError, match="busy") as caught:
        next(stream)
    assert notes.ends == [("raised", caught.value)]
    assert stream.meters is not None


async def test_an_error_event_asynchronously(
    frame_server: FrameServer, message_frames: list[bytes]
) -> None:
    frame_server.script(MESSAGES, frames=[*message_frames[:4], ERROR])
    stream, notes = await aopened(frame_server, "anthropic/m")
    with pytest.raises(OverloadedError) as caught:
        [chunk async for chunk in stream]
    assert notes.ends == [("raised", caught.value)]


def test_a_server_that_cannot_stream(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    stream, _ = opened(frame_server)
    assert texts(list(stream)) == ["Größe 🎈"]
    assert stream.reply.usage is not None


def test_a_stream_without_usage_has_none(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames[:-1])
    stream, _ = opened(frame_server)
    list(stream)
    assert (stream.reply.usage, stream.meters) == (None, None)
    assert stream.output_text == "Größe 🎈"


def test_streams_in_threads_do_not_mix(frame_server: FrameServer, chat_frames: list[bytes]) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=0.01)
    found: list[str | None] = []

    def read() -> None:
        stream, _ = opened(frame_server)
        list(stream)
        found.append(stream.reply.choices[0].message.content)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Größe 🎈"] * 8


FORKS = """
import os, sys
from costspan.core.completion import completion

def ask():
    return completion("m", [{"role": "user", "content": "Hello"}], base_url=sys.argv[1])

ask()
child = os.fork()
if child == 0:
    os._exit(0 if ask().id == "chatcmpl-1" else 1)
assert os.waitpid(child, 0)[1] == 0
ask()
"""


def test_a_forked_child_does_not_share_its_parents_connections(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    subprocess.run([sys.executable, "-c", FORKS, f"{frame_server.url}/v1"], check=True)
    assert [request.connection for request in frame_server.requests] == [1, 2, 1]


def test_nothing_is_said_when_a_process_exits_with_open_streams(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    code = FORKS.split("ask()\nchild")[0].replace("argv[1])", "argv[1], stream=True)")
    code += "stream = ask(); next(stream); kept = [stream]; kept.append(kept)"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code, f"{frame_server.url}/v1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert frame_server.wait_hung_up()


def test_dropped_params_stand_on_the_stream(
    frame_server: FrameServer, message_frames: list[bytes]
) -> None:
    frame_server.script(MESSAGES, frames=message_frames)
    stream, _ = opened(frame_server, "anthropic/m", seed=1, drop_params=True)
    assert stream.dropped_params == ("seed",)
    list(stream)
    assert stream.reply.dropped_params == ("seed",)


def test_a_stream_that_was_never_made_is_no_trouble_for_its_finaliser() -> None:
    for kind in (Stream, AsyncStream):
        kind.__new__(kind)
    gc.collect()
