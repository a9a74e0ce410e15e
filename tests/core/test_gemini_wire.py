"""Gemini over a real HTTP server: our calls, and the official SDK against the same bytes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from costspan.core import errors
from costspan.core.completion import acompletion, completion

if TYPE_CHECKING:
    from tests.conftest import FrameServer

MODEL = "gemini-2.5-flash"
PATH = f"/v1beta/models/{MODEL}:generateContent"
STREAM_PATH = f"/v1beta/models/{MODEL}:streamGenerateContent"
HELLO = [{"role": "user", "content": "Hello"}]
USAGE = {
    "promptTokenCount": 10,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 17,
}
PARAMETERS = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOL = {
    "type": "function",
    "function": {"name": "now", "description": "The time.", "parameters": PARAMETERS},
}


def event(*parts: dict[str, Any], reason: str | None = None, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
        "modelVersion": "gemini-2.5-flash-001",
        "responseId": "r1",
        **fields,
    }


WHOLE = event(
    {"text": "Short or long?", "thought": True},
    {"text": "Größe 🎈"},
    reason="STOP",
    usageMetadata=USAGE,
)
EVENTS = [
    event({"text": "Short or ", "thought": True}),
    event({"text": "long?", "thought": True}),
    event({"text": "Grö"}),
    event({"text": "ße 🎈"}),
    event({"text": ""}, reason="STOP", usageMetadata=USAGE),
]


def sse(*events: dict[str, Any], end: str = "\r\n") -> bytes:
    """Events as Google's server writes them, with CRLF and text as UTF-8."""
    return b"".join(
        f"data: {json.dumps(each, ensure_ascii=False)}{end}{end}".encode() for each in events
    )


def ours(server: FrameServer, messages: Any = HELLO, **arguments: Any) -> Any:
    base_url = f"{server.url}/v1beta"
    return completion(f"gemini/{MODEL}", messages, base_url=base_url, api_key="k", **arguments)


def sdk(server: FrameServer) -> genai.Client:
    options = types.HttpOptions(base_url=server.url, api_version="v1beta")
    return genai.Client(api_key="k", http_options=options)


def camel_case(value: Any) -> Any:
    """Keys as the format has them: the SDK writes some with an underscore, which it also takes."""
    if isinstance(value, list):
        return [camel_case(each) for each in value]
    if isinstance(value, dict):
        return {
            re.sub("_(.)", lambda found: found[1].upper(), key): camel_case(each)
            for key, each in value.items()
        }
    return value


def check_usage(usage: Any) -> None:
    """10 tokens in, 4 of them cached; 5 said and 2 thought."""
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 7, 17)
    assert usage.prompt_tokens_details.cached_tokens == 4
    assert usage.completion_tokens_details.reasoning_tokens == 2


def test_plain(frame_server: FrameServer) -> None:
    frame_server.json(PATH, WHOLE)
    reply = ours(frame_server, thinking_budget=100)
    (request,) = frame_server.requests
    assert request.path == PATH
    assert request.headers["x-goog-api-key"] == "k"
    assert "authorization" not in request.headers
    message = reply.choices[0].message
    assert (message.content, message.reasoning_content) == ("Größe 🎈", "Short or long?")
    assert (reply.provider, reply.api, reply.model) == (
        "google",
        "generateContent",
        "gemini-2.5-flash-001",
    )
    check_usage(reply.usage)


def test_the_base_url_of_the_environment_has_no_version_as_for_the_sdk(
    frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", frame_server.url)
    frame_server.json(PATH, WHOLE)
    options = types.HttpOptions(api_version="v1beta")
    with genai.Client(api_key="k", http_options=options) as client:
        client.models.generate_content(model=MODEL, contents="Hello")
    completion(f"gemini/{MODEL}", HELLO, api_key="k")
    first, second = frame_server.requests
    assert first.path == second.path == PATH


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_stream_split_anywhere(frame_server: FrameServer, size: int, end: str) -> None:
    raw = sse(*EVENTS, end=end)
    frames = [raw[i : i + size] for i in range(0, len(raw), size)]
    frame_server.script(STREAM_PATH, headers={"content-type": "text/event-stream"}, frames=frames)
    stream = ours(frame_server, stream=True)
    chunks = list(stream)
    assert frame_server.requests[0].path == f"{STREAM_PATH}?alt=sse"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Größe 🎈"
    message = stream.reply.choices[0].message
    assert (message.content, message.reasoning_content) == ("Größe 🎈", "Short or long?")
    assert stream.reply.choices[0].finish_reason == "stop"
    assert stream.seen.complete
    check_usage(stream.reply.usage)


async def test_async_stream_gzipped(frame_server: FrameServer) -> None:
    frame_server.script(STREAM_PATH, frames=[sse(each) for each in EVENTS], gzip=True)
    stream = await acompletion(
        f"google/{MODEL}",
        HELLO,
        stream=True,
        stream_options={"include_usage": True},
        base_url=f"{frame_server.url}/v1beta",
        api_key="k",
    )
    chunks = [chunk async for chunk in stream]
    assert [c.choices[0].delta.content for c in chunks] == [None, None, "Grö", "ße 🎈", ""]
    check_usage(chunks[-1].usage)


async def test_async_plain(frame_server: FrameServer) -> None:
    frame_server.json(PATH, WHOLE)
    base_url = f"{frame_server.url}/v1beta"
    reply = await acompletion(f"gemini/{MODEL}", HELLO, base_url=base_url, api_key="k")
    assert reply.choices[0].message.content == "Größe 🎈"


def test_vertex_has_the_same_format_at_another_address(frame_server: FrameServer) -> None:
    base = "/v1/projects/p/locations/us-east5/publishers/google"
    usage = {**USAGE, "trafficType": "ON_DEMAND_PRIORITY"}
    frame_server.json(f"{base}/models/{MODEL}:generateContent", {**WHOLE, "usageMetadata": usage})
    reply = completion(
        f"vertex_ai/{MODEL}", HELLO, base_url=frame_server.url + base, api_key="token"
    )
    assert frame_server.requests[0].headers["authorization"] == "Bearer token"
    assert reply.provider == "vertex"
    check_usage(reply.usage)
    assert reply.meters is not None
    assert reply.meters.served.tier == "priority"


CALLS = (
    {"functionCall": {"name": "now", "args": {"zone": "UTC"}}, "thoughtSignature": "c2lnMQ=="},
    {"functionCall": {"name": "now", "args": {}}},
)


@pytest.mark.parametrize("stream", [False, True])
def test_a_round_trip_of_tool_calls(frame_server: FrameServer, stream: bool) -> None:
    frame_server.json(PATH, event({"text": "Wait."}, *CALLS, reason="STOP"))
    frame_server.script(
        STREAM_PATH, frames=[sse(event({"text": "Wait."}), event(CALLS[0]), event(CALLS[1]))]
    )
    asked = ours(frame_server, tools=[TOOL], tool_choice="required", stream=stream)
    if stream:
        list(asked)
        asked = asked.reply
    message = asked.choices[0].message
    first, second = message.tool_calls
    assert first.id != second.id
    answers = [
        {"role": "tool", "tool_call_id": second.id, "content": "one"},
        {"role": "tool", "tool_call_id": first.id, "content": "noon"},
    ]
    frame_server.json(PATH, WHOLE)
    ours(frame_server, [*HELLO, message.model_dump(exclude_none=True), *answers], tools=[TOOL])
    sent = frame_server.requests[-1].json
    assert sent["contents"] == [
        {"role": "user", "parts": [{"text": "Hello"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Wait."},
                {
                    "functionCall": {"id": first.id, "name": "now", "args": {"zone": "UTC"}},
                    "thoughtSignature": "c2lnMQ==",
                },
                {"functionCall": {"id": second.id, "name": "now", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": each.id,
                        "name": "now",
                        "response": {"output": text},
                    }
                }
                for each, text in ((first, "noon"), (second, "one"))
            ],
        },
    ]


def test_a_conversation_with_signatures_goes_on_with_another_provider(
    frame_server: FrameServer, chat_body: dict[str, object], message_body: dict[str, object]
) -> None:
    frame_server.json(PATH, event({"text": "Wait."}, CALLS[0], reason="STOP"))
    message = ours(frame_server, tools=[TOOL]).choices[0].message
    (made,) = message.tool_calls
    history = [*HELLO, message, {"role": "tool", "tool_call_id": made.id, "content": "noon"}]
    frame_server.json("/v1/chat/completions", chat_body)
    frame_server.json("/v1/messages", message_body)
    completion("openai/m", history, base_url=f"{frame_server.url}/v1", api_key="k")
    completion("anthropic/m", history, base_url=frame_server.url, api_key="k")
    for request in frame_server.requests[1:]:
        assert b"c2lnMQ==" not in request.body
        assert b"extra_content" not in request.body


def test_googles_openai_compatible_api_gets_its_signatures_back(
    frame_server: FrameServer, chat_body: dict[str, Any]
) -> None:
    extra = {"google": {"thought_signature": "c2lnMQ=="}}
    made = {
        "id": "f1",
        "type": "function",
        "function": {"name": "now", "arguments": "{}"},
        "extra_content": extra,
    }
    chat_body["choices"][0]["message"] = {"role": "assistant", "tool_calls": [made]}
    frame_server.json("/v1beta/openai/chat/completions", chat_body)
    where: dict[str, Any] = {"base_url": f"{frame_server.url}/v1beta", "api": "chat"}
    message = completion("gemini/m", HELLO, api_key="k", **where).choices[0].message
    assert message.tool_calls is not None
    assert message.tool_calls[0].extra_content == extra
    completion("gemini/m", [*HELLO, message], api_key="k", **where)
    sent: Any = frame_server.requests[-1].json["messages"]
    assert sent[1]["tool_calls"] == [made]


def test_a_blocked_prompt(frame_server: FrameServer) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
        "modelVersion": "gemini-2.5-flash-001",
    }
    frame_server.json(PATH, blocked)
    reply = ours(frame_server)
    assert reply.choices[0].finish_reason == "content_filter"
    assert reply.choices[0].message.content is None
    assert reply.usage.prompt_tokens == 10
    frame_server.script(STREAM_PATH, frames=[sse(blocked)])
    (chunk,) = list(ours(frame_server, stream=True))
    assert chunk.choices[0].finish_reason == "content_filter"


def test_an_error_in_the_middle_of_a_stream(frame_server: FrameServer) -> None:
    error = {"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}
    frame_server.script(STREAM_PATH, frames=[sse(EVENTS[2]), sse(error)])
    stream = ours(frame_server, stream=True)
    assert next(stream).choices[0].delta.content == "Grö"
    with pytest.raises(errors.ServiceUnavailableError):
        next(stream)
    assert stream.reply.choices[0].message.content == "Grö"
    assert not stream.seen.complete


# --- the official SDK against the same bytes ------------------------------------------------------


def test_the_sdk_reads_the_same_body_alike(frame_server: FrameServer) -> None:
    frame_server.json(PATH, WHOLE)
    with sdk(frame_server) as client:
        theirs = client.models.generate_content(model=MODEL, contents="Hello")
    reply = ours(frame_server)
    first, second = frame_server.requests
    assert first.json == second.json
    assert first.headers["x-goog-api-key"] == second.headers["x-goog-api-key"]
    assert reply.choices[0].message.content == theirs.text
    assert (reply.id, reply.model) == (theirs.response_id, theirs.model_version)
    said = theirs.usage_metadata
    assert said is not None
    assert said.candidates_token_count is not None
    assert said.thoughts_token_count is not None
    assert reply.usage.prompt_tokens == said.prompt_token_count
    assert reply.usage.completion_tokens == said.candidates_token_count + said.thoughts_token_count
    assert reply.usage.total_tokens == said.total_token_count
    check_usage(reply.usage)


def test_the_sdk_reads_the_same_stream_alike(frame_server: FrameServer) -> None:
    frame_server.script(STREAM_PATH, frames=[sse(each) for each in EVENTS])
    with sdk(frame_server) as client:
        theirs = list(client.models.generate_content_stream(model=MODEL, contents="Hello"))
    stream = ours(frame_server, stream=True)
    chunks = list(stream)
    first, second = frame_server.requests
    assert (first.path, first.json) == (second.path, second.json)
    assert len(chunks) == len(theirs)
    for chunk, their in zip(chunks, theirs, strict=True):
        assert (chunk.choices[0].delta.content or "") == (their.text or "")
    said = theirs[-1].usage_metadata
    assert said is not None
    assert stream.reply.usage.total_tokens == said.total_token_count == 17


def test_the_sdk_makes_the_same_request(frame_server: FrameServer) -> None:
    frame_server.json(PATH, WHOLE)
    text = types.Part.from_text
    made = types.Part.from_function_call(name="now", args={"zone": "UTC"})
    made.thought_signature = b"sig1"
    answer = types.Part.from_function_response(name="now", response={"output": "noon"})
    assert made.function_call is not None
    assert answer.function_response is not None
    made.function_call.id = answer.function_response.id = "c1"
    image = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")
    declared = types.FunctionDeclaration(
        name="now", description="The time.", parameters_json_schema=PARAMETERS
    )
    calling = types.FunctionCallingConfig(
        mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["now"]
    )
    with sdk(frame_server) as client:
        client.models.generate_content(
            model=MODEL,
            contents=[
                types.Content(role="user", parts=[text(text="Time?"), image]),
                types.Content(role="model", parts=[made]),
                types.Content(role="user", parts=[answer]),
            ],
            config=types.GenerateContentConfig(
                system_instruction=types.Content(parts=[text(text="Be brief.")]),
                temperature=0.5,
                top_p=0.9,
                top_k=5,
                candidate_count=2,
                max_output_tokens=900,
                stop_sequences=["END"],
                response_logprobs=True,
                logprobs=2,
                presence_penalty=0.5,
                frequency_penalty=0.25,
                seed=7,
                response_mime_type="application/json",
                response_json_schema=PARAMETERS,
                thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=500),
                tools=[types.Tool(function_declarations=[declared])],
                tool_config=types.ToolConfig(function_calling_config=calling),
                service_tier=types.ServiceTier.FLEX,
            ),
        )
    call = {"id": "c1", "function": {"name": "now", "arguments": '{"zone": "UTC"}'}}
    signature = {"extra_content": {"google": {"thought_signature": "c2lnMQ=="}}}
    url = "data:image/png;base64,iVBORw=="
    ours(
        frame_server,
        [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Time?"},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [{**call, **signature}]},
            {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        ],
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        n=2,
        max_tokens=900,
        stop=["END"],
        logprobs=True,
        top_logprobs=2,
        presence_penalty=0.5,
        frequency_penalty=0.25,
        seed=7,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": PARAMETERS}},
        thinking_budget=500,
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "now"}},
        service_tier="flex",
    )
    first, second = frame_server.requests
    assert camel_case(first.json) == second.json


@pytest.mark.parametrize(
    ("status", "word", "name", "theirs"),
    [
        (400, "INVALID_ARGUMENT", "BadRequestError", genai_errors.ClientError),
        (404, "NOT_FOUND", "NotFoundError", genai_errors.ClientError),
        (500, "INTERNAL", "InternalServerError", genai_errors.ServerError),
    ],
)
def test_the_sdk_fails_alike(
    frame_server: FrameServer, status: int, word: str, name: str, theirs: type[Exception]
) -> None:
    body = {"error": {"code": status, "message": "no", "status": word}}
    frame_server.json(PATH, body, status=status)
    with sdk(frame_server) as client, pytest.raises(theirs) as caught:
        client.models.generate_content(model=MODEL, contents="Hello")
    assert getattr(caught.value, "code", None) == status
    with pytest.raises(getattr(errors, name)) as ours_caught:
        ours(frame_server, num_retries=0)
    assert type(ours_caught.value).__name__ == name
    assert ours_caught.value.status_code == status
