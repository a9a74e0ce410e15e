"""``costspan ledger backup`` and ``export``: copies, for another day or for other tools."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import home_option, ledger_home
from costspan.cli_progress import progress

WHEN = "30d, 52w (ago) or 2026-11-01"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@home_option
def backup(file: Path, force: bool, home: str | None) -> None:
    """Copy the ledger into FILE, while others record and read.

    FILE holds all calls until now. Put into a folder as ledger.duckdb it is
    that folder's ledger.

    \b
    Examples:
      costspan ledger backup /backup/ledger-2026-11-25.duckdb
      costspan ledger backup --force latest.duckdb
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.backup import backup as copy
        from costspan.exporters.ledger.words import byte_count, counted
        from costspan.reports.text import safe

        place = ledger_home(home)
        with CtrlC(), progress("writing the backup"):
            done = copy(place, file.absolute(), force=force)
    calls, size = counted(done.calls, "call"), byte_count(done.size_bytes)
    click.echo(safe(f"Copied {calls} ({size}) into {file}."))
    if done.unmerged:
        unmerged = counted(done.unmerged, "call")
        click.echo(f"With {unmerged} of the spool that could not be merged into the ledger now.")
    _tell_missing(done.left_out, done.unreadable)


@click.command()
@click.option(
    "--parquet",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder to make: DIR/month=2026-11/calls.parquet ...",
)
@click.option("--since", metavar="WHEN", help=f"Calls from then on: {WHEN}, in UTC.")
@click.option("--until", metavar="WHEN", help="Calls before then.")
@click.option("--force", is_flag=True, help="Replace DIR, with all that is in it.")
@home_option
def export(
    folder: Path, since: str | None, until: str | None, force: bool, home: str | None
) -> None:
    """Write the calls as Parquet files, for any tool that reads them.

    \b
    Examples:
      costspan ledger export --parquet calls
      costspan ledger export --parquet oct --since 2026-10-01 --until 2026-11-01
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.parquet import export_parquet
        from costspan.exporters.ledger.words import byte_count, counted
        from costspan.reports.period import parse_period
        from costspan.reports.text import safe

        period = parse_period(since, until, now=datetime.now(UTC), zone=UTC)
        place, target = ledger_home(home), folder.absolute()
        with CtrlC(), progress("writing Parquet"):
            done = export_parquet(
                place, target, since=period.since, until=period.until, force=force
            )
    if done.calls:
        files = f"{counted(done.months, 'file')} ({byte_count(done.size_bytes)})"
        click.echo(safe(f"Wrote {counted(done.calls, 'call')} as {files} into {folder}."))
    else:
        click.echo("No calls in that period: nothing was written.")
    _tell_missing(done.left_out, done.unreadable)


def _tell_missing(left_out: int, unreadable: int) -> None:
    """Say on the error output what is not in a copy."""
    from costspan.exporters.ledger.words import counted

    if left_out:
        damaged = counted(left_out, "damaged record")
        click.echo(f"costspan: {damaged} left out; see: costspan doctor", err=True)
    if unreadable:
        segments = counted(unreadable, "segment")
        click.echo(f"costspan: {segments} of other users left out; see: costspan doctor", err=True)
