"""``costspan reprice``: recorded calls priced again by the catalogue in force."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import home_option, ledger_home
from costspan.cli_reports import WHEN, format_option

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.reports.again import Pricer
    from costspan.reports.reprice import RepriceReport


@click.command()
@click.option("--from", "since", metavar="WHEN", help=f"Calls from then on: {WHEN}.")
@click.option("--to", "until", metavar="WHEN", help="Calls before then.")
@click.option("--model", metavar="MODEL", help="Calls of that model, as it answered or was asked.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and write nothing.")
@format_option
@home_option
@click.option("--tz", metavar="NAME", default="UTC", help="Time zone of days and WHEN.")
def reprice(
    since: str | None,
    until: str | None,
    model: str | None,
    dry_run: bool,
    form: str,
    home: str | None,
    tz: str,
) -> None:
    """Recorded calls, priced again by today's catalogue.

    Each is priced by what it used, for the instant at which it was made. What it cost before is
    kept in the ledger.

    \b
    Examples:
      costspan reprice --from 30d --dry-run
      costspan reprice --from 2026-11-01 --to 2026-12-01 --model gpt-4o
    """
    with one_line_errors():
        from costspan.reports.export import to_csv, to_json
        from costspan.reports.reprice_table import reprice_records, reprice_table
        from costspan.reports.screen import Screen

        report = _repriced(since, until, tz, model, dry_run, home)
        if form == "table":
            text = reprice_table(report, Screen.of(sys.stdout, os.environ))
        else:
            records = reprice_records(report)
            text = to_json(records) if form == "json" else to_csv(records)
    click.echo(text, nl=False)


def _repriced(
    since: str | None,
    until: str | None,
    tz: str,
    model: str | None,
    dry_run: bool,
    home: str | None,
) -> RepriceReport:
    import duckdb  # noqa: F401, before Ctrl-C raises

    from costspan.catalogue_in_force import catalogue_in_force
    from costspan.middleware.config import load
    from costspan.reports.again import Pricer
    from costspan.reports.period import parse_period, parse_zone
    from costspan.reports.reprice import RepriceReport

    ends = ("from", "to")
    period = parse_period(since, until, now=datetime.now(UTC), zone=parse_zone(tz), names=ends)
    place, config = ledger_home(home), load()
    catalogue = catalogue_in_force(place, config.prices)
    report = RepriceReport(period, catalogue.version, dry_run)
    pricer = Pricer(catalogue, config.aliases)
    (_look if dry_run else _write)(place, pricer, report, model)
    return report


def _look(place: Home, pricer: Pricer, report: RepriceReport, model: str | None) -> None:
    """Price all again, and write nothing."""
    from costspan.exporters.ledger.read import open_ledger
    from costspan.reports.reprice import reprice as reprice_calls

    with CtrlC() as ctrl_c, open_ledger(place) as reader, ctrl_c.breaking_off(reader.interrupt):
        reprice_calls(reader, pricer, report, model, progress=_progress)
        _progress_done()


def _write(place: Home, pricer: Pricer, report: RepriceReport, model: str | None) -> None:
    """Price all again, and write what changed."""
    from costspan.exporters.ledger.reprice import rewriting
    from costspan.reports.reprice import reprice as reprice_calls

    with CtrlC() as ctrl_c, rewriting(place) as ledger, ctrl_c.breaking_off(ledger.interrupt):
        reprice_calls(ledger, pricer, report, model, ledger.keep, _progress)
        _progress_done()
        if report.total.changed:
            ledger.commit()


def _progress(done: int, total: int) -> None:
    """Say on a terminal how far it is."""
    if sys.stderr.isatty():
        click.echo(f"\r{done:,} of {total:,} calls ", nl=False, err=True)


def _progress_done() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
