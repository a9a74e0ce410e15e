"""A conversation keeps its history, and a failed send leaves it as it was."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.conversation import ConversationManager
from costspan.core.errors import (
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
)
from costspan.core.history import ConversationBusyError
from costspan.core.reply import Choice, Message, Reply

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CHAT = "/v1/chat/completions"
SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": "{}"}}


def usage(prompt: int, completion: int, **details: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": details,
    }


def answer(text: str | None, said: object = None, **fields: Any) -> dict[str, object]:
    message = {"role": "assistant", "content": text, **fields}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"choices": [choice], "usage": said}


def manager(server: FrameServer, **defaults: Any) -> ConversationManager:
    return ConversationManager(
        "m",
        "Be brief.",
        completion=completion,
        acompletion=acompletion,
        base_url=f"{server.url}/v1",
        **defaults,
    )


def said(text: str) -> Reply:
    return Reply(choices=[Choice(0, Message("assistant", text), "stop")])


def test_turns_build_on_each_other(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer("Rome."))
    frame_server.json(CHAT, answer("Roads."))
    chat = manager(frame_server, temperature=0.1)
    text, reply = chat.send_message("Tell me about Rome")
    assert text == "Rome." == reply.choices[0].message.content
    assert chat.send_message("And then?", temperature=0.9)[0] == "Roads."
    history = [
        SYSTEM,
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


def test_another_model_can_go_on(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer("Rome."))
    chat = manager(frame_server)
    chat.send_message("Tell me about Rome")
    chat.model = "larger"
    chat.send_message("And then?")
    assert [request.json["model"] for request in frame_server.requests] == ["m", "larger"]


def test_what_the_user_says_can_have_parts(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer("A cat."))
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    chat = manager(frame_server)
    chat.send_message(parts)
    parts[0]["text"] = "changed afterwards"
    sent: Any = frame_server.requests[0].json["messages"]
    assert sent[1]["content"][0] == {"type": "text", "text": "What is it?"}
    assert chat.get_history()[1] == sent[1]


def test_tool_calls_stay_in_the_history_and_the_model_goes_on_after_their_results(
    frame_server: FrameServer,
) -> None:
    frame_server.json(CHAT, answer(None, tool_calls=[CALL]))
    frame_server.json(CHAT, answer("It is noon."))
    chat = manager(frame_server)
    text, _ = chat.send_message("Time?")
    assert text == ""
    assert chat.get_history()[-1] == {"role": "assistant", "tool_calls": [CALL]}
    chat.add_message("tool", "12:00", tool_call_id="t1")
    assert chat.send_message(None)[0] == "It is noon."
    assert frame_server.requests[1].json["messages"] == [
        SYSTEM,
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "content": "12:00", "tool_call_id": "t1"},
    ]


def test_the_older_functions_go_on_too(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer(None, tool_calls=[CALL]))
    frame_server.json(CHAT, answer("It is noon."))
    chat = manager(frame_server, functions=[{"name": "now"}])
    _, reply = chat.send_message("Time?")
    assert reply.choices[0].message.function_call is not None
    chat.add_message("function", "12:00", name="now")
    chat.send_message(None)
    sent: Any = frame_server.requests[1].json["messages"]
    assert sent[2:] == [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "t1", "content": "12:00"},
    ]


def test_nothing_can_not_be_sent() -> None:
    with pytest.raises(BadRequestError, match="messages is empty"):
        ConversationManager("m", completion=completion, base_url="http://127.0.0.1:9").send_message(
            None
        )


def test_of_several_answers_the_first_is_kept() -> None:
    choices = [Choice(n, Message("assistant", text), "stop") for n, text in enumerate("ab")]
    chat = ConversationManager("m", completion=lambda *a, **k: Reply(choices=choices))
    assert chat.send_message("Hello", n=2)[0] == "a"
    assert chat.get_history()[1:] == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": {"message": "no"}}, AuthenticationError),
        (404, {}, NotFoundError),
        (200, {"choices": []}, APIResponseValidationError),
        (200, {}, APIResponseValidationError),
    ],
)
def test_a_failed_send_leaves_the_history_as_it_was(
    frame_server: FrameServer, status: int, body: object, error: type[Exception]
) -> None:
    frame_server.json(CHAT, body, status=status)
    frame_server.json(CHAT, answer("Rome."))
    chat = manager(frame_server)
    with pytest.raises(error):
        chat.send_message("Hello")
    assert chat.get_history() == [SYSTEM]
    assert chat.send_message("Hello again")[0] == "Rome."
    assert len(chat.get_history()) == 3


def test_ctrl_c_leaves_the_history_as_it_was() -> None:
    def interrupted(*_: Any, **__: Any) -> Reply:
        raise KeyboardInterrupt

    chat = ConversationManager("m", "Be brief.", completion=interrupted)
    with pytest.raises(KeyboardInterrupt):
        chat.send_message("Hello")
    assert chat.get_history() == [SYSTEM]
    chat.add_message("user", "It can be used again.")


async def test_a_cancelled_send_leaves_the_history_as_it_was(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b"{}"], delay_s=30)
    chat = manager(frame_server)
    task = asyncio.create_task(chat.asend_message("Hello"))
    while not frame_server.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert chat.get_history() == [SYSTEM]
    chat.add_message("user", "It can be used again.")


def test_two_threads_cannot_send_at_once() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Reply:
        asked.set()
        assert go_on.wait(5)
        return said("Rome.")

    chat = ConversationManager("m", completion=slow)
    thread = threading.Thread(target=chat.send_message, args=("Hello",))
    thread.start()
    assert asked.wait(5)
    for use in (
        lambda: chat.send_message("Me too"),
        lambda: chat.stream_message("Me too"),
        lambda: chat.add_message("user", "Me too"),
        chat.clear_history,
    ):
        with pytest.raises(ConversationBusyError, match=r"waits for a reply.*fork\(\)"):
            use()
    assert chat.get_history() == chat.fork().get_history() == []
    go_on.set()
    thread.join(5)
    assert [message["content"] for message in chat.get_history()] == ["Hello", "Rome."]


async def test_two_tasks_cannot_send_at_once_and_forks_can(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b'{"choices": [{"message": {"content": "a"}}]}'], delay_s=0.1)
    chat = manager(frame_server)
    results = await asyncio.gather(
        chat.asend_message("one"),
        chat.asend_message("two"),
        chat.fork().asend_message("three"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [tuple, ConversationBusyError, tuple]
    assert [message["content"] for message in chat.get_history()[1:]] == ["one", "a"]


def test_a_fork_is_independent(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, answer("Rome.", usage(10, 2)))
    chat = manager(frame_server, temperature=0.1)
    chat.send_message("Tell me about Rome")
    fork = chat.fork()
    before = chat.get_history()
    assert (fork.get_history(), fork.usage, fork.replies) == (before, None, 0)
    fork.send_message("And then?")
    assert frame_server.requests[1].json["temperature"] == 0.1
    assert chat.get_history() == before
    assert len(fork.get_history()) == 5
    assert chat.usage == fork.usage


def test_the_history_that_is_given_out_is_a_copy(frame_server: FrameServer) -> None:
    chat = manager(frame_server)
    history: Any = chat.get_history()
    history[0]["content"] = "changed"
    history.append({})
    assert chat.get_history() == [SYSTEM] == list(chat.messages)
    with pytest.raises(AttributeError, match="append"):
        chat.messages.append({})  # type: ignore[attr-defined]  # as the guide's own class allowed


def test_a_reply_s_own_message_can_be_added() -> None:
    chat = ConversationManager("m", completion=completion)
    message: Any = Message("assistant", None, refusal="No.").model_dump()
    chat.add_message(**message)
    assert chat.get_history() == [{"role": "assistant", "refusal": "No."}]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_clearing_keeps_the_system_messages_at_the_front(role: str) -> None:
    chat = ConversationManager("m", "Be brief.", completion=completion)
    chat.add_message(role, "Be kind.")
    chat.add_message("user", "Hello")
    chat.add_message("system", "Be rude.")
    chat.clear_history()
    assert chat.get_history() == [SYSTEM, {"role": role, "content": "Be kind."}]
    chat.clear_history()
    assert len(chat.get_history()) == 2
    bare = ConversationManager("m", completion=completion)
    bare.add_message("user", "Hello")
    bare.clear_history()
    assert bare.get_history() == []


def test_usage_so_far_is_the_sum_of_what_the_replies_say(frame_server: FrameServer) -> None:
    for body in (
        answer("a", usage(10, 2)),
        answer("b"),
        answer("c", usage(20, 3, cached_tokens=4)),
    ):
        frame_server.json(CHAT, body)
    chat = manager(frame_server)
    assert (chat.usage, chat.replies, chat.replies_without_usage) == (None, 0, 0)
    for text in "123":
        chat.send_message(text)
    assert chat.usage is not None
    assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (30, 5)
    assert chat.usage.total_tokens == 35
    assert chat.usage.prompt_tokens_details.cached_tokens == 4
    assert (chat.replies, chat.replies_without_usage) == (3, 1)


def test_a_reply_without_answers_was_paid_too(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, {"choices": [], "usage": usage(10, 2)})
    chat = manager(frame_server)
    with pytest.raises(APIResponseValidationError, match="holds no answer"):
        chat.send_message("Hello")
    assert chat.usage is not None
    assert (chat.usage.total_tokens, chat.replies) == (12, 1)


@pytest.mark.parametrize("name", ["asend_message", "astream_message"])
async def test_asynchronous_sends_need_an_asynchronous_function(name: str) -> None:
    chat = ConversationManager("m", completion=completion)
    with pytest.raises(TypeError, match=rf"give acompletion= .* to use {name}"):
        await getattr(chat, name)("Hello")


def test_streams_have_a_method_of_their_own(frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="use stream_message"):
        manager(frame_server).send_message("Hello", stream=True)
