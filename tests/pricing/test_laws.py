"""Laws that hold for every payload: nothing negative, nothing billed twice, nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.core.types import Usage
from costspan.core.usage import read_usage
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Cost

AT = datetime(2026, 11, 1, tzinfo=UTC)
CATALOGUE = Catalogue()
FORMATS = [
    ("openai", "chat", "gpt-5.4"),
    ("openai", "responses", "gpt-5.6-luna"),
    ("openai", "realtime", "gpt-realtime"),
    ("anthropic", "messages", "claude-opus-5"),
    ("aws", "converse", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("google", "generateContent", "gemini-2.5-flash"),
    ("deepseek", "chat", "deepseek-v4-pro"),
    ("x-ai", "chat", "grok-4.3"),
    ("x-ai", "responses", "grok-4.3"),
    ("perplexity", "chat", "sonar-pro"),
    ("openrouter", "chat", "openai/gpt-4o"),
    ("cohere", "cohere-v2", "command-a"),
]
FIELD_NAMES = """
    prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details
    cached_tokens cache_write_tokens audio_tokens reasoning_tokens input_tokens output_tokens
    input_tokens_details output_tokens_details input_token_details cached_tokens_details
    cache_read_input_tokens cache_creation_input_tokens cache_creation ephemeral_1h_input_tokens
    inputTokens outputTokens totalTokens cacheReadInputTokens cacheDetails ttl modality
    promptTokenCount candidatesTokenCount thoughtsTokenCount cachedContentTokenCount tokenCount
    promptTokensDetails cacheTokensDetails totalTokenCount service_tier speed inference_geo cost
    cost_in_usd_ticks is_byok cost_details upstream_inference_cost billed_units model tools
    output type action search_context_size trafficType groundingMetadata webSearchQueries
    server_tool_use x_groq usage prompt_cache_hit_tokens num_sources_used
"""
FIELDS = FIELD_NAMES.split()
COUNTS = st.integers(0, 10**6)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["AUDIO", "1h", "batch", "fast", "us", "search", "12", "low"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), JUNK, max_size=8)


def cost_of(usage: Usage, model: str = "gpt-5.4", provider: str = "openai") -> Cost:
    return CATALOGUE.cost(provider=provider, model=model, usage=usage, at=AT)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(FORMATS),
    PAYLOADS,
    st.none() | PAYLOADS,
    st.none() | st.dictionaries(st.text(max_size=9), JUNK, max_size=3),
)
def test_garbage_never_raises_and_is_never_negative(
    form: tuple[str, str, str],
    payload: dict[str, Any],
    response: dict[str, Any] | None,
    context: dict[str, Any] | None,
) -> None:
    provider, api, model = form
    usage = read_usage(payload, provider=provider, api=api, response=response)
    if usage is not None:
        assert all(q >= 0 for q in [*usage.buckets.values(), *usage.fees.values()])
    cost = CATALOGUE.cost(provider=provider, model=model, usage=payload, at=AT, api=api,
                          response=response, context=context)  # fmt: skip
    assert cost.total is None or cost.total >= 0
    assert all(line.amount_usd >= 0 for line in cost.lines)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_chat_buckets_add_up_to_the_totals_whatever_the_parts_claim(
    prompt: int, completion: int, cached: int, written: int, audio: int, reasoning: int
) -> None:
    payload = {"prompt_tokens": prompt, "completion_tokens": completion,
               "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written,
                                         "audio_tokens": audio},
               "completion_tokens_details": {"reasoning_tokens": reasoning}}  # fmt: skip
    usage = read_usage(payload, provider="openai", api="chat")
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (prompt, completion)
    honest = cached + written + audio <= prompt and reasoning <= completion
    assert bool(usage.flags) is not honest


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_gemini_buckets_add_up_though_cached_audio_is_inside_two_totals(
    prompt: int, cached: int, audio: int, image: int, cached_audio: int, cached_image: int
) -> None:
    payload = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": cached,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": audio},
            {"modality": "IMAGE", "tokenCount": image},
        ],
        "cacheTokensDetails": [
            {"modality": "AUDIO", "tokenCount": cached_audio},
            {"modality": "IMAGE", "tokenCount": cached_image},
        ],
    }
    usage = read_usage(payload, provider="google", api="generateContent")
    assert usage is not None
    assert usage.input_tokens == prompt


@given(COUNTS, COUNTS, COUNTS)
def test_claude_buckets_add_up_to_the_three_totals(text: int, written: int, hour: int) -> None:
    payload = {"input_tokens": text, "cache_creation_input_tokens": written,
               "cache_read_input_tokens": 7, "output_tokens": 1,
               "cache_creation": {"ephemeral_1h_input_tokens": hour}}  # fmt: skip
    usage = read_usage(payload, provider="anthropic", api="messages")
    assert usage is not None
    assert usage.input_tokens == text + written + 7
    assert usage.cache_write_tokens == written


METERS = st.sampled_from(
    ["tokens.in.text", "tokens.in.cache_read", "tokens.in.cache_write", "tokens.out.text",
     "tokens.out.reasoning"]
)  # fmt: skip
SMALL_BUCKETS = st.dictionaries(METERS, st.integers(0, 10**4), max_size=5)


@settings(deadline=None)
@given(SMALL_BUCKETS, SMALL_BUCKETS)
def test_disjoint_usage_adds_up_below_the_bands(a: dict[str, int], b: dict[str, int]) -> None:
    both = {meter: a.get(meter, 0) + b.get(meter, 0) for meter in {*a, *b}}
    parts = [cost_of(Usage(one)).total or Decimal(0) for one in (a, b)]
    assert cost_of(Usage(both)).total == sum(parts)


@settings(deadline=None)
@given(st.dictionaries(METERS, COUNTS, min_size=1, max_size=5), METERS, st.integers(1, 10**6))
def test_using_more_never_costs_less(buckets: dict[str, int], meter: str, more: int) -> None:
    less = cost_of(Usage(buckets)).total
    dearer = cost_of(Usage({**buckets, meter: buckets.get(meter, 0) + more})).total
    assert less is not None
    assert dearer is not None
    assert dearer >= less


@settings(deadline=None)
@given(st.dictionaries(METERS, COUNTS, max_size=5))
def test_lines_add_up_to_the_total(buckets: dict[str, int]) -> None:
    cost = cost_of(Usage(buckets))
    assert cost.total == sum((line.amount_usd for line in cost.lines), Decimal(0))
    assert {line.meter: line.quantity for line in cost.lines} == {
        meter: count for meter, count in buckets.items() if count
    }


@settings(deadline=None)
@given(st.datetimes(datetime(2022, 1, 1), datetime(2028, 1, 1)), st.sampled_from(FORMATS))
def test_a_kept_plan_answers_as_a_fresh_catalogue_does(
    at: datetime, form: tuple[str, str, str]
) -> None:
    provider, _, model = form
    usage = Usage({"tokens.in.text": 1000, "tokens.out.text": 10})
    aware = at.replace(tzinfo=UTC)
    kept = CATALOGUE.cost(provider=provider, model=model, usage=usage, at=aware)
    fresh = Catalogue().cost(provider=provider, model=model, usage=usage, at=aware)
    assert kept == fresh


@given(st.text(max_size=40), st.text(max_size=12))
def test_any_model_name_is_answered(model: str, provider: str) -> None:
    for known in (provider, "openai", "bedrock", "vertex"):
        cost = CATALOGUE.cost(
            provider=known, model=model, usage=Usage({"tokens.in.text": 1}), at=AT
        )
        assert cost.status in ("unpriced", "priced", "free")
