"""A conversation keeps its history, and a failed send leaves it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.conversation import ConversationManager
from costspan.core.errors import APIResponseValidationError, BadRequestError, RateLimitError

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CHAT = "/v1/chat/completions"


def answer(text: str | None, **fields: Any) -> dict[str, object]:
    message = {"role": "assistant", "content": text, **fields}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def manager(server: FrameServer, **defaults: Any) -> ConversationManager:
    return ConversationManager(
        "m",
        "Be brief.",
        completion=completion,
        acompletion=acompletion,
        base_url=f"{server.url}/v1",
        **defaults,
    )


def test_turns_build_on_each_other(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer("Rome."))
    frame_server.json(CHAT, answer("Roads."))
    chat = manager(frame_server, temperature=0.1)
    text, reply = chat.send_message("Tell me about Rome")
    assert text == "Rome." == reply.choices[0].message.content
    assert chat.send_message("And then?", temperature=0.9)[0] == "Roads."
    history = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Tell me about Rome"},
        {"role": "assistant", "content": "Rome."},
        {"role": "user", "content": "And then?"},
    ]
    first, second = (request.json for request in frame_server.requests)
    assert (first["messages"], first["temperature"]) == (history[:2], 0.1)
    assert (second["messages"], second["temperature"]) == (history, 0.9)
    assert chat.get_history() == [*history, {"role": "assistant", "content": "Roads."}]


async def test_turns_asynchronously(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer("Rome."))
    chat = manager(frame_server)
    text, _ = await chat.asend_message("Tell me about Rome")
    assert text == "Rome."
    assert len(chat.get_history()) == 3


def test_a_failed_send_leaves_the_history_as_it_was(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, {"error": {}}, status=429)
    frame_server.json(CHAT, {"choices": []})
    chat = manager(frame_server)
    before = chat.get_history()
    with pytest.raises(RateLimitError):
        chat.send_message("Hello")
    with pytest.raises(APIResponseValidationError, match="holds no answer"):
        chat.send_message("Hello")
    assert chat.get_history() == before


def test_tool_calls_stay_in_the_history(frame_server: FrameServer) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    frame_server.json(CHAT, answer(None, tool_calls=[call]))
    chat = manager(frame_server)
    text, _ = chat.send_message("Time?")
    assert text == ""
    assert chat.get_history()[-1] == {"role": "assistant", "tool_calls": [call]}


def test_the_history_that_is_given_out_is_a_copy(frame_server: FrameServer) -> None:
    chat = manager(frame_server)
    history: Any = chat.get_history()
    history[0]["content"] = "changed"
    history.append({})
    assert chat.get_history() == [{"role": "system", "content": "Be brief."}]


def test_clearing_keeps_the_system_message(frame_server: FrameServer) -> None:
    chat = manager(frame_server)
    chat.add_message("user", "Hello")
    chat.clear_history()
    assert chat.get_history() == [{"role": "system", "content": "Be brief."}]
    bare = ConversationManager("m", completion=completion)
    bare.add_message("user", "Hello")
    bare.clear_history()
    assert bare.get_history() == []


def test_conversations_take_whole_replies(frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="takes whole replies"):
        manager(frame_server).send_message("Hello", stream=True)


async def test_asend_needs_an_asynchronous_function() -> None:
    with pytest.raises(TypeError, match="give acompletion="):
        await ConversationManager("m", completion=completion).asend_message("Hello")
