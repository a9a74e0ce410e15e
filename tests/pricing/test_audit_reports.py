"""More public reports of wrong costs, with the amount that is right on the day of the report."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costspan.core.usage import read_usage

MILLION = 10**6


def test_litellm_11789_streamed_cache_reads_are_not_input(price: Any) -> None:
    # What a stream's last report says: most of the prompt came from the cache.
    usage = {"input_tokens": 4, "cache_read_input_tokens": 500, "output_tokens": 10}
    cost = price("anthropic", "claude-sonnet-4-20250514", usage, "2025-06-20", api="messages")
    # 4 * 3 + 500 * 0.30 + 10 * 15 per million
    assert cost.total == Decimal("0.000312")


def test_litellm_14874_cached_tokens_of_grok_are_counted_once(price: Any) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000,
             "prompt_tokens_details": {"cached_tokens": 800}}  # fmt: skip
    cost = price("x-ai", "grok-4", usage, "2025-09-24", api="chat")
    # 200 * 3 + 800 * 0.75 per million
    assert cost.total == Decimal("0.0012")


@pytest.mark.parametrize("report", ["langfuse-12646", "Roo-Code-4836"])
def test_gemini_2_5_flash_is_no_longer_a_preview(report: str, price: Any) -> None:
    usage = {"promptTokenCount": MILLION, "candidatesTokenCount": MILLION}
    cost = price("google", "gemini-2.5-flash", usage, "2025-07-01", api="generateContent")
    assert cost.total == Decimal("2.80")  # 0.30 and 2.50


def test_dify_6962_gpt_3_5_was_cut(price: Any) -> None:
    usage = {"prompt_tokens": MILLION, "completion_tokens": MILLION}
    cost = price("openai", "gpt-3.5-turbo", usage, "2024-08-05", api="chat")
    assert cost.total == Decimal("2.00")  # 0.50 and 1.50


def test_conductor_427_inclusive_input_is_not_billed_with_its_buckets(price: Any) -> None:
    # An inclusive record of a Claude call, mostly from the cache.
    span = {"gen_ai.usage.input_tokens": MILLION // 10, "gen_ai.usage.output_tokens": 0,
            "gen_ai.usage.cache_read.input_tokens": 95_000,
            "gen_ai.usage.cache_creation.input_tokens": 4_000}  # fmt: skip
    usage = read_usage(span, provider="otel", api="gen_ai")
    cost = price("anthropic", "claude-opus-4-5", usage, "2026-01-10")
    # 1000 * 5 + 95000 * 0.50 + 4000 * 6.25 per million; billed twice it would be 0.5725
    assert cost.total == Decimal("0.0775")


def test_openai_forum_1363698_a_search_preview_is_25_dollars(price: Any) -> None:
    usage = {"input_tokens": 100, "output_tokens": 100}
    response = {"tools": [{"type": "web_search_preview"}],
                "output": [{"type": "web_search_call", "action": {"type": "search"}}]}  # fmt: skip
    cost = price("openai", "gpt-4.1-mini", usage, "2026-09-01", api="responses", response=response)
    # 100 * 0.40 + 100 * 1.60 per million + 0.025
    assert cost.total == Decimal("0.0252")


def test_openai_forum_1365861_only_searches_are_billed(price: Any) -> None:
    usage = {"input_tokens": 0, "output_tokens": 0}
    calls = [{"type": "web_search_call", "action": {"type": kind}}
             for kind in ("search", "open_page", "find_in_page", "search")]  # fmt: skip
    cost = price("openai", "gpt-5", usage, "2026-09-01", api="responses",
                 response={"tools": [{"type": "web_search"}], "output": calls})  # fmt: skip
    assert cost.total == Decimal("0.02")
