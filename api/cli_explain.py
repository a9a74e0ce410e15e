"""``costspan explain``: the arithmetic of one recorded call."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import format_option, home_option, ledger_home

if TYPE_CHECKING:
    from costspan.reports.explain import Explanation


@click.command()
@click.argument("call_id")
@format_option
@home_option
def explain(call_id: str, form: str, home: str | None) -> None:
    """How the cost of a call came about, line by line.

    CALL_ID is the id of a call, or the end of one, as costspan calls shows it.

    \b
    Examples:
      costspan explain 3f9a0c51d7e2
      costspan explain 019ab0c2-7d1e-7c3a-9f00-3f9a0c51d7e2 --format json
    """
    with one_line_errors():
        explained = _explained(call_id, home)
        from costspan.reports.explain_record import explanation_json
        from costspan.reports.explain_text import explanation_text
        from costspan.reports.screen import Screen

        if form == "json":
            text = explanation_json(explained)
        else:
            text = explanation_text(explained, Screen.of(sys.stdout, os.environ))
    click.echo(text, nl=False)


def _explained(call_id: str, home: str | None) -> Explanation:
    import duckdb  # noqa: F401, before Ctrl-C raises

    from costspan.catalogue_in_force import catalogue_in_force
    from costspan.exporters.ledger.read import open_ledger
    from costspan.middleware.config import load
    from costspan.reports.explain import explain as explain_call

    place = ledger_home(home)
    catalogue = catalogue_in_force(place, load().prices)
    with CtrlC() as ctrl_c, open_ledger(place) as reader, ctrl_c.breaking_off(reader.interrupt):
        return explain_call(reader, catalogue, call_id)
