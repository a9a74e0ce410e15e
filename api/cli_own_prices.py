"""``costspan prices check`` and ``import``: the user's own prices."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import click

from costspan.cli_errors import one_line_errors


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
        from pathlib import Path

        from costspan.catalogue_in_force import catalogue_of
        from costspan.middleware.config import load
        from costspan.pricing.overlay import OverlayError
        from costspan.pricing.overlay_parse import parse_overlay
        from costspan.reports.own_prices import own_prices_table
        from costspan.reports.screen import Screen
        from costspan.reports.text import safe

        try:
            overlay = parse_overlay(Path(file).read_text(encoding="utf-8"), file)
        except OverlayError as error:
            *others, last = error.problems
            for problem in others:
                click.echo(f"costspan: {safe(problem)}", err=True)
            raise click.ClickException(last) from error
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{file} is no UTF-8 text: save it as UTF-8") from error
        listed = catalogue_of(load().home, None)
        screen = Screen.of(sys.stdout, os.environ)
        text = own_prices_table(overlay, listed, datetime.now(UTC), screen)
    click.echo(text, nl=False)
