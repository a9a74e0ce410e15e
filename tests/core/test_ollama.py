"""Answers of Ollama's own chat: bodies, streams, errors and what they say of usage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.completion import acompletion, completion
from costspan.core.errors import APIError, NotFoundError
from costspan.core.observation import Observation
from costspan.core.protocols import ollama
from costspan.core.reply import Chunk

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
TOP = {"model": "qwen3:4b", "created_at": "2026-11-25T12:00:00Z"}
COUNTS = {
    "total_duration": 9,
    "load_duration": 1,
    "prompt_eval_count": 10,
    "prompt_eval_duration": 2,
    "eval_count": 7,
    "eval_duration": 6,
}
CALLS = [
    {"function": {"name": "now", "arguments": {"zone": "ö"}}},
    {"id": "call_given", "function": {"name": "bye", "arguments": {}}},
]
BODY: dict[str, Any] = {
    **TOP,
    "message": {"role": "assistant", "content": "Größe 🎈", "thinking": "hm"},
    "done": True,
    "done_reason": "stop",
    **COUNTS,
}


def line(done: bool = False, **message: object) -> dict[str, Any]:
    found = {**TOP, "message": {"role": "assistant", "content": "", **message}, "done": done}
    return {**found, "done_reason": "stop", **COUNTS} if done else found


LINES = [
    line(thinking="h"),
    line(thinking="m"),
    line(content="Grö"),
    line(content="ße 🎈"),
    line(done=True),
]
NDJSON = {"content-type": "application/x-ndjson"}


def frames(*lines: dict[str, Any]) -> list[bytes]:
    return [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in lines]


def seen_of(*events: Any) -> Observation:
    seen = Observation(api="ollama")
    for event in events:
        ollama.observe(event, seen)
    return seen


def read(*events: Any) -> list[Chunk | None]:
    reader = ollama.chunks()
    return [reader.read(event) for event in events]


def test_body() -> None:
    (choice,) = ollama.choices(BODY) or []
    assert choice.message.role == "assistant"
    assert choice.message.content == "Größe 🎈"
    assert choice.message.reasoning_content == "hm"
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert ollama.choices({"done": True}) is None


def test_tool_calls_of_a_body_get_ids_of_their_own() -> None:
    body = {**BODY, "message": {"role": "assistant", "content": "", "tool_calls": CALLS}}
    ids = set()
    for _ in range(2):
        (choice,) = ollama.choices(body) or []
        first, second = choice.message.tool_calls or []
        assert (first.function.name, first.function.arguments) == ("now", '{"zone": "ö"}')
        assert (second.id, second.function.arguments) == ("call_given", "{}")
        assert first.index is second.index is None
        assert choice.finish_reason == "tool_calls"
        ids.add(first.id)
    assert len(ids) == 2
    assert None not in ids


def test_tool_calls_of_a_stream() -> None:
    chunks = read(line(tool_calls=CALLS[:1]), line(tool_calls=CALLS[1:]), line(done=True))
    calls = [call for c in chunks if c for call in c.choices[0].delta.tool_calls or ()]
    assert [(call.index, call.function.name) for call in calls] == [(0, "now"), (1, "bye")]
    assert [c.choices[0].finish_reason for c in chunks if c] == [None, None, "tool_calls"]


def test_arguments_that_are_a_text_already() -> None:
    call = {"function": {"name": "now", "arguments": '{"a": 1}'}}
    (chunk,) = read(line(tool_calls=[call, {"function": None}, 7]))
    assert chunk is not None
    (found,) = chunk.choices[0].delta.tool_calls or []
    assert found.function.arguments == '{"a": 1}'


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [("stop", "stop"), ("length", "length"), ("load", "stop"), (None, "stop")],
)
def test_finish_reasons(reason: str | None, finish_reason: str) -> None:
    (choice,) = ollama.choices({**BODY, "done_reason": reason}) or []
    assert choice.finish_reason == finish_reason
    assert seen_of({**BODY, "done_reason": reason}).finish_reasons == (
        {0: reason} if reason else {}
    )


def test_log_probabilities() -> None:
    entry = {"token": "a", "logprob": -0.1, "top_logprobs": []}
    (choice,) = ollama.choices({**BODY, "logprobs": [entry]}) or []
    assert choice.logprobs == {"content": [entry]}


@pytest.mark.parametrize("events", [[BODY], LINES], ids=["body", "stream"])
def test_what_is_seen(events: list[Any]) -> None:
    seen = seen_of(*events)
    assert seen.complete
    assert seen.model == "qwen3:4b"
    assert seen.usage == {"prompt_eval_count": 10, "eval_count": 7}
    assert sorted("".join(seen.output_text)) == sorted("hmGröße 🎈")
    usage = seen.usage_of("ollama")
    assert usage is not None
    assert usage.buckets == {"tokens.in.text": 10, "tokens.out.text": 7}
    assert usage.flags == ()


def test_a_prompt_that_was_not_counted_is_unknown_and_not_free() -> None:
    body = {name: value for name, value in BODY.items() if name != "prompt_eval_count"}
    usage = seen_of(body).usage_of("ollama")
    assert usage is not None
    assert usage.input_tokens is None
    assert usage.output_tokens == 7
    assert usage.flags == ("missing:input",)


def test_an_answer_without_counts_has_no_usage() -> None:
    assert seen_of({**TOP, "message": {}, "done": True, "done_reason": "load"}).usage is None


def test_a_stream_that_is_cut_is_not_complete() -> None:
    assert not seen_of(*LINES[:3]).complete


def test_call(frame_server: FrameServer) -> None:
    frame_server.json("/api/chat", BODY)
    reply = completion("ollama/qwen3:4b", HELLO, base_url=frame_server.url, max_tokens=5)
    assert frame_server.requests[0].json == {
        "model": "qwen3:4b",
        "messages": HELLO,
        "stream": False,
        "options": {"num_predict": 5},
    }
    assert "authorization" not in frame_server.requests[0].headers
    assert reply.choices[0].message.content == "Größe 🎈"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 7)
    assert (reply.provider, reply.model) == ("ollama", "qwen3:4b")


@pytest.mark.parametrize("size", [1, 9, 1000])
async def test_stream(size: int, frame_server: FrameServer) -> None:
    body = b"".join(frames(*LINES))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    frame_server.script("/api/chat", headers=NDJSON, frames=pieces)
    stream = await acompletion("ollama/qwen3:4b", HELLO, base_url=frame_server.url, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Größe 🎈"
    assert chunks[-1].choices[0].finish_reason == "stop"
    message = stream.reply.choices[0].message
    assert (message.content, message.reasoning_content) == ("Größe 🎈", "hm")
    assert stream.reply.usage is not None
    assert stream.reply.usage.total_tokens == 17


def test_an_error_line_in_a_stream(frame_server: FrameServer) -> None:
    lines = frames(LINES[2], {"error": "the model ran out of memory"})
    frame_server.script("/api/chat", headers=NDJSON, frames=lines)
    stream = completion("ollama/qwen3:4b", HELLO, base_url=frame_server.url, stream=True)
    assert next(stream).choices[0].delta.content == "Grö"
    with pytest.raises(APIError, match="out of memory"):
        next(stream)
    assert stream.seen.error_type == "error"
    assert "memory" not in repr(stream.seen)


def test_a_model_that_is_not_there(frame_server: FrameServer) -> None:
    frame_server.json("/api/chat", {"error": "model 'm' not found"}, status=404)
    with pytest.raises(NotFoundError, match="not found"):
        completion("ollama/m", HELLO, base_url=frame_server.url)


def test_a_reply_goes_back_as_history(frame_server: FrameServer) -> None:
    message = {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": CALLS[:1]}
    frame_server.json("/api/chat", {**BODY, "message": message})
    reply = completion("ollama/m", HELLO, base_url=frame_server.url)
    said = reply.choices[0].message
    call = (said.tool_calls or [])[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "noon"}
    completion("ollama/m", [*HELLO, said, result], base_url=frame_server.url)
    assert frame_server.requests[1].json["messages"] == [
        *HELLO,
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [
                {"id": call.id, "function": {"name": "now", "arguments": {"zone": "ö"}}}
            ],
        },
        {"role": "tool", "content": "noon", "tool_call_id": call.id, "tool_name": "now"},
    ]


_NAMES = [
    "model",
    "message",
    "role",
    "content",
    "thinking",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "done",
    "done_reason",
    "prompt_eval_count",
    "eval_count",
    "error",
    "logprobs",
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "text", "ö"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(_NAMES), JUNK, max_size=5), max_size=6))
def test_garbage_raises_nothing(events: list[dict[str, object]]) -> None:
    seen_of(*events).usage_of("ollama")
    read(*events)
    for event in events:
        ollama.choices(event)
