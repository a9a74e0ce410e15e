"""Whole answers of Cohere and the events of its streams become replies and chunks."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import garbage
import pytest
from hypothesis import given
from wire import named

from costspan.core.assembly import Exchange, StreamAssembler, reply_from_body
from costspan.core.completion import acompletion, completion
from costspan.core.decoders import SSEDecoder
from costspan.core.endpoints import endpoint
from costspan.core.errors import APIResponseValidationError, InternalServerError
from costspan.core.observation import Observation
from costspan.core.protocols import load_protocol
from costspan.core.protocols.cohere_v2 import choices, observe
from costspan.core.reply import Chunk, Reply
from costspan.core.request import Request

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
USAGE = {
    "billed_units": {"input_tokens": 17.0, "output_tokens": 3.0},
    "tokens": {"input_tokens": 512.0, "output_tokens": 9.0},
    "cached_tokens": 0.0,
}
CITATION = {
    "start": 0,
    "end": 5,
    "text": "Größe",
    "sources": [{"type": "document", "id": "d1", "document": {"id": "d1"}}],
    "type": "TEXT_CONTENT",
}
CALL = {"id": "now_1", "type": "function", "function": {"name": "now", "arguments": '{"a":1}'}}
OTHER = {"id": "now_2", "type": "function", "function": {"name": "now", "arguments": '{"a":2}'}}


def answer(**fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"type": "text", "text": "Größe 🎈"}]}
    return {
        "id": "c14c80c3",
        "finish_reason": "COMPLETE",
        "message": {**message, **fields.pop("message", {})},
        "usage": USAGE,
        **fields,
    }


def exchange() -> Exchange:
    request = Request("command-a", HELLO)
    return Exchange(request, endpoint("cohere"), load_protocol("cohere-v2"))


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def piece(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return event(kind, **place, delta={"message": message})


def end(**delta: Any) -> dict[str, Any]:
    return event("message-end", delta={"finish_reason": "COMPLETE", "usage": USAGE, **delta})


STARTED = event(
    "message-start",
    id="c14c80c3",
    delta={
        "message": {
            "role": "assistant",
            "content": [],
            "tool_plan": "",
            "tool_calls": [],
            "citations": [],
        }
    },
)
TEXT_EVENTS: list[dict[str, Any]] = [
    STARTED,
    piece("content-start", 0, content={"type": "thinking", "thinking": ""}),
    piece("content-delta", 0, content={"thinking": "h"}),
    piece("content-delta", 0, content={"thinking": "m"}),
    event("content-end", index=0),
    piece("content-start", 1, content={"type": "text", "text": ""}),
    piece("content-delta", 1, content={"text": "Grö"}),
    piece("content-delta", 1, content={"text": "ße 🎈"}),
    piece("citation-start", 0, citations=CITATION),
    event("citation-end", index=0),
    event("content-end", index=1),
    end(),
]
TOOL_EVENTS: list[dict[str, Any]] = [
    STARTED,
    piece("tool-plan-delta", tool_plan="I will "),
    piece("tool-plan-delta", tool_plan="look."),
    piece("tool-call-start", 1, tool_calls={**CALL, "function": {"name": "now", "arguments": ""}}),
    piece("tool-call-delta", 1, tool_calls={"function": {"arguments": '{"a"'}}),
    piece("tool-call-delta", 1, tool_calls={"function": {"arguments": ":1}"}}),
    event("tool-call-end", index=1),
    piece("tool-call-start", 2, tool_calls={**OTHER, "function": {"name": "now", "arguments": ""}}),
    piece("tool-call-delta", 2, tool_calls={"function": {"arguments": '{"a":2}'}}),
    event("tool-call-end", index=2),
    end(finish_reason="TOOL_CALL"),
]


def frames(events: list[dict[str, Any]]) -> list[bytes]:
    return named(*events)


def assembled(events: list[dict[str, Any]]) -> tuple[list[Chunk], Reply]:
    assembler = StreamAssembler(exchange())
    found = [assembler.push(each) for each in SSEDecoder().feed(b"".join(frames(events)))]
    return [chunk for chunk in found if chunk is not None], assembler.reply


def test_whole_answer() -> None:
    thinking = {"type": "thinking", "thinking": "hm"}
    parts = [thinking, {"type": "text", "text": "Größe "}, {"type": "text", "text": "🎈"}]
    body = answer(message={"content": parts, "citations": [CITATION]})
    reply = reply_from_body(body, exchange())
    assert (reply.id, reply.provider, reply.api) == ("c14c80c3", "cohere", "cohere-v2")
    (choice,) = reply.choices
    assert choice.finish_reason == "stop"
    message = choice.message
    assert (message.role, message.content) == ("assistant", "Größe 🎈")
    assert message.reasoning_content == "hm"
    assert message.annotations == [CITATION]
    assert (message.tool_calls, message.thinking_blocks) == (None, None)


def test_usage_is_what_is_billed_and_not_what_was_processed() -> None:
    reply = reply_from_body(answer(), exchange())
    assert reply.meters is not None
    assert reply.meters.buckets == {"tokens.in.text": 17, "tokens.out.text": 3}
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (17, 3)
    assert reply.usage.total_tokens == 20


def test_search_units_are_a_fee() -> None:
    units = {"input_tokens": 17.0, "output_tokens": 3.0, "search_units": 1.0}
    reply = reply_from_body(answer(usage={"billed_units": units}), exchange())
    assert reply.meters is not None
    assert reply.meters.fees == {"fee.search_unit": 1}


def test_no_usage_is_none_and_not_zero() -> None:
    assert reply_from_body(answer(usage=None), exchange()).usage is None


def test_tool_calls_with_their_plan() -> None:
    message = {"content": None, "tool_plan": "I will look.", "tool_calls": [CALL, OTHER]}
    (choice,) = reply_from_body(
        answer(message=message, finish_reason="TOOL_CALL"), exchange()
    ).choices
    assert choice.finish_reason == "tool_calls"
    assert (choice.message.content, choice.message.reasoning_content) == (None, "I will look.")
    assert choice.message.tool_calls is not None
    assert [call.model_dump(exclude_none=True) for call in choice.message.tool_calls] == [
        CALL,
        OTHER,
    ]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("NEW_REASON", "NEW_REASON"),
        (None, None),
    ],
)
def test_finish_reasons(reason: str | None, word: str | None) -> None:
    seen = Observation(api="cohere-v2")
    reply = reply_from_body(answer(finish_reason=reason), exchange(), seen)
    assert reply.choices[0].finish_reason == word
    assert seen.finish_reasons == ({0: reason} if reason else {})
    assert seen.complete == bool(reason)


def test_logprobs_are_one_entry_for_each_piece_of_text() -> None:
    found = [
        {"text": "Hi", "token_ids": [1], "logprobs": [-0.5]},
        {"text": " all", "token_ids": [2, 3], "logprobs": [-0.25, -0.5]},
        {"text": "?", "token_ids": [4]},
    ]
    (choice,) = reply_from_body(answer(logprobs=found), exchange()).choices
    # ln(p * q) = ln p + ln q: -0.25 - 0.5 = -0.75
    assert choice.logprobs == {
        "content": [
            {"token": "Hi", "logprob": -0.5, "top_logprobs": []},
            {"token": " all", "logprob": -0.75, "top_logprobs": []},
        ]
    }


@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
def test_an_answer_that_could_not_be_finished_is_an_error(reason: str) -> None:
    seen = Observation(api="cohere-v2")
    with pytest.raises(InternalServerError):
        reply_from_body(answer(finish_reason=reason), exchange(), seen)
    assert seen.error_type == reason
    assert seen.usage == USAGE


def test_an_error_body_is_no_answer() -> None:
    body = {"id": "x", "message": "invalid api token"}
    seen = Observation(api="cohere-v2")
    observe(body, seen)
    assert (seen.error_type, seen.error_code) == ("error", None)
    assert choices(body) is None
    with pytest.raises(APIResponseValidationError, match="no cohere-v2 completion"):
        reply_from_body({"hello": "world"}, exchange())


def test_stream_of_text() -> None:
    seen, reply = assembled(TEXT_EVENTS)
    whole = answer(
        message={
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "Größe 🎈"},
            ],
            "citations": [CITATION],
        }
    )
    wanted = reply_from_body(whole, exchange())
    assert reply.choices == wanted.choices
    assert (reply.id, reply.usage, reply.meters) == ("c14c80c3", wanted.usage, wanted.meters)
    assert all(chunk.id == "c14c80c3" for chunk in seen)
    deltas = [chunk.choices[0].delta for chunk in seen]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert [d.content for d in deltas if d.content] == ["Grö", "ße 🎈"]
    assert [d.reasoning_content for d in deltas if d.reasoning_content] == ["h", "m"]
    reasons = [chunk.choices[0].finish_reason for chunk in seen]
    assert reasons == [None] * (len(seen) - 1) + ["stop"]
    assert seen[-1].usage is not None
    assert seen[-1].usage.total_tokens == 20


@pytest.mark.parametrize("listed", [False, True])
def test_stream_of_tool_calls(listed: bool) -> None:
    events = json.loads(json.dumps(TOOL_EVENTS))
    for each in events:
        message = each.get("delta", {}).get("message", {})
        if listed and isinstance(message.get("tool_calls"), dict):
            message["tool_calls"] = [message["tool_calls"]]
    seen, reply = assembled(events)
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.reasoning_content == "I will look."
    assert choice.message.tool_calls is not None
    assert [call.model_dump(exclude_none=True) for call in choice.message.tool_calls] == [
        CALL,
        OTHER,
    ]
    calls = [call for chunk in seen for call in chunk.choices[0].delta.tool_calls or ()]
    assert [(call.index, call.id, call.function.arguments) for call in calls] == [
        (0, "now_1", ""),
        (0, None, '{"a"'),
        (0, None, ":1}"),
        (1, "now_2", ""),
        (1, None, '{"a":2}'),
    ]


def test_tool_calls_that_are_all_numbered_zero_stay_apart() -> None:
    events = [{**each, "index": 0} if "index" in each else each for each in TOOL_EVENTS]
    calls = assembled(events)[1].choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.arguments for call in calls] == ['{"a":1}', '{"a":2}']


def test_logprobs_of_a_stream() -> None:
    spoken = piece("content-delta", 0, content={"text": "Hi"})
    spoken["logprobs"] = {"text": "Hi", "token_ids": [1], "logprobs": [-0.5]}
    (choice,) = assembled([STARTED, spoken, end()])[1].choices
    assert choice.logprobs == {"content": [{"token": "Hi", "logprob": -0.5, "top_logprobs": []}]}


def test_every_split_of_the_bytes_gives_the_same_reply() -> None:
    data, whole = b"".join(frames(TEXT_EVENTS)), assembled(TEXT_EVENTS)[1]
    for cut in range(0, len(data), 31):
        assembler, decoder = StreamAssembler(exchange()), SSEDecoder()
        pieces = (decoder.feed(data[:cut]), decoder.feed(data[cut:]), decoder.flush())
        for each in itertools.chain.from_iterable(pieces):
            assembler.push(each)
        assert assembler.reply.choices == whole.choices


def test_a_server_that_cannot_stream_answers_whole() -> None:
    assembler = StreamAssembler(exchange())
    body = answer(message={"tool_calls": [CALL, OTHER]})
    for each in SSEDecoder().feed(b"data: " + json.dumps(body).encode() + b"\n\n"):
        assembler.push(each)
    calls = assembler.reply.choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.arguments for call in calls] == ['{"a":1}', '{"a":2}']
    assert assembler.reply.choices[0].message.content == "Größe 🎈"


@pytest.mark.parametrize(
    ("delta", "kind", "said"),
    [
        ({"finish_reason": "ERROR", "error": "it broke"}, "ERROR", "it broke"),
        ({"finish_reason": "ERROR"}, "ERROR", "cohere"),
        ({"finish_reason": "TIMEOUT"}, "TIMEOUT", "cohere"),
        ({"finish_reason": "COMPLETE", "error": "it broke"}, "error", "it broke"),
    ],
)
def test_streams_that_fail_raise(delta: dict[str, Any], kind: str, said: str) -> None:
    assembler = StreamAssembler(exchange())
    spoken = piece("content-delta", 0, content={"text": "Hal"})
    *before, failing = SSEDecoder().feed(b"".join(frames([STARTED, spoken, end(**delta)])))
    for each in before:
        assembler.push(each)
    with pytest.raises(InternalServerError, match=said):
        assembler.push(failing)
    assert assembler.seen.error_type == kind
    assert assembler.seen.usage == USAGE
    assert assembler.reply.choices[0].message.content == "Hal"


def test_observed_text_is_all_that_the_model_wrote() -> None:
    seen = Observation(api="cohere-v2")
    for each in (*TEXT_EVENTS[:-1], *TOOL_EVENTS[:-1]):
        observe(each, seen)
    assert "".join(seen.output_text) == 'hmGröße 🎈I will look.now{"a":1}now{"a":2}'
    assert not seen.complete
    assert seen.response_id == "c14c80c3"
    assert seen.model is None
    whole = Observation(api="cohere-v2")
    observe(answer(message={"tool_plan": "Plan.", "tool_calls": [CALL]}), whole)
    assert "".join(whole.output_text) == 'Größe 🎈Plan.now{"a":1}'
    assert whole.complete


def test_completion(frame_server: FrameServer) -> None:
    frame_server.json("/v2/chat", answer())
    reply = completion(
        "cohere/command-a",
        HELLO,
        max_tokens=5,
        top_p=0.5,
        base_url=f"{frame_server.url}/v2",
        api_key="k",
    )
    (request,) = frame_server.requests
    assert request.headers["authorization"] == "Bearer k"
    assert request.json == {
        "model": "command-a",
        "messages": HELLO,
        "stream": False,
        "max_tokens": 5,
        "p": 0.5,
    }
    assert reply.choices[0].message.content == "Größe 🎈"
    assert reply.usage is not None
    assert reply.usage.total_tokens == 20


async def test_stream_over_the_wire(frame_server: FrameServer) -> None:
    data = b"".join(frames(TEXT_EVENTS))
    middle = data.index("ö".encode()) + 1  # in the middle of a letter
    frame_server.script("/v2/chat", frames=[data[:middle], data[middle:]], gzip=True)
    frame_server.script("/v2/chat", frames=[data[:middle], data[middle:]])
    where: dict[str, Any] = {"base_url": frame_server.url, "api_key": "k"}
    stream = await acompletion("cohere/command-a", HELLO, stream=True, **where)
    theirs = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    with completion("cohere/command-a", HELLO, stream=True, **where) as other:
        ours = "".join(chunk.choices[0].delta.content or "" for chunk in other)
    assert theirs == ours == "Größe 🎈"
    for each in (stream, other):
        assert each.reply.choices[0].message.reasoning_content == "hm"
        assert each.reply.usage is not None
        assert each.reply.usage.total_tokens == 20
    assert [request.json["stream"] for request in frame_server.requests] == [True, True]


def test_a_stream_that_ends_in_an_error(frame_server: FrameServer) -> None:
    broken = frames([*TEXT_EVENTS[:-1], end(finish_reason="ERROR", error="it broke")])
    frame_server.script("/v2/chat", frames=broken)
    stream = completion(
        "cohere/command-a", HELLO, stream=True, base_url=frame_server.url, api_key="k"
    )
    with pytest.raises(InternalServerError, match="it broke"):
        for _ in stream:
            pass
    assert stream.reply.choices[0].message.content == "Größe 🎈"
    assert stream.reply.usage is not None


NAMES = (
    "type", "index", "delta", "message", "content", "text", "thinking", "tool_plan",
    "tool_calls", "function", "name", "arguments", "citations", "usage", "finish_reason",
    "error", "logprobs", "id", "billed_units", "input_tokens",
)  # fmt: skip
KINDS = (*(each["type"] for each in TEXT_EVENTS + TOOL_EVENTS), "ERROR", "COMPLETE", "text")


@given(garbage.bodies(NAMES, KINDS))
def test_garbage_never_raises(bodies: list[dict[str, Any]]) -> None:
    garbage.read(bodies, "cohere-v2", "cohere")
