"""Amounts in another currency: dollars times the rate of the day."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.pricing.overlay import Currency
from costspan.pricing.overlay_parse import parse_overlay
from costspan.reports.calls import newest_calls
from costspan.reports.currency import chosen, converted
from costspan.reports.errors import ReportError
from costspan.reports.export import spend_records
from costspan.reports.render import calls_table, spend_table
from costspan.reports.screen import Screen
from costspan.reports.spend import spend

if TYPE_CHECKING:
    from tests.reports.conftest import Ledger

TEXT = """
[currency]
code = "EUR"
[[currency.rates]]
per_usd = 0.95
[[currency.rates]]
valid_from = 2026-11-01
per_usd = 0.9
source = "ECB"
"""


@pytest.fixture
def euro() -> Currency:
    """0.95 euros for a dollar until November, then 0.90."""
    currency = parse_overlay(TEXT, "prices.toml").currency
    assert currency is not None
    return currency


@pytest.fixture
def spent(ledger: Ledger) -> Ledger:
    ledger.call("2026-10-31 23:59:59.999999", cost_usd=Decimal("10"), model="a")
    ledger.call("2026-11-01 00:00:00", cost_usd=Decimal("10"), model="a")
    ledger.call("2026-11-02 00:00:00", cost_usd=Decimal("0.000000000001"), model="b")
    ledger.call("2026-11-02 00:00:01", cost_status="unpriced", model="c")
    return ledger


def test_each_call_is_converted_at_the_rate_of_its_instant(spent: Ledger, euro: Currency) -> None:
    report = spend(spent, currency=euro)
    costs = {row.key: row.cost for row in report.rows}
    # 10 x 0.95 + 10 x 0.90; a picodollar x 0.90, half-even to 12 places; unknown stays unknown
    assert costs == {"a": Decimal("18.5"), "b": Decimal("0.000000000001"), "c": None}
    assert report.total.cost == Decimal("18.500000000001")
    assert report.total.cost_usd == Decimal("20.000000000001")


def test_requests_of_several_models_are_converted_too(ledger: Ledger, euro: Currency) -> None:
    ledger.many({"model": "a", "cost_usd": "1"}, {"model": "b", "cost_usd": "2"})
    report = spend(ledger, currency=euro)
    assert {row.key: row.cost for row in report.rows} == {"a": Decimal("0.9"), "b": Decimal("1.8")}
    assert report.total.cost == Decimal("2.7")


def test_the_table_names_the_currency_and_the_rates(spent: Ledger, euro: Currency) -> None:
    shown = spend_table(spend(spent, currency=euro), Screen(100))
    assert "cost (EUR)" in shown
    assert "$" not in shown
    rows = [line.split() for line in shown.splitlines()]
    assert rows[4][:7] == ["a", "2", "0", "-", "-", "-", "18.50"]
    assert "Amounts in EUR at 0.95, 0.9 from 2026-11-01 (ECB) per US dollar." in shown


def test_calls_are_shown_in_it(spent: Ledger, euro: Currency) -> None:
    shown = calls_table(newest_calls(spent), Screen(150), euro)
    assert "cost (EUR)" in shown
    assert "9.5000" in shown
    assert "9.0000" in shown
    assert "unpriced" in shown


def test_programs_get_both(spent: Ledger, euro: Currency) -> None:
    names, rows = spend_records(spend(spent, currency=euro))
    assert names[-2:] == ["cost", "currency"]
    assert (rows[0]["cost_usd"], rows[0]["cost"], rows[0]["currency"]) == ("20", "18.5", "EUR")
    assert "cost" not in spend_records(spend(spent))[0]


def test_the_first_rate_also_holds_before_it_begins() -> None:
    (rate,) = (
        parse_overlay(TEXT.replace("per_usd = 0.95", "valid_from = 2026-10-01\nper_usd = 2"), "f")
        .currency.rates[:1]  # type: ignore[union-attr]  # it is there
    )  # fmt: skip
    before = datetime(2020, 1, 1, tzinfo=UTC)
    assert converted(Decimal(3), Currency("EUR", (rate,)), before) == 6


@pytest.mark.parametrize(
    ("said", "configured", "code"),
    [(None, True, "EUR"), ("eur", True, "EUR"), ("USD", True, None), (None, False, None),
     ("usd", False, None)],
)  # fmt: skip
def test_which_currency_is_shown(
    euro: Currency, said: str | None, configured: bool, code: str | None
) -> None:
    currency = chosen(said, euro if configured else None)
    assert (currency.code if currency else None) == code


def test_a_currency_without_a_rate_is_an_error(euro: Currency) -> None:
    with pytest.raises(ReportError, match="no rate for currency 'GBP': give USD or EUR"):
        chosen("GBP", euro)
    with pytest.raises(ReportError, match="no rate for currency 'GBP': give USD, or add"):
        chosen("GBP", None)
