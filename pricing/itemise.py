"""The lines of a cost, its total, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from costspan.core.sides import GUESSED
from costspan.core.types import Quantity, Served, Usage
from costspan.pricing.fees import billed, is_optional
from costspan.pricing.overlay import ANY_PROVIDER
from costspan.pricing.plans import Plan
from costspan.pricing.rates import EXACT, PICODOLLAR, Book, RateSet
from costspan.pricing.rows import Multiplier
from costspan.pricing.situation import Context
from costspan.pricing.types import Cost, CostLine, CostStatus

_NOTHING_YET = Decimal(0)


def itemise(
    plan: Plan,
    version: str,
    usage: Usage,
    started_at: datetime,
    at: datetime,
    context: Context | None,
) -> Cost:
    """Price every bucket and fee by the plan's rates.

    Args:
        plan: What was settled for this kind of call.
        version: The catalogue's version.
        usage: What the request used.
        started_at: When it was sent.
        at: When it completed.
        context: What only the caller knows.
    """
    book, reported = plan.book, usage.served.reported_usd
    if book is None or plan.situation.tier == "provisioned":
        return result(plan, version, None, "unpriced", reported=reported)
    if plan.situation.free:
        return result(plan, version, Decimal(0), "free", reported=reported)
    rates = plan.only or plan.rate_set(usage.buckets, at, started_at)
    lines: list[CostLine] = []
    missing: list[str] = []
    total = Decimal(0)
    for meter, quantity in billed(book, usage.buckets, usage.fees, at, context).items():
        if not quantity:
            continue
        rate = rates.rate(meter)
        if rate is None:
            if not is_optional(meter):
                missing.append(meter)
            continue
        row, amount = rate.row, rate.amount(quantity)
        total = EXACT.add(total, amount)
        lines.append(CostLine(meter, quantity, row.rate_usd, row.per, rate.factors, amount, row.id))
    if usage.flags:
        missing += _untold(usage, rates)
    return _judge(plan, version, lines, missing, total, reported)


def _untold(usage: Usage, rates: RateSet) -> list[str]:
    """Name the meters of a side that the provider did not tell: unknown is not nothing.

    A side that costs nothing (the answer of an embedding model), or that somebody counted since,
    leaves nothing unknown.
    """
    meters = []
    for flag, meter, priced in _UNTOLD:
        if flag in usage.flags and (flag == GUESSED or meter not in usage.buckets):
            rate = rates.rate(priced)
            if rate is not None and rate.row.rate_usd:
                meters.append(meter)
    return meters


_UNTOLD = (
    ("missing:input", "tokens.in.text", "tokens.in.text"),
    (GUESSED, "tokens.in.text", "tokens.out.text"),
    ("missing:output", "tokens.out.text", "tokens.out.text"),
)
"""Flag of `read_usage`, the meter that is unknown, and the meter that must cost something."""


def quoted(
    plan: Plan,
    book: Book,
    buckets: Mapping[str, Quantity],
    at: datetime,
    context: Context | None,
    known: dict[tuple[str, Quantity], Decimal],
) -> Decimal | None:
    """Price one set of buckets; None when one of its meters has no rate.

    Args:
        plan, book, at, context: As in `Catalogue.quote`.
        buckets: Quantity per meter.
        known: Amounts of other sets of the same rates; they share most.
    """
    rates = plan.only or plan.rate_set(buckets, at, at)
    total = _NOTHING_YET
    for pair in billed(book, buckets, {}, at, context).items():
        amount = known.get(pair)
        if amount is None:
            rate = rates.rate(pair[0])
            if rate is None:
                if pair[1] and not is_optional(pair[0]):
                    return None
                continue
            amount = known[pair] = rate.amount(pair[1])
        total = amount if total is _NOTHING_YET else EXACT.add(total, amount)
    return total


def own_key(plan: Plan, version: str, served: Served, factors: Sequence[Multiplier]) -> Cost:
    """Price a gateway's fee on what the vendor bills to the caller's own key.

    Args:
        plan: What was settled for this kind of call.
        version: The catalogue's version.
        served: Holds the vendor's amount, and the gateway's if it reported one.
        factors: The gateway's shares; none when it has no known fee.
    """
    upstream = served.upstream_usd
    if upstream is None or not factors:
        return result(plan, version, None, "unpriced", reported=served.reported_usd)
    amount = upstream
    for one in factors:
        amount = EXACT.multiply(amount, one.factor)
    amount = EXACT.quantize(amount, PICODOLLAR)
    applied = tuple((one.id, one.factor) for one in factors)
    line = CostLine("reported.upstream", upstream, Decimal(1), 1, applied, amount, factors[0].id)
    return _judge(plan, version, [line], [], amount, served.reported_usd)


def _judge(
    plan: Plan,
    version: str,
    lines: list[CostLine],
    missing: list[str],
    total: Decimal,
    reported: Decimal | None,
) -> Cost:
    """Say how far the computed total can be trusted."""
    status: CostStatus = "priced"
    computed: Decimal | None = total
    if missing:
        status, computed = ("partial", total) if lines else ("unpriced", None)
    elif not total and lines and not any(line.rate_usd for line in lines):
        status = "free"
    return result(plan, version, computed, status, tuple(lines), reported, tuple(missing))


def result(
    plan: Plan,
    version: str,
    computed: Decimal | None,
    status: CostStatus,
    lines: tuple[CostLine, ...] = (),
    reported: Decimal | None = None,
    unpriced_meters: tuple[str, ...] = (),
) -> Cost:
    """Put the cost together; the provider's own amount goes before ours.

    Args:
        plan: What was settled for this kind of call.
        version: The catalogue's version.
        computed: Our total in US dollars, if there is one.
        status: How far it can be trusted.
        lines: What it is made of.
        reported: The provider's own amount in US dollars.
        unpriced_meters: Meters that were used and have no rate.
    """
    total, difference = computed, None
    if reported is not None:
        total = reported = EXACT.quantize(reported, PICODOLLAR)
        if computed is not None and status != "partial":
            difference = EXACT.subtract(reported, computed)
        status = "reported"
    book = plan.book
    return Cost(
        total,
        status,
        lines,
        reported,
        difference,
        unpriced_meters,
        book.provider if book is not None and book.provider != ANY_PROVIDER else plan.provider,
        book.model if book is not None else None,
        version,
    )
