"""The projection of a call onto a row, and onto a line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.types import Served, Usage
from costspan.exporters.ledger.row import encode, row
from costspan.exporters.ledger.schema import CALL_COLUMNS
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest
from costspan.pricing.types import Cost, CostLine, Estimate, Interval

MakeCall = Callable[..., Call]
MakeRequest = Callable[..., ProviderRequest]

INSTANT = datetime(2026, 11, 1, 12, 0, 0, 250, tzinfo=UTC)
INSTANT_US = 1_793_534_400_000_250


def line(record: Call) -> dict[str, Any]:
    """What a line says."""
    decoded: dict[str, Any] = json.loads(encode(record))
    return decoded


def full_usage() -> Usage:
    """1,560 tokens in of four kinds, 130 out, and two web searches."""
    return Usage(
        {
            "tokens.in.text": 1000,
            "tokens.in.cache_read": 500,
            "tokens.in.cache_write.5m": 40,
            "tokens.in.cache_write.1h": 20,
            "tokens.out.text": 100,
            "tokens.out.reasoning": 30,
            "seconds.audio.in": Decimal("1.5"),
        },
        fees={"fee.web_search": 2},
        flags=("clamped:tokens.in.cache_read", "identity:total"),
        profile="anthropic/messages",
        served=Served(tier="priority", region="us", deployment="global", speed="fast"),
    )


def full_cost() -> Cost:
    """Six lines that come to 0.0233 US dollars."""
    amounts = {
        "tokens.in.text": "0.003",
        "tokens.in.cache_read": "0.0001",
        "tokens.in.cache_write.5m": "0.0001",
        "tokens.in.cache_write.1h": "0.0001",
        "tokens.out.text": "0.0001",
        "fee.web_search": "0.02",
    }
    told = {**full_usage().buckets, **full_usage().fees}
    factors = (("tier", Decimal("1.5")),)
    lines = tuple(
        CostLine(m, told[m], Decimal("3.00"), 10**6, factors, Decimal(a), "row-1")
        for m, a in amounts.items()
    )
    return Cost(
        Decimal("0.0234"),
        "priced",
        lines,
        reported=Decimal("0.0233"),
        provider="anthropic",
        model="claude",
        catalogue_version="2026-11-01",
    )


def test_every_column_of_a_full_call(make_call: MakeCall, make_request: MakeRequest) -> None:
    request = make_request(
        usage=full_usage(),
        cost=full_cost(),
        response_id="resp-1",
        finish_reasons=("stop", "length"),
        context={"batch": True},
        port=8443,
    )
    record = make_call(
        requests=(request,),
        call_id=UUID(int=7),
        started_at=INSTANT,
        ended_at=INSTANT + timedelta(microseconds=1),
        status="error",
        ended_by="raised",
        error=ErrorFacts("openai.RateLimitError", 429, "insufficient_quota"),
        retries=2,
        ttft_us=123,
        streaming=True,
        chunks=17,
        tags={"team": "search"},
        estimate=Estimate(
            Interval(1, 2, 3),
            Interval(4, 5, 6),
            Interval(Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
            "o200k",
            "high",
        ),
        session_id="s",
        unit_id="u",
        trace_id="ab",
        span_id="cd",
        root_span_id="ef",
        billing_mode="plan",
        amount_kind="other",
    )
    stated = [
        [m, "3.00", 1000000, [["tier", "1.5"]], "row-1"]
        for m in (*list(full_usage().buckets)[:5], "fee.web_search")
    ]

    said = json.loads(encode(record, {"host": "h", "pid": 1, "sdk_version": "0.1"}))

    assert said == {
        "call_id": "00000000-0000-0000-0000-000000000007",
        "record_version": 1,
        "started_at": INSTANT_US,
        "ended_at": INSTANT_US + 1,
        "latency_us": 1_000_000,
        "ttft_us": 123,
        "operation": "chat",
        "api": "chat",
        "provider": "openai",
        "model": "gpt-x-2026-10-01",
        "model_requested": "gpt-x",
        "endpoint": "api.openai.com",
        "port": 8443,
        "streaming": True,
        "chunks": 17,
        "retries": 2,
        "request_count": 1,
        "status": "error",
        "ended_by": "raised",
        "error_type": "openai.RateLimitError",
        "error_code": "insufficient_quota",
        "http_status": 429,
        "response_id": "resp-1",
        "finish_reasons": "stop,length",
        "input_tokens": 1560,
        "output_tokens": 130,
        "cache_read_tokens": 500,
        "cache_write_tokens": 60,
        "reasoning_tokens": 30,
        "usage_source": "provider",
        "usage_flags": "clamped:tokens.in.cache_read,identity:total",
        "usage_profile": "anthropic/messages",
        "buckets": {
            "tokens.in.text": 1000,
            "tokens.in.cache_read": 500,
            "tokens.in.cache_write.5m": 40,
            "tokens.in.cache_write.1h": 20,
            "tokens.out.text": 100,
            "tokens.out.reasoning": 30,
            "seconds.audio.in": "1.5",
        },
        "fees": {"fee.web_search": 2},
        "tier": "priority",
        "region": "us",
        "deployment": "global",
        "speed": "fast",
        "context": {"batch": True},
        "cost_usd": "0.0234",
        "cost_input_usd": "0.003",
        "cost_output_usd": "0.0001",
        "cost_cache_read_usd": "0.0001",
        "cost_cache_write_usd": "0.0002",
        "cost_other_usd": "0.02",
        "cost_status": "priced",
        "reported_usd": "0.0233",
        "catalogue_version": "2026-11-01",
        "priced_provider": "anthropic",
        "priced_model": "claude",
        "cost_lines": stated,
        "estimate_input_tokens": 2,
        "estimate_input_tokens_low": 1,
        "estimate_input_tokens_high": 3,
        "estimate_output_tokens": 5,
        "estimate_output_tokens_low": 4,
        "estimate_output_tokens_high": 6,
        "estimate_cost_usd": "0.2",
        "estimate_cost_low_usd": "0.1",
        "estimate_cost_high_usd": "0.3",
        "estimate_basis": "o200k",
        "session_id": "s",
        "unit_id": "u",
        "billing_mode": "plan",
        "amount_kind": "other",
        "trace_id": "ab",
        "span_id": "cd",
        "root_span_id": "ef",
        "tags": {"team": "search"},
        "host": "h",
        "pid": 1,
        "sdk_version": "0.1",
    }
    assert said.keys() | {"requests"} == {name for name, _ in CALL_COLUMNS}


def test_a_quantity_that_is_in_no_bucket_stands_in_its_cost_line(
    make_call: MakeCall, make_request: MakeRequest
) -> None:
    """A minimum of 10 seconds, and a fee that each request bears: told by no response."""
    lines = tuple(
        CostLine(meter, quantity, Decimal(1), 3600, (), Decimal("0.01"), "row")
        for meter, quantity in (("seconds.audio.in", 10), ("fee.request", 1), ("fee.x", 2))
    )
    usage = Usage({"seconds.audio.in": Decimal("1.5")}, fees={"fee.x": 2})
    cost = Cost(Decimal("0.03"), "priced", lines)

    said = line(make_call(requests=(make_request(usage=usage, cost=cost),)))

    assert said["cost_lines"] == [
        ["seconds.audio.in", "1", 3600, [], "row", "10"],
        ["fee.request", "1", 3600, [], "row", "1"],
        ["fee.x", "1", 3600, [], "row"],
    ]


def test_what_is_not_known_is_null_and_not_zero(
    make_call: MakeCall, make_request: MakeRequest
) -> None:
    said = line(make_call(requests=(make_request(usage=None, cost=None),)))

    assert said["cost_status"] == "unpriced"
    unknown = [name for name in said if "tokens" in name or name.endswith("_usd")]
    assert unknown == []
    assert "buckets" not in said


def test_a_reported_zero_stays_zero(make_call: MakeCall, make_request: MakeRequest) -> None:
    usage = Usage({"tokens.in.text": 5, "tokens.in.cache_read": 0})
    said = line(make_call(requests=(make_request(usage=usage, cost=None),)))

    assert (said["cache_read_tokens"], said["input_tokens"]) == (0, 5)
    assert "output_tokens" not in said
    assert "reasoning_tokens" not in said


def test_a_call_of_several_requests(make_call: MakeCall, make_request: MakeRequest) -> None:
    """A fallback: the first request failed and was billed, the second has no price."""
    first = make_request(
        provider="azure",
        model="gpt-x-azure",
        started_at=INSTANT,
        ended_at=INSTANT + timedelta(seconds=2),
        error=ErrorFacts("openai.APIError", 500),
    )
    second = make_request(
        provider="mistral",
        model="large",
        usage=Usage(
            {"tokens.in.text": 10, "tokens.out.text": 1, "tokens.out.reasoning": 4},
            source="partial",
            flags=("cut",),
        ),
        cost=Cost(None, "unpriced"),
    )

    said = line(make_call(requests=(first, second)))

    assert said["request_count"] == 2
    assert (said["provider"], said["model"]) == ("mistral", "large")
    assert (said["input_tokens"], said["output_tokens"], said["reasoning_tokens"]) == (1010, 105, 4)
    assert said["buckets"] == {
        "tokens.in.text": 1010,
        "tokens.out.text": 101,
        "tokens.out.reasoning": 4,
    }
    assert (said["cost_usd"], said["cost_status"]) == ("0.0026", "partial")
    assert (said["cost_input_usd"], said["cost_output_usd"]) == ("0.002", "0.0006")
    assert (said["usage_source"], said["usage_flags"]) == ("partial", "cut")
    assert "cost_lines" not in said
    assert "error_type" not in said
    one, two = said["requests"]
    assert (one["provider"], one["model"], one["cost_usd"]) == ("azure", "gpt-x-azure", "0.0026")
    assert (one["error_type"], one["http_status"]) == ("openai.APIError", 500)
    assert (one["started_at_us"], one["ended_at_us"]) == (INSTANT_US, INSTANT_US + 2_000_000)
    assert (one["input_tokens"], two["input_tokens"]) == (1000, 10)
    assert (two["cost_status"], "cost_usd" in two) == ("unpriced", False)
    assert one["cost_lines"][0] == ["tokens.in.text", "2", 1000000, [], "row-in"]


def test_no_request_of_several_is_priced(make_call: MakeCall, make_request: MakeRequest) -> None:
    request = make_request(cost=None, usage=None)
    said = line(make_call(requests=(request, request)))

    assert said["cost_status"] == "unpriced"
    assert "cost_usd" not in said
    assert "input_tokens" not in said


def test_sums_agree_with_the_usage_itself(make_call: MakeCall, make_request: MakeRequest) -> None:
    usage = full_usage()
    columns = row(make_call(requests=(make_request(usage=usage),)))

    for name in ("input", "output", "cache_read", "cache_write", "reasoning"):
        assert columns[f"{name}_tokens"] == getattr(usage, f"{name}_tokens")


@pytest.mark.parametrize("zone_hours", [0, 2, -8])
def test_instants_are_utc_whatever_zone_they_are_said_in(
    make_call: MakeCall, zone_hours: int
) -> None:
    local = INSTANT.astimezone(timezone(timedelta(hours=zone_hours)))
    assert line(make_call(started_at=local))["started_at"] == INSTANT_US


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"a": "\ud800x"}, {"a": "\ufffdx"}),
        ({"\udfff": "v"}, {"\ufffd": "v"}),
        ({"a": "\ud83d\ude00"}, {"a": "\U0001f600"}),
        ({"a": "x\0y\nz"}, {"a": "x\0y\nz"}),
        ({1: 2, "a": True}, {"1": 2, "a": True}),
        ({"a": 10**30}, {"a": str(10**30)}),
        ({"a": Decimal("1.10")}, {"a": "1.10"}),
        ({"a": {"b": {3}}}, {"a": {"b": "{3}"}}),
        ({"a": MappingProxyType({"b": [None, b"x"]})}, {"a": {"b": [None, "b'x'"]}}),
        (MappingProxyType({"a": "b"}), {"a": "b"}),
    ],
)
def test_odd_tags_do_not_lose_the_record(
    make_call: MakeCall, tags: Any, expected: dict[str, object]
) -> None:
    encoded = encode(make_call(tags=tags))

    assert json.loads(encoded)["tags"] == expected
    assert json.loads(encoded)["cost_usd"] == "0.0026"
    assert encoded.count(b"\n") == 1
    assert b"\0" not in encoded


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.decimals()
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)  # fmt: skip


@given(tags=st.dictionaries(st.text(st.characters(exclude_categories=())), anything))
def test_any_tags_make_one_whole_line(tags: dict[str, Any]) -> None:
    encoded = encode(
        Call(
            call_id=UUID(int=1),
            operation="chat",
            requests=(ProviderRequest("openai", "chat", "m", "m", INSTANT, INSTANT),),
            started_at=INSTANT,
            ended_at=INSTANT,
            latency_us=0,
            status="ok",
            ended_by="value",
            tags=tags,
        )
    )

    assert encoded.endswith(b"\n")
    assert encoded.count(b"\n") == 1
    assert b"\0" not in encoded
    assert len(json.loads(encoded).get("tags", {})) <= len(tags)


def test_a_duration_that_nobody_knows_is_null(make_call: MakeCall) -> None:
    assert "latency_us" not in row(make_call(latency_us=0))
    assert row(make_call(latency_us=1))["latency_us"] == 1


def test_a_plain_call_is_encoded_in_microseconds(make_call: MakeCall) -> None:
    record = make_call()
    fastest = min(_seconds(lambda: encode(record)) for _ in range(2000))

    assert fastest < 100e-6  # 8 on an idle machine; the limit is for slow and busy ones


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_an_interrupt_while_a_row_is_written_stays_one(make_call: MakeCall) -> None:
    """orjson makes a TypeError of whatever is raised in its hook, of Ctrl-C too."""

    class Interrupting:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(make_call(tags={"a": Interrupting()}))
