"""What a column of the ledger can hold: what is larger is unknown there, and said to be so.

Without this the database would refuse the row, and the whole record would be set aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from costspan.core.types import Usage
from costspan.exporters.ledger.facts import COST_COLUMNS, TOKEN_COLUMNS, Row
from costspan.middleware.record import Call
from costspan.pricing.types import Cost, Estimate

COST_OVERFLOW = "cost_overflow"
"""An amount did not fit into DECIMAL(18,12): it was 1,000,000 US dollars or more."""
QUANTITY_OVERFLOW = "quantity_overflow"
"""A number of tokens did not fit into BIGINT, or a quantity into DECIMAL(18,3)."""

_LARGE_QUANTITY = 10**15
# The largest values that are not rounded up to one digit more.
_MOST_USD = Decimal("999999.999999999999")
_MOST_TOKENS = 2**63 - 1
_MOST_QUANTITY = Decimal("999999999999999.999")

_MONEY = ("cost_usd", *(column for _, column in COST_COLUMNS), "reported_usd")
_TOKENS = tuple(column for _, column in TOKEN_COLUMNS)
_ESTIMATED_MONEY = tuple(f"estimate_cost{end}_usd" for end in ("", "_low", "_high"))
_ESTIMATED_TOKENS = tuple(
    f"estimate_{way}_tokens{end}" for way in ("input", "output") for end in ("", "_low", "_high")
)


def may_overflow(record: Call) -> bool:
    """Whether a call may have values that are too large: a quick look that spares most the slow.

    Amounts and quantities are never negative, so no part is larger than its total.
    """
    if len(record.requests) > 1:
        return True
    request, estimate = record.requests[0], record.estimate
    return (
        (request.cost is not None and _is_large_cost(request.cost))
        or (request.usage is not None and _is_large_usage(request.usage))
        or (estimate is not None and _is_large_estimate(estimate))
    )


def _is_large_cost(cost: Cost) -> bool:
    total, reported = cost.total, cost.reported
    return (total is not None and total > _MOST_USD) or (
        reported is not None and reported > _MOST_USD
    )


def _is_large_usage(usage: Usage) -> bool:
    # Without a generator: this runs in every call.
    return max(usage.buckets.values(), default=0) >= _LARGE_QUANTITY or (
        bool(usage.fees) and max(usage.fees.values()) >= _LARGE_QUANTITY
    )


def _is_large_estimate(estimate: Estimate) -> bool:
    cost = estimate.cost_usd
    return (
        (cost is not None and cost.high > _MOST_USD)
        or estimate.input_tokens.high >= _LARGE_QUANTITY
        or estimate.output_tokens.high >= _LARGE_QUANTITY
    )


def keep_in_range(columns: Row) -> None:
    """Take out of a row, or of the facts of one request, what its columns cannot hold.

    An amount or a number of tokens becomes NULL, a meter leaves its map. A cost that does not fit
    makes the call unpriced. ``usage_flags`` says so, but of an estimate, which just gets NULL.
    """
    flags = []
    if large := _too_large(columns, _MONEY, _MOST_USD):
        flags.append(COST_OVERFLOW)
        if "cost_usd" in large:
            columns["cost_status"] = "unpriced"
    if _too_large(columns, _TOKENS, _MOST_TOKENS):
        flags.append(QUANTITY_OVERFLOW)
    for name in ("buckets", "fees"):
        if _meters_too_large(columns, name):
            flags.append(QUANTITY_OVERFLOW)
    _too_large(columns, _ESTIMATED_MONEY, _MOST_USD)
    _too_large(columns, _ESTIMATED_TOKENS, _MOST_TOKENS)
    if flags:
        known = columns.get("usage_flags")
        said = known.split(",") if isinstance(known, str) else []
        columns["usage_flags"] = ",".join(dict.fromkeys((*said, *flags)))


def _too_large(columns: Row, names: tuple[str, ...], most: int | Decimal) -> list[str]:
    """Take out the values that are too large; return their columns."""
    found = []
    for name in names:
        value = columns.get(name)
        if value is not None and not _fits(value, most):
            found.append(name)
            del columns[name]
    return found


def _meters_too_large(columns: Row, name: str) -> bool:
    quantities = columns.get(name)
    if not isinstance(quantities, Mapping):
        return False
    kept = {meter: one for meter, one in quantities.items() if _fits(one, _MOST_QUANTITY)}
    if len(kept) == len(quantities):
        return False
    columns[name] = kept
    return True


def _fits(value: object, most: int | Decimal) -> bool:
    return isinstance(value, int | Decimal) and value <= most
