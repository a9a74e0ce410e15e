"""``costspan prices update``: the rows of a newer catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_ledger import home_option, ledger_home

if TYPE_CHECKING:
    from costspan.pricing.update import Update

_MOST_KEPT_SHOWN = 10
_ROWS = {
    "prices.csv": ("price", "prices"),
    "patterns.csv": ("fee", "fees"),
    "aliases.csv": ("alias", "aliases"),
    "multipliers.csv": ("factor", "factors"),
    "schedules.csv": ("schedule", "schedules"),
    "models.csv": ("model", "models"),
}
"""What the rows of each file are called."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--sha256", metavar="HEX", help="Refuse a file that has another hash.")
@click.option("--dry-run", is_flag=True, help="Say what would be added, and add nothing.")
@home_option
def update(file: str, sha256: str | None, dry_run: bool, home: str | None) -> None:
    """Add the prices of a newer catalogue file.

    FILE is a newer wheel of costspan, or a zip file of its catalogue. Rows are added by their
    hash and open ones are ended; none is changed or deleted. Processes that start from now on
    price by it. Nothing is fetched.

    \b
    Examples:
      pip download costspan --no-deps && costspan prices update costspan-*.whl
      costspan prices update catalogue.zip --sha256 $(cat hash) --dry-run
    """
    with one_line_errors():
        from pathlib import Path

        from costspan.catalogue_in_force import update_folder
        from costspan.catalogue_update import folder_texts, keep, read_catalogue
        from costspan.exporters.home import prepare
        from costspan.pricing.rows import FOLDER
        from costspan.pricing.update import updated

        place = ledger_home(home)
        theirs = read_catalogue(Path(file), sha256)
        found = updated(folder_texts(update_folder(place) or FOLDER), theirs, file)
        if found.changed and not dry_run:
            prepare(place)
            keep(place, found)
    _say(found, dry_run)


def _say(found: Update, dry_run: bool) -> None:
    from costspan.reports.text import safe

    would = "would be " if dry_run else ""
    parts = [f"{_rows(n, name)} {would}added" for name, n in found.added.items()]
    parts += [f"{_rows(n, name)} {would}ended" for name, n in found.ended.items()]
    if found.changed:
        click.echo("; ".join(parts) or f"facts about models {would}taken over")
    else:
        click.echo("nothing new: the catalogue in force has it all")
    for line in found.kept[:_MOST_KEPT_SHOWN]:
        click.echo(safe(f"kept: {line}"))
    if len(found.kept) > _MOST_KEPT_SHOWN:
        click.echo(f"kept: and {len(found.kept) - _MOST_KEPT_SHOWN:,} more")
    if found.kept:
        click.echo("An update corrects no amount: for that, upgrade costspan (pip install -U).")
    if found.changed and not dry_run:
        click.echo(f"In force: {found.version}. To reprice what is recorded: costspan reprice")


def _rows(number: int, name: str) -> str:
    one, several = _ROWS[name]
    return f"{number:,} {one if number == 1 else several}"
