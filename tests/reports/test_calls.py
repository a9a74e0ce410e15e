"""Which calls are listed, and how the estimates' errors come about."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.reports import estimates
from costspan.reports.calls import newest_calls
from costspan.reports.estimates import estimate_errors
from costspan.reports.period import Period

if TYPE_CHECKING:
    from tests.reports.conftest import Ledger


def test_newest_first_and_not_more_than_asked_for(ledger: Ledger) -> None:
    ids = [str(ledger.call(f"2026-11-01 12:00:0{second}")) for second in (3, 1, 2)]

    assert [call.call_id for call in newest_calls(ledger, 2)] == [ids[0], ids[2]]


def test_by_status_and_period(ledger: Ledger) -> None:
    ledger.call("2026-11-01", status="error")
    wanted = ledger.call("2026-11-02", status="error")
    ledger.call("2026-11-03", status="ok")
    period = Period(since=datetime(2026, 11, 2, tzinfo=UTC))

    (call,) = newest_calls(ledger, period=period, status="error")

    assert call.call_id == str(wanted)
    assert call.started_at == datetime(2026, 11, 2, tzinfo=UTC)


def test_tags_come_back_as_they_were(ledger: Ledger) -> None:
    ledger.call(tags={"a/b": "ü", "c": ""})

    assert newest_calls(ledger)[0].tags == {"a/b": "ü", "c": ""}


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "interrupted"},
        {"usage_source": "estimated"},
        {"request_count": 2},
        {"input_tokens": 0},
        {"input_tokens": None},
        {"estimate_input_tokens": None},
    ],
)
def test_calls_without_a_truth_are_not_compared(ledger: Ledger, facts: dict[str, object]) -> None:
    ledger.call(**{"estimate_input_tokens": 10, "input_tokens": 10, **facts})

    assert estimate_errors(ledger) == []


def test_money_is_compared_where_the_amount_is_whole(ledger: Ledger) -> None:
    tokens = {"estimate_input_tokens": 10, "input_tokens": 10}
    said = Decimal("0.03")
    ledger.call(**tokens, estimate_cost_usd=said, cost_usd=Decimal("0.02"))
    ledger.call(**tokens, estimate_cost_usd=said, cost_usd=Decimal("0.04"))
    ledger.call(**tokens, estimate_cost_usd=said, cost_usd=Decimal(1), cost_status="partial")
    ledger.call(**tokens, estimate_cost_usd=said, cost_usd=Decimal(0), cost_status="free")
    ledger.call(**tokens, estimate_cost_usd=said, cost_status="unpriced")
    ledger.call(**tokens, cost_usd=Decimal(1))

    # 0.03 for 0.02 is 50 % too high, for 0.04 25 % too low: median 37.5 %, p95 0.25 + 0.95 * 0.25,
    # and in all 0.06 for 0.06.
    (row,) = estimate_errors(ledger)

    assert (row.model, row.calls, row.priced_calls) == ("gpt-x", 6, 2)
    assert (row.input_error_median, row.input_error_p95, row.input_bias) == (0, 0, 0)
    assert row.cost_error_median == pytest.approx(0.375)
    assert row.cost_error_p95 == pytest.approx(0.4875)
    assert row.cost_bias == pytest.approx(0)


def test_of_very_many_calls_the_quantiles_are_of_a_sample(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model with few calls is still looked at whole; the rest is exact."""
    monkeypatch.setattr(estimates, "EXACT_CALLS", 50)
    monkeypatch.setattr(estimates, "SAMPLE", 25)
    monkeypatch.setattr(estimates, "RARE", 5)
    for _ in range(60):
        ledger.call(model="often", estimate_input_tokens=12, input_tokens=10)
    for said in (10, 11, 12):
        ledger.call(model="seldom", estimate_input_tokens=said, input_tokens=10)
    ledger.call(model=None, estimate_input_tokens=15, input_tokens=10)

    often, seldom, nameless = estimate_errors(ledger)

    assert (often.model, often.calls) == ("often", 60)
    assert often.input_error_median == pytest.approx(0.2)
    assert often.input_bias == pytest.approx(0.2)
    assert (seldom.model, seldom.calls) == ("seldom", 3)
    assert seldom.input_error_median == pytest.approx(0.1)
    assert seldom.input_error_p95 == pytest.approx(0.19)
    assert nameless.model is None
    assert nameless.input_error_median == pytest.approx(0.5)
