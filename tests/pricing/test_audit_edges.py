"""An audit of edges: the instant of a change, the token at a band, the minute of a peak.

Rates are those of the day's price list, in dollars per million tokens of input.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from costspan.core.types import Usage
from costspan.pricing.catalogue import Catalogue

MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def input_rate(
    catalogue: Catalogue,
    provider: str,
    model: str,
    when: datetime,
    *,
    tokens: int = 1000,
    meter: str = "tokens.in.text",
    started: datetime | None = None,
) -> Decimal:
    cost = catalogue.cost(provider=provider, model=model, usage=Usage({meter: tokens}),
                          at=when, started_at=started)  # fmt: skip
    return cost.lines[0].rate_usd


@pytest.mark.parametrize(
    ("provider", "model", "instant", "before", "after"),
    [
        ("openai", "o3", "2025-06-10", "10", "2"),
        ("openai", "gpt-3.5-turbo", "2023-06-13", "2", "1.5"),
        ("openai", "gpt-4o", "2024-10-02", "5", "2.5"),
        ("openai", "gpt-5.6-luna", "2026-07-30", "1", "0.2"),
        ("openai", "text-embedding-ada-002", "2023-06-13", "0.4", "0.1"),
        ("anthropic", "claude-2", "2023-11-21", "11.02", "8"),
        ("deepseek", "deepseek-chat", "2024-12-26", "0.14", "0.14"),
        ("deepseek", "deepseek-chat", "2025-02-08T16:00", "0.14", "0.27"),
        ("deepseek", "deepseek-chat", "2025-09-05T16:00", "0.27", "0.56"),
        ("deepseek", "deepseek-chat", "2025-09-29", "0.56", "0.28"),
        ("deepseek", "deepseek-v4-pro", "2026-08-16T16:00", "0.435", "0.66"),
        ("deepseek", "deepseek-v4-flash", "2026-09-10", "0.22", "0.15"),
        ("google", "gemini-3.8-flash", "2027-01-01", "0.75", "1.5"),
        ("x-ai", "grok-3-latest", "2026-05-15", "3", "1.25"),
    ],
)
def test_a_price_changes_at_its_instant(
    provider: str, model: str, instant: str, before: str, after: str, catalogue: Catalogue
) -> None:
    edge = at(instant)
    for when, rate in ((edge - MICROSECOND, before), (edge, after), (edge + MICROSECOND, after)):
        assert input_rate(catalogue, provider, model, when) == Decimal(rate)


@pytest.mark.parametrize(
    ("provider", "model", "day", "last", "below", "above"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "2025-12-01", 200_000, "3", "6"),
        ("anthropic", "claude-haiku-5-5", "2026-11-01", 100_000, "0.1", "0.5"),
        ("google", "gemini-2.5-pro", "2026-06-01", 200_000, "1.25", "2.5"),
        ("google", "gemini-1.5-pro", "2024-11-15", 128_000, "1.25", "2.5"),
        ("openai", "gpt-5.4", "2026-05-01", 272_000, "2.5", "5"),
        ("x-ai", "grok-4.3", "2026-10-01", 199_999, "1.25", "2.5"),
    ],
)
def test_the_last_token_below_a_band(
    provider: str, model: str, day: str, last: int, below: str, above: str, catalogue: Catalogue
) -> None:
    for tokens, rate in ((last - 1, below), (last, below), (last + 1, above)):
        assert input_rate(catalogue, provider, model, at(day), tokens=tokens) == Decimal(rate)


@pytest.mark.parametrize("leaf", ["tokens.in.cache_read", "tokens.in.cache_write.1h",
                                  "tokens.in.image"])  # fmt: skip
def test_every_leaf_of_the_prompt_counts_for_its_band(leaf: str, catalogue: Catalogue) -> None:
    for extra, rate in ((199_000, "3"), (199_001, "6")):
        usage = Usage({"tokens.in.text": 1000, leaf: extra, "tokens.out.text": 10**6})
        cost = catalogue.cost(provider="anthropic", model="claude-sonnet-4-5", usage=usage,
                              at=at("2025-12-01"))  # fmt: skip
        assert cost.lines[0].rate_usd == Decimal(rate)


@pytest.mark.parametrize(
    ("when", "peak"),
    [
        # Peak is 09:00 to 12:00 and 14:00 to 18:00 of Shanghai, eight hours ahead.
        ("2026-08-24T00:59:59.999999", False),
        ("2026-08-24T01:00:00", True),
        ("2026-08-24T03:59:59.999999", True),
        ("2026-08-24T04:00:00", False),
        ("2026-08-24T06:00:00", True),
        ("2026-08-24T10:00:00", False),
        # Every day at first; from the 23rd in Shanghai on workdays only.
        ("2026-08-22T01:00:00", True),  # a Saturday
        ("2026-08-23T01:00:00", False),
        ("2026-09-04T09:59:59", True),  # Friday
        ("2026-09-06T23:30:00", False),  # Monday in Shanghai, but before nine
        ("2026-09-07T01:00:00", True),
        ("2026-09-24T09:00:00", True),
        ("2026-09-25T01:00:00", False),  # Mid-Autumn
        ("2026-09-30T02:00:00", True),
        ("2026-10-01T02:00:00", False),  # National Day
        ("2026-10-07T02:00:00", False),
        ("2026-10-08T02:00:00", True),
        ("2026-12-31T02:00:00", True),
        ("2027-01-01T02:00:00", False),  # New Year
        ("2027-01-04T02:00:00", True),
    ],
)
def test_peaks_in_shanghai(when: str, peak: bool, catalogue: Catalogue) -> None:
    rate = input_rate(catalogue, "deepseek", "deepseek-v4-pro", at(when))
    assert rate == Decimal("1.32" if peak else "0.66")


@pytest.mark.parametrize(
    ("started", "ended", "rate"),
    [
        ("2026-09-03T03:59:00", "2026-09-03T04:00:00", "0.66"),  # began in the peak
        ("2026-09-03T00:59:00", "2026-09-03T01:00:00", "1.32"),  # ended in it
        ("2026-09-03T00:59:00", "2026-09-03T04:00:00", "0.66"),  # spans it
    ],
)
def test_the_hour_of_completion_counts(
    started: str, ended: str, rate: str, catalogue: Catalogue
) -> None:
    found = input_rate(catalogue, "deepseek", "deepseek-v4-pro", at(ended), started=at(started))
    assert found == Decimal(rate)


@pytest.mark.parametrize(
    ("when", "rate"),
    [
        ("2025-02-25T23:59:59.999999", "0.27"),  # the discount had not begun
        ("2025-02-26T00:00:00", "0.135"),  # half past midnight is the end of the window
        ("2025-02-26T00:29:59.999999", "0.135"),
        ("2025-02-26T00:30:00", "0.27"),
        ("2025-09-05T00:29:59", "0.135"),
        ("2025-09-05T15:59:59.999999", "0.27"),  # and was gone before that day's window
        ("2025-09-05T16:30:00", "0.56"),
    ],
)
def test_a_window_across_midnight(when: str, rate: str, catalogue: Catalogue) -> None:
    assert input_rate(catalogue, "deepseek", "deepseek-chat", at(when)) == Decimal(rate)


@pytest.mark.parametrize(
    ("model", "moved", "rate", "target"),
    [
        ("deepseek-chat", "2025-09-05T16:00", "0.56", "deepseek-v3.1"),
        ("deepseek-reasoner", "2025-09-29", "0.28", "deepseek-v3.2"),
        ("deepseek-v4-flash", "2026-09-10", "0.15", "deepseek-flash"),
    ],
)
def test_a_name_that_moves_during_the_call_when_its_old_price_ends(
    model: str, moved: str, rate: str, target: str, catalogue: Catalogue
) -> None:
    # The alias of the start has no price any more: the price of the completion holds.
    edge = at(moved)
    for _ in range(2):  # a kept plan answers the same
        cost = catalogue.cost(provider="deepseek", model=model, response_model=model,
                              usage=Usage({"tokens.in.text": 10**6}),
                              started_at=edge - timedelta(seconds=9), at=edge)  # fmt: skip
        assert (cost.model, cost.total) == (target, Decimal(rate))
    assert input_rate(catalogue, "deepseek", model, edge - MICROSECOND) != Decimal(rate)


def test_a_call_just_before_a_move_is_priced_after_one_that_spanned_it(
    catalogue: Catalogue,
) -> None:
    edge = at("2025-09-05T16:00")
    early = edge - timedelta(seconds=9)
    for when, rate in ((edge, "0.56"), (edge - MICROSECOND, "0.27"), (edge, "0.56")):
        found = input_rate(catalogue, "deepseek", "deepseek-chat", when, started=early)
        assert found == Decimal(rate)


@pytest.mark.parametrize(
    ("spelling", "day", "model", "rate"),
    [
        ("perplexity/sonar", "2025-07-10", "sonar", "1"),
        ("perplexity/sonar", "2026-11-01", "perplexity/sonar", "0.25"),
        ("sonar", "2025-07-10", "sonar", "1"),
    ],
)
def test_a_prefixed_name_that_later_became_a_model_of_its_own(
    spelling: str, day: str, model: str, rate: str, catalogue: Catalogue
) -> None:
    for _ in range(2):
        cost = catalogue.cost(provider="perplexity", model=spelling, at=at(day),
                              usage=Usage({"tokens.in.text": 10**6}))  # fmt: skip
        assert (cost.model, cost.lines[0].rate_usd) == (model, Decimal(rate))


def test_after_its_last_price_a_model_has_none(price: Any) -> None:
    cost = price("perplexity", "sonar", {"prompt_tokens": 9, "completion_tokens": 9}, "2026-11-01")
    assert (cost.total, cost.status) == (None, "unpriced")
