"""Faults that users of other libraries reported, each with what is right, through the whole core.

Every test is named after its reports; "own run" ones were found by running LiteLLM 1.110.2. Their
neighbours: costs in `tests/pricing/test_reports.py` and `test_audit_reports.py`, the reading of
usage alone in `tests/core/test_usage*.py` and `test_observation.py`, retries and fallbacks in
`test_attempts.py`, wrapped SDKs and functions in `tests/middleware`, and lost rows and budgets
there and in `tests/exporters`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from streams import aws_frame
from wire import chat_chunk, named, sse

from costspan.core import errors
from costspan.core.completion import completion
from costspan.core.endpoint import Endpoint
from costspan.core.errors import APIConnectionError, APIError, BadRequestError
from costspan.core.reply import Reply, TokenUsage
from costspan.core.stream import Stream

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
GEMINI = "/v1beta/models/m:generateContent"


def ask(server: FrameServer, model: str = "openai/m", **arguments: Any) -> Any:
    """A completion by this server, whatever the model's wire format."""
    base = "/v1beta" if model.startswith("gemini/") else "/v1"
    given = {"base_url": server.url + base, "api_key": "k", "messages": HELLO, **arguments}
    return completion(model, **given)


def chat_body(usage: object = None, **more: object) -> dict[str, object]:
    """A whole chat that says Hi."""
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage, **more}


def message_body(usage: object, *blocks: object) -> dict[str, object]:
    """A whole message that says Hi."""
    content = [*blocks, {"type": "text", "text": "Hi"}]
    return {"type": "message", "content": content, "stop_reason": "end_turn", "usage": usage}


def gemini_body(usage: object, *parts: object) -> dict[str, object]:
    """A whole answer of Gemini's."""
    content = {"role": "model", "parts": list(parts) or [{"text": "Hi"}]}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage}


def message_stream(usage: dict[str, object], **end: object) -> list[bytes]:
    """A streamed message that says Hi."""
    message = {"type": "message", "role": "assistant", "content": [], "usage": usage}
    return named(
        {"type": "message_start", "message": message},
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


def text(piece: str, reason: str | None = None, **more: object) -> dict[str, object]:
    """A chunk of a streamed chat."""
    choice = {"index": 0, "delta": {"content": piece}, "finish_reason": reason}
    return chat_chunk(choices=[choice], **more)


DONE = b"data: [DONE]\n\n"


def counts(usage: TokenUsage | None) -> tuple[int | None, int | None, int | None]:
    """Prompt, completion and total."""
    assert usage is not None
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


# --- 1. what a usage means -------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """A usage that was read wrongly.

    Attributes:
        model: Whose usage it is.
        usage: As the provider sends it.
        buckets: What it means.
        prompt, completion, total: In OpenAI's terms.
        cached, reasoning: Details of them.
        fees, flags: Of the reading.
    """

    model: str
    usage: dict[str, object]
    buckets: dict[str, int]
    prompt: int
    completion: int
    total: int
    cached: int | None = None
    reasoning: int | None = None
    fees: dict[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


# fmt: off
REPORTS = {
    "BerriAI/litellm#9812,#6576": Report(
        "anthropic/m",
        {"input_tokens": 3, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": 0,
         "output_tokens": 550},
        {"tokens.in.text": 3, "tokens.in.cache_read": 0, "tokens.in.cache_write.5m": 12304,
         "tokens.out.text": 550},
        12307, 550, 12857, cached=0),
    "BerriAI/litellm#6575": Report(
        "anthropic/m",
        {"input_tokens": 0, "cache_creation_input_tokens": 1000, "output_tokens": 0},
        {"tokens.in.text": 0, "tokens.in.cache_write.5m": 1000, "tokens.out.text": 0},
        1000, 0, 1000),
    "BerriAI/litellm#11364": Report(
        "anthropic/m",
        {"input_tokens": 10, "cache_read_input_tokens": 66360,
         "cache_creation_input_tokens": 32435, "output_tokens": 5120,
         "output_tokens_details": {"thinking_tokens": 1710}},
        {"tokens.in.text": 10, "tokens.in.cache_read": 66360, "tokens.in.cache_write.5m": 32435,
         "tokens.out.text": 3410, "tokens.out.reasoning": 1710},
        98805, 5120, 103925, cached=66360, reasoning=1710),
    "BerriAI/litellm#16377": Report(
        "anthropic/m",
        {"input_tokens": 10, "cache_read_input_tokens": 200000,
         "cache_creation_input_tokens": 50000, "output_tokens": 1000},
        {"tokens.in.text": 10, "tokens.in.cache_read": 200000, "tokens.in.cache_write.5m": 50000,
         "tokens.out.text": 1000},
        250010, 1000, 251010, cached=200000),
    "browser-use/browser-use#5305": Report(
        "anthropic/m",
        {"input_tokens": 1200, "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300,
         "output_tokens": 0},
        {"tokens.in.text": 1200, "tokens.in.cache_read": 500, "tokens.in.cache_write.5m": 300,
         "tokens.out.text": 0},
        2000, 0, 2000, cached=500),
    "BerriAI/litellm#36290,#30099": Report(
        "anthropic/m",
        {"input_tokens": 29, "output_tokens": 391,
         "output_tokens_details": {"thinking_tokens": 180}},
        {"tokens.in.text": 29, "tokens.out.text": 211, "tokens.out.reasoning": 180},
        29, 391, 420, reasoning=180),
    "BerriAI/litellm#31355,#26153": Report(
        "anthropic/m",
        {"input_tokens": 100, "output_tokens": 10, "server_tool_use": {"web_search_requests": 3}},
        {"tokens.in.text": 100, "tokens.out.text": 10},
        100, 10, 110, fees={"fee.web_search": 3}),
    "langfuse/langfuse-python#1747,#1549,#1299,#1451": Report(
        "anthropic/m",
        {"input_tokens": 5, "output_tokens": 2, "cache_creation_input_tokens": 30,
         "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
         "service_tier": "standard", "inference_geo": "not_available", "server_tool_use": None},
        {"tokens.in.text": 5, "tokens.in.cache_write.5m": 10, "tokens.in.cache_write.1h": 20,
         "tokens.out.text": 2},
        35, 2, 37),
    "BerriAI/litellm#15945": Report(
        "openai/m",
        {"prompt_tokens": 9126, "completion_tokens": 3197, "total_tokens": 12323,
         "prompt_tokens_details": {"cached_tokens": 4864}},
        {"tokens.in.text": 4262, "tokens.in.cache_read": 4864, "tokens.out.text": 3197},
        9126, 3197, 12323, cached=4864),
    "openlit/openlit#1379": Report(
        "openai/m",
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
         "prompt_tokens_details": {"cached_tokens": 1000, "audio_tokens": 0}},
        {"tokens.in.text": 0, "tokens.in.cache_read": 1000, "tokens.in.audio": 0,
         "tokens.out.text": 10},
        1000, 10, 1010, cached=1000),
    "BerriAI/litellm#19764,#19771": Report(
        "openai/m",
        {"prompt_tokens": 20, "completion_tokens": 592, "total_tokens": 612,
         "completion_tokens_details": {"text_tokens": 110, "audio_tokens": 482}},
        {"tokens.in.text": 20, "tokens.out.text": 110, "tokens.out.audio": 482},
        20, 592, 612),
    "BerriAI/litellm#38457": Report(
        "openai/m",
        {"prompt_tokens": 20, "completion_tokens": 85, "total_tokens": 105,
         "completion_tokens_details": {"reasoning_tokens": 38, "audio_tokens": 47}},
        {"tokens.in.text": 20, "tokens.out.text": 0, "tokens.out.reasoning": 38,
         "tokens.out.audio": 47},
        20, 85, 105, reasoning=38),
    "Wei-Shaw/sub2api#5771,vercel/ai#12425": Report(
        "xai/m",
        {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
         "prompt_tokens_details": {"cached_tokens": 128},
         "completion_tokens_details": {"reasoning_tokens": 2809}},
        {"tokens.in.text": 9992, "tokens.in.cache_read": 128, "tokens.out.text": 1499,
         "tokens.out.reasoning": 2809},
        10120, 4308, 14428, cached=128, reasoning=2809),
    "BerriAI/litellm#5017,#16009,Aider-AI/aider#5425": Report(
        "deepseek/m",
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
         "prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100},
        {"tokens.in.text": 100, "tokens.in.cache_read": 900, "tokens.out.text": 10},
        1000, 10, 1010, cached=900),
    "own run: more reasoning than output": Report(
        "openai/m",
        {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
         "completion_tokens_details": {"reasoning_tokens": 500}},
        {"tokens.in.text": 1000, "tokens.out.text": 0, "tokens.out.reasoning": 100},
        1000, 100, 1100, reasoning=100, flags=("clamped:tokens.out.reasoning",)),
    "own run: no total": Report(
        "openai/m", {"prompt_tokens": 1000, "completion_tokens": 100},
        {"tokens.in.text": 1000, "tokens.out.text": 100}, 1000, 100, 1100),
    "own run: numbers as text": Report(
        "openai/m", {"prompt_tokens": "1000", "completion_tokens": "100", "total_tokens": "1100"},
        {"tokens.in.text": 1000, "tokens.out.text": 100}, 1000, 100, 1100),
    "BerriAI/litellm#37992": Report(
        "openai/m", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"tokens.in.text": 0, "tokens.out.text": 0}, 0, 0, 0),
    "BerriAI/litellm#14849": Report(
        "gemini/m",
        {"promptTokenCount": 262960, "cachedContentTokenCount": 257955,
         "candidatesTokenCount": 1744, "totalTokenCount": 264704},
        {"tokens.in.text": 5005, "tokens.in.cache_read": 257955, "tokens.out.text": 1744},
        262960, 1744, 264704, cached=257955),
    "BerriAI/litellm#23731": Report(
        "gemini/m",
        {"promptTokenCount": 199, "toolUsePromptTokenCount": 248, "candidatesTokenCount": 29,
         "thoughtsTokenCount": 140, "totalTokenCount": 616},
        {"tokens.in.text": 447, "tokens.out.text": 29, "tokens.out.reasoning": 140},
        447, 169, 616, reasoning=140),
    "BerriAI/litellm#33530": Report(
        "gemini/m",
        {"promptTokenCount": 100, "toolUsePromptTokenCount": 25, "candidatesTokenCount": 40,
         "totalTokenCount": 165},
        {"tokens.in.text": 125, "tokens.out.text": 40},
        125, 40, 165),
    "QuantumNous/new-api#1358": Report(
        "gemini/m",
        {"promptTokenCount": 11, "candidatesTokenCount": 9, "totalTokenCount": 88},
        {"tokens.in.text": 11, "tokens.out.text": 9, "tokens.out.reasoning": 68},
        11, 77, 88, reasoning=68, flags=("identity:reasoning_hidden",)),
    "QuantumNous/new-api#2935": Report(
        "gemini/m",
        {"promptTokenCount": 151, "toolUsePromptTokenCount": 18329, "candidatesTokenCount": 1089,
         "thoughtsTokenCount": 1120, "totalTokenCount": 20689},
        {"tokens.in.text": 18480, "tokens.out.text": 1089, "tokens.out.reasoning": 1120},
        18480, 2209, 20689, reasoning=1120),
    "mozilla-ai/any-llm#1290": Report(
        "gemini/m",
        {"promptTokenCount": 20, "candidatesTokenCount": 198, "thoughtsTokenCount": 405,
         "totalTokenCount": 623},
        {"tokens.in.text": 20, "tokens.out.text": 198, "tokens.out.reasoning": 405},
        20, 603, 623, reasoning=405),
    "BerriAI/litellm#18182": Report(
        "gemini/m",
        {"promptTokenCount": 533, "candidatesTokenCount": 1120, "thoughtsTokenCount": 217,
         "totalTokenCount": 1870,
         "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6},
                                 {"modality": "IMAGE", "tokenCount": 527}],
         "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}]},
        {"tokens.in.text": 6, "tokens.in.image": 527, "tokens.out.text": 0,
         "tokens.out.image": 1120, "tokens.out.reasoning": 217},
        533, 1337, 1870, reasoning=217),
}
# fmt: on


@pytest.mark.parametrize("name", REPORTS)
def test_what_a_usage_means(name: str, frame_server: FrameServer) -> None:
    report = REPORTS[name]
    if report.model.startswith("anthropic/"):
        # Thinking whose text is not shown is part of one of the reports.
        thought = {"type": "thinking", "thinking": "", "signature": "s"}
        frame_server.json(MESSAGES, message_body(report.usage, thought))
    elif report.model.startswith("gemini/"):
        frame_server.json(GEMINI, gemini_body(report.usage))
    else:
        frame_server.json(CHAT, chat_body(report.usage))
    reply = ask(frame_server, report.model)
    assert reply.choices[0].message.content == "Hi"
    assert reply.meters.buckets == report.buckets
    assert reply.meters.fees == report.fees
    assert reply.meters.flags == report.flags
    assert counts(reply.usage) == (report.prompt, report.completion, report.total)
    assert reply.usage.prompt_tokens_details.cached_tokens == report.cached
    assert reply.usage.completion_tokens_details.reasoning_tokens == report.reasoning


@pytest.mark.parametrize("said", [{}, {"usage": None}, {"usage": {}}, {"usage": "none"}])
def test_own_run_usage_that_is_missing_is_unknown_and_not_zero(
    said: dict[str, object], frame_server: FrameServer
) -> None:
    body = {name: value for name, value in chat_body().items() if name != "usage"}
    frame_server.json(CHAT, {**body, **said})
    reply = ask(frame_server)
    known = {} if reply.usage is None else reply.usage.model_dump(exclude_none=True)
    assert {name: value for name, value in known.items() if isinstance(value, int)} == {}


@pytest.mark.parametrize(
    ("report", "asked", "served", "tier"),
    [
        ("BerriAI/litellm#31837", "priority", "default", "standard"),
        ("BerriAI/litellm#37046", None, "priority", "priority"),
    ],
)
def test_the_tier_that_served_and_not_the_one_asked_for(
    report: str, asked: str | None, served: str, tier: str, frame_server: FrameServer
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    frame_server.json(CHAT, chat_body(usage, service_tier=served))
    reply = ask(frame_server, service_tier=asked)
    assert reply.service_tier == served
    assert reply.meters.served.tier == tier


@pytest.mark.parametrize("report", ["BerriAI/litellm#38730", "mlflow/mlflow#22280"])
def test_the_model_that_served_is_told(report: str, frame_server: FrameServer) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    frame_server.json(CHAT, chat_body(usage, model="gpt-4o-2024-08-06"))
    reply = ask(frame_server, "openai/my-deployment")
    assert reply.model == reply.meters.served.model == "gpt-4o-2024-08-06"
    assert frame_server.requests[0].json["model"] == "my-deployment"


@pytest.mark.parametrize("report", ["langfuse/langfuse-python#1101"])
def test_what_the_provider_said_is_left_as_it_is(report: str, frame_server: FrameServer) -> None:
    """The usage that a library handed out was changed by reading it."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
             "prompt_tokens_details": {"cached_tokens": 600}, "of_tomorrow": [1]}  # fmt: skip
    body = chat_body(usage)
    frame_server.json(CHAT, body)
    reply = ask(frame_server)
    assert counts(reply.usage) == (1000, 100, 1100)
    assert reply.raw == json.loads(json.dumps(body))


# --- 2. usage in streams ---------------------------------------------------------------------


def read(server: FrameServer, frames: list[bytes], **arguments: Any) -> Stream:
    """A stream that has been read to its end."""
    server.script(MESSAGES if "model" in arguments else CHAT, frames=frames)
    stream: Stream = ask(server, stream=True, **arguments)
    list(stream)
    return stream


USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(
            sse(
                *(
                    text("x", usage={"prompt_tokens": 10, "completion_tokens": n + 1})
                    for n in range(3)
                ),
            ),
            id="BerriAI/litellm#12970,langfuse/langfuse#8808",
        ),
        pytest.param(
            [*sse(text("x"), text("", "stop"), text("", usage=USAGE)), DONE],
            id="BerriAI/litellm#20760,#21592,#8913",
        ),
        pytest.param(
            [*sse(text("x"), text("", "stop"), chat_chunk(choices=[], usage=USAGE)), DONE],
            id="BerriAI/litellm#8710,#36553,#28735,pydantic/logfire#64,langfuse/langfuse#2833",
        ),
        pytest.param(
            [*sse(text("x"), text("", "stop", usage=USAGE), text("")), DONE],
            id="usage, and then chunks without it",
        ),
        pytest.param(
            sse(text("x"), text("", "stop"), chat_chunk(choices=None, usage=USAGE)),
            id="langfuse/langfuse-python#1745",
        ),
        pytest.param(
            sse(
                text("x"),
                chat_chunk(choices=[{"index": 0, "finish_reason": "stop"}]),
                chat_chunk(choices=[], usage=USAGE),
            ),
            id="langfuse/langfuse-python#1648",
        ),
    ],
)
def test_the_last_usage_of_a_stream_counts_once(
    frames: list[bytes], frame_server: FrameServer
) -> None:
    stream = read(frame_server, frames)
    assert counts(stream.reply.usage) == (10, 3, 13)
    content = stream.reply.choices[0].message.content
    assert content
    assert set(content) == {"x"}


@pytest.mark.parametrize("report", ["BerriAI/litellm#37992"])
def test_zeros_that_were_streamed_stay_zeros(report: str, frame_server: FrameServer) -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    stream = read(frame_server, sse(text("x", "stop"), chat_chunk(choices=[], usage=zeros)))
    assert counts(stream.reply.usage) == (0, 0, 0)


@pytest.mark.parametrize("report", ["BerriAI/litellm#16021,#11626,#32255"])
def test_the_cost_that_a_provider_streams_is_kept(report: str, frame_server: FrameServer) -> None:
    usage = {"prompt_tokens": 28, "completion_tokens": 38, "total_tokens": 66, "cost": 7.1e-05}
    frames = sse(text("x", "stop"), chat_chunk(choices=[], usage=usage))
    frame_server.script(CHAT, frames=frames)
    stream = ask(frame_server, "openrouter/a/m", stream=True)
    list(stream)
    assert counts(stream.reply.usage) == (28, 38, 66)
    assert str(stream.reply.meters.served.reported_usd) == "0.000071"


@pytest.mark.parametrize(
    ("start", "end", "prompt", "cached", "buckets"),
    [
        pytest.param(
            {"input_tokens": 4, "cache_read_input_tokens": 2455, "output_tokens": 1},
            {"output_tokens": 23},
            2459,
            2455,
            {"tokens.in.text": 4, "tokens.in.cache_read": 2455, "tokens.out.text": 23},
            id="BerriAI/litellm#11789,#7790",
        ),
        pytest.param(
            {
                "input_tokens": 15,
                "cache_creation_input_tokens": 4803,
                "cache_creation": {"ephemeral_1h_input_tokens": 4803},
                "output_tokens": 2,
            },
            {"output_tokens": 47},
            4818,
            None,
            {
                "tokens.in.text": 15,
                "tokens.in.cache_write.5m": 0,
                "tokens.in.cache_write.1h": 4803,
                "tokens.out.text": 47,
            },
            id="BerriAI/litellm#31724",
        ),
        pytest.param(
            {"input_tokens": 0, "output_tokens": 0},
            {"input_tokens": 12, "cache_read_input_tokens": 8, "output_tokens": 5},
            20,
            8,
            {"tokens.in.text": 12, "tokens.in.cache_read": 8, "tokens.out.text": 5},
            id="servers that know the prompt at the end only",
        ),
        pytest.param(
            {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1},
            {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 9},
            15,
            5,
            {"tokens.in.text": 10, "tokens.in.cache_read": 5, "tokens.out.text": 9},
            id="pydantic/logfire#1812: said twice, counted once",
        ),
    ],
)
def test_what_a_streamed_message_used(
    start: dict[str, object],
    end: dict[str, object],
    prompt: int,
    cached: int | None,
    buckets: dict[str, int],
    frame_server: FrameServer,
) -> None:
    stream = read(frame_server, message_stream(start, **end), model="anthropic/m")
    output = buckets["tokens.out.text"]
    assert counts(stream.reply.usage) == (prompt, output, prompt + output)
    assert stream.reply.usage is not None
    assert stream.reply.usage.prompt_tokens_details.cached_tokens == cached
    assert stream.meters is not None
    assert stream.meters.buckets == buckets


@pytest.mark.parametrize("report", ["open-telemetry/opentelemetry-python-contrib#4152"])
def test_cumulative_counts_of_gemini_are_not_added(report: str, frame_server: FrameServer) -> None:
    def event(count: int) -> dict[str, object]:
        usage = {"promptTokenCount": 10, "candidatesTokenCount": count}
        return gemini_body({**usage, "totalTokenCount": 10 + count}, {"text": "x"})

    frames = sse(*(event(count) for count in (1, 2, 3)))
    frame_server.script(GEMINI.replace("generate", "streamGenerate"), frames=frames)
    stream = ask(frame_server, "gemini/m", stream=True)
    list(stream)
    assert counts(stream.reply.usage) == (10, 3, 13)


@pytest.mark.parametrize("report", ["BerriAI/litellm#34373,#24845"])
def test_cache_counts_that_bedrock_sends_at_the_end(report: str, frame_server: FrameServer) -> None:
    usage = {"inputTokens": 3, "outputTokens": 7, "totalTokens": 5010,
             "cacheReadInputTokens": 4000, "cacheWriteInputTokens": 1000}  # fmt: skip
    frames = [
        aws_frame("messageStart", {"role": "assistant"}),
        aws_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
        aws_frame("messageStop", {"stopReason": "end_turn"}),
        aws_frame("metadata", {"usage": usage}),
    ]
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    frame_server.script("/model/m/converse-stream", frames=frames, headers=headers)
    stream = ask(
        frame_server, "bedrock/m", stream=True, base_url=frame_server.url, region="us-east-1"
    )
    list(stream)
    assert counts(stream.reply.usage) == (5003, 7, 5010)
    assert stream.meters.buckets == {
        "tokens.in.text": 3,
        "tokens.in.cache_read": 4000,
        "tokens.in.cache_write.5m": 1000,
        "tokens.out.text": 7,
    }


def test_own_run_usage_is_asked_for_and_its_chunk_hidden(frame_server: FrameServer) -> None:
    frames = [*sse(text("x"), text("", "stop"), chat_chunk(choices=[], usage=USAGE)), DONE]
    frame_server.script(CHAT, frames=frames)
    stream = ask(frame_server, "m", stream=True)
    assert all(chunk.choices for chunk in stream)
    assert frame_server.requests[0].json["stream_options"] == {"include_usage": True}
    assert counts(stream.reply.usage) == (10, 3, 13)


@pytest.mark.parametrize("report", ["langfuse/langfuse-python#992", "BerriAI/litellm#35290"])
def test_servers_that_refuse_stream_options_are_not_sent_any(
    report: str, frame_server: FrameServer
) -> None:
    frame_server.script(CHAT, frames=[*sse(text("x", "stop", usage=USAGE)), DONE])
    row = Endpoint("local", base_url=f"{frame_server.url}/v1", include_usage=False)
    stream = completion("mine/m", HELLO, stream=True, api_key="k", endpoints={"mine": row})
    list(stream)
    assert counts(stream.reply.usage) == (10, 3, 13)
    assert "stream_options" not in frame_server.requests[0].json


@pytest.mark.parametrize("report", ["BerriAI/litellm#14457,#35958,#13245"])
def test_a_stream_left_early_has_no_invented_usage(report: str, frame_server: FrameServer) -> None:
    frames = sse(text("one "), text("two"), chat_chunk(choices=[], usage=USAGE))
    frame_server.script(CHAT, frames=frames, pause_s=2)
    with ask(frame_server, stream=True) as stream:
        next(stream)
    assert frame_server.wait_hung_up()
    assert stream.reply.usage is None
    assert stream.reply.choices[0].message.content == "one "


# --- 3. replies and chunks that are odd ------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(None, id="pydantic/logfire#1678: parts are null"),
        pytest.param([{"text": None}], id="pydantic/logfire#2017: text is null"),
        pytest.param([], id="no parts"),
    ],
)
def test_answers_of_gemini_without_text(parts: Any, frame_server: FrameServer) -> None:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 4, "totalTokenCount": 4}
    body = {"candidates": [candidate], "usageMetadata": usage}
    frame_server.json(GEMINI, body)
    frame_server.script(GEMINI.replace("generate", "streamGenerate"), frames=sse(body))
    reply = ask(frame_server, "gemini/m")
    stream = ask(frame_server, "gemini/m", stream=True)
    list(stream)
    for each in (reply, stream.reply):
        assert not each.choices[0].message.content
        assert each.usage.prompt_tokens == 4


@pytest.mark.parametrize(
    "report", ["pydantic/logfire#64", "langfuse/langfuse#2833", "BerriAI/litellm#35785"]
)
def test_a_whole_reply_without_choices(report: str, frame_server: FrameServer) -> None:
    frame_server.json(CHAT, {**chat_body(USAGE), "choices": []})
    reply = ask(frame_server)
    assert reply.choices == []
    assert reply.parsed is None
    assert counts(reply.usage) == (10, 3, 13)


@pytest.mark.parametrize(
    "report",
    [
        "langchain-ai/langchain#34807",
        "huggingface/smolagents#1569",
        "gptscript-ai/gptscript#374",
    ],
)
def test_parallel_tool_calls_that_all_have_number_zero(
    report: str, frame_server: FrameServer
) -> None:
    def call(identity: str, city: str) -> dict[str, object]:
        function = {"name": "weather", "arguments": json.dumps({"city": city})}
        delta = {"tool_calls": [{"index": 0, "id": identity, "function": function}]}
        return chat_chunk(choices=[{"index": 0, "delta": delta}])

    stream = read(frame_server, sse(call("a", "Bern"), call("b", "Rome"), text("", "tool_calls")))
    calls = stream.reply.choices[0].message.tool_calls or []
    cities = [json.loads(each.function.arguments or "")["city"] for each in calls]
    assert cities == ["Bern", "Rome"]
    assert [each.function.name for each in calls] == ["weather", "weather"]


@pytest.mark.parametrize(
    "report", ["mozilla-ai/any-llm#1305", "maximhq/bifrost#1829", "QwenLM/Qwen-Agent#943"]
)
def test_parallel_tool_calls_whose_pieces_are_mixed(report: str, frame_server: FrameServer) -> None:
    def piece(index: int, arguments: str, **head: str) -> dict[str, object]:
        function = {"arguments": arguments, **({"name": "weather"} if head else {})}
        delta = {"tool_calls": [{"index": index, **head, "function": function}]}
        return chat_chunk(choices=[{"index": 0, "delta": delta}])

    frames = sse(piece(0, "", id="a"), piece(1, "", id="b"), piece(0, '{"city": '),
                 piece(1, '{"city": "Ro'), piece(0, '"Bern"}'), piece(1, 'me"}'))  # fmt: skip
    stream = read(frame_server, frames)
    calls = stream.reply.choices[0].message.tool_calls or []
    assert [(each.id, each.function.arguments) for each in calls] == [
        ("a", '{"city": "Bern"}'),
        ("b", '{"city": "Rome"}'),
    ]


@pytest.mark.parametrize(
    "report", ["api7/aisix#111", "librefang/librefang#3448", "agentclientprotocol/python-sdk#135"]
)
def test_characters_that_are_split_between_two_packets(
    report: str, frame_server: FrameServer
) -> None:
    chunk = json.dumps(text("那个 🎈", "stop"), ensure_ascii=False).encode()
    body = b"data: " + chunk + b"\n\n"
    place = body.index("个".encode()) + 1
    stream = read(frame_server, [body[:place], body[place:-12], body[-12:]])
    assert stream.reply.choices[0].message.content == "那个 🎈"


def test_own_run_reasoning_is_the_same_streamed_and_whole(frame_server: FrameServer) -> None:
    """It was a local count of the text, and 0 where streamed; where nothing is said it is None."""
    usage: dict[str, object] = {"input_tokens": 5, "output_tokens": 9}
    thought = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    frame_server.json(MESSAGES, message_body(usage, thought))
    frame_server.script(MESSAGES, frames=message_stream(usage, output_tokens=9))
    whole = ask(frame_server, "anthropic/m")
    stream = ask(frame_server, "anthropic/m", stream=True)
    list(stream)
    for reply in (whole, stream.reply):
        assert reply.usage.completion_tokens_details.reasoning_tokens is None
        assert reply.usage.completion_tokens == 9


def test_own_run_reading_what_is_not_there_never_raises(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, chat_body())
    reply: Reply = ask(frame_server)
    message = reply.choices[0].message
    assert (message.tool_calls, message.refusal, message.audio, reply.usage) == (None,) * 4
    assert (reply.cost, reply.estimate, reply.system_fingerprint) == (None, None, None)
    assert reply["choices"][0]["message"].get("function_call", "none") == "none"


# --- 4. what is asked ------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["openai/m", "anthropic/m", "gemini/m"])
def test_own_run_an_unknown_keyword_is_an_error(model: str, frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="unknown argument 'foo_bar'"):
        ask(frame_server, model, foo_bar=1)
    with pytest.raises(BadRequestError, match="did you mean temperature"):
        ask(frame_server, model, temprature=1)
    assert frame_server.requests == []


def test_own_run_an_unknown_bare_name_says_so_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(BadRequestError, match="no-such-model"):
        completion("no-such-model", HELLO)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("report", ["stanfordnlp/dspy#8058"])
def test_several_answers_of_a_provider_that_gives_one(
    report: str, frame_server: FrameServer
) -> None:
    frame_server.json(MESSAGES, message_body({"input_tokens": 10, "output_tokens": 4}))
    reply = ask(frame_server, "anthropic/m", n=3)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len(frame_server.requests) == len(reply.attempts) == 3
    assert all("n" not in request.json for request in frame_server.requests)
    assert counts(reply.usage) == (30, 12, 42)


def test_own_run_parameters_that_are_left_out_are_named(frame_server: FrameServer) -> None:
    frame_server.json(MESSAGES, message_body({"input_tokens": 1, "output_tokens": 1}))
    with pytest.raises(errors.UnsupportedParamsError, match="seed"):
        ask(frame_server, "anthropic/m", seed=7)
    reply = ask(frame_server, "anthropic/m", seed=7, frequency_penalty=1.0, drop_params=True)
    assert sorted(reply.dropped_params) == ["frequency_penalty", "seed"]
    assert len(frame_server.requests) == 1


@pytest.mark.parametrize(
    "report",
    [
        "open-telemetry/opentelemetry-python-contrib#3926",
        "traceloop/openllmetry#3473,#4431",
        "langfuse/langfuse-python#1240",
    ],
)
def test_what_was_not_given_is_not_sent(report: str, frame_server: FrameServer) -> None:
    frame_server.json(CHAT, chat_body())
    ask(frame_server, temperature=None, tools=None, stop=None, max_tokens=None, n=None)
    assert frame_server.requests[0].json == {"model": "m", "messages": HELLO}


def test_own_run_legacy_functions_work_with_every_format(frame_server: FrameServer) -> None:
    use = {"type": "tool_use", "id": "t", "name": "now", "input": {}}
    call = {"functionCall": {"name": "now", "args": {}}}
    frame_server.json(MESSAGES, message_body({"input_tokens": 1, "output_tokens": 1}, use))
    frame_server.json(GEMINI, gemini_body({}, call))
    schema = {"type": "object", "properties": {}}
    for model in ("anthropic/m", "gemini/m"):
        reply = ask(
            frame_server,
            model,
            functions=[{"name": "now", "parameters": schema}],
            function_call={"name": "now"},
        )
        function = reply.choices[0].message.function_call
        assert function is not None
        assert function.name == "now"
        assert json.loads(function.arguments) == {}
    message, generate = (request.json for request in frame_server.requests)
    assert message["tool_choice"] == {"type": "tool", "name": "now"}
    assert "functions" not in {*message, *generate}


def test_own_run_a_thinking_budget_that_leaves_nothing_is_refused(
    frame_server: FrameServer,
) -> None:
    """A budget of 1024 was sent with max_tokens 500, which the API refuses."""
    for arguments in (
        {"thinking_budget": 1024, "max_tokens": 500},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 2000},
    ):
        with pytest.raises(BadRequestError, match="max_tokens"):
            ask(frame_server, "anthropic/m", **arguments)
    assert frame_server.requests == []
    frame_server.json(MESSAGES, message_body({"input_tokens": 1, "output_tokens": 1}))
    ask(frame_server, "anthropic/m", reasoning_effort="low", max_tokens=500)
    sent = frame_server.requests[0].json
    assert sent["max_tokens"] == 500
    assert "budget_tokens" not in json.dumps(sent)


def test_own_run_without_a_bound_it_is_not_the_models_maximum(frame_server: FrameServer) -> None:
    """64,000 tokens were asked for, whose worst case is what a budget must set aside."""
    frame_server.json(MESSAGES, message_body({"input_tokens": 1, "output_tokens": 1}))
    ask(frame_server, "anthropic/claude-sonnet-4-5")
    assert frame_server.requests[0].json["max_tokens"] == 4096


@pytest.mark.parametrize("arguments", ["", "{}", None])
def test_own_run_a_tool_call_without_arguments_is_sent_back_as_one(
    arguments: str | None, frame_server: FrameServer
) -> None:
    """Gemini was sent ``{"type": "object"}`` for it."""
    function = {"name": "now", "arguments": arguments}
    history = [
        *HELLO,
        {"role": "assistant", "content": None,
         "tool_calls": [{"id": "t", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "t", "content": "noon"},
    ]  # fmt: skip
    frame_server.json(MESSAGES, message_body({"input_tokens": 1, "output_tokens": 1}))
    frame_server.json(GEMINI, gemini_body({}))
    for model in ("anthropic/m", "gemini/m"):
        ask(frame_server, model, messages=history)
    message: Any
    generate: Any
    message, generate = (request.json for request in frame_server.requests)
    (use,) = message["messages"][1]["content"]
    assert (use["type"], use["input"]) == ("tool_use", {})
    (part,) = generate["contents"][1]["parts"]
    assert part["functionCall"]["name"] == "now"
    assert part["functionCall"].get("args", {}) == {}
    (answer,) = generate["contents"][2]["parts"]
    assert answer["functionResponse"]["name"] == "now"


def test_own_run_a_schema_is_kept_strict_and_calls_one_after_another(
    frame_server: FrameServer,
) -> None:
    frame_server.json(MESSAGES, message_body({"input_tokens": 1, "output_tokens": 1}))
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    function = {"name": "now", "parameters": schema, "strict": True}
    ask(
        frame_server,
        "anthropic/m",
        tools=[{"type": "function", "function": function}],
        tool_choice="required",
        parallel_tool_calls=False,
        user="someone@example.com",
    )
    sent: Any = frame_server.requests[0].json
    assert sent["tools"][0]["strict"] is True
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    # Whether an address may be sent is the caller's to say: it was left out without a word.
    assert sent["metadata"] == {"user_id": "someone@example.com"}


# --- 5. addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "address", "path"),
    [
        pytest.param("openai/m", "/v1/", CHAT, id="BerriAI/litellm#8350,sigoden/aichat#767"),
        pytest.param("m", "/api/v1//", "/api/v1/chat/completions", id="sipeed/picoclaw#132"),
        pytest.param("anthropic/m", "", MESSAGES, id="anthropic without a version"),
        pytest.param("anthropic/m", "/v1", MESSAGES, id="BerriAI/litellm#36956,#26037"),
        pytest.param("anthropic/m", "/v1/", MESSAGES, id="OpenHands/OpenHands#6836"),
        pytest.param(
            "openai/m", "/v1?api-version=1", f"{CHAT}?api-version=1", id="a query of the address"
        ),
    ],
)
def test_addresses_as_people_write_them(
    model: str, address: str, path: str, frame_server: FrameServer
) -> None:
    anthropic = model.startswith("anthropic/")
    body = message_body({"input_tokens": 1, "output_tokens": 1}) if anthropic else chat_body()
    frame_server.json(path.partition("?")[0], body)
    ask(frame_server, model, base_url=frame_server.url + address)
    assert frame_server.requests[0].path == path


@pytest.mark.parametrize("report", ["BerriAI/litellm#20812", "BerriAI/litellm#7744"])
def test_a_wrong_address_is_named(report: str, frame_server: FrameServer) -> None:
    for address in ("", "/v1/chat/completions"):
        with pytest.raises(errors.NotFoundError, match="base_url"):
            ask(frame_server, base_url=frame_server.url + address)
    frame_server.script(
        "/chat/completions", frames=[b"<html>"], headers={"content-type": "text/html"}
    )
    with pytest.raises(errors.APIResponseValidationError, match="check base_url"):
        ask(frame_server, base_url=frame_server.url)


# --- 6. failures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (402, "QuotaExceededError"),
        (403, "PermissionDeniedError"),
        (409, "ConflictError"),
        (413, "BadRequestError"),
        (418, "APIStatusError"),
        (422, "UnprocessableEntityError"),
        (529, "OverloadedError"),
    ],
)
@pytest.mark.parametrize("model", ["openai/m", "anthropic/m", "gemini/m"])
def test_own_run_the_same_failure_is_the_same_class_everywhere(
    model: str, status: int, name: str, frame_server: FrameServer
) -> None:
    """They were one class at OpenAI's and others at Anthropic's: 402, 403, 409, 413, 529 ..."""
    body = {"error": {"message": "no", "type": "t", "code": None}}
    for path in (CHAT, MESSAGES, GEMINI):
        frame_server.json(path, body, status=status)
    with pytest.raises(APIError) as caught:
        ask(frame_server, model, num_retries=0)
    assert type(caught.value).__name__ == name
    assert caught.value.status_code == status
    assert caught.value.model == "m"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ({"code": "insufficient_quota", "message": "no"}, "QuotaExceededError"),
        ({"code": "rate_limit_exceeded", "message": "no"}, "RateLimitError"),
    ],
)
def test_own_run_nothing_left_to_spend_is_not_too_fast(
    error: dict[str, str], name: str, frame_server: FrameServer
) -> None:
    frame_server.json(CHAT, {"error": error}, status=429)
    with pytest.raises(errors.RateLimitError) as caught:
        ask(frame_server, num_retries=1, policy=None)
    assert type(caught.value).__name__ == name
    # To ask again helps against the one only.
    assert len(frame_server.requests) == (1 if name == "QuotaExceededError" else 2)


def test_own_run_an_error_in_the_middle_keeps_the_text(frame_server: FrameServer) -> None:
    """It was a failure of 0 tokens and no cost, though the text had been delivered."""
    failed = {"error": {"message": "busy", "type": "overloaded_error", "code": 529}}
    frame_server.script(CHAT, frames=sse(text("one "), text("two"), failed))
    stream = ask(frame_server, stream=True)
    with pytest.raises(errors.OverloadedError, match="busy"):
        list(stream)
    assert stream.reply.choices[0].message.content == stream.output_text == "one two"
    assert stream.reply.usage is None


@pytest.mark.parametrize("report", ["pydantic/logfire#1668"])
def test_the_cause_of_a_broken_stream_is_kept(report: str, frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=sse(text("one "), text("two")), cut=True)
    stream = ask(frame_server, stream=True)
    with pytest.raises(APIConnectionError) as caught:
        list(stream)
    assert type(caught.value.__cause__).__name__ == "RemoteProtocolError"
    assert stream.reply.choices[0].message.content == "one two"
    assert stream.reply.choices[0].finish_reason is None


def test_own_run_retries_need_nothing_more_and_keep_the_error(frame_server: FrameServer) -> None:
    """Where a library was missing, a bare exception about that took the place of the error."""
    frame_server.json(CHAT, {"error": {"message": "broken"}}, 500, {"retry-after-ms": "1"})
    with pytest.raises(errors.InternalServerError, match="broken") as caught:
        ask(frame_server, num_retries=2)
    assert caught.value.attempts == len(frame_server.requests) == 3


def test_own_run_the_error_of_the_last_model_is_the_one_raised(
    frame_server: FrameServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was an APIConnectionError whatever had happened, and tracebacks were printed."""
    frame_server.json(CHAT, {"error": {"message": "too fast"}}, 429)
    frame_server.json(MESSAGES, {"error": {"message": "no such model"}}, 404)
    other = {"model": "anthropic/n", "base_url": frame_server.url, "api_key": "k"}
    with pytest.raises(errors.NotFoundError, match="no such model"):
        ask(frame_server, num_retries=0, fallbacks=[other])
    assert capfd.readouterr() == ("", "")


def test_own_run_a_mock_invents_no_usage() -> None:
    """It was 10 and 20 tokens, whatever the text."""
    reply = completion("openai/m", HELLO, mock_response="Hi")
    assert reply.choices[0].message.content == "Hi"
    assert reply.usage is None
    with pytest.raises(errors.RateLimitError):
        completion("openai/m", HELLO, mock_response="litellm.RateLimitError", num_retries=0)
