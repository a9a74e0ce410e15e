"""``costspan ledger info``, ``check`` and ``repair``: how a ledger does, and what can be done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import EXIT_FINDINGS, format_option, home_option, ledger_home
from costspan.cli_progress import progress

if TYPE_CHECKING:
    from costspan.exporters.ledger.repair import Repaired


@click.command()
@format_option
@home_option
def info(form: str, home: str | None) -> None:
    """What the ledger holds, how large it is, and what waits.

    \b
    Examples:
      costspan ledger info
      costspan ledger info --format json
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.info import ledger_info
        from costspan.reports.ledger_info import info_json, info_text
        from costspan.reports.screen import Screen

        place = ledger_home(home)
        with CtrlC():
            found = ledger_info(place)
        screen = Screen.of(sys.stdout, os.environ)
        click.echo(info_json(found) if form == "json" else info_text(found, screen), nl=False)


@click.command()
@home_option
def check(home: str | None) -> int:
    """Read all of the ledger, and say whether it is whole.

    Changes nothing. Exits with 1 when something is wrong.

    \b
    Examples:
      costspan ledger check
      costspan ledger check --home /srv/costspan && echo whole
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.integrity import check as findings_of
        from costspan.reports.text import safe

        place = ledger_home(home)
        with CtrlC(), progress("reading"):
            findings = list(findings_of(place))
    for finding in findings:
        click.echo(safe(f"{finding.level:<8} {finding.what}"))
        if finding.cure:
            click.echo(safe(f"{'':<8} -> {finding.cure}"))
    return EXIT_FINDINGS if any(f.level == "error" for f in findings) else 0


@click.command()
@click.option("--new", is_flag=True, help="Set a damaged database aside, begin a new one.")
@home_option
def repair(new: bool, home: str | None) -> None:
    """Bring a damaged ledger back into use; nothing is deleted.

    A damaged log is set aside, and what the spool still holds is merged again.

    \b
    Examples:
      costspan ledger repair
      costspan ledger repair --new
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.repair import repair as mend
        from costspan.reports.text import safe

        place = ledger_home(home)
        with CtrlC(), progress("reading"):
            done = mend(place, new=new)
        for line in _lines(done):
            click.echo(safe(line))


def _lines(done: Repaired) -> Iterator[str]:
    """What a repair did, what may be missing, and where it lies, as sentences."""
    from costspan.exporters.ledger.words import counted

    for path in done.set_aside:
        yield f"Set aside, damaged: {path}."
    if done.leftovers:
        yield f"Removed: {counted(done.leftovers, 'file')} that killed processes left half made."
    if done.merged.rows:
        yield f"Merged from the spool: {counted(done.merged.rows, 'call')}."
    calls = counted(done.calls, "call")
    if done.lost_database:
        yield f"Begun: a new ledger, of {calls}. What the old one held is in the file set aside."
    elif done.set_aside:
        yield f"The ledger has {calls} and can be used."
        yield (
            "Missing may be what was written last and never was in the spool: imported calls, and "
            "costs that were priced again. Import and reprice again."
        )
    if done.nothing:
        yield f"Nothing to repair: the ledger has {calls}."
