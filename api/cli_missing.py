"""What a report says beside its rows: why there are none, and what is in none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from costspan.cli_ledger import switched_off

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.exporters.ledger.notes import LossNote
    from costspan.exporters.ledger.read import Reader

NO_CALLS_YET = """\
No calls recorded yet in {home}.
Wrap a client (client = costspan.wrap(OpenAI())), make a call and ask again, or try: costspan demo
"""


def lost(losses: Sequence[LossNote]) -> str:
    """How many records were lost, since when, by whom and why, in one line."""
    from costspan.exporters.ledger.words import counted, instant
    from costspan.reports.text import safe

    number = sum(one.lost for one in losses)
    since = instant(min(one.since for one in losses))
    last = max(losses, key=lambda one: one.at)
    who = f"process {last.process}" if len(losses) == 1 else f"{len(losses):,} processes"
    were = "was" if number == 1 else "were"
    return safe(f"{counted(number, 'record')} {were} lost since {since} by {who}: {last.reason}")


def nothing(home: Home, losses: Sequence[LossNote], named: str | None) -> str:
    """Why a ledger holds no calls, as far as that is known, and what to do."""
    from costspan.reports.text import safe

    where = safe(str(home.path))
    if losses:
        return f"No calls in {where}: {lost(losses)}.\nTo find out more: costspan doctor\n"
    if off := switched_off(named):
        return f"No calls in {where}: {safe(off[0])}.\n{off[1]}\n"
    return NO_CALLS_YET.format(home=where)


def say_what_is_missing(reader: Reader) -> None:
    """Say on the error output what stands in the ledger and in no report."""
    from costspan.exporters.ledger.words import counted

    if newer := reader.merged.skipped_newer:
        files = f"{counted(newer, 'file')} of a newer costspan"
        click.echo(f"costspan: not shown: {files}; update this one", err=True)
    if hidden := reader.unreadable:
        files = f"{counted(hidden, 'file')} of another user"
        click.echo(f"costspan: not shown: {files}; see: costspan doctor", err=True)
    if damaged := reader.merged.quarantined + reader.quarantined:
        records = counted(damaged, "damaged record")
        click.echo(f"costspan: not shown: {records}; see: costspan doctor", err=True)
