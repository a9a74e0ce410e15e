"""The user's own prices: what they change, when, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costspan.core.types import JSON
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.overlay_parse import parse_overlay
from costspan.pricing.types import Cost

CHAT: JSON = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
}
"""600 fresh and 400 cached tokens in, 100 out. gpt-4o's list price: $2.50, $1.25 and $10 per
million, so 0.0015 + 0.0005 + 0.001 = 0.003 dollars."""

Ask = Callable[..., Cost]


def with_own(text: str) -> Catalogue:
    return Catalogue.default().with_overlay(parse_overlay(text, "prices.toml"))


def ask(
    text: str,
    model: str = "gpt-4o",
    at: str = "2026-08-15",
    *,
    provider: str = "openai",
    usage: JSON = CHAT,
    **more: object,
) -> Cost:
    when = datetime.fromisoformat(at).replace(tzinfo=UTC)
    known = {"provider": provider, "model": model, "usage": usage, "at": when, "api": "chat"}
    return with_own(text).cost(**{**known, **more})  # type: ignore[arg-type]  # keywords of a test


NEGOTIATED = """
[[prices]]
provider = "openai"
model = "gpt-4o"
valid_from = 2026-07-01
valid_to = 2026-10-01
source = "contract 2026-114"
usd = { "tokens.in.text" = 2.00, "tokens.out.text" = "8.00" }
"""


@pytest.mark.parametrize(
    ("at", "total"),
    [
        ("2026-06-30T23:59:59.999999", "0.003"),
        # 600 x 2.00 + 400 x 1.25 (the list's cached rate stays) + 100 x 8.00 per million
        ("2026-07-01", "0.0025"),
        ("2026-09-30T23:59:59.999999", "0.0025"),
        ("2026-10-01", "0.003"),
    ],
)
def test_a_negotiated_rate_holds_from_its_first_instant_until_its_last(at: str, total: str) -> None:
    assert ask(NEGOTIATED, at=at).total == Decimal(total)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o", None),
        ("gpt-4o-2024-08-06", None),
        ("openai/gpt-4o", None),
        ("GPT-4o", None),
    ],
)
def test_a_rate_for_a_name_is_one_for_the_model_it_means(asked: str, answered: str | None) -> None:
    """The contract says gpt-4o; the response says gpt-4o-2024-08-06."""
    assert ask(NEGOTIATED, asked, response_model=answered).total == Decimal("0.0025")


def test_a_rate_for_a_name_does_not_reach_what_the_name_meant_before() -> None:
    # gpt-4o-2024-05-13 costs $5 and $15, has no cached rate, and was gpt-4o until October 2024:
    # 1000 x 5 + 100 x 15 per million
    assert ask(NEGOTIATED, "gpt-4o-2024-05-13").total == Decimal("0.0065")


def test_a_rate_for_the_snapshot_goes_before_one_for_its_name() -> None:
    snapshot = NEGOTIATED.replace('"gpt-4o"', '"gpt-4o-2024-08-06"').replace("2.00", "1.00")
    # 600 x 1.00 + 400 x 1.25 + 100 x 8.00 per million
    assert ask(NEGOTIATED + snapshot).total == Decimal("0.0019")


def test_the_lines_name_the_row_and_the_row_its_source() -> None:
    cost = ask(NEGOTIATED)
    row = next(line.row for line in cost.lines if line.meter == "tokens.in.text")
    source = with_own(NEGOTIATED).provenance(row)
    assert row.startswith("own.")
    assert source is not None
    assert (source.evidence, source.source) == ("own", "contract 2026-114")


def test_the_version_says_that_own_prices_are_in_force() -> None:
    listed, own = Catalogue.default().version, with_own(NEGOTIATED).version
    assert own.startswith(f"{listed}+own.")
    assert ask(NEGOTIATED).catalogue_version == own
    assert with_own(NEGOTIATED.replace("8.00", "8.01")).version != own


def test_other_tiers_keep_their_list_price() -> None:
    """gpt-4o batch: $1.25 and $5, its cached tokens at the standard rate of $1.25."""
    cost = ask(NEGOTIATED, context={"batch": True})
    # 600 x 1.25 + 400 x 1.25 + 100 x 5 per million
    assert cost.total == Decimal("0.00175")


def test_a_rate_for_a_tier_holds_for_that_tier_alone() -> None:
    batch = NEGOTIATED.replace("usd =", 'tier = "batch"\nusd =')
    assert ask(batch).total == Decimal("0.003")
    # 600 x 2 + 400 x 1.25 + 100 x 8
    assert ask(batch, context={"batch": True}).total == Decimal("0.0025")


def test_a_flat_rate_holds_whatever_the_tier_and_the_region() -> None:
    flat = """
    [[prices]]
    provider = "anthropic"
    model = "claude-opus-4-6"
    flat = true
    usd = { "tokens.in.text" = 4, "tokens.out.text" = 20 }
    """
    usage = {"input_tokens": 1000, "output_tokens": 100}
    for context in ({}, {"batch": True}, {"inference_geo": "us"}, {"speed": "fast"}):
        cost = ask(
            flat, "claude-opus-4-6", provider="anthropic", usage=usage, api="messages",
            context=context,
        )  # fmt: skip
        assert cost.total == Decimal("0.006"), context
    # Not flat, the factor of the provider for batches comes off: half of it.
    cost = ask(
        flat.replace("flat = true", ""), "claude-opus-4-6", provider="anthropic", usage=usage,
        api="messages", context={"batch": True},
    )  # fmt: skip
    assert cost.total == Decimal("0.003")


def test_a_rate_over_a_prompt_size() -> None:
    text = """
    [[prices]]
    provider = "*"
    model = "mine"
    usd = { "tokens.in.text" = 1 }
    [[prices]]
    provider = "*"
    model = "mine"
    band_over = 1000
    usd = { "tokens.in.text" = 2 }
    """
    exclusive = [ask(text, "mine", usage={"prompt_tokens": n}).lines[0] for n in (1000, 1001)]
    assert [line.amount_usd for line in exclusive] == [Decimal("0.001"), Decimal("0.002002")]
    inclusive = text.replace("band_over = 1000", "band_over = 1000\nband_inclusive = true")
    at_once = [ask(inclusive, "mine", usage={"prompt_tokens": n}).lines[0] for n in (999, 1000)]
    assert [line.amount_usd for line in at_once] == [Decimal("0.000999"), Decimal("0.002")]


DISCOUNT = """
[[discounts]]
id = "enterprise"
provider = "openai"
percent = 15
valid_from = 2026-08-01
"""


def test_a_discount_comes_off_the_list_price_and_shows_in_the_lines() -> None:
    cost = ask(DISCOUNT)
    assert cost.total == Decimal("0.00255")  # 0.003 x 0.85
    assert {line.factors for line in cost.lines} == {(("enterprise", Decimal("0.85")),)}
    assert ask(DISCOUNT, at="2026-07-31").total == Decimal("0.003")
    claude = {"input_tokens": 1000, "output_tokens": 100}
    # $3 and $15 per million: of another provider
    assert ask(
        DISCOUNT, "claude-sonnet-4-5", provider="anthropic", usage=claude, api="messages"
    ).total == Decimal("0.0045")


def test_a_discount_does_not_come_off_a_negotiated_rate() -> None:
    # 600 x 2.00 + 400 x 1.25 x 0.85 + 100 x 8.00 per million
    assert ask(NEGOTIATED + DISCOUNT).total == Decimal("0.002425")


@pytest.mark.parametrize(
    ("model", "discounted"),
    [("gpt-4o", True), ("gpt-4o-2024-08-06", True), ("gpt-4o-mini", False)],
)
def test_a_discount_for_a_model_means_what_its_name_means(model: str, discounted: bool) -> None:
    text = DISCOUNT.replace("percent", 'model = "gpt-4o"\npercent')
    assert bool(ask(text, model).lines[0].factors) is discounted


def test_discounts_multiply_and_may_add() -> None:
    more = """
    [[discounts]]
    id = "reseller"
    provider = "*"
    percent = -10
    """
    assert ask(DISCOUNT + more).total == Decimal("0.002805")  # 0.003 x 0.85 x 1.10


def test_a_discount_on_tokens_leaves_fees_alone() -> None:
    text = DISCOUNT.replace("percent", 'meters = ["tokens."]\npercent')
    context = {"tool_calls": {"web_search": 2}}
    listed, less = (ask(t, context=context).total for t in ("", text))
    assert listed is not None
    assert less is not None
    assert listed - less == Decimal("0.00045")  # 15 % of 0.003


def test_what_the_provider_reports_is_what_it_bills() -> None:
    discount = DISCOUNT.replace('"openai"', '"openrouter"')
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.01}
    cost = ask(discount, "openai/gpt-4o", provider="openrouter", usage=usage)
    assert (cost.total, cost.status) == (Decimal("0.01"), "reported")


def test_a_self_hosted_model_is_free_and_not_unpriced() -> None:
    text = """
    [[prices]]
    provider = "*"
    model = "llama-3.3-70b"
    free = true
    """
    for provider in ("openai", "unknown", "my-cluster"):
        cost = ask(text, "llama-3.3-70b", provider=provider)
        assert (cost.total, cost.status, cost.provider) == (Decimal(0), "free", provider)
    assert ask(text, "llama-3.3-8b").status == "unpriced"


def test_a_self_hosted_model_with_a_price_for_each_request() -> None:
    text = """
    [[prices]]
    provider = "vllm"
    model = "*"
    usd = { "tokens.in.text" = 0.10, "tokens.out.text" = 0.20, "fee.request" = 0.001 }
    """
    # 1000 x 0.10 + 100 x 0.20 per million, and one request; not free, as local models are
    assert ask(text, "whatever", provider="vllm").total == Decimal("0.00112")


def test_a_fee_for_all_models_makes_none_of_them_known() -> None:
    text = """
    [[prices]]
    provider = "openai"
    model = "*"
    usd = { "fee.web_search" = 0.008 }
    """
    context = {"tool_calls": {"web_search": 2}}
    assert ask(text, "gpt-9000", context=context).status == "unpriced"
    fees = [one for one in ask(text, context=context).lines if one.meter == "fee.web_search"]
    assert [line.amount_usd for line in fees] == [Decimal("0.016")]


def test_a_deployments_alias_has_dates_and_may_lead_to_another_provider() -> None:
    text = """
    [[aliases]]
    provider = "*"
    alias = "Prod-Chat"
    target = "gpt-4o-mini"
    target_provider = "azure"
    valid_to = 2026-07-01
    [[aliases]]
    provider = "*"
    alias = "prod-chat"
    target = "gpt-4o"
    target_provider = "azure"
    valid_from = 2026-07-01
    """
    before, after = (ask(text, "prod-chat", at=at) for at in ("2026-06-30", "2026-07-01"))
    # 1000 x 0.15 + 100 x 0.60 per million (Azure lists no cached rate); then gpt-4o's
    assert (before.total, before.provider) == (Decimal("0.00021"), "azure")
    assert (after.total, after.model) == (Decimal("0.003"), "gpt-4o")


def test_an_alias_of_the_users_goes_before_the_catalogues() -> None:
    text = """
    [[aliases]]
    provider = "openai"
    alias = "gpt-4o"
    target = "gpt-4o-mini"
    """
    assert ask(text).total == Decimal("0.00018")


def test_near_names_and_knows_take_own_models_in() -> None:
    catalogue = with_own(NEGOTIATED.replace('"gpt-4o"', '"house-model-7"'))
    at = datetime(2026, 8, 1, tzinfo=UTC)
    assert catalogue.knows(provider="openai", model="house-model-7", at=at)
    assert catalogue.near("openai", "house-modell-7")[0] == "house-model-7"


def test_an_empty_overlay_changes_nothing() -> None:
    assert ask("").total == Decimal("0.003")
