"""``costspan config``, ``doctor`` and ``merge``: where the ledger lies and how it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC

if TYPE_CHECKING:
    from costspan.exporters.home import Home

EXIT_FINDINGS = 1
WAIT_S = 1.0
"""How long `costspan merge` waits for another process that merges."""

home_option = click.option(
    "--home",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The ledger's folder; see: costspan config",
)


def ledger_home(named: str | None) -> Home:
    """The ledger's folder: as named on the command line, else by the configuration.

    Raises:
        ConfigError: The configuration cannot be read.
    """
    from costspan.exporters.home import resolve_home
    from costspan.middleware.config import load

    return resolve_home(named or load().home)


@click.command()
def config() -> None:
    """What is in force, and where it was set.

    \b
    Examples:
      costspan config
      COSTSPAN_CONFIG=team.toml costspan config
    """
    with one_line_errors():
        from costspan.middleware.config import load
        from costspan.reports.text import safe

        found = load()
        home = ledger_home(None)
    rows = [*found.rows(), ("ledger", str(home.path), home.reason)]
    for key, value, source in rows:
        click.echo(safe(f"{key:<12}  {value}  [{source}]"))


@click.command()
@home_option
def doctor(home: str | None) -> int:
    """Whether all calls arrive in the ledger.

    Says what to do where they do not, and exits with 1 when something is lost or broken.

    \b
    Examples:
      costspan doctor
      costspan doctor --home /srv/costspan && echo healthy
    """
    with one_line_errors(), CtrlC():
        from costspan.exporters.ledger.doctor import diagnose
        from costspan.reports.text import safe

        findings = diagnose(ledger_home(home))
    for finding in findings:
        click.echo(safe(f"{finding.level:<8} {finding.what}"))
        if finding.cure:
            click.echo(safe(f"{'':<8} -> {finding.cure}"))
    return EXIT_FINDINGS if any(f.level == "error" for f in findings) else 0


@click.command()
@home_option
def merge(home: str | None) -> None:
    """Bring new calls into the ledger.

    Reports do it by themselves; this is for a timer, or before a copy is made.

    \b
    Examples:
      costspan merge
      costspan merge --home /srv/costspan
    """
    with one_line_errors(), CtrlC():
        from costspan.exporters.ledger.merge import merge as merge_once

        place = ledger_home(home)
        result = merge_once(place, wait_s=WAIT_S)
    if result.state == "busy":
        click.echo(f"another process is merging into {place.path}: nothing to do")
        return
    if result.state == "held":
        raise click.ClickException(
            f"{place.path}: another program has the ledger open: close it, and merge again"
        )
    click.echo(f"merged {result.rows:,} calls of {result.segments:,} segments into {place.path}")
    if result.quarantined:
        click.echo(f"set aside {result.quarantined:,} damaged records: see costspan doctor")
    if result.skipped_newer:
        click.echo(
            f"left alone {result.skipped_newer:,} segments of a newer costspan: update this one"
        )
