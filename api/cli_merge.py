"""``costspan merge``: brings what processes have recorded into the ledger, once or for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import home_option, ledger_home

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.exporters.ledger.merge import MergeResult

WAIT_S = 1.0
"""How long it waits for another process that merges."""
_NICE = 10
_LONGEST_S = 900


@click.command()
@click.option("--once", is_flag=True, help="Merge what there is, and end: the default.")
@click.option("--watch", is_flag=True, help="Go on: merge whenever something new is there.")
@click.option(
    "--every",
    "every_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=60.0,
    help="How often --watch looks; 60 by default.",
)
@click.option("--background", is_flag=True, hidden=True)
@home_option
def merge(once: bool, watch: bool, every_s: float, background: bool, home: str | None) -> int:
    """Bring new calls into the ledger.

    Reports do it by themselves, and so do programs that record calls, now and then; this is for a
    timer, for a service (--watch), or before a copy is made.

    \b
    Examples:
      costspan merge
      costspan merge --watch --home /srv/costspan
    """
    if once and watch:
        raise click.UsageError("--once or --watch, not both", click.get_current_context())
    with one_line_errors():
        place = ledger_home(home)
        if watch:
            return _watch(place.path, every_s)
        if background:
            _step_back()
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.merge import merge as merge_once

        with CtrlC():
            result = merge_once(place, wait_s=WAIT_S)
    if background:
        from costspan.exporters.ledger.automerge import EXIT_PUT_OFF

        return 0 if result.state == "merged" else EXIT_PUT_OFF
    _say(result, place)
    return 0


def _step_back() -> None:
    """Leave the processor to the application, and end some day whatever happens: reports wait."""
    if sys.platform != "win32":
        os.nice(_NICE)
        signal.alarm(_LONGEST_S)


def _say(result: MergeResult, place: Home) -> None:
    from costspan.exporters.ledger.words import counted
    from costspan.reports.text import safe

    where = safe(str(place.path))
    if result.state == "busy":
        click.echo(f"another process is merging into {where}: nothing to do")
        return
    if result.state == "held":
        raise click.ClickException(
            f"{place.path}: another program has the ledger open: close it, and merge again"
        )
    segments = counted(result.segments, "segment")
    click.echo(f"merged {counted(result.rows, 'call')} of {segments} into {where}")
    if result.quarantined:
        damaged = counted(result.quarantined, "damaged record")
        click.echo(f"set aside {damaged}: see costspan doctor")
    if result.skipped_newer:
        newer = counted(result.skipped_newer, "segment")
        click.echo(f"left alone {newer} of a newer costspan: update this one")
    if result.unreadable:
        others = counted(result.unreadable, "segment")
        click.echo(f"left alone {others} of another user: see costspan doctor")


def _watch(folder: Path, every_s: float) -> int:
    """Merge by a new process each time, whose memory ends with it."""
    from costspan.exporters.beside import command
    from costspan.exporters.ledger.waiting import waiting
    from costspan.reports.text import safe

    click.echo(f"merging what is recorded in {safe(str(folder))}; Ctrl-C ends it", err=True)
    words, environment = command("merge", "--home", str(folder))
    while True:
        if waiting(folder).bytes:
            # In a session of its own: Ctrl-C ends the waiting, not a merge in its midst.
            subprocess.run(words, env=environment, check=False, start_new_session=True)
        time.sleep(every_s)
