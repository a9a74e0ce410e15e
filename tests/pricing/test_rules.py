"""The rules of invoicing, each on amounts worked out by hand from the day's prices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest

from costspan.core.types import Usage
from costspan.core.usage import read_usage
from costspan.pricing.catalogue import Catalogue

MILLION = 10**6


def chat(prompt: int, completion: int = 0, **details: int) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "prompt_tokens_details": details}  # fmt: skip


def claude(text: int, output: int = 0, **more: Any) -> dict[str, Any]:
    return {"input_tokens": text, "output_tokens": output, **more}


@pytest.mark.parametrize(
    ("day", "target", "usd"),
    [
        ("2024-09-15", "gpt-4o-2024-05-13", "5.00"),
        ("2024-10-01T23:59:59", "gpt-4o-2024-05-13", "5.00"),
        ("2024-10-02", "gpt-4o-2024-08-06", "2.50"),
        ("2026-01-01", "gpt-4o-2024-08-06", "2.50"),
    ],
)
def test_an_alias_means_what_it_meant_that_day(day: str, target: str, usd: str, price: Any) -> None:
    cost = price("openai", "gpt-4o", chat(MILLION), day)
    assert (cost.model, cost.total) == (target, Decimal(usd))


def test_an_alias_goes_by_the_start_and_a_price_by_the_end(catalogue: Catalogue) -> None:
    start = datetime(2024, 10, 1, 23, 59, 59, tzinfo=UTC)
    end = datetime(2024, 10, 2, 0, 0, 5, tzinfo=UTC)
    for _ in range(2):  # the second time from the plan that was kept
        cost = catalogue.cost(provider="openai", model="gpt-4o", usage=chat(MILLION),
                              at=end, started_at=start)  # fmt: skip
        assert cost.model == "gpt-4o-2024-05-13"
        cost = catalogue.cost(provider="openai", model="gpt-4o", usage=chat(MILLION), at=end)
        assert cost.model == "gpt-4o-2024-08-06"


def test_aliases_are_followed_until_they_no_longer_move(price: Any) -> None:
    # grok-3-latest was grok-3, which became grok-4.3 on 2026-05-15
    assert price("x-ai", "grok-3-latest", chat(10), "2025-06-01").model == "grok-3"
    assert price("x-ai", "grok-3-latest", chat(10), "2026-06-01").model == "grok-4.3"


def test_before_a_model_existed_it_has_no_price(price: Any) -> None:
    cost = price("openai", "gpt-4o-2024-08-06", chat(10), "2024-01-01")
    assert (cost.status, cost.total) == ("unpriced", None)


@pytest.mark.parametrize(
    ("provider", "spelling", "model"),
    [
        ("openai", "GPT-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("openai", "openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("openai", "gpt-4o-20240806", "gpt-4o-2024-08-06"),
        ("openai", "gpt-5.6-luna-2026-07-09", "gpt-5.6-luna"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::Ab12", "ft:gpt-4o-mini-2024-07-18"),
        ("anthropic", "anthropic/claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("anthropic", "claude-sonnet-4-5-2025-09-29", "claude-sonnet-4-5-20250929"),
        ("vertex_ai", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("vertex_ai", "vertex_ai/claude-sonnet-4-5@default", "claude-sonnet-4-5-20250929"),
        ("vertex", "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini", "gemini/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("fireworks_ai", "accounts/fireworks/models/deepseek-v3p2", "deepseek-v3p2"),
        (
            "bedrock",
            "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic."
            "claude-sonnet-4-5-20250929-v1:0",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("bedrock", "claude-sonnet-4-5-20250929", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
    ],
)
def test_exact_spellings_of_one_model(provider: str, spelling: str, model: str, price: Any) -> None:
    assert price(provider, spelling, chat(10), "2026-10-15").model == model


@pytest.mark.parametrize(
    "name",
    ["gpt-4o-2024-12-01", "my-gpt-4o", "gpt-4oo", "gpt", "", "*", "gpt-4*", "gpt-4o\nx", "a,b",
     "claude-sonnet-4-5"],
)  # fmt: skip
def test_no_other_name_is_guessed(name: str, price: Any) -> None:
    cost = price("openai", name, chat(10), "2026-01-01")
    assert (cost.status, cost.total, cost.model, cost.lines) == ("unpriced", None, None, ())


def test_the_model_that_answered_goes_first(price: Any) -> None:
    cost = price("azure", "my-deployment", chat(MILLION), "2025-03-10",
                 response_model="gpt-4o-2024-08-06")  # fmt: skip
    assert cost.total == Decimal("2.50")


def test_a_band_reprices_every_token_and_its_edge_is_excluded(price: Any) -> None:
    model, day = "claude-sonnet-4-5-20250929", "2025-12-01"
    below = price("anthropic", model, claude(200_000, 1000), day)
    above = price("anthropic", model, claude(200_001, 1000), day)
    assert below.total == Decimal("0.615")  # 200000 * 3 + 1000 * 15 per million
    assert above.total == Decimal("1.222506")  # 200001 * 6 + 1000 * 22.5 per million


def test_a_band_counts_cache_reads_and_writes(price: Any) -> None:
    usage = claude(1, 0, cache_read_input_tokens=150_000, cache_creation_input_tokens=50_000)
    cost = price("anthropic", "claude-sonnet-4-5-20250929", usage, "2025-12-01")
    assert [line.rate_usd for line in cost.lines] == [6, Decimal("0.6"), Decimal("7.5")]


def test_an_inclusive_band(price: Any) -> None:
    below = price("x-ai", "grok-4.3", chat(199_999), "2026-10-01", api="chat")
    edge = price("x-ai", "grok-4.3", chat(200_000), "2026-10-01", api="chat")
    assert (below.lines[0].rate_usd, edge.lines[0].rate_usd) == (Decimal("1.25"), Decimal("2.5"))


@pytest.mark.parametrize(
    ("tier", "context", "usd"),
    [
        (None, None, "2.00"),
        ("default", None, "2.00"),
        ("priority", None, "3.50"),
        ("fast", None, "3.50"),
        ("flex", None, "2.00"),  # gpt-4.1 has no flex rate: the standard one is kept
        (None, {"requested_service_tier": "priority"}, "3.50"),
        ("default", {"requested_service_tier": "priority"}, "2.00"),
        ("auto", {"requested_service_tier": "auto"}, "2.00"),
        ("default", {"batch": True}, "1.00"),
    ],
)
def test_the_tier_served_is_billed(
    tier: str | None, context: dict[str, Any] | None, usd: str, price: Any
) -> None:
    response = {"service_tier": tier} if tier else None
    cost = price("openai", "gpt-4.1", chat(MILLION), "2026-11-01", api="chat",
                 response=response, context=context)  # fmt: skip
    assert cost.total == Decimal(usd)


def test_a_meter_without_a_row_in_the_tier_keeps_its_standard_rate(price: Any) -> None:
    usage = chat(MILLION, 0, cached_tokens=MILLION)
    cost = price("openai", "gpt-4.1-mini", usage, "2025-07-15", api="chat",
                 context={"batch": True})  # fmt: skip
    assert cost.total == Decimal("0.10")  # the cached rate of 2025 had no batch discount


def test_factors_stack_and_leave_fees_alone(price: Any) -> None:
    usage = claude(MILLION // 10, service_tier="batch", inference_geo="us",
                   server_tool_use={"web_search_requests": 2})  # fmt: skip
    cost = price("anthropic", "claude-opus-4-6", usage, "2026-05-01", api="messages")
    text, search = cost.lines
    assert text.factors == (
        ("anthropic-batch", Decimal("0.5")),
        ("anthropic-geo-us", Decimal("1.1")),
    )
    assert text.amount_usd == Decimal("0.275")  # 0.5 * 0.5 * 1.1
    assert (search.meter, search.factors, search.amount_usd) == (
        "fee.web_search", (), Decimal("0.02"))  # fmt: skip
    assert cost.total == Decimal("0.295")


@pytest.mark.parametrize(
    ("day", "rate"),
    [("2026-02-10", 3), ("2026-02-17T07:59:59", 3), ("2026-02-17T08:00:00", 6)],
)
def test_a_factor_holds_for_its_own_time(day: str, rate: int, price: Any) -> None:
    cost = price("anthropic", "claude-opus-4-6", claude(1000, speed="fast"), day, api="messages")
    assert cost.lines[0].factors[0][1] == rate


@pytest.mark.parametrize(
    ("context", "usd"),
    [
        (None, "3.00"),
        ({"vertex_location": "global"}, "3.00"),
        ({"vertex_location": "us-east5"}, "3.30"),
        ({"api_base": "https://us-east5-aiplatform.googleapis.com/v1"}, "3.30"),
        ({"api_base": "https://aiplatform.googleapis.com/v1"}, "3.00"),
    ],
)
def test_a_place_known_from_the_call_site(
    context: dict[str, Any] | None, usd: str, price: Any
) -> None:
    model = "claude-sonnet-4-5@20250929"
    cost = price("vertex", model, claude(MILLION // 10), "2025-12-10", context=context)
    assert cost.total == Decimal(usd) / 10


@pytest.mark.parametrize(
    ("context", "usd"),
    [
        ({}, "2.50"),
        ({"data_residency": "eu"}, "2.75"),
        ({"api_base": "https://eu.api.openai.com/v1"}, "2.75"),
        ({"endpoint": "eu.api.openai.com"}, "2.75"),
        ({"api_base": "https://api.openai.com/v1"}, "2.50"),
        ({"deployment": "fedramp"}, "2.75"),
    ],
)
def test_regional_processing(context: dict[str, Any], usd: str, price: Any) -> None:
    cost = price("openai", "gpt-5.4", chat(100_000), "2026-10-01", context=context)
    assert cost.total == Decimal(usd) / 10


@pytest.mark.parametrize(
    ("context", "usd"),
    [
        ({}, "2.50"),
        ({"azure_deployment": "global"}, "2.50"),
        ({"azure_deployment": "datazone-eu"}, "2.75"),
        ({"azure_deployment": "DataZoneStandard", "azure_region": "swedencentral"}, "2.75"),
        ({"azure_deployment": "DataZoneStandard", "azure_region": "eastus2"}, "2.75"),
    ],
)
def test_azure_deployments(context: dict[str, Any], usd: str, price: Any) -> None:
    cost = price("azure", "gpt-4o-2024-08-06", chat(MILLION), "2025-03-10", context=context)
    assert cost.total == Decimal(usd)


@pytest.mark.parametrize(
    "how", [{"context": {"azure_deployment": "global", "requested_service_tier": "ptu"}}]
)
def test_reserved_throughput_has_no_price_by_the_token(how: dict[str, Any], price: Any) -> None:
    cost = price("azure", "gpt-4o-2024-08-06", chat(10), "2025-03-10", **how)
    assert (cost.status, cost.total) == ("unpriced", None)


@pytest.mark.parametrize(
    ("at", "usd"),
    [
        ("2025-07-10T16:29:59", "0.27"),
        ("2025-07-10T16:30:00", "0.135"),
        ("2025-07-11T00:29:59", "0.135"),
        ("2025-07-11T00:30:00", "0.27"),
        ("2025-02-15T18:00:00", "0.27"),  # the discount had not begun
        ("2025-09-20T18:00:00", "0.56"),  # and has ended
    ],
)
def test_a_discount_of_the_night(at: str, usd: str, price: Any) -> None:
    assert price("deepseek", "deepseek-chat", chat(MILLION), at).total == Decimal(usd)


@pytest.mark.parametrize(
    ("at", "peak"),
    [
        ("2026-09-03T00:59:59", False),
        ("2026-09-03T01:00:00", True),  # 09:00 in Shanghai, a Thursday
        ("2026-09-03T03:59:59", True),
        ("2026-09-03T04:00:00", False),
        ("2026-09-03T06:00:00", True),
        ("2026-09-03T10:00:00", False),
        ("2026-09-05T02:00:00", False),  # Saturday
        ("2026-10-02T02:00:00", False),  # the national holiday
        ("2026-10-08T02:00:00", True),
        ("2026-08-22T02:00:00", True),  # a Saturday before weekends were off-peak
    ],
)
def test_peak_hours_of_workdays(at: str, peak: bool, price: Any) -> None:
    cost = price("deepseek", "deepseek-v4-pro", chat(MILLION), at)
    assert cost.total == (Decimal("1.32") if peak else Decimal("0.66"))


def test_thought_decides_the_output_rate_of_the_first_previews(price: Any) -> None:
    usage = {"promptTokenCount": 0, "candidatesTokenCount": MILLION, "thoughtsTokenCount": 0}
    model = "gemini-2.5-flash-preview-04-17"
    assert price("google", model, usage, "2025-05-01").total == Decimal("0.60")
    usage["thoughtsTokenCount"] = 1
    assert price("google", model, usage, "2025-05-01").total == Decimal("3.5000035")


@pytest.mark.parametrize(
    ("model", "tool", "day", "usd"),
    [
        ("gpt-5-mini", "web_search", "2025-09-20", "0.01"),
        ("gpt-4o", "web_search_preview", "2026-09-01", "0.025"),
        ("gpt-5-mini", "web_search_preview", "2025-09-20", "0.01"),
        ("gpt-4o", "web_search_preview", "2025-05-01", "0.035"),  # medium is the default
    ],
)
def test_web_search_by_tool_and_day(model: str, tool: str, day: str, usd: str, price: Any) -> None:
    usage = {"input_tokens": 0, "output_tokens": 0}
    listed = {"tools": [{"type": tool}],
              "output": [{"type": "web_search_call", "action": {"type": "search"}}]}  # fmt: skip
    told = {"tool_calls": {"web_search": 1}, "tool": tool}
    for more in ({"response": listed}, {"context": told}, {"response": listed, "context": told}):
        assert price("openai", model, usage, day, api="responses", **more).total == Decimal(usd)


def test_a_search_of_a_small_model_brings_8000_tokens(price: Any) -> None:
    usage = {"input_tokens": 100, "output_tokens": 0}
    cost = price("openai", "gpt-4o-mini", usage, "2026-09-01", api="responses",
                 context={"tool_calls": {"web_search": 2}, "tool": "web_search"})  # fmt: skip
    assert cost.total == Decimal("0.022415")  # 16100 * 0.15 per million, and two cents


def test_search_models_of_the_chat_api_search_each_time(price: Any) -> None:
    cost = price("openai", "gpt-4o-search-preview", chat(0), "2026-01-01", api="chat")
    assert cost.total == Decimal("0.025")


def test_a_users_own_tools_are_free(price: Any) -> None:
    cost = price("openai", "gpt-4.1", chat(MILLION), "2026-09-01",
                 context={"tool_calls": {"get_weather": 3, "": 1, "x": "junk"}})  # fmt: skip
    assert (cost.total, cost.status) == (Decimal(2), "priced")


@pytest.mark.parametrize(
    ("usage_size", "context", "usd"),
    [
        ("low", None, "0.006"),
        ("medium", None, "0.010"),
        ("high", None, "0.014"),
        (None, None, "0.006"),
        (None, {"search_context_size": "high"}, "0.014"),
    ],
)
def test_perplexity_bills_each_request(
    usage_size: str | None, context: dict[str, Any] | None, usd: str, price: Any
) -> None:
    usage = {**chat(0), "search_context_size": usage_size}
    cost = price("perplexity", "sonar-pro", usage, "2025-07-10", api="chat", context=context)
    assert cost.total == Decimal(usd)


def test_groq_bills_ten_seconds_of_sound_at_least(price: Any) -> None:
    for seconds in (3, 10):
        cost = price("groq", "whisper-large-v3", {"seconds": seconds}, "2026-11-20",
                     api="transcription")  # fmt: skip
        assert cost.total == Decimal("0.000308333333")  # 10 * 0.111 / 3600


def test_an_own_key_behind_a_gateway_costs_its_fee(price: Any) -> None:
    usage = {**chat(194, 2), "is_byok": True, "cost_details": {"upstream_inference_cost": 0.000505}}
    cost = price("openrouter", "openai/gpt-4o", usage, "2025-10-10", api="chat")
    assert (cost.total, cost.status) == (Decimal("0.00002525"), "priced")
    cost = price("openrouter", "x/y", {**usage, "cost": 2.525e-05}, "2025-10-10", api="chat")
    assert (cost.status, cost.difference) == ("reported", 0)


def test_reported_amounts_go_first_and_the_difference_is_kept(price: Any) -> None:
    usage = {**chat(MILLION // 10), "cost_in_usd_ticks": 2_000_000_000}
    cost = price("x-ai", "grok-4.3", usage, "2026-08-24", api="chat")
    assert (cost.status, cost.total, cost.reported) == ("reported", Decimal("0.2"), Decimal("0.2"))
    assert cost.difference == Decimal("0.075")  # 0.125 was to be expected
    unknown = price("x-ai", "grok-99", usage, "2026-08-24", api="chat")
    assert (unknown.status, unknown.total, unknown.difference) == ("reported", Decimal("0.2"), None)


def test_free_is_not_unknown(price: Any) -> None:
    local = price("ollama", "llama3.2:3b", {"prompt_eval_count": 26, "eval_count": 9}, "2026-01-01")
    assert (local.status, local.total) == ("free", 0)
    tier = price("google", "gemini-2.5-flash", {"promptTokenCount": 9}, "2026-01-01",
                 context={"free_tier": True})  # fmt: skip
    assert (tier.status, tier.total) == ("free", 0)
    unknown = price("ollama", "llama3.2:3b", None, "2026-01-01")
    assert (unknown.status, unknown.total) == ("unpriced", None)


def test_nothing_used_costs_nothing(price: Any) -> None:
    cost = price("openai", "gpt-4.1", chat(0), "2026-01-01")
    assert (cost.status, cost.total, cost.lines) == ("priced", 0, ())


def test_a_meter_without_a_rate_makes_the_cost_partial(catalogue: Catalogue) -> None:
    usage = Usage({"tokens.in.text": MILLION, "pages.ocr": 3})
    cost = catalogue.cost(provider="openai", model="gpt-4.1", usage=usage,
                          at=datetime(2026, 1, 1, tzinfo=UTC))  # fmt: skip
    assert (cost.status, cost.total) == ("partial", Decimal(2))
    assert cost.unpriced_meters == ("pages.ocr",)


@pytest.mark.parametrize(
    ("meter", "rate"),
    [
        ("tokens.out.reasoning", "8"),
        ("tokens.out.audio", "8"),
        ("tokens.in.image", "2"),
        ("tokens.in.cache_write", "2"),
        ("tokens.in.cache_write.1h", "2"),
        ("tokens.in.cache_read.image", "0.5"),
    ],
)
def test_meters_stand_in_for_others(meter: str, rate: str, catalogue: Catalogue) -> None:
    cost = catalogue.cost(provider="openai", model="gpt-4.1", usage=Usage({meter: MILLION}),
                          at=datetime(2026, 1, 1, tzinfo=UTC))  # fmt: skip
    assert cost.total == Decimal(rate)


def test_lines_are_rounded_once_half_even_and_add_up(price: Any) -> None:
    usage = {"seconds": 1}
    cost = price("groq", "whisper-large-v3-turbo", {"seconds": 11}, "2026-11-20",
                 api="transcription")  # fmt: skip
    assert cost.total == Decimal("0.000122222222")  # 11 * 0.04 / 3600
    odd = price("openai", "whisper-1", usage, "2025-06-01", api="transcription")
    assert odd.total == Decimal("0.000100000000")
    assert odd.total.as_tuple().exponent == -12


def test_the_users_decimal_context_changes_nothing(price: Any) -> None:
    expected = price("openai", "gpt-4.1", chat(123_456_789, 987), "2026-01-01").total
    with localcontext() as context:
        context.prec = 3
        assert price("openai", "gpt-4.1", chat(123_456_789, 987), "2026-01-01").total == expected


def test_a_naive_instant_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(ValueError, match="must be aware"):
        catalogue.cost(provider="openai", model="gpt-4.1", usage=None, at=datetime(2026, 1, 1))


def test_a_line_leads_to_its_source(catalogue: Catalogue, price: Any) -> None:
    cost = price("openai", "gpt-4o-2024-08-06", chat(10), "2024-11-01")
    found = catalogue.provenance(cost.lines[0].row)
    assert found is not None
    assert found.source
    assert found.evidence in ("provider-page", "announcement")
    assert catalogue.provenance("nosuchrow") is None


def test_prices_of_the_past_and_the_future_from_one_catalogue(price: Any) -> None:
    days = ["2026-11-20", "2027-01-02", "2026-11-20", "2027-01-02"]
    usage = {"promptTokenCount": MILLION // 10}
    totals = [price("google", "gemini-3.8-flash", usage, day).total for day in days]
    assert totals == [Decimal("0.075"), Decimal("0.15")] * 2


@pytest.mark.parametrize(
    ("usage", "usd", "status", "unknown"),
    [
        # gpt-4o: $2.50 in, $10 out per million tokens. A total tells the side that is missing.
        ({"prompt_tokens": None, "completion_tokens": 100, "total_tokens": 100_100},
         "0.251", "priced", ()),
        ({"prompt_tokens": 100, "completion_tokens": "x", "total_tokens": 300},
         "0.00225", "priced", ()),
        # Nothing tells it: the known side is priced, and the other is named.
        ({"completion_tokens": 100}, "0.001", "partial", ("tokens.in.text",)),
        ({"prompt_tokens": -5, "completion_tokens": 100}, "0.001", "partial", ("tokens.in.text",)),
        ({"prompt_tokens": 100}, "0.00025", "partial", ("tokens.out.text",)),
        ({"total_tokens": 100}, "0.00025", "partial", ("tokens.in.text", "tokens.out.text")),
        ({"completion_tokens": 0}, None, "unpriced", ("tokens.in.text",)),
    ],
)  # fmt: skip
def test_half_told_usage_is_never_a_clean_price(
    catalogue: Catalogue,
    usage: dict[str, Any],
    usd: str | None,
    status: str,
    unknown: tuple[str, ...],
) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    cost = catalogue.cost(provider="openai", model="gpt-4o", usage=usage, at=at, api="chat")

    assert (cost.total, cost.status) == (None if usd is None else Decimal(usd), status)
    assert cost.unpriced_meters == unknown


def test_an_answer_that_costs_nothing_is_not_missed(price: Any) -> None:
    for usage in ({"prompt_tokens": 1000}, {"total_tokens": 1000}):
        cost = price("openai", "text-embedding-3-small", usage, "2026-11-01", api="chat")
        # $0.02 per million tokens
        assert (cost.total, cost.status) == (Decimal("0.00002"), "priced")


def test_an_answer_that_was_counted_since_is_not_missed(catalogue: Catalogue) -> None:
    read = read_usage({"prompt_tokens": 1000}, provider="openai", api="chat")
    assert read is not None
    counted = read._replace(buckets={**read.buckets, "tokens.out.text": 100})
    at = datetime(2026, 11, 1, tzinfo=UTC)
    cost = catalogue.cost(provider="openai", model="gpt-4o", usage=counted, at=at)
    # 1,000 x $2.50 + 100 x $10 per million tokens
    assert (cost.total, cost.status) == (Decimal("0.0035"), "priced")


def test_what_the_provider_reports_goes_before_what_it_does_not_tell(price: Any) -> None:
    usage = {"completion_tokens": 100, "cost": 0.0033789}
    cost = price("openrouter", "openai/gpt-4o", usage, "2026-11-01", api="chat")
    assert (cost.total, cost.status) == (Decimal("0.0033789"), "reported")
    assert (cost.difference, cost.unpriced_meters) == (None, ("tokens.in.text",))


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "GPT-4O"),
        ("OpenAI", "gpt-4o"),
        ("openai", " gpt-4o "),
        ("openai", "openai/gpt-4o"),
        ("openai", "OpenAI/GPT-4o"),
    ],
)
def test_case_and_the_providers_own_prefix_do_not_matter(
    price: Any, provider: str, model: str
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    assert price(provider, model, usage, "2026-11-01").total == Decimal("0.0035")


def test_a_gateways_name_is_not_priced_as_the_vendors(price: Any, catalogue: Catalogue) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    assert price("unknown", "openai/gpt-4o", usage, "2026-11-01").status == "unpriced"
    assert catalogue.near("unknown", "openai/gpt-4o")[0] == "openai/gpt-4o"


@pytest.mark.parametrize(
    ("provider", "model", "first"),
    [
        ("openai", "gpt-4oo", "gpt-4o"),
        ("openai", "GPT-4oo", "gpt-4o"),
        ("openai", "openai/gpt-4oo", "gpt-4o"),
        ("anthropic", "claude-sonet-4-5", "claude-sonnet-4-5"),
        ("gemini", "gemini-2.5-flsh", "gemini-2.5-flash"),
        ("openrouter", "openai/gpt-4oo", "openai/gpt-4o"),
        ("unknown", "openai/gpt-4oo", "openai/gpt-4o"),
        ("openai", "our-own", None),
        ("openai", "", None),
        ("unknown", "gpt-4o", None),
        ("unknown", "nobody/gpt-4o", None),
    ],
)
def test_a_misspelt_model_has_suggestions(
    catalogue: Catalogue, provider: str, model: str, first: str | None
) -> None:
    found = catalogue.near(provider, model)
    assert found[:1] == ([] if first is None else [first])
    assert len(found) <= 3


@pytest.mark.parametrize(
    ("provider", "model", "known", "reasons", "generates"),
    [
        ("openai", "gpt-4o", True, False, True),
        ("openai", "GPT-5", True, True, True),
        ("openai", "o3", True, True, True),
        ("anthropic", "claude-sonnet-4-5", True, True, True),
        ("gemini", "gemini-2.5-flash", True, True, True),
        ("openai", "text-embedding-3-small", True, False, False),
        ("azure", "text-embedding-3-small", True, False, False),
        ("openai", "gpt-4oo", False, False, True),
        ("unknown", "openai/gpt-4o", False, False, True),
    ],
)
def test_what_is_known_of_a_model(
    catalogue: Catalogue, provider: str, model: str, known: bool, reasons: bool, generates: bool
) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    assert catalogue.knows(provider=provider, model=model, at=at) is known
    assert catalogue.reasons(provider=provider, model=model, at=at) is reasons
    assert catalogue.generates(provider=provider, model=model, at=at) is generates
