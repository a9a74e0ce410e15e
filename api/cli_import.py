"""``costspan import``: brings what other programs have noted of calls into the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import PATIENCE_S, CtrlC, cleaning_up
from costspan.cli_ledger import home_option, ledger_home

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.exporters.importers.reading import Form
    from costspan.importing import Done

_FORMS = ("auto", "costspan", "litellm", "claude-code")


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="auto",
    help="What the files hold; by default whatever of these is in them.",
)
@click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="For every call.")
@click.option(
    "--billing",
    type=click.Choice(["metered", "plan"]),
    default="metered",
    help="Whether calls of foreign logs were paid one by one, or by a flat plan.",
)
@click.option("--dry-run", is_flag=True, help="Say what would come in, and write nothing.")
@home_option
def command(
    files: tuple[str, ...],
    form: Form,
    tags: tuple[str, ...],
    billing: Literal["metered", "plan"],
    dry_run: bool,
    home: str | None,
) -> None:
    """Bring in calls that others have noted.

    FILE is a file, a folder or - for the input. Each call comes in once, however often it is
    imported.

    \b
    Examples:
      costspan import ~/.claude/projects
      costspan import spend_logs.csv --tag source=proxy --dry-run
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.importing import import_files, passing_home
        from costspan.middleware.tags import TagError, check_tags

        try:
            checked = check_tags(dict(_pair(one) for one in tags))
        except TagError as error:
            raise click.UsageError(str(error), click.get_current_context()) from error
        place = ledger_home(home)
        options: dict[str, Any] = {"form": form, "tags": checked, "billing_mode": billing}
        if dry_run:
            with cleaning_up(), passing_home() as passing:
                _say(_tried(passing, place, files, options), "would import")
        else:
            with CtrlC():
                done = import_files(place, files, **options)
            _say(done, "imported")


def _tried(passing: Home, place: Home, files: Sequence[str], options: Mapping[str, Any]) -> Done:
    """Import into a passing ledger, and compare that with the real one."""
    from costspan.exporters.ledger.importing import compare
    from costspan.exporters.ledger.merge import merge
    from costspan.importing import import_files

    with CtrlC(PATIENCE_S):
        done = import_files(passing, files, prices_of=place, **options)
        merge(place)
        compared = compare(place, passing)
    compared.damaged = done.imported.damaged
    return done._replace(imported=compared)


def _pair(said: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--tag {said}: give NAME=VALUE", click.get_current_context())
    return name, value


def _say(done: Done, did: str) -> None:
    """What came in, in one line, and on the error output what could not."""
    from costspan.exporters.ledger.words import counted
    from costspan.importing import say_what_is_missing

    imported, tally = done
    say_what_is_missing(done)
    aside = [
        (imported.known, f"{imported.known:,} known already"),
        (imported.replaced, f"{imported.replaced:,} replaced"),
        (tally.other, f"{counted(tally.other, 'other line')} passed over"),
    ]
    said = ", ".join(text for number, text in aside if number)
    beside = f" ({said})" if said else ""
    calls, files = counted(imported.new, "call"), counted(tally.files, "file")
    click.echo(f"{did} {calls}{beside} from {files}{_sums(done)}")


def _sums(done: Done) -> str:
    """What the calls cost, and when they were made."""
    from costspan.exporters.ledger.words import instant
    from costspan.reports.text import usd, usd_decimals

    imported = done.imported
    if imported.first is None or imported.last is None:
        return ""
    cost, unpriced = imported.cost_usd, imported.unpriced
    amounts = [usd(cost, usd_decimals([cost]))] if cost or not unpriced else []
    if unpriced:
        amounts.append(f"{unpriced:,} unpriced")
    first, last = (instant(at.replace(tzinfo=UTC)) for at in (imported.first, imported.last))
    return f"; {' and '.join(amounts)}; {first} .. {last}"
