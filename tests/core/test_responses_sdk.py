"""OpenAI's SDK and our core read the same Responses alike, and ask for them in the same words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.errors import InternalServerError, RateLimitError

if TYPE_CHECKING:
    from tests.conftest import FrameServer

PATH = "/v1/responses"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"zone": {"type": "string"}},
    "required": ["zone"],
    "additionalProperties": False,
}
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
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "c2VjcmV0",
}
SPOKEN = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Größe 🎈", "annotations": [], "logprobs": []}],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "now",
    "arguments": '{"zone":"UTC"}',
}


def response(*output: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "m-1",
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": USAGE,
        **fields,
    }


CUT: dict[str, Any] = {
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
}
FAILED: dict[str, Any] = {
    "status": "failed",
    "error": {"code": "rate_limit_exceeded", "message": "slow down"},
}


def streamed(last: str, *output: Any, **fields: Any) -> list[bytes]:
    """The frames of a stream of these items, each with its deltas, up to the event ``last``."""
    started = response(status="in_progress", usage=None)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
    ]
    for index, item in enumerate(output):
        events += _item_events(item, index)
    events.append({"type": f"response.{last}", "response": response(*output, **fields)})
    return [
        f"event: {event['type']}\n".encode()
        + b"data: "
        + json.dumps({**event, "sequence_number": number}, ensure_ascii=False).encode()
        + b"\n\n"
        for number, event in enumerate(events)
    ]


def _item_events(item: dict[str, Any], index: int) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    if item["type"] == "reasoning":
        empty = {**item, "summary": []}
        kind, pieces = "response.reasoning_summary_text", ["h", "m"]
        place["summary_index"] = 0
    elif item["type"] == "message":
        empty = {**item, "content": [], "status": "in_progress"}
        kind, pieces = "response.output_text", ["Grö", "ße 🎈"]
        place |= {"content_index": 0, "logprobs": []}
    else:
        empty = {**item, "arguments": "", "status": "in_progress"}
        kind, pieces = "response.function_call_arguments", ['{"zone":', '"UTC"}']
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    opened = {"type": "response.content_part.added", **place, "part": part}
    return [
        {"type": "response.output_item.added", "item": empty, "output_index": index},
        *([opened] if item["type"] == "message" else []),
        *({"type": f"{kind}.delta", "delta": piece, **place} for piece in pieces),
        {"type": "response.output_item.done", "item": item, "output_index": index},
    ]


def arguments(server: FrameServer) -> dict[str, Any]:
    return {"api": "responses", "base_url": f"{server.url}/v1", "api_key": "k", "num_retries": 0}


def client(server: FrameServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)


OUTPUTS = [
    pytest.param([SPOKEN], {}, "stop", id="text"),
    pytest.param([REASONING, SPOKEN], {}, "stop", id="reasoning and text"),
    pytest.param([REASONING, CALL], {}, "tool_calls", id="a tool call"),
    pytest.param([SPOKEN], CUT, "length", id="cut off"),
]


@pytest.mark.parametrize(("output", "fields", "reason"), OUTPUTS)
def test_whole(
    output: list[Any], fields: dict[str, Any], reason: str, frame_server: FrameServer
) -> None:
    frame_server.json(PATH, response(*output, **fields))
    with client(frame_server) as sdk:
        theirs = sdk.responses.create(model="m", input=HELLO, max_output_tokens=16)
    ours = completion("openai/m", HELLO, max_tokens=16, **arguments(frame_server))
    first, second = frame_server.requests
    assert first.json == second.json
    assert first.headers["authorization"] == second.headers["authorization"]
    (choice,) = ours.choices
    _same_answer(choice.message, theirs)
    assert choice.finish_reason == reason
    assert ours.usage is not None
    _same_usage(ours.usage, theirs.usage)
    assert (ours.id, ours.model, ours.created) == (theirs.id, theirs.model, theirs.created_at)


@pytest.mark.parametrize(("output", "fields", "reason"), OUTPUTS)
async def test_stream(
    output: list[Any], fields: dict[str, Any], reason: str, frame_server: FrameServer
) -> None:
    last = fields.get("status", "completed")
    frame_server.script(PATH, frames=streamed(last, *output, **fields), gzip=True)
    with client(frame_server) as sdk:
        events = list(sdk.responses.create(model="m", input=HELLO, stream=True))
    end = events[-1]
    assert end.type in ("response.completed", "response.incomplete")
    stream = await acompletion("openai/m", HELLO, stream=True, **arguments(frame_server))
    chunks = [chunk async for chunk in stream]
    first, second = frame_server.requests
    assert first.json == second.json
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert [c for chunk in chunks if (c := chunk.choices[0].delta.content)] == said
    (choice,) = stream.reply.choices
    _same_answer(choice.message, end.response)
    assert choice.finish_reason == chunks[-1].choices[0].finish_reason == reason
    for usage in (stream.reply.usage, chunks[-1].usage):
        assert usage is not None
        _same_usage(usage, end.response.usage)


def _same_answer(message: Any, theirs: Any) -> None:
    assert (message.content or "") == theirs.output_text
    calls = [item for item in theirs.output if item.type == "function_call"]
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ()] == [
        (item.call_id, item.name, item.arguments) for item in calls
    ]
    thoughts = [item for item in theirs.output if item.type == "reasoning"]
    summaries = [part.text for item in thoughts for part in item.summary]
    assert message.reasoning_content == ("\n\n".join(summaries) or None)
    kept = [item.model_dump(exclude_none=True) for item in thoughts]
    assert (message.thinking_blocks or []) == kept


def _same_usage(ours: Any, theirs: Any) -> None:
    assert ours.prompt_tokens == theirs.input_tokens == 1000
    assert ours.completion_tokens == theirs.output_tokens == 50
    assert ours.total_tokens == theirs.total_tokens == 1050
    assert ours.prompt_tokens_details.cached_tokens == 600
    assert ours.prompt_tokens_details.cache_write_tokens == 300
    assert ours.completion_tokens_details.reasoning_tokens == 20


def test_a_long_request_in_the_same_words(frame_server: FrameServer) -> None:
    frame_server.json(PATH, response(SPOKEN))
    tool: Any = {"type": "function", "name": "now", "parameters": SCHEMA, "strict": True}
    form: Any = {"type": "json_schema", "name": "zone", "schema": SCHEMA, "strict": True}
    history: Any = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Time?"},
                {"type": "input_image", "image_url": "https://h/a.png", "detail": "low"},
            ],
        },
        REASONING,
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "now",
            "arguments": '{"zone":"UTC"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "noon"},
    ]
    with client(frame_server) as sdk:
        sdk.responses.create(
            model="m",
            input=history,
            tools=[tool, {"type": "web_search", "search_context_size": "low"}],
            tool_choice={"type": "function", "name": "now"},
            parallel_tool_calls=False,
            text={"format": form, "verbosity": "low"},
            reasoning={"effort": "low"},
            include=["message.output_text.logprobs"],
            top_logprobs=2,
            store=False,
            service_tier="flex",
        )
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "now", "arguments": '{"zone":"UTC"}'},
    }
    image = {"url": "https://h/a.png", "detail": "low"}
    function = {"name": "now", "parameters": SCHEMA, "strict": True}
    schema = {"name": "zone", "schema": SCHEMA, "strict": True}
    completion(
        "openai/m",
        [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Time?"},
                    {"type": "image_url", "image_url": image},
                ],
            },
            {"role": "assistant", "tool_calls": [call], "thinking_blocks": [REASONING]},
            {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
        ],
        tools=[{"type": "function", "function": function}],
        web_search_options={"search_context_size": "low"},
        tool_choice={"type": "function", "function": {"name": "now"}},
        parallel_tool_calls=False,
        response_format={"type": "json_schema", "json_schema": schema},
        verbosity="low",
        reasoning_effort="low",
        logprobs=True,
        top_logprobs=2,
        store=False,
        service_tier="flex",
        **arguments(frame_server),
    )
    first, second = frame_server.requests
    assert first.json == second.json


def test_a_reply_goes_back_as_history(frame_server: FrameServer) -> None:
    frame_server.json(PATH, response(REASONING, CALL))
    frame_server.json(PATH, response(SPOKEN))
    reply = completion("openai/m", HELLO, **arguments(frame_server))
    result = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}
    completion("openai/m", [*HELLO, reply.choices[0].message, result], **arguments(frame_server))
    assert frame_server.requests[1].json["input"] == [
        *HELLO,
        REASONING,
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "now",
            "arguments": '{"zone":"UTC"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "noon"},
    ]


def test_background_reply_has_no_finish_reason_yet(frame_server: FrameServer) -> None:
    frame_server.json(PATH, response(status="queued", usage=None, background=True))
    reply = completion(
        "openai/m", HELLO, extra_body={"background": True}, **arguments(frame_server)
    )
    assert frame_server.requests[0].json["background"] is True
    assert (reply.id, reply.choices[0].finish_reason, reply.usage) == ("resp_1", None, None)


def test_failed_responses(frame_server: FrameServer) -> None:
    frame_server.json(PATH, response(**FAILED))
    frame_server.script(PATH, frames=streamed("failed", SPOKEN, **FAILED))
    with pytest.raises(RateLimitError, match="slow down"):
        completion("openai/m", HELLO, **arguments(frame_server))
    stream = completion("openai/m", HELLO, stream=True, **arguments(frame_server))
    with pytest.raises(RateLimitError, match="slow down"):
        for _ in stream:
            pass
    assert stream.reply.choices[0].message.content == "Größe 🎈"
    assert stream.reply.usage is not None
    assert stream.reply.usage.total_tokens == 1050


def test_an_error_event_raises_for_the_sdk_and_for_us(frame_server: FrameServer) -> None:
    error = {"type": "server_error", "code": "server_error", "message": "broken", "param": None}
    broken = b"event: error\ndata: " + json.dumps({"type": "error", "error": error}).encode()
    frame_server.script(PATH, frames=[*streamed("completed", SPOKEN)[:-1], broken + b"\n\n"])
    with client(frame_server) as sdk, pytest.raises(openai.APIError, match="broken"):
        list(sdk.responses.create(model="m", input=HELLO, stream=True))
    stream = completion("openai/m", HELLO, stream=True, **arguments(frame_server))
    with pytest.raises(InternalServerError, match="broken"):
        list(stream)
