"""``costspan config`` and ``doctor``: where the ledger lies and how it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC

if TYPE_CHECKING:
    from costspan.exporters.home import Home

EXIT_FINDINGS = 1

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="For people (the default), for programs.",
)
home_option = click.option(
    "--home",
    metavar="DIR",
    type=click.Path(),
    help="The ledger's folder; see: costspan config",
)


def ledger_home(named: str | None) -> Home:
    """The ledger's folder: as named on the command line, else by the configuration.

    Raises:
        ConfigError: The configuration cannot be read.
    """
    from costspan.exporters.home import resolve_home
    from costspan.middleware.config import load

    if named:
        return resolve_home(named, by="--home")
    found = load()
    return resolve_home(found.home, by=found.sources.get("home", "the configuration"))


def switched_off(named: str | None) -> tuple[str, str] | None:
    """Whether the configuration keeps calls out of its ledger: what it says, and what to do.

    Returns:
        None where it does not, or where another folder is named, which is not the configuration's.

    Raises:
        ConfigError: The configuration cannot be read.
    """
    from costspan.middleware.config import load

    if named:
        return None
    found = load()
    if "ledger" in found.exporters:
        return None
    said = ", ".join(f'"{name}"' for name in found.exporters)
    return (
        f"{found.file} switches the ledger off: exporters = [{said}]",
        'Add "ledger" to the exporters there, if calls are to be recorded.',
    )


@click.command()
def config() -> None:
    """What is in force, and where it was set.

    \b
    Examples:
      costspan config
      COSTSPAN_CONFIG=team.toml costspan config
    """
    with one_line_errors():
        from costspan.catalogue_in_force import catalogue_in_force, update_folder
        from costspan.exporters.ledger import automerge
        from costspan.middleware.config import load
        from costspan.reports.text import safe

        found = load()
        home = ledger_home(None)
        version = catalogue_in_force(home, found.prices).version
        origin = update_folder(home) or "with the package"
        merging = ("off", automerge.ENVIRONMENT) if automerge.switched_off() else ("on", "default")
    rows = [*found.rows(), ("ledger", str(home.path), home.reason)]
    rows.append(("automerge", *merging))
    rows.append(("catalogue", version, str(origin)))
    for key, value, source in rows:
        click.echo(safe(f"{key:<14}  {value}  [{source}]"))


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
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.doctor import Finding, diagnose
        from costspan.reports.text import safe

        place = ledger_home(home)
        with CtrlC():
            findings = diagnose(place)
        if off := switched_off(home):
            findings.insert(0, Finding("warning", f"{off[0]}.", off[1]))
    for finding in findings:
        click.echo(safe(f"{finding.level:<8} {finding.what}"))
        if finding.cure:
            click.echo(safe(f"{'':<8} -> {finding.cure}"))
    return EXIT_FINDINGS if any(f.level == "error" for f in findings) else 0
