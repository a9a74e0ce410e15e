"""``costspan prices check`` and ``import``: the user's own prices."""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors

if TYPE_CHECKING:
    from costspan.pricing.litellm_map import Imported


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def check(file: str) -> None:
    """Whether a file of own prices is right, and what it changes.

    \b
    Examples:
      costspan prices check prices.toml
      costspan prices check prices.toml && cp prices.toml /etc/costspan/
    """
    with one_line_errors():
        from costspan.catalogue_in_force import catalogue_in_force
        from costspan.middleware.config import load
        from costspan.pricing.overlay import OverlayError
        from costspan.pricing.overlay_parse import parse_overlay
        from costspan.reports.own_prices import own_prices_table
        from costspan.reports.screen import Screen
        from costspan.reports.text import safe

        try:
            overlay = parse_overlay(_text(file), file)
        except OverlayError as error:
            *others, last = error.problems
            for problem in others:
                click.echo(f"costspan: {safe(problem)}", err=True)
            raise click.ClickException(last) from error
        listed = catalogue_in_force(load().home, None)
        screen = Screen.of(sys.stdout, os.environ)
        text = own_prices_table(overlay, listed, datetime.now(UTC), screen)
    click.echo(text, nl=False)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--from", "valid_from", metavar="DAY", help="First day of the rates: 2026-11-01; today's else."
)
@click.option("--all", "everything", is_flag=True, help="Also models that the catalogue prices.")
def import_map(file: str, valid_from: str | None, everything: bool) -> None:
    """Own prices from a LiteLLM price map.

    FILE is a model_prices_and_context_window.json, or what you give to litellm.register_model, as
    JSON. The prices are written to the standard output, what is to know of them to the other.

    \b
    Examples:
      costspan prices import model_prices.json > prices.toml
      costspan prices import registered.json --all --from 2026-01-01 > prices.toml
    """
    with one_line_errors():
        from costspan.catalogue_in_force import catalogue_in_force
        from costspan.middleware.config import load
        from costspan.pricing.litellm_map import MapError, import_map

        now = datetime.now(UTC)
        listed = catalogue_in_force(load().home, None)
        try:
            found = import_map(
                _text(file),
                valid_from=_day(valid_from) if valid_from else now.date(),
                known=lambda provider, model: listed.knows(provider=provider, model=model, at=now),
                everything=everything,
            )
        except MapError as error:
            raise click.ClickException(f"{file}: {error}") from error
    click.echo(found.toml, nl=False)
    _say_what_was_left(found)


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is no UTF-8 text: save it as UTF-8") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"--from {text!r}: give a day, for instance 2026-11-01") from error


def _say_what_was_left(found: Imported) -> None:
    from costspan.exporters.ledger.words import counted
    from costspan.reports.text import safe

    def say(text: str) -> None:
        click.echo(safe(f"costspan: {text}"), err=True)

    say(f"imported {counted(found.rows, 'rate')} of {counted(found.models, 'model')}")
    if found.left_out:
        number = counted(len(found.left_out), "model")
        say(f"left out {number} that the catalogue prices already: --all takes them too")
    for key, models in sorted(found.skipped.items()):
        say(f"no meter for {key}: {counted(len(models), 'model')}, for instance {models[0]}")
    for problem in found.problems:
        say(problem)
