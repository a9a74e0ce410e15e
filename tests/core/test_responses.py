"""Whole responses of OpenAI Responses and the events of their streams become replies and chunks."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import garbage
import pytest
from hypothesis import given
from wire import named

from costspan.core.assembly import Exchange, StreamAssembler, reply_from_body
from costspan.core.decoders import SSEDecoder
from costspan.core.endpoints import endpoint
from costspan.core.errors import APIResponseValidationError, InternalServerError, RateLimitError
from costspan.core.observation import Observation
from costspan.core.protocols import load_protocol
from costspan.core.protocols.openai_responses import choices, observe
from costspan.core.reply import Chunk, Reply
from costspan.core.request import Request

USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1050,
}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [
        {"type": "summary_text", "text": "First."},
        {"type": "summary_text", "text": "Second."},
    ],
    "encrypted_content": "c2VjcmV0",
}
NOTE = {
    "type": "url_citation",
    "url": "https://h/a",
    "title": "A",
    "start_index": 0,
    "end_index": 5,
}
LOGPROB = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {}}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "now",
    "arguments": '{"zone":"UTC"}',
}


def said(*parts: dict[str, Any], identity: str = "msg_1") -> dict[str, Any]:
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": list(parts),
    }


def text(piece: str, *notes: Any, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": piece, "annotations": list(notes), **more}


def response(*output: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-2025-08-07",
        "output": list(output),
        "service_tier": "default",
        "usage": USAGE,
        **fields,
    }


def exchange(provider: str = "openai") -> Exchange:
    row = replace(endpoint(provider), protocol="responses")
    request = Request("gpt-5", [{"role": "user", "content": "Hello"}])
    return Exchange(request, row, load_protocol("responses"), ("seed",))


def reply_of(*output: Any, **fields: Any) -> Reply:
    return reply_from_body(response(*output, **fields), exchange())


def test_whole_response() -> None:
    body = response(REASONING, SEARCH, said(text("Hi", NOTE, logprobs=[LOGPROB])))
    reply = reply_from_body(body, exchange())
    assert (reply.id, reply.model, reply.created) == ("resp_1", "gpt-5-2025-08-07", 1700000000)
    assert (reply.provider, reply.api, reply.service_tier) == ("openai", "responses", "default")
    assert (reply.raw, reply.dropped_params) == (body, ("seed",))
    (choice,) = reply.choices
    assert choice.finish_reason == "stop"
    assert choice.logprobs == {"content": [LOGPROB]}
    message = choice.message
    assert (message.role, message.content) == ("assistant", "Hi")
    assert message.reasoning_content == "First.\n\nSecond."
    assert message.thinking_blocks == [REASONING]
    assert message.annotations == [NOTE]
    assert (message.tool_calls, message.refusal, message.audio) == (None, None, None)


def test_usage_by_hand() -> None:
    reply = reply_of(said(text("Hi")))
    assert reply.meters is not None
    # 1000 in: 600 from the cache, 300 written to it, 100 left; 50 out: 20 thought, 30 said.
    assert reply.meters.buckets == {
        "tokens.in.text": 100,
        "tokens.in.cache_read": 600,
        "tokens.in.cache_write": 300,
        "tokens.out.text": 30,
        "tokens.out.reasoning": 20,
    }
    assert reply.usage is not None
    assert reply.usage.model_dump() == {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }


def test_no_usage_is_none_and_not_zero() -> None:
    assert reply_of(said(text("Hi")), usage=None).usage is None


def test_tool_calls() -> None:
    custom = {
        "id": "ctc_1",
        "type": "custom_tool_call",
        "call_id": "call_2",
        "name": "sql",
        "input": "select 1",
    }
    (choice,) = reply_of(REASONING, CALL, custom).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.thinking_blocks == [REASONING]
    assert choice.message.tool_calls is not None
    first, second = choice.message.tool_calls
    assert (first.id, first.type, first.index) == ("call_1", "function", None)
    assert (first.function.name, first.function.arguments) == ("now", '{"zone":"UTC"}')
    assert (second.id, second.type) == ("call_2", "custom")
    assert (second.function.name, second.function.arguments) == ("sql", "select 1")


def test_refusal_is_no_content() -> None:
    (choice,) = reply_of(said({"type": "refusal", "refusal": "no"})).choices
    assert (choice.message.content, choice.message.refusal) == (None, "no")
    assert choice.finish_reason == "stop"


def test_several_messages_are_one_text_in_order() -> None:
    reply = reply_of(said(text("One. ")), SEARCH, said(text("Two."), identity="msg_2"))
    assert reply.choices[0].message.content == "One. Two."


@pytest.mark.parametrize(
    ("fields", "media_type"), [({}, "image/png"), ({"output_format": "webp"}, "image/webp")]
)
def test_images_that_the_model_made(fields: dict[str, Any], media_type: str) -> None:
    made = {"id": "ig_1", "type": "image_generation_call", "status": "completed", **fields}
    message = reply_of({**made, "result": "AAAA"}, said(text("Done."))).choices[0].message
    image = {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,AAAA"}}
    assert (message.content, message.images) == ("Done.", [image])
    assert reply_of({**made, "result": None}).choices[0].message.images is None
    streamed = [STARTED, done({**made, "result": "AAAA"}, 0), event("completed", response={})]
    assert assembled(streamed)[1].choices[0].message.images == [image]


def test_reasoning_in_the_open_is_read_as_well() -> None:
    item = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }
    assert reply_of(item, said(text("Hi"))).choices[0].message.reasoning_content == "hm"


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        ("incomplete", "max_output_tokens", "length"),
        ("incomplete", "content_filter", "content_filter"),
        ("incomplete", "steered", "steered"),
        ("incomplete", None, "incomplete"),
        ("cancelled", None, "cancelled"),
        ("completed", None, "stop"),
        ("queued", None, None),
        ("in_progress", None, None),
        (None, None, None),
    ],
)
def test_finish_reasons(status: str | None, reason: str | None, word: str | None) -> None:
    details = {"reason": reason} if reason else None
    reply = reply_of(said(text("Hi")), status=status, incomplete_details=details)
    assert reply.choices[0].finish_reason == word


def test_a_tool_call_that_was_cut_off_ended_by_its_length() -> None:
    details = {"reason": "max_output_tokens"}
    (choice,) = reply_of(CALL, status="incomplete", incomplete_details=details).choices
    assert choice.finish_reason == "length"


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_background_response_is_a_reply_that_has_not_finished(status: str) -> None:
    body = response(status=status, usage=None)
    seen = Observation(api="responses")
    reply = reply_from_body(body, exchange(), seen)
    assert (reply.id, reply.usage) == ("resp_1", None)
    (choice,) = reply.choices
    assert (choice.finish_reason, choice.message.content) == (None, None)
    assert not seen.complete


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, RateLimitError),
        ({"code": "server_error", "message": "broken"}, InternalServerError),
        (None, InternalServerError),
    ],
)
def test_failed_response_is_an_error_in_spite_of_its_status(error: Any, kind: type) -> None:
    with pytest.raises(kind) as caught:
        reply_of(said(text("Hal")), status="failed", error=error)
    if error:
        assert error["message"] in str(caught.value)


@pytest.mark.parametrize("body", [{"object": "response"}, {"output": "Hi"}, {"output": None}, {}])
def test_what_is_no_response(body: dict[str, Any]) -> None:
    assert choices(body) is None
    with pytest.raises(APIResponseValidationError, match="no responses completion"):
        reply_from_body(body, exchange())


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": 0, **fields}


def delta(kind: str, piece: str, item: str, index: int, **fields: Any) -> dict[str, Any]:
    place = {"item_id": item, "output_index": index, "content_index": 0}
    return event(f"{kind}.delta", delta=piece, **place, **fields)


def added(item: dict[str, Any], index: int) -> dict[str, Any]:
    return event("output_item.added", item=item, output_index=index)


def done(item: dict[str, Any], index: int) -> dict[str, Any]:
    return event("output_item.done", item=item, output_index=index)


def thought(piece: str, part: int) -> dict[str, Any]:
    fields = {"item_id": "rs_1", "output_index": 0, "summary_index": part}
    return event("reasoning_summary_text.delta", delta=piece, **fields)


STARTED = event("created", response=response(status="in_progress", usage=None))
ANSWER = said(text("Größe 🎈", NOTE, logprobs=[LOGPROB]))
WHOLE = response(REASONING, SEARCH, ANSWER, CALL, CALL | {"id": "fc_2", "call_id": "call_2"})
"""Everything that a response has, and its stream, whose closing events say it all again."""

EVENTS: list[dict[str, Any]] = [
    STARTED,
    event("in_progress", response=response(status="in_progress", usage=None)),
    added({**REASONING, "summary": [], "encrypted_content": ""}, 0),
    event("reasoning_summary_part.added", item_id="rs_1", output_index=0, summary_index=0),
    thought("Fir", 0),
    thought("st.", 0),
    event("reasoning_summary_text.done", output_index=0, summary_index=0, text="First."),
    thought("Second.", 1),
    event("reasoning_summary_part.done", output_index=0, summary_index=1),
    done(REASONING, 0),
    added(SEARCH, 1),
    event("web_search_call.searching", item_id="ws_1", output_index=1),
    done(SEARCH, 1),
    added(said(), 2),
    event("content_part.added", item_id="msg_1", output_index=2, part=text("")),
    delta("output_text", "Grö", "msg_1", 2, logprobs=[LOGPROB]),
    delta("output_text", "ße 🎈", "msg_1", 2, logprobs=[], obfuscation="xyz"),
    event("output_text.annotation.added", annotation=NOTE, item_id="msg_1", output_index=2),
    event("output_text.done", text="Größe 🎈", item_id="msg_1", output_index=2),
    event("content_part.done", item_id="msg_1", output_index=2, part=text("Größe 🎈")),
    done(ANSWER, 2),
    added({**CALL, "arguments": ""}, 3),
    delta("function_call_arguments", '{"zone":', "fc_1", 3),
    delta("function_call_arguments", '"UTC"}', "fc_1", 3),
    event("function_call_arguments.done", arguments=CALL["arguments"], output_index=3),
    done(CALL, 3),
    added({**CALL, "id": "fc_2", "call_id": "call_2", "arguments": ""}, 4),
    delta("function_call_arguments", '{"zone":"UTC"}', "fc_2", 4),
    done({**CALL, "id": "fc_2", "call_id": "call_2"}, 4),
    event("completed", response=WHOLE),
]


def frames(events: list[dict[str, Any]]) -> bytes:
    return b"".join(named(*events))


def assembled(events: list[dict[str, Any]]) -> tuple[list[Chunk], Reply]:
    assembler = StreamAssembler(exchange())
    found = [assembler.push(each) for each in SSEDecoder().feed(frames(events))]
    return [chunk for chunk in found if chunk is not None], assembler.reply


def test_stream_joins_to_the_whole_response() -> None:
    _, reply = assembled(EVENTS)
    whole = reply_from_body(WHOLE, exchange())
    assert reply.choices == whole.choices
    assert reply.choices[0].message.content == "Größe 🎈"
    assert reply.choices[0].message.reasoning_content == "First.\n\nSecond."
    assert reply.choices[0].finish_reason == "tool_calls"
    for name in ("id", "created", "model", "service_tier", "usage", "meters"):
        assert getattr(reply, name) == getattr(whole, name)


def test_chunks_are_those_of_a_chat() -> None:
    seen, _ = assembled(EVENTS)
    assert all(chunk.id == "resp_1" for chunk in seen)
    assert all(chunk.model == "gpt-5-2025-08-07" for chunk in seen)
    assert all(chunk.created == 1700000000 for chunk in seen)
    deltas = [chunk.choices[0].delta for chunk in seen]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert [d.reasoning_content for d in deltas if d.reasoning_content] == [
        "Fir",
        "st.",
        "\n\nSecond.",
    ]
    assert [d.content for d in deltas if d.content] == ["Grö", "ße 🎈"]
    assert [d.thinking_blocks for d in deltas if d.thinking_blocks] == [[REASONING]]
    assert [d.annotations for d in deltas if d.annotations] == [[NOTE]]
    calls = [call for d in deltas for call in d.tool_calls or ()]
    assert [(c.index, c.id, c.type, c.function.name, c.function.arguments) for c in calls] == [
        (0, "call_1", "function", "now", ""),
        (0, None, None, None, '{"zone":'),
        (0, None, None, None, '"UTC"}'),
        (1, "call_2", "function", "now", ""),
        (1, None, None, None, '{"zone":"UTC"}'),
    ]
    reasons = [chunk.choices[0].finish_reason for chunk in seen]
    assert reasons == [None] * (len(seen) - 1) + ["tool_calls"]
    assert seen[-1].usage is not None
    assert seen[-1].usage.total_tokens == 1050


def test_every_split_of_the_bytes_gives_the_same_reply() -> None:
    data, whole = frames(EVENTS), assembled(EVENTS)[1]
    for cut in range(0, len(data), 97):
        assembler, decoder = StreamAssembler(exchange()), SSEDecoder()
        pieces = (decoder.feed(data[:cut]), decoder.feed(data[cut:]), decoder.flush())
        for each in itertools.chain.from_iterable(pieces):
            assembler.push(each)
        assert assembler.reply.choices == whole.choices


@pytest.mark.parametrize(
    ("kind", "fields", "word"),
    [
        ("completed", {}, "stop"),
        (
            "incomplete",
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
        ),
        (
            "incomplete",
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ("completed", {"output": None}, "stop"),
    ],
)
def test_how_streams_end(kind: str, fields: dict[str, Any], word: str) -> None:
    events = [
        STARTED,
        delta("output_text", "Hi", "msg_1", 0),
        event(kind, response={**response(said(text("Hi"))), **fields}),
    ]
    _, reply = assembled(events)
    assert reply.choices[0].message.content == "Hi"
    assert reply.choices[0].finish_reason == word
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 1000


def test_refusal_stream() -> None:
    refused = said({"type": "refusal", "refusal": "I will not."})
    events = [
        STARTED,
        delta("refusal", "I will ", "msg_1", 0),
        delta("refusal", "not.", "msg_1", 0),
        event("refusal.done", refusal="I will not.", output_index=0),
        done(refused, 0),
        event("completed", response=response(refused)),
    ]
    message = assembled(events)[1].choices[0].message
    assert (message.refusal, message.content) == ("I will not.", "")


def test_open_reasoning_and_custom_tools_stream() -> None:
    custom = {
        "id": "ctc_1",
        "type": "custom_tool_call",
        "call_id": "call_1",
        "name": "sql",
        "input": "",
    }
    events = [
        STARTED,
        delta("reasoning_text", "hm", "rs_1", 0),
        added(custom, 1),
        delta("custom_tool_call_input", "select 1", "ctc_1", 1),
        done({**custom, "input": "select 1"}, 1),
        event("completed", response=response({**custom, "input": "select 1"})),
    ]
    (choice,) = assembled(events)[1].choices
    assert choice.message.reasoning_content == "hm"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name, call.function.arguments) == (
        "custom",
        "sql",
        "select 1",
    )


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([STARTED, event("completed", response=WHOLE)], id="only the end"),
        pytest.param([event("completed", response=WHOLE)], id="only the last event"),
        pytest.param([WHOLE], id="a whole body"),
        pytest.param(
            [
                STARTED,
                *(done(item, index) for index, item in enumerate(WHOLE["output"])),
                event("completed", response=WHOLE),
            ],
            id="items without deltas",
        ),
        pytest.param(
            [{k: v for k, v in each.items() if k != "output_index"} for each in EVENTS],
            id="no output index",
        ),
        pytest.param(
            [
                {
                    **{k: v for k, v in each.items() if k != "output_index"},
                    "item": {k: v for k, v in each["item"].items() if k != "id"},
                }
                if each["type"] == "response.output_item.done" and "call_id" in each["item"]
                else {k: v for k, v in each.items() if k != "output_index"}
                for each in EVENTS
            ],
            id="llama.cpp",
        ),
    ],
)
def test_servers_that_send_less_than_openai(events: list[dict[str, Any]]) -> None:
    assembler = StreamAssembler(exchange())
    for each in SSEDecoder().feed(
        b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)
    ):
        assembler.push(each)
    whole = reply_from_body(WHOLE, exchange())
    got, wanted = assembler.reply.choices[0].message, whole.choices[0].message
    for name in ("content", "reasoning_content", "thinking_blocks", "tool_calls"):
        mine, theirs = getattr(got, name), getattr(wanted, name)
        if name == "tool_calls":
            mine, theirs = ([c.model_dump() | {"index": None} for c in t] for t in (mine, theirs))
        assert mine == theirs
    assert assembler.reply.choices[0].finish_reason == "tool_calls"


def test_arguments_that_come_with_the_end_of_a_call_are_kept() -> None:
    events = [
        STARTED,
        added({**CALL, "arguments": ""}, 0),
        done(CALL, 0),
        event("completed", response=response(CALL)),
    ]
    calls = assembled(events)[1].choices[0].message.tool_calls
    assert calls is not None
    assert [c.function.arguments for c in calls] == ['{"zone":"UTC"}']


def test_arguments_of_a_call_that_nobody_announced_come_whole() -> None:
    events = [
        STARTED,
        delta("function_call_arguments", '{"zone":', "fc_1", 0),
        done(CALL, 0),
        event("completed", response=response(CALL)),
    ]
    calls = assembled(events)[1].choices[0].message.tool_calls
    assert calls is not None
    assert [(c.id, c.function.arguments) for c in calls] == [("call_1", '{"zone":"UTC"}')]


@pytest.mark.parametrize(
    ("last", "kind", "word"),
    [
        (
            event(
                "failed",
                response=response(
                    status="failed",
                    error={"code": "rate_limit_exceeded", "message": "slow down"},
                ),
            ),
            RateLimitError,
            "slow down",
        ),
        (
            event(
                "failed",
                response=response(
                    status="failed", error={"code": "server_error", "message": "broken"}
                ),
            ),
            InternalServerError,
            "broken",
        ),
        (event("failed", response=response(status="failed")), InternalServerError, "openai"),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None},
            RateLimitError,
            "slow",
        ),
        (
            {"type": "error", "error": {"type": "server_error", "message": "broken"}},
            InternalServerError,
            "broken",
        ),
    ],
)
def test_streams_that_fail_raise(last: dict[str, Any], kind: type[Exception], word: str) -> None:
    assembler = StreamAssembler(exchange())
    events = [STARTED, delta("output_text", "Hal", "msg_1", 0), last]
    *before, failing = SSEDecoder().feed(frames(events))
    for each in before:
        assembler.push(each)
    with pytest.raises(kind, match=word):
        assembler.push(failing)
    assert assembler.seen.error_type
    assert assembler.reply.choices[0].message.content == "Hal"


def test_failed_stream_still_tells_what_was_used() -> None:
    failed = response(status="failed", error={"code": "server_error"})
    seen = Observation(api="responses")
    observe(event("failed", response=failed), seen)
    assert (seen.error_type, seen.error_code) == ("error", "server_error")
    meters = seen.usage_of("openai")
    assert meters is not None
    assert (meters.input_tokens, meters.output_tokens) == (1000, 50)


def test_observed_text_has_the_input_of_custom_tools() -> None:
    seen = Observation(api="responses")
    observe(response({"type": "custom_tool_call", "name": "sql", "input": "select 1"}), seen)
    assert seen.output_text == ["select 1"]


NAMES = (
    "type", "item", "item_id", "output_index", "summary_index", "delta", "response", "output",
    "content", "summary", "text", "refusal", "annotations", "annotation", "logprobs",
    "call_id", "name", "arguments", "input", "status", "error", "incomplete_details",
    "reason", "id", "model", "created_at", "service_tier", "usage", "encrypted_content",
)  # fmt: skip
KINDS = (
    *(each["type"] for each in EVENTS), "error", "message", "reasoning", "function_call",
    "custom_tool_call", "output_text", "completed", "incomplete", "failed", "response.failed",
)  # fmt: skip


@given(garbage.bodies(NAMES, KINDS))
def test_garbage_never_raises(bodies: list[dict[str, Any]]) -> None:
    garbage.read(bodies, "responses", "openai")
