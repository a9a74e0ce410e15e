"""``costspan report`` and ``costspan calls``: what the ledger says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import GRACE_S, PATIENCE_S, CtrlC
from costspan.cli_ledger import home_option, ledger_home
from costspan.cli_missing import lost, nothing, say_what_is_missing

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.pricing.overlay import Currency
    from costspan.reports.calls import CallRow
    from costspan.reports.estimates import EstimateRow
    from costspan.reports.export import Records
    from costspan.reports.period import Period
    from costspan.reports.query import Reader
    from costspan.reports.screen import Screen
    from costspan.reports.spend import SpendReport

Answer = TypeVar("Answer")
WHEN = "30m, 24h, 7d, 2w (ago), 2026-11-01 or 2026-11-01T08:30Z"

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    help="For people (the default), for programs, for spreadsheets.",
)
currency_option = click.option(
    "--currency",
    metavar="CODE",
    help="Of the table: USD, or that of your own prices, which is the default.",
)
from_option = click.option(
    "--from",
    "files",
    metavar="FILE",
    multiple=True,
    help="Of the calls in a file or folder, as costspan import reads it.",
)
since_option = click.option("--since", metavar="WHEN", help=f"Calls from then on: {WHEN}.")


@dataclass(frozen=True, slots=True)
class View(Generic[Answer]):
    """One question to the ledger, and the ways to show its answer.

    Attributes:
        ask: Reads the answer.
        empty: The answer of a ledger that has no calls.
        table: The answer for people.
        records: The answer for programs.
    """

    ask: Callable[[Reader], Answer]
    empty: Answer
    table: Callable[[Answer, Screen], str]
    records: Callable[[Answer], Records]


@click.command()
@click.option(
    "--by",
    metavar="KEY",
    help="model (the default), provider, day, hour, tag:NAME, status, cost_status, operation "
    "or session.",
)
@since_option
@click.option("--until", metavar="WHEN", help="Calls before then.")
@click.option("--tz", metavar="NAME", default="UTC", help="Time zone of days, hours and WHEN.")
@format_option
@currency_option
@click.option("--estimates", is_flag=True, help="How far the estimates were from the truth.")
@from_option
@home_option
def report(
    by: str | None,
    since: str | None,
    until: str | None,
    tz: str,
    form: str,
    currency: str | None,
    estimates: bool,
    files: tuple[str, ...],
    home: str | None,
) -> None:
    """What was spent, by model, day, tag ...

    \b
    Examples:
      costspan report --by tag:feature --since 7d
      costspan report --by day --tz Europe/Berlin --format csv > spend.csv
    """
    if estimates and by not in (None, "model"):
        raise click.UsageError(
            "--estimates goes by model: leave --by out", click.get_current_context()
        )
    with one_line_errors():
        period = _period(since, until, tz)
        if estimates:
            _show_of(files, _estimates_view(period), form, home)
        else:
            view = _spend_view(by or "model", period, tz, _currency(currency, home))
            _show_of(files, view, form, home)


@click.command()
@click.option(
    "-n", "count", metavar="N", type=click.IntRange(1), default=20, help="How many; 20 by default."
)
@since_option
@click.option(
    "--status",
    type=click.Choice(["ok", "error", "cancelled", "interrupted"]),
    help="Calls that ended so.",
)
@format_option
@currency_option
@from_option
@home_option
def calls(
    count: int,
    since: str | None,
    status: str | None,
    form: str,
    currency: str | None,
    files: tuple[str, ...],
    home: str | None,
) -> None:
    """The newest calls, one by one.

    \b
    Examples:
      costspan calls -n 5
      costspan calls --status error --since 24h --format json
    """
    with one_line_errors():
        period = _period(since, None, "UTC")
        view = _calls_view(count, period, status, _currency(currency, home))
        _show_of(files, view, form, home)


def _currency(said: str | None, home: str | None) -> Currency | None:
    """The currency asked for, else that of the configuration; of another home, dollars."""
    if said is None and home is not None:
        return None
    from costspan.middleware.config import load

    own = load().prices
    if said is None and own is None:
        return None
    from costspan.catalogue_in_force import read_overlay
    from costspan.reports.currency import chosen

    return chosen(said, read_overlay(own).currency if own else None)


def _period(since: str | None, until: str | None, tz: str) -> Period:
    from costspan.reports.period import parse_period, parse_zone

    return parse_period(since, until, now=datetime.now(UTC), zone=parse_zone(tz))


def _spend_view(by: str, period: Period, tz: str, currency: Currency | None) -> View[SpendReport]:
    from costspan.reports import export, render, spend
    from costspan.reports.keys import parse_key
    from costspan.reports.period import parse_zone

    zone = parse_zone(tz)
    nothing = spend.SpendRow(None)
    return View(
        ask=lambda reader: spend.spend(reader, by, period, zone, currency),
        empty=spend.SpendReport(
            by, parse_key(by, zone).name, period, (), nothing, currency=currency
        ),
        table=render.spend_table,
        records=export.spend_records,
    )


def _estimates_view(period: Period) -> View[list[EstimateRow]]:
    from costspan.reports import export, render
    from costspan.reports.estimates import estimate_errors

    return View(
        ask=lambda reader: estimate_errors(reader, period),
        empty=[],
        table=lambda rows, screen: render.estimates_table(rows, period, screen),
        records=export.estimate_records,
    )


def _calls_view(
    count: int, period: Period, status: str | None, currency: Currency | None
) -> View[list[CallRow]]:
    from costspan.reports import export, render
    from costspan.reports.calls import newest_calls

    return View(
        ask=lambda reader: newest_calls(reader, count, period, status),
        empty=[],
        table=lambda rows, screen: render.calls_table(rows, screen, currency),
        records=export.call_records,
    )


def _show_of(files: Sequence[str], view: View[Answer], form: str, named: str | None) -> None:
    """Show what the ledger says, or if files are named, one made of them that is not kept."""
    if not files:
        _show(view, form, named)
        return
    import duckdb  # noqa: F401, before Ctrl-C raises

    from costspan.importing import ledger_of

    with ledger_of(files, ledger_home(named)) as passing:
        _show(view, form, str(passing.path), PATIENCE_S)


def _show(view: View[Answer], form: str, named: str | None, grace_s: float = GRACE_S) -> None:
    from costspan.exporters.ledger.notes import read_notes
    from costspan.reports.export import to_csv, to_json
    from costspan.reports.screen import Screen

    home = ledger_home(named)
    if losses := read_notes(home.path):
        click.echo(f"costspan: {lost(losses)}; see: costspan doctor", err=True)
    answer = _ask(view, home, grace_s)
    if form == "table":
        screen = Screen.of(sys.stdout, os.environ)
        text = nothing(home, losses, named) if answer is None else view.table(answer, screen)
    else:
        records = view.records(view.empty if answer is None else answer)
        text = to_json(records) if form == "json" else to_csv(records)
    click.echo(text, nl=False)


def _ask(view: View[Answer], home: Home, grace_s: float) -> Answer | None:
    """The ledger's answer; None where nothing has been recorded yet."""
    import duckdb  # noqa: F401, before Ctrl-C raises

    from costspan.exporters.ledger.errors import NoLedgerError
    from costspan.exporters.ledger.read import open_ledger

    with CtrlC(grace_s) as ctrl_c:
        try:
            with open_ledger(home) as reader, ctrl_c.breaking_off(reader.interrupt):
                say_what_is_missing(reader)
                return view.ask(reader)
        except NoLedgerError:
            return None
