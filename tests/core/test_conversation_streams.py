"""A streamed turn is kept when its answer has come whole, and not otherwise."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
import wire

from costspan.core.completion import acompletion, completion
from costspan.core.conversation import ConversationManager
from costspan.core.errors import APIError, APIResponseValidationError, NotFoundError
from costspan.core.history import ConversationBusyError

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CHAT = "/v1/chat/completions"
KEPT = [
    {"role": "user", "content": "Count."},
    {"role": "assistant", "content": "One two three."},
]


@pytest.fixture
def chat(frame_server: FrameServer) -> ConversationManager:
    return ConversationManager(
        "m",
        completion=completion,
        acompletion=acompletion,
        base_url=f"{frame_server.url}/v1",
    )


def test_read_to_its_end(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)
    with chat.stream_message("Count.", temperature=0.1) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert chat.get_history() == KEPT
    assert text == "One two three." == stream.reply.choices[0].message.content
    sent = frame_server.requests[0].json
    assert (sent["stream"], sent["temperature"], sent["messages"]) == (True, 0.1, KEPT[:1])
    assert chat.usage is not None
    assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (1000, 100)
    with chat.stream_message("Again.") as stream:
        assert list(stream)
    assert len(chat.get_history()) == 4


async def test_asynchronously(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)
    async with await chat.astream_message("Count.") as stream:
        async for _ in stream:
            assert chat.get_history() == []
    assert chat.get_history() == KEPT


def test_tool_calls_are_kept_joined(frame_server: FrameServer, chat: ConversationManager) -> None:
    def piece(**call: Any) -> dict[str, object]:
        delta = {"tool_calls": [{"index": 0, **call}]}
        return wire.chat_chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])

    frame_server.script(
        CHAT,
        frames=wire.sse(
            piece(id="t1", type="function", function={"name": "now", "arguments": '{"zo'}),
            piece(function={"arguments": 'ne": 1}'}),
            wire.chat_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]),
        ),
    )
    with chat.stream_message("Time?") as stream:
        assert list(stream)
    function = {"name": "now", "arguments": '{"zone": 1}'}
    assert chat.get_history()[1] == {
        "role": "assistant",
        "tool_calls": [{"id": "t1", "type": "function", "function": function}],
    }


@pytest.mark.parametrize("how", ["with", "close", "drop"])
def test_left_early_the_history_is_as_it_was(
    frame_server: FrameServer, chat: ConversationManager, how: str
) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=0.02)
    stream = chat.stream_message("Count.")
    if how == "with":
        with stream:
            next(stream)
    else:
        next(stream)
        with pytest.raises(ConversationBusyError, match="read or close a stream first"):
            chat.send_message("Me too")
        if how == "close":
            stream.close()
    del stream
    gc.collect()
    assert chat.get_history() == []
    # What it used is not known, and not nothing.
    assert (chat.usage, chat.replies, chat.replies_without_usage) == (None, 1, 1)
    chat.add_message("user", "It can be used again.")


@pytest.mark.parametrize("how", ["close", "drop"])
def test_left_after_the_last_piece_of_the_answer_the_turn_is_kept(
    frame_server: FrameServer, chat: ConversationManager, how: str
) -> None:
    """Many read until ``finish_reason`` and leave before the usage has come."""
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=0.02)
    stream = chat.stream_message("Count.")
    for chunk in stream:
        if chunk.choices[0].finish_reason:
            break
    if how == "close":
        stream.close()
    del stream
    gc.collect()
    assert chat.get_history() == KEPT


@pytest.mark.parametrize("read", [0, 1])
async def test_left_early_asynchronously(
    frame_server: FrameServer, chat: ConversationManager, read: int
) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=0.02)
    async with await chat.astream_message("Count.") as stream:
        for _ in range(read):
            await anext(stream)
    assert chat.get_history() == []
    chat.add_message("user", "It can be used again.")


async def test_cancelled(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=30)
    begun = asyncio.Event()

    async def read() -> None:
        async with await chat.astream_message("Count.") as stream:
            async for _ in stream:
                begun.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert chat.get_history() == []
    chat.add_message("user", "It can be used again.")


def test_interrupted(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)

    def interrupted() -> None:
        with chat.stream_message("Count.") as stream:
            next(stream)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert chat.get_history() == []
    chat.add_message("user", "It can be used again.")


def test_failed_before_it_began(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.json(CHAT, {}, status=404)
    with pytest.raises(NotFoundError):
        chat.stream_message("Count.")
    assert (chat.get_history(), chat.replies) == ([], 0)
    chat.add_message("user", "It can be used again.")


def test_failed_on_the_way(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM[:2], cut=True)
    stream = chat.stream_message("Count.")
    with pytest.raises(APIError):
        list(stream)
    assert (chat.get_history(), chat.replies) == ([], 1)
    chat.add_message("user", "It can be used again.")


def test_a_stream_without_an_answer(frame_server: FrameServer, chat: ConversationManager) -> None:
    frame_server.script(CHAT, frames=wire.sse(wire.chat_chunk(choices=[], usage=wire.OPENAI_USAGE)))
    with pytest.raises(APIResponseValidationError), chat.stream_message("Count.") as stream:
        list(stream)
    assert chat.get_history() == []
    chat.add_message("user", "It can be used again.")
