"""The facts of one provider request, as columns of the ledger: usage, money, error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from costspan.core.types import Usage
from costspan.middleware.record import ErrorFacts, ProviderRequest
from costspan.pricing.types import Cost

Row: TypeAlias = dict[str, Any]
"""Column to value; a column that is NULL may be missing."""

UPSTREAM = "reported.upstream"
"""The meter of what the vendor behind a gateway bills to the caller's own key."""
UPSTREAM_USD = "upstream_usd"
"""Where that amount stands in the context of a request whose cost has no line of it."""

NOT_BILLED_SQL = (
    "status = 'error' AND usage_source IS NULL AND coalesce(http_status, 0) BETWEEN 400 AND 499"
)
"""Of a call: the provider refused it, so that its cost is not missing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
TOKEN_COLUMNS = (
    ("tokens.in.", "input_tokens"),
    ("tokens.out.", "output_tokens"),
    ("tokens.in.cache_read", "cache_read_tokens"),
    ("tokens.in.cache_write", "cache_write_tokens"),
    ("tokens.out.reasoning", "reasoning_tokens"),
)
COST_COLUMNS = (
    ("tokens.in.cache_read", "cost_cache_read_usd"),
    ("tokens.in.cache_write", "cost_cache_write_usd"),
    ("tokens.in.", "cost_input_usd"),
    ("tokens.out.", "cost_output_usd"),
    ("", "cost_other_usd"),
)


def add_request(request: ProviderRequest, facts: Row) -> None:
    """Add the facts of one provider request to a row."""
    facts["provider"] = request.provider
    facts["api"] = request.api
    facts["model"] = request.model
    facts["model_requested"] = request.model_requested
    if request.endpoint is not None:
        facts["endpoint"] = request.endpoint
        facts["port"] = request.port
    if request.response_id is not None:
        facts["response_id"] = request.response_id
    if request.finish_reasons:
        facts["finish_reasons"] = ",".join(request.finish_reasons)
    if request.context:
        facts["context"] = request.context
    if request.error is not None:
        add_error(request.error, facts)
    if request.usage is not None:
        _usage(request.usage, facts)
        upstream = request.usage.served.upstream_usd
        if upstream is not None and not (request.cost and request.cost.lines):
            facts["context"] = {**request.context, UPSTREAM_USD: str(upstream)}
    if request.cost is not None:
        add_cost(request.cost, request.usage, facts)
    else:
        facts["cost_status"] = "unpriced"


def _usage(usage: Usage, facts: Row) -> None:
    sums: dict[str, int | Decimal] = {}
    for meter, quantity in usage.buckets.items():
        for column in _token_columns(meter):
            sums[column] = sums.get(column, 0) + quantity
    for column, total in sums.items():
        facts[column] = int(total)
    if usage.buckets:
        facts["buckets"] = usage.buckets
    if usage.fees:
        facts["fees"] = usage.fees
    facts["usage_source"] = usage.source
    if usage.flags:
        facts["usage_flags"] = ",".join(usage.flags)
    if usage.profile:
        facts["usage_profile"] = usage.profile
    served = usage.served
    if served.tier is not None:
        facts["tier"] = served.tier
    if served.region is not None:
        facts["region"] = served.region
    if served.deployment is not None:
        facts["deployment"] = served.deployment
    if served.speed is not None:
        facts["speed"] = served.speed


def add_cost(cost: Cost, usage: Usage | None, facts: Row) -> None:
    """Add what a request costs to a row.

    Args:
        cost: What was computed, or reported.
        usage: What it was computed from; a line's quantity is kept only where it stands neither
            in the buckets nor in the fees (a fee per request, a minimum, a gateway's share), or is
            finer than they hold.
        facts: The row.
    """
    facts["cost_status"] = cost.status
    if cost.total is not None:
        facts["cost_usd"] = cost.total
    if cost.reported is not None:
        facts["reported_usd"] = cost.reported
    if cost.catalogue_version:
        facts["catalogue_version"] = cost.catalogue_version
    if cost.provider:
        facts["priced_provider"] = cost.provider
    if cost.model is not None:
        facts["priced_model"] = cost.model
    if not cost.lines:
        return
    told, fees = (usage.buckets, usage.fees) if usage is not None else ({}, {})
    parts: dict[str, Decimal] = {}
    stated = []
    for meter, quantity, rate_usd, per, factors, amount_usd, row in cost.lines:
        column = _cost_column(meter)
        parts[column] = parts[column] + amount_usd if column in parts else amount_usd
        one = _line(meter, rate_usd, per, factors, row)
        kept = told.get(meter) == quantity or fees.get(meter) == quantity
        if not kept or (isinstance(quantity, Decimal) and _is_fine(quantity)):
            one = [*one, str(quantity)]
        stated.append(one)
    facts.update(parts)
    facts["cost_lines"] = stated


def _is_fine(quantity: Decimal) -> bool:
    """Whether the columns of meters might round it: they hold three decimals."""
    exponent = quantity.as_tuple().exponent
    return isinstance(exponent, int) and exponent < -3


@lru_cache(maxsize=4096)
def _line(
    meter: str, rate_usd: Decimal, per: int, factors: tuple[tuple[str, Decimal], ...], row: str
) -> list[object]:
    """A cost line without quantity and amount, which follow from the buckets and fees.

    So few different ones exist that the database stores them in next to nothing.
    """
    return [meter, str(rate_usd), per, [[name, str(factor)] for name, factor in factors], row]


def add_error(error: ErrorFacts, facts: Row) -> None:
    """Add what is kept of an error to a row."""
    facts["error_type"] = error.type
    facts["error_code"] = error.code
    facts["http_status"] = error.http_status


@lru_cache(maxsize=256)
def _token_columns(meter: str) -> tuple[str, ...]:
    return tuple(column for prefix, column in TOKEN_COLUMNS if meter.startswith(prefix))


@lru_cache(maxsize=256)
def _cost_column(meter: str) -> str:
    return next(column for prefix, column in COST_COLUMNS if meter.startswith(prefix))


def microseconds(instant: datetime) -> int:
    """Integer microseconds since 1970 UTC of an instant that knows its zone."""
    return (instant - _EPOCH) // _MICROSECOND
