"""The reports as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from costspan.exporters.ledger.words import counted
from costspan.pricing.overlay import Currency
from costspan.reports.calls import CallRow
from costspan.reports.currency import converted, note
from costspan.reports.estimates import EstimateRow
from costspan.reports.period import Period
from costspan.reports.screen import Screen
from costspan.reports.spend import SpendReport
from costspan.reports.table import LAST_RESORT, Column, draw_line, render_table
from costspan.reports.text import (
    NOTHING,
    bar,
    count,
    milliseconds,
    percent,
    usd,
    usd_decimals,
)

BAR_WIDTH = 10
SHORT_BAR_WIDTH = 5
NO_NAME = "(none)"


def spend_table(report: SpendReport, screen: Screen) -> str:
    """Spend by a key: a row per value, the total, and what the total does not hold."""
    heading = f"Spend by {report.by}, {period_text(report.period)}"
    if not report.total.calls:
        return draw_line(f"{heading}: no calls.", screen)
    table = render_table(_spend_columns(report, screen), screen, total=True)
    notes = "".join(draw_line(note, screen) for note in spend_notes(report))
    return draw_line(heading, screen, "bold") + "\n" + table + (notes and "\n" + notes)


def _spend_columns(report: SpendReport, screen: Screen) -> list[Column]:
    rows = [*report.rows, report.total]
    costs = [row.cost if report.currency else row.cost_usd for row in rows]
    amounts = _amounts(costs, [row.unpriced_calls > 0 for row in rows], report.currency)
    unpriced = [row.unpriced_calls for row in rows]
    warn = frozenset(index for index, number in enumerate(unpriced) if number)
    shares = [_share(cost, costs[-1]) for cost in costs[:-1]]
    return [
        Column(report.key_name, [*_names(report), "total"], "left", cut=True),
        numbers("calls", [row.calls for row in rows], drop=LAST_RESORT),
        numbers("errors", [row.errors for row in rows], drop=2),
        numbers("input", [row.input_tokens for row in rows], drop=3),
        numbers("cached", [row.cache_read_tokens for row in rows], drop=1),
        numbers("output", [row.output_tokens for row in rows], drop=4),
        Column(_cost_title(report.currency), amounts, warn=warn & _none_of(costs)),
        Column(
            "share",
            [*(_bar(share, BAR_WIDTH, screen) for share in shares), ""],
            "left",
            short=[*(_bar(share, SHORT_BAR_WIDTH, screen) for share in shares), ""],
            drop=5,
            style="bar",
        ),
        Column(
            "unpriced",
            [f"{n:,} !" if n else "0" for n in unpriced],
            drop=LAST_RESORT + 1,
            warn=warn,
        ),
    ]


def _names(report: SpendReport) -> list[str]:
    """The keys for people: an empty tag is not the same as no tag."""
    keys = [row.key for row in report.rows]
    if report.key_name == "tag":
        return [NO_NAME if key is None else key if key.strip() else f'"{key}"' for key in keys]
    return [_name(key) for key in keys]


def spend_notes(report: SpendReport) -> Iterator[str]:
    """What has to be known to read the total right, a sentence each."""
    total = report.total
    if total.unpriced_calls:
        failed = total.unpriced_errors
        which = f", of which {failed:,} failed" if failed else ""
        calls = counted(total.unpriced_calls, "call")
        yield f"! {calls} unpriced{which}: cost unknown, not in the total."
    if models := report.unpriced_models:
        yield (
            f"! No price is known for {', '.join(models)}: "
            "add an alias or a price of your own, see docs/prices.md."
        )
    if total.partial_calls:
        yield f"~ {counted(total.partial_calls, 'call')} priced in part: the cost is a lower bound."
    if total.estimated_calls:
        calls = counted(total.estimated_calls, "call")
        yield f"~ {calls} without usage from the provider: tokens counted."
    if report.currency:
        yield note(report.currency)


def calls_table(calls: Sequence[CallRow], screen: Screen, currency: Currency | None = None) -> str:
    """The newest calls, a line each; amounts in US dollars, or in another currency."""
    if not calls:
        return draw_line("No calls.", screen)
    bad = frozenset(index for index, call in enumerate(calls) if call.status != "ok")
    times = [f"{call.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for call in calls]
    inputs = [(call.input_tokens, call.estimate_input_tokens) for call in calls]
    outputs = [(call.output_tokens, call.estimate_output_tokens) for call in calls]
    columns = [
        Column(
            "started (UTC)",
            times,
            "left",
            short=[time[5:16] for time in times],
            drop=LAST_RESORT,
        ),
        Column("model", [_name(call.model) for call in calls], "left", cut=True),
        Column(
            "status",
            [_status(call) for call in calls],
            "left",
            drop=LAST_RESORT + 1,
            warn=bad,
        ),
        _tokens("input (est.)", inputs, calls, drop=5),
        _tokens("output (est.)", outputs, calls, drop=4),
        _costs(calls, currency),
        Column("ms", [milliseconds(call.latency_us) for call in calls], drop=3),
        Column("tags", [_tags(call) for call in calls], "left", drop=2),
        Column(
            "id",
            [call.call_id for call in calls],
            "left",
            short=[call.call_id[-12:] for call in calls],
            drop=1,
        ),
    ]
    return render_table(columns, screen)


def _costs(calls: Sequence[CallRow], currency: Currency | None) -> Column:
    costs = [
        converted(call.cost_usd, currency, call.started_at) if currency else call.cost_usd
        for call in calls
    ]
    amounts = _amounts(costs, [not call.refused for call in calls], currency)
    unpriced = _none_of(costs) - {index for index, call in enumerate(calls) if call.refused}
    return Column(_cost_title(currency), amounts, warn=unpriced)


def estimates_table(rows: Sequence[EstimateRow], period: Period, screen: Screen) -> str:
    """The error of the estimates, a line per model."""
    heading = f"Estimates against the truth, {period_text(period)}"
    if not rows:
        return draw_line(f"{heading}: no call to compare.", screen)
    columns = [
        Column("model", [_name(row.model) for row in rows], "left", cut=True),
        numbers("calls", [row.calls for row in rows], drop=LAST_RESORT),
        Column("input median", [percent(row.input_error_median) for row in rows]),
        Column("p95", [percent(row.input_error_p95) for row in rows], drop=2),
        Column("bias", [percent(row.input_bias, signed=True) for row in rows], drop=4),
        Column(
            "cost median",
            [percent(row.cost_error_median) for row in rows],
            drop=LAST_RESORT + 1,
        ),
        Column("p95", [percent(row.cost_error_p95) for row in rows], drop=1),
        Column("bias", [percent(row.cost_bias, signed=True) for row in rows], drop=3),
    ]
    note = "Size of the error as a share of the real value; bias above 0: estimates are too high."
    if any(row.sampled for row in rows):
        note += " So many calls: medians and p95 are of a sample."
    return (
        draw_line(heading, screen, "bold")
        + "\n"
        + render_table(columns, screen)
        + "\n"
        + draw_line(note, screen)
    )


def period_text(period: Period) -> str:
    """A period in words: ``2026-11-01 00:00 to 2026-11-08 00:00 UTC``."""
    if period.since and period.until:
        return f"{_minute(period.since)} to {_minute(period.until)} UTC"
    if period.since:
        return f"since {_minute(period.since)} UTC"
    return f"until {_minute(period.until)} UTC" if period.until else "all time"


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def _name(name: str | None) -> str:
    return name if name and name.strip() else NO_NAME


def _cost_title(currency: Currency | None) -> str:
    return f"cost ({currency.code})" if currency else "cost"


def _amounts(
    costs: Sequence[Decimal | None], unknown: Sequence[bool], currency: Currency | None
) -> list[str]:
    """Amounts one under another; of calls that cost nothing because they were refused, none."""
    decimals, sign = usd_decimals(costs), "" if currency else "$"
    return [
        NOTHING if cost is None and not is_unknown else usd(cost, decimals, sign)
        for cost, is_unknown in zip(costs, unknown, strict=True)
    ]


def numbers(title: str, values: Sequence[int | None], drop: int = 0) -> Column:
    """A column of counts: ``1,234``, on a narrow screen ``1.23k``; ``-`` for None."""
    short = [count(value, compact=True) for value in values]
    return Column(title, [count(value) for value in values], short=short, drop=drop)


def _none_of(costs: Sequence[object]) -> frozenset[int]:
    return frozenset(index for index, cost in enumerate(costs) if cost is None)


def _share(cost: Decimal | None, total: Decimal | None) -> float | None:
    return float(cost / total) if cost is not None and total else None


def _bar(share: float | None, width: int, screen: Screen) -> str:
    if share is None:
        return NOTHING
    return f"{share * 100:3.0f}% {bar(share, width, screen.ascii_only)}"


def _status(call: CallRow) -> str:
    if call.status != "error":
        return call.status
    return f"error {call.http_status or (call.error_type or '').rpartition('.')[2]}".rstrip()


def _tokens(
    title: str,
    numbers: Sequence[tuple[int | None, int | None]],
    calls: Sequence[CallRow],
    drop: int,
) -> Column:
    """Real tokens with the estimate behind them; ``~`` before numbers that we counted."""
    real = [
        f"{'~' if number is not None and call.usage_source != 'provider' else ''}{count(number)}"
        for (number, _), call in zip(numbers, calls, strict=True)
    ]
    both = [
        text if said is None else f"{text} ({said:,})"
        for text, (_, said) in zip(real, numbers, strict=True)
    ]
    return Column(title, both, short=real, short_title=title.partition(" ")[0], drop=drop)


def _tags(call: CallRow) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(call.tags.items()))
