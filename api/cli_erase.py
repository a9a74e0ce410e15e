"""``costspan ledger prune``: takes old calls out of the ledger for good."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import home_option, ledger_home
from costspan.cli_progress import progress

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.exporters.ledger.prune import Prunable


@click.command()
@click.option(
    "--older-than",
    metavar="WHEN",
    required=True,
    help="Calls that started before then: 400d, 52w (ago) or 2026-01-01.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def prune(older_than: str, dry_run: bool, yes: bool, home: str | None) -> None:
    """Remove old calls for good, and give their room back.

    Calls that count against a budget whose window is still open stay.

    \b
    Examples:
      costspan ledger prune --older-than 400d --dry-run
      costspan ledger prune --older-than 2026-01-01 --yes
    """
    with one_line_errors():
        place = ledger_home(home)
        found = _look(place, older_than)
        for line in _lines(found):
            click.echo(line)
        if dry_run or not found.calls:
            return
        if yes or _agreed():
            click.echo(_removed(place, found))
        else:
            click.echo("Nothing was removed.")


def _look(place: Home, older_than: str) -> Prunable:
    import duckdb  # noqa: F401, before Ctrl-C raises

    from costspan.exporters.ledger.prune import prunable
    from costspan.exporters.ledger.read import open_ledger
    from costspan.reports.period import parse_instant

    before = parse_instant("--older-than", older_than, now=datetime.now(UTC), zone=UTC)
    with CtrlC() as ctrl_c, open_ledger(place) as reader, ctrl_c.breaking_off(reader.interrupt):
        return prunable(reader, place, before)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise click.ClickException("nobody can be asked here: say --yes to remove them")
    return click.confirm("Remove them for good?")


def _removed(place: Home, found: Prunable) -> str:
    """Remove the calls, and say how many they were and what it freed."""
    from costspan.exporters.ledger.prune import prune as remove
    from costspan.exporters.ledger.words import byte_count, counted

    with CtrlC(), progress("removing"):
        done = remove(place, found.before)
    freed = byte_count(max(0, done.before_bytes - done.after_bytes))
    return f"Removed {counted(done.removed, 'call')}, kept {done.kept:,}; freed {freed}."


def _lines(found: Prunable) -> Iterator[str]:
    """What would be removed, as sentences."""
    from costspan.exporters.ledger.words import byte_count, counted, instant
    from costspan.reports.text import usd, usd_decimals

    older = f"older than {instant(found.before)}"
    if found.first is None or found.last is None:
        yield f"No calls are {older}: nothing to remove."
    else:
        unpriced = f", {found.unpriced:,} of them unpriced" if found.unpriced else ""
        money = usd(found.cost_usd, usd_decimals([found.cost_usd]))
        amount = "of unknown cost" if found.cost_usd is None else f"of {money}"
        yield f"{counted(found.calls, 'call')} {amount}{unpriced}: {older}."
        yield f"The first began at {instant(found.first)}, the last at {instant(found.last)}."
        room = f"{byte_count(found.freed_bytes)} of {byte_count(found.ledger_bytes)}"
        yield f"Removing them frees about {room}."
    if found.kept_for_budgets:
        stay = counted(found.kept_for_budgets, "older call")
        yield f"Kept: {stay}, of budget windows that are still open."
