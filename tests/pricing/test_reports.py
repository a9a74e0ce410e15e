"""Public reports of wrong costs, each with the amount that is right; the prices are the day's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costspan.core.usage import read_usage


def usd(amount: str) -> Decimal:
    return Decimal(amount)


def test_litellm_9812_cache_writes_are_billed_once(price: Any) -> None:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 12304, "output_tokens": 550}
    cost = price("anthropic", "claude-3-7-sonnet-20250219", usage, "2025-04-07", api="messages")
    assert cost.total == usd("0.054399")


def test_litellm_6575_a_thousand_written_tokens(price: Any) -> None:
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 1000, "output_tokens": 0}
    cost = price("anthropic", "claude-3-5-sonnet-20241022", usage, "2024-11-05", api="messages")
    assert cost.total == usd("0.00375")


def test_litellm_5443_cache_reads_have_a_price(price: Any) -> None:
    usage = {"input_tokens": 0, "cache_read_input_tokens": 10**6, "output_tokens": 0}
    cost = price("anthropic", "claude-3-5-sonnet-20240620", usage, "2024-09-05", api="messages")
    assert cost.total == usd("0.30")


def test_litellm_11364_a_european_bedrock_profile_bears_the_premium(price: Any) -> None:
    usage = {"inputTokens": 0, "cacheReadInputTokens": 66360, "cacheWriteInputTokens": 32435,
             "outputTokens": 5120}  # fmt: skip
    model = "eu.anthropic.claude-opus-4-5-20251101-v1:0"
    cost = price("aws", model, usage, "2025-12-10", api="converse")
    # 66360 * 0.55 + 32435 * 6.875 + 5120 * 27.5 per million
    assert cost.total == usd("0.400288625")
    world = price("aws", model.replace("eu.", "global."), usage, "2025-12-10", api="converse")
    assert world.total == usd("0.36389875")


def test_litellm_6215_cached_tokens_are_not_input_too(price: Any) -> None:
    usage = {"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
             "prompt_tokens_details": {"cached_tokens": 1920}}  # fmt: skip
    assert price("openai", "gpt-4o-2024-08-06", usage, "2024-11-01", api="chat").total == usd(
        "0.005615"
    )


def test_litellm_14849_gemini_cache_hits_in_the_long_band(price: Any) -> None:
    usage = {"promptTokenCount": 250000, "cachedContentTokenCount": 248000,
             "candidatesTokenCount": 100, "totalTokenCount": 250100}  # fmt: skip
    cost = price("google", "gemini-2.5-pro", usage, "2025-09-25", api="generateContent")
    # 2000 * 2.50 + 248000 * 0.625 + 100 * 15 per million
    assert cost.total == usd("0.1615")


@pytest.mark.parametrize("report", ["litellm-11156", "litellm-16341"])
def test_implicit_gemini_caching_is_cheaper(report: str, price: Any) -> None:
    usage = {"promptTokenCount": 2000, "cachedContentTokenCount": 1000, "candidatesTokenCount": 0}
    cost = price("google", "gemini-2.5-flash", usage, "2026-02-01", api="generateContent")
    assert cost.total == usd("0.00033")  # 1000 * 0.30 + 1000 * 0.03 per million


def test_litellm_33772_openai_cache_writes(price: Any) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0,
             "prompt_tokens_details": {"cache_write_tokens": 1000}}  # fmt: skip
    cost = price("openai", "gpt-5.6-luna", usage, "2026-09-10", api="chat")
    assert cost.total == usd("0.00025")  # 1.25 times 0.20 per million


def test_litellm_15945_prompt_tokens_are_inclusive(price: Any) -> None:
    usage = {"prompt_tokens": 9126, "completion_tokens": 3197, "total_tokens": 12323,
             "prompt_tokens_details": {"cached_tokens": 4864}}  # fmt: skip
    cost = price("openai", "gpt-5", usage, "2025-10-26", api="chat")
    assert cost.total == usd("0.0379055")


def test_genai_prices_173_a_later_preview_has_its_own_price(price: Any) -> None:
    usage = {"promptTokenCount": 10**6, "candidatesTokenCount": 10**6}
    model = "gemini-2.5-flash-preview-09-2025"
    cost = price("google", model, usage, "2025-11-01", api="generateContent")
    assert cost.total == usd("2.80")


def test_genai_prices_582_weekends_are_off_peak(price: Any) -> None:
    usage = {"prompt_tokens": 10**6, "completion_tokens": 0}
    friday = price("deepseek", "deepseek-v4-pro", usage, "2026-09-04T02:00:00", api="chat")
    saturday = price("deepseek", "deepseek-v4-pro", usage, "2026-09-05T02:00:00", api="chat")
    assert (friday.total, saturday.total) == (usd("1.32"), usd("0.66"))


def test_langfuse_10592_and_12306_inclusive_input_is_not_summed() -> None:
    chat = {"prompt_tokens": 17903, "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 17817}}  # fmt: skip
    usage = read_usage(chat, provider="openai", api="chat")
    assert usage is not None
    assert usage.buckets["tokens.in.text"] == 86
    span = {"gen_ai.usage.input_tokens": 130213, "gen_ai.usage.cache_read.input_tokens": 130208}
    usage = read_usage(span, provider="otel", api="gen_ai")
    assert usage is not None
    assert usage.input_tokens == 130213


def test_langfuse_16321_thoughts_are_in_the_cost(price: Any) -> None:
    usage = {"promptTokenCount": 0, "candidatesTokenCount": 0, "thoughtsTokenCount": 10**6}
    cost = price("google", "gemini-2.5-flash", usage, "2025-10-01", api="generateContent")
    assert cost.total == usd("2.50")


def test_posthog_39901_and_litellm_40006_inclusive_claude(price: Any) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "cache_creation_input_tokens": 300,
             "prompt_tokens_details": {"cached_tokens": 600}}  # fmt: skip
    normalised = read_usage(usage, provider="litellm", api="usage")
    cost = price("anthropic", "claude-sonnet-4-5-20250929", normalised, "2025-11-01")
    # 100 * 3 + 600 * 0.30 + 300 * 3.75 per million
    assert cost.total == usd("0.001605")


@pytest.mark.parametrize("report", ["inspect_ai-5528", "sub2api-5771", "promptfoo-9507"])
def test_grok_reasoning_is_billed_as_the_ticks_say(report: str, price: Any) -> None:
    usage = {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
             "prompt_tokens_details": {"cached_tokens": 128},
             "completion_tokens_details": {"reasoning_tokens": 2809}}  # fmt: skip
    computed = price("x-ai", "grok-4.20", usage, "2026-08-18", api="chat")
    billed = price(
        "x-ai", "grok-4.20", {**usage, "cost_in_usd_ticks": 232856000}, "2026-08-18", api="chat"
    )
    assert computed.total == billed.total == usd("0.0232856")
    assert billed.difference == 0


def test_vercel_ai_12425_grok_output_is_completion_and_reasoning() -> None:
    payload = {"prompt_tokens": 32, "completion_tokens": 1, "total_tokens": 419,
               "completion_tokens_details": {"reasoning_tokens": 386}}  # fmt: skip
    usage = read_usage(payload, provider="xai", api="chat")
    assert usage is not None
    assert usage.output_tokens == 387


@pytest.mark.parametrize("report", ["vercel-ai-6082", "vercel-ai-6089"])
def test_gemini_thoughts_are_output(report: str) -> None:
    payload = {"promptTokenCount": 1, "candidatesTokenCount": 2060, "thoughtsTokenCount": 1939}
    usage = read_usage(payload, provider="google", api="generateContent")
    assert usage is not None
    assert usage.output_tokens == 3999


def test_simonw_llm_gemini_75_output_of_one() -> None:
    payload = {"promptTokenCount": 5, "candidatesTokenCount": 1, "thoughtsTokenCount": 98}
    usage = read_usage(payload, provider="gemini", api="generateContent")
    assert usage is not None
    assert usage.output_tokens == 99


@pytest.mark.parametrize("report", ["openlit-1378", "continue-13104"])
def test_cached_tokens_have_their_own_rate(report: str, price: Any) -> None:
    claude = {"input_tokens": 0, "cache_read_input_tokens": 10**6, "output_tokens": 0}
    cost = price("anthropic", "claude-opus-4-5", claude, "2025-12-01", api="messages")
    assert cost.total == usd("0.50")
    chat = {"prompt_tokens": 10**6, "completion_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 10**6}}  # fmt: skip
    assert price("openai", "gpt-4.1", chat, "2025-05-01", api="chat").total == usd("0.50")


def test_opencode_534_the_gateways_amount_is_the_invoice(price: Any) -> None:
    usage = {"prompt_tokens": 17604, "completion_tokens": 9, "cost": 0.0117111}
    cost = price("openrouter", "anthropic/claude-sonnet-4", usage, "2025-06-30", api="chat")
    assert (cost.total, cost.status) == (usd("0.0117111"), "reported")


@pytest.mark.parametrize("report", ["oh-my-pi-7471", "GoModel-892"])
def test_luna_was_cut(report: str, price: Any) -> None:
    usage = {"prompt_tokens": 10**6, "completion_tokens": 10**6}
    before = price("openai", "gpt-5.6-luna", usage, "2026-07-29", api="chat", context={})
    after = price("openai", "gpt-5.6-luna", usage, "2026-07-31", api="chat")
    rates = [[line.rate_usd for line in cost.lines] for cost in (before, after)]
    # a million tokens is in the long band: twice the input, one and a half times the output
    assert rates == [[usd("2"), usd("9")], [usd("0.4"), usd("1.8")]]


def test_animaworks_131_opus_4_5_is_not_opus_4(price: Any) -> None:
    usage = {"input_tokens": 10**5, "output_tokens": 10**5}
    assert price("anthropic", "claude-opus-4-5", usage, "2025-12-01", api="messages").total == 3
    assert price("anthropic", "claude-opus-4-1", usage, "2025-12-01", api="messages").total == 9


def test_librechat_11978_an_unknown_id_has_no_default_price(price: Any) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 10}
    cost = price("openai", "agent_gpt-4o-mini_1a2b", usage, "2025-06-01", api="chat")
    assert (cost.total, cost.status, cost.model) == (None, "unpriced", None)
    answered = price("openai", "agent_1a2b", usage, "2025-06-01", api="chat",
                     response_model="gpt-4o-mini-2024-07-18")  # fmt: skip
    assert answered.total == usd("0.0000075")


def test_models_dev_4891_flash_is_dearer_at_peak(price: Any) -> None:
    usage = {"prompt_tokens": 10**6, "completion_tokens": 0}
    peak = price("deepseek", "deepseek-v4-flash", usage, "2026-09-02T02:00:00", api="chat")
    quiet = price("deepseek", "deepseek-v4-flash", usage, "2026-09-02T12:00:00", api="chat")
    assert (peak.total, quiet.total) == (usd("0.44"), usd("0.22"))
