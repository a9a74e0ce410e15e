"""The currency that amounts are shown in: US dollars times a dated rate."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from decimal import Decimal

from costspan.pricing.overlay import Currency
from costspan.pricing.rates import EXACT, PICODOLLAR
from costspan.pricing.rows import BEGINNING
from costspan.reports.errors import ReportError
from costspan.reports.text import plain_decimal

USD = "USD"
_SQL_RATE = "DECIMAL(18,9)"


def chosen(said: str | None, configured: Currency | None) -> Currency | None:
    """Give the currency of a report; None for US dollars.

    Args:
        said: What the user asks for; None for what is configured.
        configured: That of the user's own prices, if there is one.

    Raises:
        ReportError: There is no rate for what is asked for.
    """
    code = said.upper() if said else None
    if code == USD or (code is None and configured is None):
        return None
    if configured is None or code not in (None, configured.code):
        allowed = f"{USD} or {configured.code}" if configured else USD
        raise ReportError(
            f"no rate for currency {said!r}: give {allowed}, or add [currency] to your own prices, "
            "see docs/prices.md"
        )
    return configured


def converted(amount_usd: Decimal | None, currency: Currency, at: datetime) -> Decimal | None:
    """Convert an amount at the rate of an instant; the first rate also holds before it begins."""
    if amount_usd is None:
        return None
    place = bisect_right([rate.start for rate in currency.rates], at)
    rate = currency.rates[max(place - 1, 0)].per_usd
    return EXACT.quantize(EXACT.multiply(amount_usd, rate), PICODOLLAR)


def cost_sql(currency: Currency | None) -> str:
    """Write ``cost_usd`` in a currency as SQL over a row with ``started_at``; NULL for dollars."""
    if currency is None:
        return "CAST(NULL AS DECIMAL(38,12))"
    first, *others = currency.rates
    cases = [
        f"WHEN started_at >= TIMESTAMP '{_naive(one.start)}' "
        f"THEN CAST({one.per_usd:f} AS {_SQL_RATE})"
        for one in reversed(others)
    ]
    last = f"CAST({first.per_usd:f} AS {_SQL_RATE})"
    rate = f"CASE {' '.join(cases)} ELSE {last} END" if cases else last
    return f"cost_usd * {rate}"


def note(currency: Currency) -> str:
    """Say at which rates amounts were converted."""
    said = []
    for rate in currency.rates:
        since = "" if rate.start == BEGINNING else f" from {rate.start:%Y-%m-%d}"
        source = f" ({rate.source})" if rate.source else ""
        said.append(f"{plain_decimal(rate.per_usd)}{since}{source}")
    return f"Amounts in {currency.code} at {', '.join(said)} per US dollar."


def _naive(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
