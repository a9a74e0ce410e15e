"""Spend by a key: calls, tokens and US dollars per model, day, tag ..., and over all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from costspan.pricing.overlay import Currency
from costspan.pricing.rates import EXACT, PICODOLLAR
from costspan.reports.currency import cost_sql
from costspan.reports.keys import Key, parse_key
from costspan.reports.period import ALL_TIME, Period
from costspan.reports.query import Reader, bundled_sql, fetch

UNPRICED_MODELS = 3
_TAGS_ARE_SHARED = """\
SELECT count(DISTINCT tags) * 10 < count(tags) AS shared
FROM (SELECT tags FROM calls WHERE started_at >= $since AND started_at < $until LIMIT 100_000)"""


class SpendRow(NamedTuple):
    """What the calls of one key used and cost.

    Attributes:
        key: The key's value as text; None for calls that have none (no such tag).
        calls: Calls. One that went to two models counts once under each, and once in the total.
        errors: Calls that ended with an error; by model or provider also a failed request of a
            call that another one answered.
        input_tokens, output_tokens: All prompt and all generated tokens; None if none of the
            calls reported any.
        cache_read_tokens, cache_write_tokens, reasoning_tokens: The parts of them that were read
            from and written to a cache, and thought.
        cost_usd: US dollars of the calls that have a price; None if none of them has.
        unpriced_calls: Calls without a price; their cost is unknown and not in ``cost_usd``. Not
            those that the provider refused (HTTP status 400 to 499, no usage): they cost nothing,
            although their cost in the ledger is NULL.
        unpriced_errors: Those of them that failed in another way (a time-out, a status of 500 or
            more, a stream that was cut before any usage): they may have been billed.
        partial_calls: Calls of which a part has no price: ``cost_usd`` holds the rest.
        estimated_calls: Calls whose tokens we counted, because the provider reported none.
        cost: ``cost_usd`` in the currency of the report; None where that is US dollars.
    """

    key: str | None
    calls: int = 0
    errors: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: Decimal | None = None
    unpriced_calls: int = 0
    unpriced_errors: int = 0
    partial_calls: int = 0
    estimated_calls: int = 0
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SpendReport:
    """Spend by a key over a period.

    Attributes:
        by: The key as it was asked for (``model``, ``tag:feature``).
        key_name: The name of its column (``model``, ``tag``).
        period: What was covered.
        rows: Dearest first; days and hours in their order.
        total: Over all calls of the period. Not the sum of the rows where a call went to several
            models: it is one call.
        unpriced_models: Models that used tokens and have no price, by the name they were called
            by, most called first; at most `UNPRICED_MODELS`.
        currency: What ``cost`` is in; None for US dollars.
    """

    by: str
    key_name: str
    period: Period
    rows: tuple[SpendRow, ...]
    total: SpendRow
    unpriced_models: tuple[str, ...] = ()
    currency: Currency | None = None


def spend(
    reader: Reader,
    by: str = "model",
    period: Period = ALL_TIME,
    zone: tzinfo = UTC,
    currency: Currency | None = None,
) -> SpendReport:
    """Sum calls, tokens and US dollars by a key.

    Args:
        reader: The open ledger.
        by: ``model``, ``provider``, ``day``, ``hour``, ``tag:NAME``, ``status``, ``cost_status``,
            ``operation`` or ``session``.
        period: Which calls, by the instant they started.
        zone: The time zone of days and hours.
        currency: What to convert amounts to, besides US dollars.

    Raises:
        ReportError: There is no such key.
    """
    key = parse_key(by, zone)
    if key.name == "tag" and fetch(reader, _TAGS_ARE_SHARED, period.bounds())[0]["shared"]:
        key = key.of_shared_tags()
    sql = bundled_sql("spend").format(
        bucket=key.bucket,
        request_bucket=key.bucket if key.per_request else "NULL",
        key=key.key,
        per_request=str(key.per_request).lower(),
        cost=cost_sql(currency),
        several=_several_sql("true"),
        several_that_failed=_several_sql("status = 'error' AND cost_usd IS NULL"),
    )
    found = fetch(reader, sql, {**period.bounds(), **key.parameters})
    # By the value, not by its label: local hours are not in order when clocks go back.
    found.sort(key=lambda row: str(row["key"]))
    sums = [row for row in found if row["is_total"]]
    rows = [_row(row, key) for row in found if not row["is_total"]]
    total = _row(sums[0], key) if sums else SpendRow(None)
    if key.kind == "name":
        rows.sort(key=_dearest_first)
    unpriced = _unpriced_models(reader, period) if total.unpriced_calls else ()
    return SpendReport(by, key.name, period, tuple(rows), total, unpriced, currency)


def _several_sql(which: str) -> str:
    """The query for the provider requests of calls with several.

    Args:
        which: SQL over a call that says of which ones.
    """
    return bundled_sql("several").format(which=which)


def _unpriced_models(reader: Reader, period: Period) -> tuple[str, ...]:
    parameters = {**period.bounds(), "count": UNPRICED_MODELS}
    sql = bundled_sql("unpriced").format(
        several=_several_sql("cost_status IN ('partial', 'unpriced')")
    )
    found = fetch(reader, sql, parameters)
    return tuple(str(row["model"]) for row in found)


def _row(row: dict[str, Any], key: Key) -> SpendRow:
    row["key"] = key.label(row["key"])
    if row["cost"] is not None:
        row["cost"] = EXACT.quantize(row["cost"], PICODOLLAR)
    del row["is_total"]
    return SpendRow(**row)


def _dearest_first(row: SpendRow) -> tuple[bool, Decimal, int]:
    return row.cost_usd is None, -(row.cost_usd or Decimal(0)), -row.calls
