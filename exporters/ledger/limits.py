"""What a column of the ledger can hold: what is larger is unknown there, and said to be so.

Without this the database would refuse the row, and the whole record would be set aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from costspan.exporters.ledger.facts import COST_COLUMNS, TOKEN_COLUMNS, Row

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


def may_overflow(columns: Row) -> bool:
    """Whether a row may hold values that are too large: a quick look that spares most the slow.

    Amounts and quantities are never negative, so no part is larger than its total. Rows with
    fees, reported amounts, other units than tokens or several requests are few: they take the
    slow look.
    """
    get = columns.get
    tokens = (
        get("input_tokens") or 0,
        get("output_tokens") or 0,
        get("estimate_input_tokens_high") or 0,
        get("estimate_output_tokens_high") or 0,
    )
    return (
        not _FEW.isdisjoint(columns)
        or max(tokens) >= _LARGE_QUANTITY
        or (get("cost_usd") or 0) > _MOST_USD
        or (get("estimate_cost_high_usd") or 0) > _MOST_USD
        or ("buckets" in columns and "input_tokens" not in columns)
    )


_FEW = frozenset(("fees", "reported_usd", "requests"))


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
