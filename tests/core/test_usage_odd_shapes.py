"""Usage objects that are rarely seen, half told or oddly spelled; the buckets are by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.paths import measured
from costspan.core.types import Usage
from costspan.core.usage import read_usage

Payload = dict[str, Any]


def read(payload: Payload, provider: str, api: str | None, **response: Any) -> Usage:
    usage = read_usage(payload, provider=provider, api=api, response=response or None)
    assert usage is not None
    return usage


LITELLM_OF_CLAUDE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400, "cache_creation_tokens": 300},
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 400,
}
LITELLM_LEAVES = {"tokens.in.text": 300, "tokens.in.cache_read": 400, "tokens.in.cache_write": 300,
                  "tokens.out.text": 100}  # fmt: skip


@pytest.mark.parametrize("provider", ["anthropic", "vertex", "aws"])
@pytest.mark.parametrize("api", ["chat", "litellm", None])
def test_a_gateways_usage_of_claude_is_inclusive(provider: str, api: str | None) -> None:
    assert read(LITELLM_OF_CLAUDE, provider, api).buckets == LITELLM_LEAVES


def test_a_gateway_tells_hourly_writes_apart() -> None:
    details = {
        "cached_tokens": 400,
        "cache_creation_tokens": 300,
        "cache_creation_token_details": {
            "ephemeral_5m_input_tokens": 100,
            "ephemeral_1h_input_tokens": 200,
        },
    }
    usage = read({**LITELLM_OF_CLAUDE, "prompt_tokens_details": details}, "anthropic", "chat")
    assert usage.buckets == {**LITELLM_LEAVES, "tokens.in.cache_write": 100,
                             "tokens.in.cache_write.1h": 200}  # fmt: skip


def test_a_total_that_shows_both_caches_outside_is_followed() -> None:
    usage = read({**LITELLM_OF_CLAUDE, "prompt_tokens": 300}, "anthropic", "chat")
    assert usage.buckets == LITELLM_LEAVES
    assert usage.flags == ("identity:cache_outside",)


@pytest.mark.parametrize(
    ("payload", "provider"),
    [({"total_tokens": 100}, "openai"), ({"total_tokens": 100}, "some-new-host"),
     ({"totalTokenCount": 100}, "google")],
)  # fmt: skip
def test_a_lone_total_is_a_guess_though_no_format_is_named(payload: Payload, provider: str) -> None:
    usage = read(payload, provider, None)
    assert usage.buckets == {"tokens.in.text": 100}
    assert usage.flags == ("missing:input:guessed", "missing:output")


def test_cache_writes_by_lifetime_without_their_sum() -> None:
    usage = read(
        {"input_tokens": 1000, "output_tokens": 10,
         "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}},
        "anthropic", "messages",
    )  # fmt: skip
    assert usage.buckets == {"tokens.in.text": 1000, "tokens.in.cache_write.5m": 400,
                             "tokens.in.cache_write.1h": 600, "tokens.out.text": 10}  # fmt: skip


def test_pydantic_ai_5065_a_compaction_is_billed_beside_the_answer() -> None:
    # platform.claude.com, compaction: the totals at the top leave the summary out.
    usage = read(
        {"input_tokens": 23000, "output_tokens": 1000, "cache_read_input_tokens": 50,
         "iterations": [
             {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500,
              "cache_read_input_tokens": 7, "cache_creation_input_tokens": 10,
              "cache_creation": {"ephemeral_1h_input_tokens": 4}},
             {"type": "message", "input_tokens": 23000, "output_tokens": 1000}]},
        "anthropic", "messages",
    )  # fmt: skip
    assert usage.buckets == {
        "tokens.in.text": 203_000,
        "tokens.in.cache_read": 57,
        "tokens.in.cache_write.5m": 6,
        "tokens.in.cache_write.1h": 4,
        "tokens.out.text": 4500,
    }
    assert usage.flags == ()


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_openai_tells_writes_for_twelve_hours_apart(api: str) -> None:
    prompt, answer = ("input", "output") if api == "responses" else ("prompt", "completion")
    lifetimes = {"ttl_30m_tokens": 200, "ttl_12h_tokens": 300}
    details = {"cached_tokens": 100, "cache_write_tokens": 500,
               "cache_write_tokens_details": lifetimes}  # fmt: skip
    usage = read({f"{prompt}_tokens": 1000, f"{answer}_tokens": 10,
                  f"{prompt}_tokens_details": details}, "openai", api)  # fmt: skip
    assert usage.buckets == {
        "tokens.in.text": 400, "tokens.in.cache_read": 100, "tokens.in.cache_write": 200,
        "tokens.in.cache_write.12h": 300, "tokens.out.text": 10,
    }  # fmt: skip
    assert usage.flags == ()


@pytest.mark.parametrize("junk", [None, 7, "x", [], {"ttl_12h_tokens": None}])
def test_junk_in_place_of_lifetimes_is_passed_over(junk: object) -> None:
    details = {"cache_write_tokens": 500, "cache_write_tokens_details": junk}
    usage = read({"input_tokens": 500, "output_tokens": 1, "input_tokens_details": details},
                 "openai", "responses")  # fmt: skip
    assert usage.buckets == {"tokens.in.text": 0, "tokens.in.cache_write": 500,
                             "tokens.out.text": 1}  # fmt: skip


def test_claude_tells_its_thinking() -> None:
    details = {"thinking_tokens": 40}
    usage = read({"input_tokens": 1, "output_tokens": 50, "output_tokens_details": details},
                 "anthropic", "messages")  # fmt: skip
    assert usage.buckets == {"tokens.in.text": 1, "tokens.out.text": 10,
                             "tokens.out.reasoning": 40}  # fmt: skip


def test_an_advisors_tokens_are_known_to_be_missing() -> None:
    usage = read({"input_tokens": 5, "output_tokens": 5,
                  "iterations": [{"type": "message"}, {"type": "advisor_message"}]},
                 "anthropic", "messages")  # fmt: skip
    assert usage.fees == {"fee.advisor": 1}


@pytest.mark.parametrize("names", [("Tokens",), ("TokenCount",), ("Tokens", "TokenCount")])
def test_bedrock_names_its_cache_twice(names: tuple[str, ...]) -> None:
    payload: Payload = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 135}
    for name in names:
        payload |= {f"cacheReadInput{name}": 100, f"cacheWriteInput{name}": 20}
    usage = read(payload, "aws", "converse")
    assert usage.buckets == {"tokens.in.text": 10, "tokens.in.cache_read": 100,
                             "tokens.in.cache_write.5m": 20, "tokens.out.text": 5}  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "buckets"),
    [
        ({"prompt_token_count": 25, "generation_token_count": 50},
         {"tokens.in.text": 25, "tokens.out.text": 50}),
        ({"inputTextTokenCount": 8}, {"tokens.in.text": 8}),
        ({"usage": None, "input_tokens": 3, "output_tokens": 4},
         {"tokens.in.text": 3, "tokens.out.text": 4}),
    ],
)  # fmt: skip
def test_bodies_of_invoke_model(payload: Payload, buckets: dict[str, int]) -> None:
    assert read(payload, "aws", "invoke_model").buckets == buckets


def test_geminis_interactions() -> None:
    usage = read(
        {"total_input_tokens": 1000, "total_cached_tokens": 600, "total_output_tokens": 200,
         "total_thought_tokens": 50, "total_tool_use_tokens": 30, "total_tokens": 1280,
         "input_tokens_by_modality": [{"modality": "audio", "tokens": 700},
                                      {"modality": "text", "tokens": 300}],
         "cached_tokens_by_modality": [{"modality": "audio", "tokens": 600}],
         "grounding_tool_count": [{"type": "google_search", "count": 3}]},
        "google", "interactions",
    )  # fmt: skip
    assert usage.buckets == {
        "tokens.in.text": 330,
        "tokens.in.audio": 100,
        "tokens.in.cache_read": 0,
        "tokens.in.cache_read.audio": 600,
        "tokens.out.text": 200,
        "tokens.out.reasoning": 50,
    }
    assert (usage.fees, usage.flags) == ({"fee.grounding_query": 3}, ())


def test_gateways_report_their_amount_in_every_format() -> None:
    chat = {"prompt_tokens": 5, "completion_tokens": 5, "cost": 0.25}
    pairs = {"input_tokens": 5, "output_tokens": 5}
    for provider, api, payload in (
        ("openrouter", "completions", chat),
        ("openrouter", "responses", {**pairs, "cost": 0.25}),
        ("openrouter", "messages", {**pairs, "cost": 0.25}),
        ("openrouter", "embeddings", {"prompt_tokens": 5, "total_tokens": 5, "cost": 0.25}),
        ("perplexity", "responses", {**pairs, "cost": {"currency": "USD", "total_cost": 0.25}}),
    ):
        assert read(payload, provider, api).served.reported_usd == Decimal("0.25"), (provider, api)


def test_legacy_completions_are_read_as_the_providers_chat() -> None:
    payload = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}
    assert read(payload, "deepseek", "completions").buckets == {
        "tokens.in.text": 6, "tokens.in.cache_read": 4, "tokens.out.text": 5}  # fmt: skip


def test_grok_lists_its_tool_calls_on_chat_too() -> None:
    calls = {"web_search_calls": 1, "x_search_calls": 2}
    payload = {"prompt_tokens": 10, "completion_tokens": 5, "server_side_tool_usage_details": calls}
    assert read(payload, "xai", "chat").fees == {"fee.web_search": 1, "fee.x_search": 2}


@pytest.mark.parametrize(
    "payload",
    [{"billed_units": {"search_units": 3}}, {"meta": {"billed_units": {"search_units": 3}}},
     {"search_units": 3}],
)  # fmt: skip
def test_where_cohere_tells_search_units(payload: Payload) -> None:
    assert read(payload, "cohere", "rerank").fees == {"fee.search_unit": 3}


@pytest.mark.parametrize(
    ("queries", "count"),
    [
        (["a", "b", "c"], 3),
        (["", "a", "", "b"], 2),  # ai.google.dev: empty queries are ignored
        (["a", "a", "b"], 2),  # and each unique one counts once
        (["2024"], 1),  # a query and not a number
        ([], 0),
        ([""], 0),
    ],
)
@pytest.mark.parametrize("where", ["wire", "sdk"])
def test_unique_queries_that_are_not_empty_are_billed(
    queries: list[str], count: int, where: str
) -> None:
    found: Payload = (
        {"groundingMetadata": {"webSearchQueries": queries}}
        if where == "wire"
        else {"grounding_metadata": {"web_search_queries": queries}}
    )
    payload = {"promptTokenCount": 1, "candidatesTokenCount": 1}
    for response in (found, {"candidates": [found]}):
        usage = read(payload, "google", "generateContent", **response)
        assert usage.fees.get("fee.grounding_query", 0) == count


def test_an_answer_that_rests_on_places_is_one_grounding() -> None:
    chunks = [{"maps": {"placeId": "a"}}, {"maps": {"placeId": "b"}}]
    usage = read({"promptTokenCount": 1, "candidatesTokenCount": 1}, "google", "generateContent",
                 candidates=[{"groundingMetadata": {"groundingChunks": chunks}}])  # fmt: skip
    assert usage.fees == {"fee.maps_grounding": 1}
    web = [{"web": {"uri": "https://example.com"}}]
    usage = read({"promptTokenCount": 1, "candidatesTokenCount": 1}, "google", "generateContent",
                 candidates=[{"groundingMetadata": {"groundingChunks": web}}])  # fmt: skip
    assert usage.fees == {}


def test_a_picture_made_by_a_tool_is_known_to_be_missing() -> None:
    usage = read({"input_tokens": 1, "output_tokens": 1}, "openai", "responses",
                 output=[{"type": "image_generation_call"}])  # fmt: skip
    assert usage.fees == {"fee.image_generation": 1}


@pytest.mark.parametrize(
    ("said", "region"),
    [("us", "us"), ("global", "global"), ("not_available", None), ("", None), ("US", "us")],
)
def test_where_claude_ran(said: str, region: str | None) -> None:
    usage = read({"input_tokens": 1, "output_tokens": 1, "inference_geo": said}, "anthropic",
                 "messages")  # fmt: skip
    assert usage.served.region == region


@pytest.mark.parametrize(
    ("where", "said", "tier"),
    [
        ("trafficType", "ON_DEMAND", "standard"),
        ("trafficType", "ON_DEMAND_PRIORITY", "priority"),
        ("trafficType", "PROVISIONED_THROUGHPUT", "provisioned"),
        ("serviceTier", "flex", "flex"),
        ("service_tier", "PRIORITY", "priority"),
    ],
)
def test_how_gemini_was_served(where: str, said: str, tier: str) -> None:
    camel = not where.islower()
    counts = ("promptTokenCount", "candidatesTokenCount")
    if not camel:
        counts = ("prompt_token_count", "candidates_token_count")
    usage = read({counts[0]: 1, counts[1]: 1, where: said}, "google", "generateContent")
    assert usage.served.tier == tier


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        (9.36, Decimal("9.36")),
        ("9.36", Decimal("9.36")),
        (9.3604999, Decimal("9.36")),
        (0.0005, 0),  # half-even
        (0.0015, Decimal("0.002")),
        (1.0004, 1),
        (12.34567890123, Decimal("12.346")),
        (0.1 + 0.2, Decimal("0.3")),
        (95, 95),
        (95.0, 95),
        ("junk", None),
        (-0.5, None),
        (True, None),
    ],
)
def test_seconds_are_read_to_the_millisecond(said: object, read_as: object) -> None:
    assert measured(said) == read_as
    usage = read_usage({"type": "duration", "seconds": said}, provider="openai",
                       api="transcription")  # fmt: skip
    assert (usage.buckets["seconds.audio.in"] if usage else None) == read_as


@given(st.decimals(min_value=0, max_value=10**9, places=9))
def test_what_is_measured_fits_the_ledger(value: Decimal) -> None:
    number = measured(value)
    assert number is not None
    assert abs(number - value) <= Decimal("0.0005")
    assert Decimal(number) == Decimal(number).quantize(Decimal("0.001"))


@pytest.mark.parametrize(
    "payload",
    [
        {"prompt_tokens": "100", "completion_tokens": "10"},
        {"prompt_tokens": 100.0, "completion_tokens": 10.0},
        {"prompt_tokens": " 100 ", "completion_tokens": Decimal(10)},
        {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": None,
         "prompt_tokens_details": None, "completion_tokens_details": None},
        {"prompt_tokens": 100, "completion_tokens": 10,
         "prompt_tokens_details": {"cached_tokens": None}},
        {"prompt_tokens": 100, "completion_tokens": 10, "something_new": {"a": [1]}},
    ],
)  # fmt: skip
def test_the_same_usage_in_other_clothes(payload: Payload) -> None:
    usage = read(payload, "openai", "chat")
    assert usage.buckets == {"tokens.in.text": 100, "tokens.out.text": 10}
    assert usage.flags == ()


@pytest.mark.parametrize(
    ("junk", "flag"),
    [
        ({"prompt_tokens_details": {"cached_tokens": -1}}, "prompt_tokens_details.cached_tokens"),
        ({"prompt_tokens_details": {"cached_tokens": True}}, "prompt_tokens_details.cached_tokens"),
        ({"prompt_tokens_details": {"cached_tokens": 1.5}}, "prompt_tokens_details.cached_tokens"),
        ({"prompt_tokens_details": [1]}, "prompt_tokens_details"),
        ({"completion_tokens_details": "x"}, "completion_tokens_details"),
    ],
)
def test_junk_beside_sound_counts_changes_nothing_else(junk: Payload, flag: str) -> None:
    usage = read({"prompt_tokens": 100, "completion_tokens": 10, **junk}, "openai", "chat")
    assert usage.buckets == {"tokens.in.text": 100, "tokens.out.text": 10}
    assert usage.flags == (f"invalid:{flag}",)
