"""The projection of a finished call onto a row of the ledger, and onto one line of the spool.

What is not known is mostly left out: the merger reads a missing key as NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import orjson

from costspan.core.types import Usage
from costspan.exporters.ledger.facts import (
    COST_COLUMNS,
    TOKEN_COLUMNS,
    Row,
    add_error,
    add_request,
    microseconds,
)
from costspan.exporters.ledger.limits import keep_in_range, may_overflow
from costspan.middleware.record import Call
from costspan.pricing.types import Estimate

RECORD_VERSION = 1
"""Version of the lines; it stands in the names of the segments, so that a merger that does not
know it leaves them alone."""

COST_COLUMNS_OF_A_CALL = (
    "cost_usd",
    *(column for _, column in COST_COLUMNS),
    *("cost_status", "catalogue_version", "priced_provider", "priced_model", "cost_lines"),
)
"""What pricing a call again can change, but its ``requests``."""

_ADDED_UP = (
    *(column for _, column in TOKEN_COLUMNS),
    *(column for _, column in COST_COLUMNS),
    "reported_usd",
)
_NOT_THE_LAST_ONES = frozenset(
    (
        *_ADDED_UP,
        *("buckets", "fees", "usage_flags", "usage_source", "cost_lines", "cost_usd"),
        *("started_at_us", "ended_at_us", "error_type", "error_code", "http_status"),
    )
)
"""Facts of the last request that are not the facts of a call with several."""


def row(record: Call) -> Row:
    """Project a call onto the columns of ``calls``.

    Args:
        record: The finished call.

    Returns:
        Column to value; a column that is NULL may be missing. Times are integer microseconds since
        1970 UTC, money is Decimal, an id is a UUID. For a call with one request the columns are
        the facts of that request; for one with several they are sums, the last request's
        identity, and ``requests`` with the facts of each. What a column cannot hold is NULL
        (see `keep_in_range`).
    """
    columns: Row = {
        "call_id": record.call_id,
        "record_version": RECORD_VERSION,
        "started_at": microseconds(record.started_at),
        "ended_at": microseconds(record.ended_at),
        "operation": record.operation,
        "streaming": record.streaming,
        "chunks": record.chunks,
        "retries": record.retries,
        "request_count": len(record.requests),
        "status": record.status,
        "ended_by": record.ended_by,
        "billing_mode": record.billing_mode,
        "amount_kind": record.amount_kind,
    }
    if len(record.requests) == 1:
        add_request(record.requests[0], columns)
    else:
        _several(record, columns)
    _where_known(record, columns)
    if may_overflow(columns):
        keep_in_range(columns)
    return columns


def _where_known(record: Call, columns: Row) -> None:
    """What a call may have, and most have not."""
    if record.error is not None:
        add_error(record.error, columns)
    if record.latency_us:
        columns["latency_us"] = record.latency_us
    if record.ttft_us is not None:
        columns["ttft_us"] = record.ttft_us
    if record.tags:
        columns["tags"] = record.tags
    if record.estimate is not None:
        _estimate(record.estimate, columns)
    if record.trace_id is not None:
        columns["trace_id"] = record.trace_id
        columns["span_id"] = record.span_id
        columns["root_span_id"] = record.root_span_id
    if record.session_id is not None:
        columns["session_id"] = record.session_id
    if record.unit_id is not None:
        columns["unit_id"] = record.unit_id


def encode(record: Call, origin: Mapping[str, object] | None = None) -> bytes:
    """Write a call as one line of JSON for the spool.

    Args:
        record: The finished call.
        origin: Columns that say where it comes from (``host``, ``pid``, ``sdk_version``).

    Returns:
        UTF-8 with one newline, at its end, and no NUL. Whatever stands in tags and context comes
        through: keys and values that JSON does not have are written as text, and half of a
        surrogate pair, which UTF-8 does not have, as U+FFFD.
    """
    columns = row(record)
    if origin:
        columns.update(origin)
    return as_line(columns)


def as_line(columns: Row) -> bytes:
    """Write a row as one line of JSON; see `encode`."""
    try:
        return orjson.dumps(columns, default=_plain, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:  # orjson's error is one
        # It makes one of whatever is raised in `_plain`, an interrupt by a signal too.
        if error.__cause__ is not None and not isinstance(error.__cause__, Exception):
            raise error.__cause__ from None
        return orjson.dumps(_clean(columns), option=orjson.OPT_APPEND_NEWLINE)


def _estimate(estimate: Estimate, columns: Row) -> None:
    prompt, answer, cost, basis, _, _ = estimate
    (
        columns["estimate_input_tokens_low"],
        columns["estimate_input_tokens"],
        columns["estimate_input_tokens_high"],
    ) = prompt
    (
        columns["estimate_output_tokens_low"],
        columns["estimate_output_tokens"],
        columns["estimate_output_tokens_high"],
    ) = answer
    columns["estimate_basis"] = basis
    if cost is not None:
        (
            columns["estimate_cost_low_usd"],
            columns["estimate_cost_usd"],
            columns["estimate_cost_high_usd"],
        ) = cost


def _several(record: Call, columns: Row) -> None:
    """The columns of a call with several requests: the last one's identity, and sums."""
    requests = []
    for request in record.requests:
        facts: Row = {}
        add_request(request, facts)
        facts["started_at_us"] = microseconds(request.started_at)
        facts["ended_at_us"] = microseconds(request.ended_at)
        requests.append(facts)
    last = requests[-1]
    columns.update((key, last[key]) for key in last if key not in _NOT_THE_LAST_ONES)
    columns["requests"] = requests
    for column in _ADDED_UP:
        known = [
            value for facts in requests if isinstance(value := facts.get(column), int | Decimal)
        ]
        if known:
            columns[column] = sum(known)
    # Added up first: of a sum, a part must not be missing without a word.
    for facts in requests:
        keep_in_range(facts)
    columns["cost_status"] = record.cost_status
    if (total := record.cost_usd) is not None:
        columns["cost_usd"] = total
    usages = [request.usage for request in record.requests if request.usage is not None]
    if usages:
        _usages(usages, columns)


def _usages(usages: list[Usage], columns: Row) -> None:
    if buckets := _add_up(usage.buckets for usage in usages):
        columns["buckets"] = buckets
    if fees := _add_up(usage.fees for usage in usages):
        columns["fees"] = fees
    sources = {usage.source for usage in usages}
    columns["usage_source"] = next(s for s in ("partial", "estimated", "provider") if s in sources)
    if flags := dict.fromkeys(flag for usage in usages for flag in usage.flags):
        columns["usage_flags"] = ",".join(flags)


def _add_up(meters: Iterable[Mapping[str, int | Decimal]]) -> dict[str, int | Decimal]:
    total: dict[str, int | Decimal] = {}
    for quantities in meters:
        for meter, quantity in quantities.items():
            total[meter] = total.get(meter, 0) + quantity
    return total


def _plain(value: object) -> object:
    """What orjson does not know: money as text, other mappings as objects, the rest as text."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return storable(value)


def _clean(value: object) -> object:
    """Make anything fit for JSON and UTF-8."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, Mapping):
        return {storable(key): _clean(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(one) for one in value]
    return storable(value)


def storable(value: object) -> str:
    """The text as the ledger holds it: half of a surrogate pair is U+FFFD, as UTF-8 has none."""
    paired = str(value).encode("utf-16-le", "surrogatepass")
    return paired.decode("utf-16-le", "replace")
