"""Amounts and quantities that the ledger cannot hold: the record stays, and says so."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from costspan.core.types import Quantity, Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost, CostLine, Estimate, Interval

MakeCall = Callable[..., Call]
MakeRequest = Callable[..., ProviderRequest]
Stored = Callable[..., dict[str, Any]]

LARGEST = Decimal("999999.999999999999")
"""What DECIMAL(18,12) holds: 6 digits before the point and 12 behind it."""


@pytest.fixture
def stored(home: Home, open_writer: Callable[..., Writer]) -> Stored:
    """Records a call and reads it back through a merge: the columns of its row."""

    def record(call: Call, view: str = "calls") -> dict[str, Any]:
        assert open_writer(home).put(encode(call))
        with open_ledger(home) as reader:
            assert reader.merged.quarantined == reader.quarantined == 0
            found = reader.execute(f"SELECT * FROM {view} ORDER BY ALL")
        return dict(zip(found.columns, found.rows[0], strict=True))

    return record


def cost(total: Decimal | str, **changes: Any) -> Cost:
    amount = Decimal(total)
    line = CostLine("tokens.in.text", 1, amount, 1, (), amount, "row")
    return Cost(amount, "priced", (line,), **changes)


def usage(**buckets: Quantity) -> Usage:
    return Usage({f"tokens.in.{name}": quantity for name, quantity in buckets.items()})


def test_the_largest_amount_is_kept(
    make_call: MakeCall, make_request: MakeRequest, stored: Stored
) -> None:
    row = stored(make_call(requests=(make_request(cost=cost(LARGEST)),)))

    assert (row["cost_usd"], row["cost_input_usd"]) == (LARGEST, LARGEST)
    assert (row["cost_status"], row["usage_flags"]) == ("priced", None)


@pytest.mark.parametrize("total", ["1000000", "1E+30", "999999.9999999999995"])
def test_a_larger_cost_is_unknown_and_the_record_stays(
    make_call: MakeCall, make_request: MakeRequest, stored: Stored, total: str
) -> None:
    row = stored(make_call(requests=(make_request(cost=cost(total)),)))

    assert (row["cost_usd"], row["cost_input_usd"]) == (None, None)
    assert (row["cost_status"], row["usage_flags"]) == ("unpriced", "cost_overflow")
    assert (row["input_tokens"], row["output_tokens"], row["model"]) == (
        1000,
        100,
        "gpt-x-2026-10-01",
    )


def test_only_what_does_not_fit_becomes_unknown(
    make_call: MakeCall, make_request: MakeRequest, stored: Stored
) -> None:
    flagged = Usage({"tokens.in.text": 1}, flags=("cut",))
    priced = cost("2", reported=Decimal(2_000_000))

    row = stored(make_call(requests=(make_request(cost=priced, usage=flagged),)))

    assert (row["cost_usd"], row["cost_status"], row["reported_usd"]) == (2, "priced", None)
    assert row["usage_flags"] == "cut,cost_overflow"


def test_an_estimate_that_does_not_fit(make_call: MakeCall, stored: Stored) -> None:
    money = Interval(Decimal(1), Decimal(2), Decimal(3_000_000))
    estimate = Estimate(Interval(1, 2, 2**63), Interval(1, 2, 3), money, "o200k", "low")

    row = stored(make_call(estimate=estimate))

    assert (row["estimate_cost_usd"], row["estimate_cost_high_usd"]) == (2, None)
    assert (row["estimate_input_tokens"], row["estimate_input_tokens_high"]) == (2, None)
    assert (row["cost_status"], row["usage_flags"]) == ("priced", None)


@pytest.mark.parametrize(
    ("buckets", "tokens", "kept"),
    [
        # DECIMAL(18,3) holds 15 digits before the point, BIGINT up to 2^63 - 1.
        ({"text": 10**15 - 1}, 10**15 - 1, {"tokens.in.text": 10**15 - 1}),
        ({"text": 10**15, "cache_read": 5}, 10**15 + 5, {"tokens.in.cache_read": 5}),
        ({"text": 2**63 - 1}, 2**63 - 1, {}),
        ({"text": 2**63}, None, {}),
        ({"text": 10**30, "cache_read": 5}, None, {"tokens.in.cache_read": 5}),
    ],
)
def test_quantities(
    make_call: MakeCall,
    make_request: MakeRequest,
    stored: Stored,
    buckets: dict[str, int],
    tokens: int | None,
    kept: dict[str, int],
) -> None:
    row = stored(make_call(requests=(make_request(usage=usage(**buckets)),)))

    assert (row["input_tokens"], row["buckets"]) == (tokens, kept)
    fits = len(kept) == len(buckets)
    assert row["usage_flags"] == (None if fits else "quantity_overflow")
    assert row["cost_usd"] == Decimal("0.0026")


def test_fees(make_call: MakeCall, make_request: MakeRequest, stored: Stored) -> None:
    used = Usage({"tokens.in.text": 1}, fees={"fee.web_search": 10**15, "fee.page": 1})

    row = stored(make_call(requests=(make_request(usage=used),)))

    assert (row["fees"], row["usage_flags"]) == ({"fee.page": 1}, "quantity_overflow")


def test_a_sum_that_does_not_fit(
    make_call: MakeCall, make_request: MakeRequest, stored: Stored
) -> None:
    """Two requests of $600,000 each: each is known, their sum does not fit."""
    request = make_request(cost=cost("600000"))
    call = make_call(requests=(request, request))

    row = stored(call)

    assert (row["cost_usd"], row["cost_input_usd"]) == (None, None)
    assert (row["cost_status"], row["usage_flags"]) == ("unpriced", "cost_overflow")


def test_a_sum_does_not_leave_out_the_part_that_does_not_fit(
    make_call: MakeCall, make_request: MakeRequest, stored: Stored
) -> None:
    requests = (make_request(cost=cost("1000000")), make_request(cost=cost("2")))

    first = stored(make_call(requests=requests), "call_requests")

    assert (first["request_number"], first["cost_usd"]) == (1, None)
    assert (first["cost_status"], first["usage_flags"]) == ("unpriced", "cost_overflow")
    with_both = stored(make_call(requests=requests))
    assert (with_both["cost_usd"], with_both["cost_input_usd"]) == (None, None)
