"""What pricing again changes, as a table for people and as records for programs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from costspan.exporters.ledger.words import counted
from costspan.reports.export import Records
from costspan.reports.render import NO_NAME, numbers, period_text
from costspan.reports.reprice import RepricedModel, RepriceReport
from costspan.reports.screen import Screen
from costspan.reports.table import LAST_RESORT, Column, draw_line, render_table
from costspan.reports.text import NOTHING, plain_decimal, usd_decimals


def reprice_table(report: RepriceReport, screen: Screen) -> str:
    """What changes per model, the total, and what was written."""
    heading = f"Repriced by catalogue {report.catalogue_version}, {period_text(report.period)}"
    if not report.total.calls:
        return draw_line(f"{heading}: no calls.", screen)
    table = render_table(_columns(report), screen, total=True)
    notes = "".join(draw_line(note, screen) for note in _notes(report))
    return draw_line(heading, screen, "bold") + "\n" + table + "\n" + notes


def _columns(report: RepriceReport) -> list[Column]:
    rows = [*report.models, report.total]
    amounts = [amount for row in rows for amount in (row.old_usd, row.new_usd)]
    places = usd_decimals([*amounts, *(row.difference_usd for row in rows)])
    names = [row.model or NO_NAME for row in report.models]
    providers = [row.provider or NO_NAME for row in report.models]
    return [
        Column("model", [*names, "total"], "left", cut=True),
        Column("provider", [*providers, ""], "left", drop=1),
        numbers("calls", [row.calls for row in rows], drop=LAST_RESORT),
        numbers("changed", [row.changed for row in rows], drop=LAST_RESORT + 1),
        Column("old", [_dollars(row.old_usd, places) for row in rows], drop=5),
        Column("new", [_dollars(row.new_usd, places) for row in rows], drop=6),
        Column("difference", [_signed(row.difference_usd, places) for row in rows]),
        numbers("newly priced", [row.newly_priced for row in rows], drop=4),
        numbers("no longer", [row.no_longer_priced for row in rows], drop=3),
        numbers("incomplete", [row.incomplete for row in rows], drop=2),
    ]


def _dollars(amount: Decimal | None, places: int) -> str:
    return NOTHING if amount is None else f"${amount:,.{places}f}"


def _signed(amount: Decimal | None, places: int) -> str:
    if not amount:
        return NOTHING if amount is None else f"{0:.{places}f}"
    return f"{amount:+,.{places}f}"


def _notes(report: RepriceReport) -> Iterator[str]:
    total = report.total
    if total.newly_priced:
        yield f"{counted(total.newly_priced, 'call')} had no price and now have one."
    if total.no_longer_priced:
        yield f"! {counted(total.no_longer_priced, 'call')} had a price and now have none."
    if total.incomplete:
        calls = counted(total.incomplete, "call")
        yield f"! {calls} could not be repriced: what they used is not in the ledger whole."
    if report.dry_run:
        yield "Nothing was written (--dry-run)."
    elif total.changed:
        calls = counted(total.changed, "call")
        yield f"{calls} written; what they cost before is kept in the table repricings."
    else:
        yield "Nothing to write: every call costs what it did."


def reprice_records(report: RepriceReport) -> Records:
    """What changes per model, for programs."""
    names = ["provider", "model", "calls", "changed", "old_usd", "new_usd", "difference_usd"]
    names += ["newly_priced", "no_longer_priced", "incomplete"]
    return names, [{name: _plain(row, name) for name in names} for row in report.models]


def _plain(row: RepricedModel, name: str) -> object:
    value = getattr(row, name)
    return plain_decimal(value) if isinstance(value, Decimal) else value
