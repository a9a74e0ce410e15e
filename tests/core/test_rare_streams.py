"""What no mock server of others sends, through a real server: the expected values are by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from streams import aws_frame, utf8
from wire import chat_chunk, named, sse

from costspan.core.completion import completion
from costspan.core.errors import (
    APIConnectionError,
    APIError,
    InternalServerError,
    OverloadedError,
    RateLimitError,
    ServiceUnavailableError,
)
from costspan.core.reply import Reply

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
SAID = "out of order"
CONVERSE, EVENT_STREAM = "/model/m/converse-stream", "application/vnd.amazon.eventstream"


@dataclass(frozen=True)
class Case:
    """A stream, and what its reply must say.

    Attributes:
        model, path: How it is asked for.
        frames: The stream.
        buckets, fees: Its usage.
        text, reasoning: Its answer.
        usd: The amount that the provider reports.
        flags: What is wrong with the usage.
        base, arguments: For the completion.
        content_type: Of the stream.
    """

    model: str
    path: str
    frames: list[bytes]
    buckets: dict[str, int]
    fees: dict[str, int] = field(default_factory=dict)
    text: str | None = "Hi"
    reasoning: str | None = None
    usd: str | None = None
    flags: tuple[str, ...] = ()
    base: str = "/v1"
    arguments: dict[str, Any] = field(default_factory=dict)
    content_type: str = "text/event-stream"


def chat(delta: dict[str, object], **more: object) -> dict[str, object]:
    """A chunk with one choice."""
    return chat_chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}], **more)


def ended(**more: object) -> dict[str, object]:
    """The chunk that ends the answer."""
    return chat_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], **more)


def message(usage: dict[str, object], **end: object) -> list[bytes]:
    """A streamed message that says Hi, with these counts at its start and at its end."""
    top = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    return named(
        {"type": "message_start", "message": {**top, "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hi"},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
        {"type": "message_stop"},
    )


def gemini(*parts: object, **usage: object) -> dict[str, object]:
    """An event of Gemini's."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "responseId": "g-1"}


def converse(usage: dict[str, object], **more: object) -> list[bytes]:
    """A stream of Converse that says Hi."""
    return [
        aws_frame("messageStart", {"role": "assistant"}),
        aws_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
        aws_frame("contentBlockStop", {"contentBlockIndex": 0}),
        aws_frame("messageStop", {"stopReason": "end_turn"}),
        aws_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}, **more}),
    ]


GEMINI = "/v1beta/models/m:streamGenerateContent"
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
ANSWER = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
}
CASES = {
    "anthropic-cache-writes-of-5-minutes-and-1-hour-and-searches": Case(
        "anthropic/m",
        MESSAGES,
        message(
            {
                "input_tokens": 15,
                "cache_read_input_tokens": 50,
                "cache_creation_input_tokens": 4903,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 100,
                    "ephemeral_1h_input_tokens": 4803,
                },
                "output_tokens": 1,
            },
            output_tokens=47,
            server_tool_use={"web_search_requests": 3},
        ),
        {
            "tokens.in.text": 15,
            "tokens.in.cache_read": 50,
            "tokens.in.cache_write.5m": 100,
            "tokens.in.cache_write.1h": 4803,
            "tokens.out.text": 47,
        },
        {"fee.web_search": 3},
        base="",
    ),
    "openai-cache-writes-and-a-tier": Case(
        "openai/m",
        CHAT,
        sse(
            chat({"content": "Hi"}),
            ended(service_tier="priority"),
            chat_chunk(
                choices=[],
                usage={
                    "prompt_tokens": 1000,
                    "completion_tokens": 9,
                    "total_tokens": 1009,
                    "prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 300},
                },
            ),
        ),
        {
            "tokens.in.text": 500,
            "tokens.in.cache_read": 200,
            "tokens.in.cache_write": 300,
            "tokens.out.text": 9,
        },
    ),
    "openai-audio-in-and-out": Case(
        "openai/m",
        CHAT,
        sse(
            chat({"audio": {"id": "audio_1", "transcript": "Hi "}}),
            chat({"audio": {"data": "UklG"}}),
            chat({"audio": {"transcript": "you", "data": "AAAA", "expires_at": 9}}),
            ended(),
            chat_chunk(
                choices=[],
                usage={
                    "prompt_tokens": 60,
                    "completion_tokens": 40,
                    "total_tokens": 100,
                    "prompt_tokens_details": {"audio_tokens": 50},
                    "completion_tokens_details": {"audio_tokens": 30},
                },
            ),
        ),
        {
            "tokens.in.text": 10,
            "tokens.in.audio": 50,
            "tokens.out.text": 10,
            "tokens.out.audio": 30,
        },
        text="",
    ),
    "groq-usage-beside-the-last-chunk": Case(
        "groq/m",
        CHAT,
        sse(
            chat({"content": "Hi"}, x_groq={"id": "req_1"}),
            ended(
                x_groq={
                    "id": "req_1",
                    "usage": {
                        "prompt_tokens": 18,
                        "completion_tokens": 2,
                        "total_tokens": 20,
                        "queue_time": 0.01,
                    },
                }
            ),
        ),
        {"tokens.in.text": 18, "tokens.out.text": 2},
    ),
    "openrouter-comments-and-cost": Case(
        "openrouter/a/m",
        CHAT,
        [
            b": OPENROUTER PROCESSING\n\n",
            *sse(
                chat({"reasoning": "Hm", "content": ""}),
                chat({"content": "Hi"}),
                ended(),
                chat_chunk(
                    choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": None}],
                    usage={
                        "prompt_tokens": 28,
                        "completion_tokens": 38,
                        "total_tokens": 66,
                        "cost": 7.1e-05,
                        "is_byok": False,
                        "cost_details": {"upstream_inference_cost": None},
                        "completion_tokens_details": {"reasoning_tokens": 20},
                    },
                ),
            ),
        ],
        {"tokens.in.text": 28, "tokens.out.text": 18, "tokens.out.reasoning": 20},
        reasoning="Hm",
        usd="0.000071",
    ),
    "mistral-content-parts": Case(
        "mistral/m",
        CHAT,
        list(
            utf8(
                sse(
                    chat(
                        {
                            "content": [
                                {"type": "thinking", "thinking": [{"type": "text", "text": "Hä"}]}
                            ]
                        }
                    ),
                    chat(
                        {
                            "content": [
                                {"type": "thinking", "thinking": [{"type": "text", "text": "?"}]},
                                {"type": "text", "text": "H"},
                            ]
                        }
                    ),
                    chat({"content": "i"}),
                    ended(usage={"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}),
                )
            )
        ),
        {"tokens.in.text": 5, "tokens.out.text": 8},
        reasoning="Hä?",
    ),
    "deepseek-hits-and-misses": Case(
        "deepseek/m",
        CHAT,
        sse(
            chat({"reasoning_content": "Hm"}),
            chat({"content": "Hi"}),
            ended(),
            chat_chunk(
                choices=[],
                usage={
                    "prompt_tokens": 1000,
                    "completion_tokens": 10,
                    "total_tokens": 1010,
                    "prompt_cache_hit_tokens": 900,
                    "prompt_cache_miss_tokens": 100,
                    "completion_tokens_details": {"reasoning_tokens": 4},
                },
            ),
        ),
        {
            "tokens.in.text": 100,
            "tokens.in.cache_read": 900,
            "tokens.out.text": 6,
            "tokens.out.reasoning": 4,
        },
        reasoning="Hm",
    ),
    "azure-filter-results-first": Case(
        "azure/m",
        "/openai/deployments/m/chat/completions",
        sse(
            {"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": [{}]},
            chat({"role": "assistant", "content": "", "refusal": None}),
            chat({"content": "Hi"}),
            {**chat_chunk(), "choices": [{"index": 0, "content_filter_offsets": {}}]},
            ended(),
            chat_chunk(
                choices=[],
                usage={"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
            ),
        ),
        {"tokens.in.text": 9, "tokens.out.text": 1},
        base="",
    ),
    "responses-searches": Case(
        "openai/m",
        "/v1/responses",
        named(
            {"type": "response.output_item.done", "output_index": 0, "item": SEARCH},
            {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi"},
            {
                "type": "response.completed",
                "response": {
                    "id": "resp_1",
                    "object": "response",
                    "status": "completed",
                    "model": "m",
                    "service_tier": "default",
                    "tools": [{"type": "web_search"}],
                    "output": [SEARCH, ANSWER],
                    "usage": {
                        "input_tokens": 100,
                        "output_tokens": 20,
                        "total_tokens": 120,
                        "output_tokens_details": {"reasoning_tokens": 15},
                    },
                },
            },
        ),
        {"tokens.in.text": 100, "tokens.out.text": 5, "tokens.out.reasoning": 15},
        {"fee.web_search": 1},
        arguments={"api": "responses"},
    ),
    "gemini-thoughts-tools-and-audio": Case(
        "gemini/m",
        GEMINI,
        sse(
            gemini({"text": "Hm", "thought": True}, promptTokenCount=199, thoughtsTokenCount=9),
            gemini({"text": "Hi"}, promptTokenCount=199, candidatesTokenCount=1),
            gemini(
                promptTokenCount=199,
                toolUsePromptTokenCount=248,
                candidatesTokenCount=29,
                thoughtsTokenCount=140,
                totalTokenCount=616,
                promptTokensDetails=[
                    {"modality": "TEXT", "tokenCount": 99},
                    {"modality": "AUDIO", "tokenCount": 100},
                ],
            ),
        ),
        {
            "tokens.in.text": 99 + 248,
            "tokens.in.audio": 100,
            "tokens.out.text": 29,
            "tokens.out.reasoning": 140,
        },
        reasoning="Hm",
        base="/v1beta",
    ),
    "converse-cache-details": Case(
        "bedrock/m",
        CONVERSE,
        converse(
            {
                "inputTokens": 3,
                "outputTokens": 5,
                "totalTokens": 1008,
                "cacheReadInputTokens": 600,
                "cacheWriteInputTokens": 400,
                "cacheDetails": [
                    {"ttl": "1h", "inputTokens": 300},
                    {"ttl": "5m", "inputTokens": 100},
                ],
            }
        ),
        {
            "tokens.in.text": 3,
            "tokens.in.cache_read": 600,
            "tokens.in.cache_write.1h": 300,
            "tokens.in.cache_write.5m": 100,
            "tokens.out.text": 5,
        },
        base="",
        arguments={"region": "us-east-1"},
        content_type=EVENT_STREAM,
    ),
    "cohere-search-units": Case(
        "cohere/m",
        "/v2/chat",
        named(
            {"type": "message-start", "id": "co_1", "delta": {"message": {"role": "assistant"}}},
            {
                "type": "content-delta",
                "index": 0,
                "delta": {"message": {"content": {"text": "Hi"}}},
            },
            {
                "type": "message-end",
                "delta": {
                    "finish_reason": "COMPLETE",
                    "usage": {
                        "billed_units": {
                            "input_tokens": 17.0,
                            "output_tokens": 2.0,
                            "search_units": 1.0,
                        },
                        "tokens": {"input_tokens": 215.0, "output_tokens": 4.0},
                    },
                },
            },
        ),
        {"tokens.in.text": 17, "tokens.out.text": 2},
        {"fee.search_unit": 1},
        base="",
    ),
    "ollama-without-the-prompts-count": Case(
        "ollama/m",
        "/api/chat",
        [
            b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n',
            b'{"model":"m","message":{"role":"assistant","content":""},"done":true,'
            b'"done_reason":"stop","eval_count":2}',
        ],
        {"tokens.out.text": 2},
        flags=("missing:input",),
        base="",
        content_type="application/x-ndjson",
    ),
}


def replied(case: Case, server: FrameServer) -> Reply:
    """The reply of a case, through the whole core."""
    headers = {"content-type": case.content_type}
    server.script(case.path, frames=case.frames, headers=headers)
    stream = completion(
        case.model,
        HELLO,
        stream=True,
        base_url=server.url + case.base,
        api_key="k",
        **case.arguments,
    )
    list(stream)
    return stream.reply


@pytest.mark.parametrize("name", CASES)
def test_rare_streams(name: str, frame_server: FrameServer) -> None:
    case = CASES[name]
    reply = replied(case, frame_server)
    (choice,) = reply.choices
    assert choice.message.content == case.text
    assert choice.message.reasoning_content == case.reasoning
    assert reply.meters is not None
    assert reply.meters.buckets == case.buckets
    assert reply.meters.fees == case.fees
    assert reply.meters.flags == case.flags
    assert reply.meters.served.reported_usd == (Decimal(case.usd) if case.usd else None)
    assert reply.usage is not None
    prompt = [count for meter, count in case.buckets.items() if meter.startswith("tokens.in.")]
    assert reply.usage.prompt_tokens == (sum(prompt) if prompt else None)


def test_audio_is_joined(frame_server: FrameServer) -> None:
    reply = replied(CASES["openai-audio-in-and-out"], frame_server)
    assert reply.choices[0].message.audio == {
        "id": "audio_1",
        "transcript": "Hi you",
        "data": "UklGAAAA",
        "expires_at": 9,
    }


def test_the_tier_that_served_is_told(frame_server: FrameServer) -> None:
    reply = replied(CASES["openai-cache-writes-and-a-tier"], frame_server)
    assert reply.service_tier == "priority"
    assert reply.meters is not None
    assert reply.meters.served.tier == "priority"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttlingException", RateLimitError),
        ("serviceUnavailableException", ServiceUnavailableError),
        ("internalServerException", InternalServerError),
        ("modelStreamErrorException", APIError),
    ],
)
def test_exceptions_in_the_middle_of_an_aws_stream(
    kind: str, error: type[APIError], frame_server: FrameServer
) -> None:
    frames = [*converse({})[:2], aws_frame(kind, {"message": SAID}, "exception")]
    frame_server.script(CONVERSE, frames=frames, headers={"content-type": EVENT_STREAM})
    stream = completion(
        "bedrock/m",
        HELLO,
        stream=True,
        base_url=frame_server.url,
        api_key="k",
        region="us-east-1",
    )
    with pytest.raises(error, match=SAID):
        list(stream)
    assert stream.reply.choices[0].message.content == "Hi"


@pytest.mark.parametrize(
    ("model", "path", "base", "frames", "error"),
    [
        pytest.param(
            "anthropic/m",
            MESSAGES,
            "",
            [
                *message({"input_tokens": 3, "output_tokens": 1})[:3],
                *named(
                    {
                        "type": "error",
                        "error": {"type": "overloaded_error", "message": SAID},
                    }
                ),
            ],
            OverloadedError,
            id="anthropic",
        ),
        pytest.param(
            "openai/m",
            CHAT,
            "/v1",
            sse(
                chat({"content": "Hi"}),
                {"error": {"message": SAID, "type": "server_error"}},
            ),
            InternalServerError,
            id="openai",
        ),
        pytest.param(
            "openrouter/a/m",
            CHAT,
            "/v1",
            sse(
                chat({"content": "Hi"}),
                {
                    **chat_chunk(),
                    "error": {"code": 502, "message": SAID},
                    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                },
            ),
            InternalServerError,
            id="openrouter",
        ),
        pytest.param(
            "gemini/m",
            GEMINI,
            "/v1beta",
            sse(
                gemini({"text": "Hi"}),
                {"error": {"code": 503, "message": SAID, "status": "UNAVAILABLE"}},
            ),
            ServiceUnavailableError,
            id="gemini",
        ),
        pytest.param(
            "cohere/m",
            "/v2/chat",
            "",
            named(
                {
                    "type": "content-delta",
                    "index": 0,
                    "delta": {"message": {"content": {"text": "Hi"}}},
                },
                {
                    "type": "message-end",
                    "delta": {"finish_reason": "ERROR", "error": SAID},
                },
            ),
            APIError,
            id="cohere",
        ),
    ],
)
def test_errors_in_the_middle_of_a_stream_keep_what_came(
    model: str,
    path: str,
    base: str,
    frames: list[bytes],
    error: type[APIError],
    frame_server: FrameServer,
) -> None:
    frame_server.script(path, frames=frames)
    stream = completion(model, HELLO, stream=True, base_url=frame_server.url + base, api_key="k")
    with pytest.raises(error, match=SAID):
        list(stream)
    assert stream.reply.choices[0].message.content == "Hi"


def test_an_error_line_of_ollamas(frame_server: FrameServer) -> None:
    frames = [
        b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n',
        b'{"error":"no memory left"}\n',
    ]
    frame_server.script(
        "/api/chat", frames=frames, headers={"content-type": "application/x-ndjson"}
    )
    stream = completion("ollama/m", HELLO, stream=True, base_url=frame_server.url)
    with pytest.raises(APIError, match="no memory left"):
        list(stream)
    assert stream.reply.choices[0].message.content == "Hi"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_body_that_is_not_packed_as_it_says(stream: Any, frame_server: FrameServer) -> None:
    headers = {"content-encoding": "gzip", "content-type": "text/event-stream"}
    frame_server.script(CHAT, frames=[b"data: {}", b"\n\n"], headers=headers)
    asked: dict[str, Any] = {"base_url": f"{frame_server.url}/v1", "num_retries": 0}
    with pytest.raises(APIConnectionError):
        list(completion("m", HELLO, stream=stream, **asked))
