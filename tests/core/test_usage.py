"""Usage objects of every wire format, read into disjoint buckets worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costspan.core.types import Usage
from costspan.core.usage import read_usage

Payload = dict[str, Any]


def read(payload: Payload | None, provider: str, api: str, **response: Any) -> Usage:
    usage = read_usage(payload, provider=provider, api=api, response=response or None)
    assert usage is not None
    return usage


INCLUSIVE_CHAT = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920},
    "completion_tokens_details": {"reasoning_tokens": 128},
}
AS_LEAVES = {
    "tokens.in.text": 86,
    "tokens.in.cache_read": 1920,
    "tokens.out.text": 172,
    "tokens.out.reasoning": 128,
}


CHAT_PROVIDERS = (
    "openai azure mistral groq together fireworks cerebras moonshotai zhipu zhipu-cn minimax "
    "alibaba ollama openrouter deepseek some-new-host"
)


@pytest.mark.parametrize("provider", CHAT_PROVIDERS.split())
def test_chat_totals_include_cache_and_reasoning(provider: str) -> None:
    usage = read(INCLUSIVE_CHAT, provider, "chat")
    assert usage.buckets == AS_LEAVES
    assert usage.flags == ()
    assert usage.total_tokens == 2306


# fmt: off
FORMATS: list[tuple[str, str, str, Payload, dict[str, int]]] = [
    ("chat with every detail", "openai", "chat",
     {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
      "prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 300,
                                "audio_tokens": 50},
      "completion_tokens_details": {"audio_tokens": 20, "reasoning_tokens": 30,
                                    "rejected_prediction_tokens": 10}},
     {"tokens.in.text": 450, "tokens.in.cache_read": 200, "tokens.in.cache_write": 300,
      "tokens.in.audio": 50, "tokens.out.text": 50, "tokens.out.audio": 20,
      "tokens.out.reasoning": 30}),
    ("legacy completions", "openai", "completions",
     {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
     {"tokens.in.text": 7, "tokens.out.text": 5}),
    ("responses", "openai", "responses",
     {"input_tokens": 8000, "input_tokens_details": {"cached_tokens": 1000,
                                                     "cache_write_tokens": 5000},
      "output_tokens": 600, "output_tokens_details": {"reasoning_tokens": 100},
      "total_tokens": 8600},
     {"tokens.in.text": 2000, "tokens.in.cache_read": 1000, "tokens.in.cache_write": 5000,
      "tokens.out.text": 500, "tokens.out.reasoning": 100}),
    ("realtime", "openai", "realtime",
     {"input_tokens": 789, "output_tokens": 32, "total_tokens": 821,
      "input_token_details": {"text_tokens": 313, "audio_tokens": 476, "cached_tokens": 640,
                              "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 384}},
      "output_token_details": {"text_tokens": 9, "audio_tokens": 23}},
     {"tokens.in.text": 57, "tokens.in.audio": 92, "tokens.in.cache_read": 256,
      "tokens.in.cache_read.audio": 384, "tokens.out.text": 9, "tokens.out.audio": 23}),
    ("realtime without cache details", "openai", "realtime",
     {"input_tokens": 100, "output_tokens": 1, "input_token_details": {"cached_tokens": 64}},
     {"tokens.in.text": 36, "tokens.in.cache_read": 64, "tokens.out.text": 1}),
    ("images", "openai", "images",
     {"input_tokens": 389, "input_tokens_details": {"text_tokens": 66, "image_tokens": 323},
      "output_tokens": 4160, "total_tokens": 4549},
     {"tokens.in.text": 66, "tokens.in.image": 323, "tokens.out.image": 4160}),
    ("images that answer in text too", "openai", "images",
     {"input_tokens": 10, "output_tokens": 110, "output_tokens_details": {"text_tokens": 10}},
     {"tokens.in.text": 10, "tokens.out.image": 100, "tokens.out.text": 10}),
    ("transcription by tokens", "openai", "transcription",
     {"type": "tokens", "input_tokens": 214, "output_tokens": 45, "total_tokens": 259,
      "input_token_details": {"text_tokens": 14, "audio_tokens": 200}},
     {"tokens.in.text": 14, "tokens.in.audio": 200, "tokens.out.text": 45}),
    ("transcription by seconds", "openai", "transcription",
     {"type": "duration", "seconds": 95}, {"seconds.audio.in": 95}),
    ("embeddings", "openai", "embeddings",
     {"prompt_tokens": 8, "total_tokens": 8}, {"tokens.in.text": 8}),
    ("embeddings that only give a total", "voyage", "embeddings",
     {"total_tokens": 10}, {"tokens.in.text": 10}),
    ("messages", "anthropic", "messages",
     {"input_tokens": 2048, "cache_creation_input_tokens": 556, "cache_read_input_tokens": 1800,
      "cache_creation": {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 100},
      "output_tokens": 503},
     {"tokens.in.text": 2048, "tokens.in.cache_read": 1800, "tokens.in.cache_write.5m": 456,
      "tokens.in.cache_write.1h": 100, "tokens.out.text": 503}),
    ("messages on vertex", "vertex", "messages",
     {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 7},
     {"tokens.in.text": 3, "tokens.in.cache_read": 5, "tokens.out.text": 7}),
    ("invoke on bedrock", "aws", "invoke-claude",
     {"input_tokens": 3, "cache_creation_input_tokens": 5, "output_tokens": 7},
     {"tokens.in.text": 3, "tokens.in.cache_write.5m": 5, "tokens.out.text": 7}),
    ("converse", "aws", "converse",
     {"inputTokens": 1200, "outputTokens": 400, "totalTokens": 11600,
      "cacheReadInputTokens": 8000, "cacheWriteInputTokens": 2000,
      "cacheDetails": [{"ttl": "5m", "inputTokens": 500}, {"ttl": "1h", "inputTokens": 1500}]},
     {"tokens.in.text": 1200, "tokens.in.cache_read": 8000, "tokens.in.cache_write.5m": 500,
      "tokens.in.cache_write.1h": 1500, "tokens.out.text": 400}),
    ("generateContent", "google", "generateContent",
     {"promptTokenCount": 10000, "candidatesTokenCount": 300, "cachedContentTokenCount": 6000,
      "thoughtsTokenCount": 40, "toolUsePromptTokenCount": 500, "totalTokenCount": 10840,
      "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2000},
                              {"modality": "AUDIO", "tokenCount": 8000}],
      "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 6000}]},
     {"tokens.in.text": 2500, "tokens.in.cache_read": 0, "tokens.in.audio": 2000,
      "tokens.in.cache_read.audio": 6000, "tokens.out.text": 300, "tokens.out.reasoning": 40}),
    ("generateContent by the SDK", "google", "generateContent",
     {"prompt_token_count": 1000, "candidates_token_count": 10, "total_token_count": 1010,
      "cached_content_token_count": None,
      "prompt_tokens_details": [{"modality": "IMAGE", "token_count": 500}]},
     {"tokens.in.text": 500, "tokens.in.image": 500, "tokens.out.text": 10}),
    ("an image in the answer", "google", "generateContent",
     {"promptTokenCount": 15, "candidatesTokenCount": 1290, "totalTokenCount": 1305,
      "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]},
     {"tokens.in.text": 15, "tokens.out.text": 0, "tokens.out.image": 1290}),
    ("deepseek", "deepseek", "chat",
     {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500,
      "prompt_tokens_details": {"cached_tokens": 1024}, "prompt_cache_hit_tokens": 1024,
      "prompt_cache_miss_tokens": 176},
     {"tokens.in.text": 176, "tokens.in.cache_read": 1024, "tokens.out.text": 300}),
    ("moonshot names its cache twice", "moonshotai", "chat",
     {"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 64,
      "prompt_tokens_details": {"cached_tokens": 64}},
     {"tokens.in.text": 36, "tokens.in.cache_read": 64, "tokens.out.text": 10}),
    ("grok reasons outside on chat", "x-ai", "chat",
     {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
      "prompt_tokens_details": {"text_tokens": 10120, "cached_tokens": 128},
      "completion_tokens_details": {"reasoning_tokens": 2809}},
     {"tokens.in.text": 9992, "tokens.in.cache_read": 128, "tokens.out.text": 1499,
      "tokens.out.reasoning": 2809}),
    ("grok reasons inside on responses", "x-ai", "responses",
     {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
      "output_tokens_details": {"reasoning_tokens": 40}},
     {"tokens.in.text": 100, "tokens.out.text": 10, "tokens.out.reasoning": 40}),
    ("deep research", "perplexity", "chat",
     {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196,
      "citation_tokens": 18752, "num_search_queries": 18, "reasoning_tokens": 73997},
     {"tokens.in.text": 33, "tokens.in.citation": 18752, "tokens.out.text": 7163,
      "tokens.out.reasoning": 73997}),
    ("cohere bills units", "cohere", "cohere-v2",
     {"billed_units": {"input_tokens": 17.0, "output_tokens": 3.0},
      "tokens": {"input_tokens": 215, "output_tokens": 3}},
     {"tokens.in.text": 17, "tokens.out.text": 3}),
    ("ollama natively", "ollama", "ollama",
     {"prompt_eval_count": 26, "eval_count": 298}, {"tokens.in.text": 26, "tokens.out.text": 298}),
    ("spoken characters", "openai", "speech", {"characters": 40}, {"chars.in": 40}),
    ("scanned pages", "mistral", "ocr", {"pages_processed": 3}, {"pages.ocr": 3}),
    ("opentelemetry", "otel", "gen_ai",
     {"gen_ai.usage.input_tokens": 130213, "gen_ai.usage.output_tokens": 50,
      "gen_ai.usage.cache_read.input_tokens": 130000,
      "gen_ai.usage.cache_creation.input_tokens": 208},
     {"tokens.in.text": 5, "tokens.in.cache_read": 130000, "tokens.in.cache_write": 208,
      "tokens.out.text": 50}),
    ("litellm", "litellm", "usage",
     {"prompt_tokens": 1000, "completion_tokens": 5, "total_tokens": 1005,
      "cache_creation_input_tokens": 300, "prompt_tokens_details": {"cached_tokens": 600}},
     {"tokens.in.text": 100, "tokens.in.cache_read": 600, "tokens.in.cache_write": 300,
      "tokens.out.text": 5}),
]
# fmt: on


@pytest.mark.parametrize(
    ("provider", "api", "payload", "buckets"),
    [row[1:] for row in FORMATS],
    ids=[row[0] for row in FORMATS],
)
def test_each_wire_format(
    provider: str, api: str, payload: Payload, buckets: dict[str, int]
) -> None:
    usage = read(payload, provider, api)
    assert usage.buckets == buckets
    assert usage.flags == ()


@pytest.mark.parametrize(
    ("provider", "api", "payload", "buckets"),
    [row[1:] for row in FORMATS],
    ids=[row[0] for row in FORMATS],
)
def test_a_format_is_recognised_without_its_name(
    provider: str, api: str, payload: Payload, buckets: dict[str, int]
) -> None:
    usage = read_usage(payload, provider=provider, api=None)
    assert usage is not None
    if api not in ("realtime", "images", "transcription"):  # they differ by modality only
        assert usage.input_tokens == read(payload, provider, api).input_tokens


def test_cohere_under_the_name_of_chat_is_still_read() -> None:
    usage = read({"billed_units": {"input_tokens": 17, "output_tokens": 3}}, "cohere", "chat")
    assert usage.buckets == {"tokens.in.text": 17, "tokens.out.text": 3}
    assert usage.profile == "cohere/cohere-v2"


def test_openai_models_on_bedrock_answer_in_their_own_format() -> None:
    usage = read({"prompt_tokens": 6, "completion_tokens": 9, "total_tokens": 15}, "aws", "invoke")
    assert usage.buckets == {"tokens.in.text": 6, "tokens.out.text": 9}
    assert usage.profile == "aws/chat"


def test_a_rerank_has_only_a_fee() -> None:
    usage = read({"billed_units": {"search_units": 2}}, "cohere", "rerank")
    assert usage.buckets == {}
    assert usage.fees == {"fee.search_unit": 2}
    assert usage.input_tokens is None


@pytest.mark.parametrize("missing", [None, {}, {"prompt_tokens": None}, [], "x", 3, {"other": 1}])
def test_missing_usage_is_none_and_not_zero(missing: Any) -> None:
    assert read_usage(missing, provider="openai", api="chat") is None


def test_an_explicit_zero_stays_zero() -> None:
    usage = read({"prompt_tokens": 0, "completion_tokens": 0}, "openai", "chat")
    assert usage.buckets == {"tokens.in.text": 0, "tokens.out.text": 0}
    assert usage.cache_read_tokens is None


@pytest.mark.parametrize(
    ("value", "count"), [("12", 12), (12.0, 12), ("12.0", 12), (Decimal(12), 12), (10**15, 10**15)]
)
def test_numbers_in_other_clothes(value: object, count: int) -> None:
    usage = read({"prompt_tokens": value, "completion_tokens": 1}, "openai", "chat")
    assert usage.buckets["tokens.in.text"] == count
    assert usage.flags == ()


@pytest.mark.parametrize(
    "value",
    [True, False, -1, float("nan"), float("inf"), "junk", "", "-3", "9" * 5000, 1.5, 10**16,
     [1], {"a": 1}, b"1", object()],
)  # fmt: skip
def test_junk_is_left_out_and_named(value: object) -> None:
    usage = read({"prompt_tokens": value, "completion_tokens": 1}, "openai", "chat")
    assert usage.buckets == {"tokens.out.text": 1}
    assert usage.flags == ("invalid:prompt_tokens", "missing:input")


@pytest.mark.parametrize("details", [7, "x", [1, 2], True])
def test_junk_details_are_left_out_and_named(details: object) -> None:
    payload = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": details}
    usage = read(payload, "openai", "chat")
    assert usage.buckets == {"tokens.in.text": 5, "tokens.out.text": 1}
    assert usage.flags == ("invalid:prompt_tokens_details",)


def test_more_cached_than_prompted_is_cut_down() -> None:
    payload = {"prompt_tokens": 100, "completion_tokens": 1,
               "prompt_tokens_details": {"cached_tokens": 500}}  # fmt: skip
    usage = read(payload, "openai", "chat")
    assert usage.buckets["tokens.in.text"] == 0
    assert usage.buckets["tokens.in.cache_read"] == 100
    assert usage.flags == ("clamped:tokens.in.cache_read",)


def test_more_reasoning_than_completion_is_cut_down() -> None:
    payload = {"prompt_tokens": 1, "completion_tokens": 10,
               "completion_tokens_details": {"reasoning_tokens": 20}}  # fmt: skip
    usage = read(payload, "openai", "chat")
    assert usage.output_tokens == 10
    assert usage.flags == ("clamped:tokens.out.reasoning",)


def test_the_identity_shows_reasoning_outside() -> None:
    payload = {"prompt_tokens": 32, "completion_tokens": 1, "total_tokens": 419,
               "completion_tokens_details": {"reasoning_tokens": 386}}  # fmt: skip
    usage = read(payload, "some-gateway", "chat")
    assert usage.output_tokens == 387
    assert usage.flags == ("identity:reasoning_outside",)


def test_the_identity_shows_reasoning_inside() -> None:
    payload = {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60,
               "completion_tokens_details": {"reasoning_tokens": 40}}  # fmt: skip
    usage = read(payload, "x-ai", "chat")
    assert usage.buckets["tokens.out.text"] == 10
    assert usage.output_tokens == 50
    assert usage.flags == ("identity:reasoning_inside",)


@pytest.mark.parametrize(
    ("api", "payload"),
    [
        ("chat", {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}),
        (
            "generateContent",
            {"promptTokenCount": 35, "candidatesTokenCount": 12, "totalTokenCount": 109},
        ),
    ],
)
def test_thoughts_that_only_the_total_knows_of_are_output(api: str, payload: Payload) -> None:
    usage = read(payload, "google", api)
    assert usage.buckets == {
        "tokens.in.text": 35, "tokens.out.text": 12, "tokens.out.reasoning": 62,
    }  # fmt: skip
    assert usage.flags == ("identity:reasoning_hidden",)


def test_the_identity_shows_cache_outside() -> None:
    payload = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 650,
               "prompt_tokens_details": {"cached_tokens": 500}}  # fmt: skip
    usage = read(payload, "some-gateway", "chat")
    assert usage.input_tokens == 600
    assert usage.flags == ("identity:cache_read_outside",)


def test_an_unexplained_total_is_only_named() -> None:
    payload = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 999}
    usage = read(payload, "openai", "chat")
    assert usage.buckets == {"tokens.in.text": 100, "tokens.out.text": 50}
    assert usage.flags == ("identity:total",)


def test_bedrock_totals_may_leave_the_cache_out() -> None:
    payload = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 90}
    assert read(payload, "aws", "converse").flags == ()


def test_what_was_served() -> None:
    usage = read(INCLUSIVE_CHAT, "openai", "chat", model="gpt-5-2025-08-07", service_tier="default")
    assert usage.served.model == "gpt-5-2025-08-07"
    assert usage.served.tier == "standard"
    plain = {"input_tokens": 1, "output_tokens": 1}
    usage = read({**plain, "service_tier": "batch", "speed": "fast", "inference_geo": "us"},
                 "anthropic", "messages", model="claude-opus-5")  # fmt: skip
    served = usage.served
    assert (served.tier, served.speed, served.region) == ("batch", "fast", "us")
    assert read({**plain, "inference_geo": "not_available"}, "anthropic",
                "messages").served.region is None  # fmt: skip
    usage = read({"promptTokenCount": 1, "trafficType": "ON_DEMAND_PRIORITY"}, "google",
                 "generateContent", modelVersion="gemini-2.5-pro")  # fmt: skip
    assert (usage.served.tier, usage.served.model) == ("priority", "gemini-2.5-pro")
    usage = read({"inputTokens": 1}, "aws", "converse", serviceTier={"type": "flex"})
    assert usage.served.tier == "flex"


@pytest.mark.parametrize(
    ("provider", "payload", "usd"),
    [
        ("x-ai", {"prompt_tokens": 1, "cost_in_usd_ticks": 232856000}, "0.0232856"),
        ("openrouter", {"prompt_tokens": 1, "cost": 0.0033789, "is_byok": False}, "0.0033789"),
        ("perplexity", {"prompt_tokens": 1, "cost": {"total_cost": 0.005377}}, "0.005377"),
        ("openai", {"prompt_tokens": 1, "cost": 5}, None),
    ],
)
def test_amounts_that_the_provider_reports(
    provider: str, payload: Payload, usd: str | None
) -> None:
    reported = read(payload, provider, "chat").served.reported_usd
    assert reported == (None if usd is None else Decimal(usd))


def test_the_vendors_bill_behind_a_gateway_counts_with_an_own_key_only() -> None:
    payload = {"prompt_tokens": 1, "cost": 0.1, "is_byok": True,
               "cost_details": {"upstream_inference_cost": 2}}  # fmt: skip
    assert read(payload, "openrouter", "chat").served.upstream_usd == 2
    payload["is_byok"] = False
    assert read(payload, "openrouter", "chat").served.upstream_usd is None


SEARCHES = [
    {"type": "web_search_call", "action": {"type": "search"}},
    {"type": "web_search_call", "action": {"type": "open_page"}},
    {"type": "web_search_call", "action": {"type": "find_in_page"}},
    {"type": "web_search_call"},
    {"type": "file_search_call"},
    {"type": "code_interpreter_call", "container_id": "c1"},
    {"type": "code_interpreter_call", "container_id": "c1"},
    {"type": "message"},
]
TWO_TOKENS = {"input_tokens": 1, "output_tokens": 1}


def test_only_searches_are_search_calls() -> None:
    usage = read(TWO_TOKENS, "openai", "responses", output=SEARCHES, tools=[{"type": "web_search"}])
    assert usage.fees == {"fee.web_search": 2, "fee.file_search": 1, "fee.code_session": 1}


@pytest.mark.parametrize(
    ("tool", "meter"),
    [
        ({"type": "web_search_preview"}, "fee.web_search.preview"),
        ({"type": "web_search_preview_2025_03_11"}, "fee.web_search.preview"),
        (
            {"type": "web_search_preview", "search_context_size": "high"},
            "fee.web_search.preview.high",
        ),
        ({"type": "web_search_2025_08_26"}, "fee.web_search"),
    ],
)
def test_the_preview_tool_has_a_fee_of_its_own(tool: Payload, meter: str) -> None:
    usage = read(TWO_TOKENS, "openai", "responses", output=SEARCHES[:1], tools=[tool])
    assert usage.fees == {meter: 1}


def test_fees_of_other_providers() -> None:
    assert read({**TWO_TOKENS, "server_tool_use": {"web_search_requests": 3}}, "anthropic",
                "messages").fees == {"fee.web_search": 3}  # fmt: skip
    assert read({"promptTokenCount": 1}, "google", "generateContent", candidates=[
        {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}]).fees == {
            "fee.grounding_query": 2}  # fmt: skip
    assert read({**TWO_TOKENS, "server_side_tool_usage_details": {"x_search_calls": 7}}, "x-ai",
                "responses").fees == {"fee.x_search": 7}  # fmt: skip
    assert read({"prompt_tokens": 1, "search_context_size": "high"}, "perplexity",
                "chat").fees == {"fee.request.high": 1}  # fmt: skip


def test_groq_streams_hide_usage_in_x_groq() -> None:
    usage = read(None, "groq", "chat", x_groq={"id": "r", "usage": INCLUSIVE_CHAT})
    assert usage.buckets == AS_LEAVES


def test_the_profile_is_kept_with_the_record() -> None:
    assert read(INCLUSIVE_CHAT, "openai", "chat").profile == "openai/chat"
    assert read(INCLUSIVE_CHAT, "some-new-host", "chat").profile == "openai/chat"


# fmt: off
HALF_TOLD: list[tuple[str, str, Payload, dict[str, int], tuple[str, ...]]] = [
    ("openai", "chat", {"prompt_tokens": None, "completion_tokens": 100, "total_tokens": 100100},
     {"tokens.in.text": 100000, "tokens.out.text": 100}, ("missing:input:from_total",)),
    ("openai", "chat", {"prompt_tokens": 60, "total_tokens": 100},
     {"tokens.in.text": 60, "tokens.out.text": 40}, ("missing:output:from_total",)),
    ("openai", "chat", {"completion_tokens": 9, "total_tokens": 109,
                        "prompt_tokens_details": {"cached_tokens": 64}},
     {"tokens.in.text": 36, "tokens.in.cache_read": 64, "tokens.out.text": 9},
     ("missing:input:from_total",)),
    ("openai", "chat", {"prompt_tokens": 10**30, "completion_tokens": 5, "total_tokens": 1005},
     {"tokens.in.text": 1000, "tokens.out.text": 5},
     ("invalid:prompt_tokens", "missing:input:from_total")),
    ("openai", "chat", {"prompt_tokens": 7.5, "completion_tokens": 5},
     {"tokens.out.text": 5}, ("invalid:prompt_tokens", "missing:input")),
    ("openai", "chat", {"completion_tokens": 5}, {"tokens.out.text": 5}, ("missing:input",)),
    ("openai", "chat", {"prompt_tokens": 5}, {"tokens.in.text": 5}, ("missing:output",)),
    ("openai", "chat", {"completion_tokens": 100, "total_tokens": 50},
     {"tokens.out.text": 100}, ("missing:input", "identity:total")),
    ("openai", "chat", {"total_tokens": 5}, {"tokens.in.text": 5},
     ("missing:input:guessed", "missing:output")),
    ("openai", "responses", {"output_tokens": 3, "total_tokens": 8},
     {"tokens.in.text": 5, "tokens.out.text": 3}, ("missing:input:from_total",)),
    ("anthropic", "messages", {"input_tokens": None, "output_tokens": 9,
                               "cache_read_input_tokens": 4},
     {"tokens.in.cache_read": 4, "tokens.out.text": 9}, ("missing:input",)),
    # Google leaves out what is zero: a blocked prompt, an answer that ended in its thoughts.
    ("google", "generateContent", {"promptTokenCount": 7, "totalTokenCount": 7},
     {"tokens.in.text": 7, "tokens.out.text": 0}, ("missing:output:from_total",)),
    ("google", "generateContent",
     {"promptTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 10},
     {"tokens.in.text": 7, "tokens.out.text": 0, "tokens.out.reasoning": 3},
     ("missing:output:from_total",)),
    ("openai", "images", {"output_tokens": 8}, {"tokens.out.image": 8}, ("missing:input",)),
]
# fmt: on


@pytest.mark.parametrize(("provider", "api", "payload", "buckets", "flags"), HALF_TOLD)
def test_a_side_that_is_not_told_is_told_by_the_total_or_named(
    provider: str, api: str, payload: Payload, buckets: dict[str, int], flags: tuple[str, ...]
) -> None:
    usage = read(payload, provider, api)
    assert (usage.buckets, usage.flags) == (buckets, flags)


@pytest.mark.parametrize(
    ("provider", "api", "payload"),
    [
        ("openai", "embeddings", {"prompt_tokens": 8, "total_tokens": 8}),
        ("voyage", "embeddings", {"total_tokens": 8}),
        ("cohere", "embeddings", {"billed_units": {"image_tokens": 8}}),
        ("cohere", "rerank", {"billed_units": {"search_units": 1}}),
        ("openai", "images", {"input_tokens": 8}),
        ("openai", "transcription", {"type": "duration", "seconds": 95}),
        ("openai", "transcription", {"input_tokens": 8}),
        ("openai", "speech", {"characters": 40}),
        ("openai", "speech", {"input_tokens": 8}),
        ("mistral", "ocr", {"pages_processed": 3}),
    ],
)
def test_formats_of_one_side_miss_nothing(provider: str, api: str, payload: Payload) -> None:
    assert read(payload, provider, api).flags == ()


def test_a_total_under_another_formats_name_does_not_hide_its_fields() -> None:
    payload = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
    usage = read(payload, "openai", "chat")
    assert usage.buckets == {"tokens.in.text": 5, "tokens.out.text": 3}
    assert (usage.flags, usage.profile) == ((), "openai/responses")
