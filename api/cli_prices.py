"""``costspan prices``: what models cost, and the user's own prices."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_own_prices import check, import_map
from costspan.cli_price_update import update
from costspan.cli_reports import format_option

if TYPE_CHECKING:
    from costspan.pricing.catalogue import Catalogue
    from costspan.reports.export import Records


class ModelFirst(click.Group):
    """A group in which what is no command is the model of ``show``: ``costspan prices gpt-4o``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``show`` before a model, and before the options of one."""
        first = args[0] if args else ""
        if first and first not in self.commands and first not in ctx.help_option_names:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ModelFirst, invoke_without_command=True, subcommand_metavar="MODEL | COMMAND ...")
@click.pass_context
def prices(context: click.Context) -> None:
    """What models cost, and your own prices.

    \b
    Examples:
      costspan prices gpt-4o
      costspan prices search gemini flash
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@prices.command()
@click.argument("model")
@click.option("--at", metavar="WHEN", help="On that day or at that instant; today by default.")
@click.option("--history", is_flag=True, help="All it has cost, and what is announced.")
@format_option
def show(model: str, at: str | None, history: bool, form: str) -> None:
    """What a model costs and cost, with sources.

    The word show can be left out: costspan prices MODEL.

    \b
    Examples:
      costspan prices gpt-4o --at 2024-06-01
      costspan prices deepseek/deepseek-chat --history
    """
    with one_line_errors():
        from costspan.reports.period import parse_instant
        from costspan.reports.prices import price_list

        catalogue, now = _catalogue(), datetime.now(UTC)
        when = now if at is None else parse_instant("at", at, now=now, zone=UTC)
        provider, name = _owner(catalogue, model)
        found = price_list(catalogue, provider, name, at=when, history=history)
    if found is None:
        if catalogue.knows(provider=provider, model=name, at=now):
            known = f"{model} had no price then: see all it has cost with --history"
            raise click.ClickException(known)
        raise click.ClickException(_unknown(catalogue, provider, name, model))
    from costspan.reports.price_tables import price_records, price_table
    from costspan.reports.screen import Screen

    if form == "table":
        click.echo(price_table(found, Screen.of(sys.stdout, os.environ)), nl=False)
    else:
        _print(price_records(found), form)


@prices.command()
@click.argument("text", nargs=-1, required=True)
@format_option
def search(text: tuple[str, ...], form: str) -> None:
    """Models by parts of their names.

    \b
    Examples:
      costspan prices search sonnet
      costspan prices search bedrock haiku
    """
    with one_line_errors():
        from costspan.reports.price_tables import found_records, found_table
        from costspan.reports.prices import search as search_models
        from costspan.reports.screen import Screen

        words = [word for part in text for word in part.split()]
        most = {} if form == "table" else {"most": sys.maxsize}
        found, count = search_models(_catalogue(), words, at=datetime.now(UTC), **most)
    if form != "table":
        _print(found_records(found), form)
    elif found:
        click.echo(found_table(found, count, Screen.of(sys.stdout, os.environ)), nl=False)
    else:
        raise click.ClickException(f"no model's name holds {' and '.join(map(repr, words))}")


for command in (check, import_map, update):
    prices.add_command(command)


def _catalogue() -> Catalogue:
    from costspan.catalogue_in_force import catalogue_in_force
    from costspan.middleware.config import load

    found = load()
    return catalogue_in_force(found.home, found.prices)


def _owner(catalogue: Catalogue, model: str) -> tuple[str, str]:
    """Whose model is meant: as it says, as its name tells, or the only one there is."""
    from costspan.middleware.request import UNKNOWN_PROVIDER, from_arguments

    asked = from_arguments({"model": model})
    if asked.provider != UNKNOWN_PROVIDER:
        return asked.provider, asked.model
    owners = [p for p, name in catalogue.names() if name.lower() == model.lower()]
    if len(set(owners)) > 1:
        listed = ", ".join(f"{owner}/{model}" for owner in dict.fromkeys(owners))
        raise click.ClickException(f"{model} is sold by several providers: say {listed}")
    return (owners[0] if owners else asked.provider), model


def _unknown(catalogue: Catalogue, provider: str, name: str, model: str) -> str:
    from costspan.middleware.request import UNKNOWN_PROVIDER

    if provider == UNKNOWN_PROVIDER:
        near = get_close_matches(name.lower(), {one for _, one in catalogue.names()}, 3, 0.7)
    else:
        near = catalogue.near(provider, name)
    if near:
        return f"no prices for {model}: did you mean {', '.join(near)}?"
    return f"no prices for {model}: find its name with costspan prices search"


def _print(records: Records, form: str) -> None:
    from costspan.reports.export import to_csv, to_json

    click.echo(to_json(records) if form == "json" else to_csv(records), nl=False)
