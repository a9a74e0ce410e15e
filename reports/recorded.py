"""What the ledger keeps of a priced request, as values again: its usage, its cost's lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple, TypeAlias

import orjson

from costspan.core.types import Quantity, Served, Usage
from costspan.exporters.ledger.facts import UPSTREAM, UPSTREAM_USD
from costspan.exporters.ledger.limits import COST_OVERFLOW, QUANTITY_OVERFLOW
from costspan.pricing.rates import EXACT, PICODOLLAR

Facts: TypeAlias = Mapping[str, Any]
"""Columns of ``call_requests``, or one object of the column ``requests``."""

_MILLI = Decimal("0.001")
"""The ledger's columns hold quantities to three decimals, rounded half up."""
_TRACE = Decimal("0.0001")
"""Stands for what is too little for the columns, but is there."""


class RecordedLine(NamedTuple):
    """One line of a recorded cost.

    Attributes:
        meter: What was billed.
        quantity: How much of it; None where the ledger could not hold it.
        rate_usd, per: US dollars for so many units, before factors.
        factors: Multipliers that applied, as (id, factor).
        row: Id of the price row in the catalogue.
    """

    meter: str
    quantity: Quantity | None
    rate_usd: Decimal
    per: int
    factors: tuple[tuple[str, Decimal], ...]
    row: str

    @property
    def amount_usd(self) -> Decimal | None:
        """The product, quantised once, half-even, to 12 places."""
        if self.quantity is None:
            return None
        amount = EXACT.multiply(self.rate_usd, self.quantity)
        for _, factor in self.factors:
            amount = EXACT.multiply(amount, factor)
        return EXACT.quantize(EXACT.divide(amount, self.per), PICODOLLAR)


def same_lines(old: Facts, new: Facts) -> bool:
    """Whether two costs of the same usage have the same lines."""
    before, after = _decoded(old.get("cost_lines")), _decoded(new.get("cost_lines"))
    if before == after:
        return True
    return recorded_lines(old) == recorded_lines({**old, "cost_lines": after})


def recorded_lines(facts: Facts) -> tuple[RecordedLine, ...]:
    """The lines of a request's cost; empty when it has none."""
    quantities = {**_quantities(facts.get("buckets")), **_quantities(facts.get("fees"))}
    return tuple(_line(one, quantities) for one in _decoded(facts.get("cost_lines")) or ())


def _line(stored: list[Any], quantities: Mapping[str, Quantity]) -> RecordedLine:
    meter, rate_usd, per, factors, row = stored[:5]
    stated = _number(stored[5]) if len(stored) > 5 else quantities.get(meter)
    applied = tuple((name, Decimal(factor)) for name, factor in factors)
    return RecordedLine(meter, stated, Decimal(rate_usd), int(per), applied, row)


def recorded_sum(lines: Iterable[RecordedLine]) -> Decimal | None:
    """What the lines come to, in US dollars; None where a quantity is missing."""
    total = Decimal(0)
    for line in lines:
        amount = line.amount_usd
        if amount is None:
            return None
        total = EXACT.add(total, amount)
    return total


def recorded_usage(facts: Facts) -> Usage | None:
    """What a request used, as it was when it was priced; None when that was not known."""
    source = facts.get("usage_source")
    if source is None:
        return None
    buckets, fees = _quantities(facts.get("buckets")), _quantities(facts.get("fees"))
    told = recorded_context(facts).get(UPSTREAM_USD)
    upstream = None if told is None else _number(told)
    for meter, quantity in _stated(facts).items():
        if meter == UPSTREAM:
            upstream = quantity
        elif _is_rounded(buckets.get(meter), quantity):
            buckets[meter] = quantity
        elif buckets.get(meter) == 0 and not meter.startswith("tokens."):
            buckets[meter] = _TRACE  # a minimum was billed, so it was not nothing
    served = Served(
        tier=facts.get("tier"),
        region=facts.get("region"),
        deployment=facts.get("deployment"),
        speed=facts.get("speed"),
        reported_usd=_money(facts.get("reported_usd")),
        upstream_usd=None if upstream is None else Decimal(upstream),
    )
    flags = tuple(flag for flag in usage_flags(facts) if flag != COST_OVERFLOW)
    return Usage(buckets, fees, source, flags, facts.get("usage_profile") or "", None, served)


def _stated(facts: Facts) -> dict[str, Quantity]:
    """The quantities that stand in the lines themselves."""
    lines = _decoded(facts.get("cost_lines")) or ()
    return {line[0]: _number(line[5]) for line in lines if len(line) > 5}


def _is_rounded(kept: Quantity | None, quantity: Quantity) -> bool:
    """Whether a bucket is a quantity as the column rounds it, and not another one (a minimum)."""
    if kept is None or isinstance(quantity, int):
        return False
    return quantity.quantize(_MILLI, ROUND_HALF_UP, EXACT) == kept


def is_incomplete(facts: Facts) -> bool:
    """Whether facts are missing from which the recorded cost was made."""
    if QUANTITY_OVERFLOW in usage_flags(facts):
        return True
    told, fees = facts.get("buckets") or {}, facts.get("fees") or {}
    lines = _decoded(facts.get("cost_lines")) or ()
    return any(len(line) < 6 and line[0] not in told and line[0] not in fees for line in lines)


def recorded_context(facts: Facts) -> dict[str, Any]:
    """What only the caller knew of a request, and price depends on."""
    found = _decoded(facts.get("context"))
    return dict(found) if isinstance(found, Mapping) else {}


def usage_flags(facts: Facts) -> list[str]:
    """What had to be mended in its usage."""
    said = facts.get("usage_flags")
    return said.split(",") if said else []


def _quantities(stored: Mapping[str, object] | None) -> dict[str, Quantity]:
    return {meter: _number(value) for meter, value in stored.items()} if stored else {}


def _number(stored: object) -> Quantity:
    """A quantity as it was recorded: whole ones as int."""
    number = stored if isinstance(stored, Decimal) else Decimal(str(stored))
    whole = int(number)
    return whole if whole == number else number


def _money(stored: object) -> Decimal | None:
    return None if stored is None else Decimal(str(stored))


def _decoded(stored: object) -> Any:
    """JSON as the database gives it: as text, or as a part of an object that is read already."""
    return orjson.loads(stored) if isinstance(stored, str) else stored
