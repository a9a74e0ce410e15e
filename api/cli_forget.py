"""``costspan ledger forget``: erases the calls of a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC
from costspan.cli_ledger import home_option, ledger_home
from costspan.cli_progress import progress

if TYPE_CHECKING:
    from costspan.exporters.home import Home
    from costspan.exporters.ledger.forget import Forgotten, Found
    from costspan.exporters.ledger.person import Person, Trait
    from costspan.middleware.config import Config

COPIES = """\
Not reached, where there are any: backups and Parquet exports, ledgers of other hosts, JSON lines
files, OpenTelemetry back-ends, logs, snapshots of the file system.
What running programs record from now on is not touched."""


@click.command()
@click.option(
    "--where",
    "wheres",
    metavar="NAME=VALUE",
    multiple=True,
    required=True,
    help="A tag (user=42, or tag:user=42), session_id or unit_id; several: all must hold.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def forget(wheres: Sequence[str], dry_run: bool, yes: bool, home: str | None) -> None:
    """Erase the calls of a person.

    From the database, the spool and the quarantine, for good; and names the copies that it cannot
    reach. The value of a hashed tag is given plain.

    \b
    Examples:
      costspan ledger forget --where user=alice@example.org --dry-run
      costspan ledger forget --where user=42 --where tenant=acme --yes
    """
    with one_line_errors():
        import duckdb  # noqa: F401, before Ctrl-C raises

        from costspan.exporters.ledger.person import Person
        from costspan.exporters.ledger.scrub import still_mentioning
        from costspan.middleware.config import load

        config, place = load(), ledger_home(home)
        person = Person([_trait(where, config) for where in wheres])
        found = _found(place, person)
        if found is None or not found.anything:
            click.echo(_shown(f"Nothing of {' and '.join(wheres)} in {place.path}."))
            _name(still_mentioning(place.path, person))
            return
        click.echo(_summary(found, place))
        if dry_run:
            return
        if yes or _agreed():
            _report(_erased(place, person))
        else:
            click.echo("Nothing was erased.")


def _trait(where: str, config: Config) -> Trait:
    """Read ``NAME=VALUE``; the value is looked for by its hash too."""
    from costspan.exporters.ledger.person import Trait
    from costspan.middleware.hashing import is_hashed

    name, equals, value = where.partition("=")
    tag = name.removeprefix("tag:")
    if not equals or not tag or not value:
        raise click.UsageError(
            f"--where {where!r}: give NAME=VALUE, for instance user=42",
            click.get_current_context(),
        )
    tag = "session_id" if name == "session" else tag
    values = [value]
    if not is_hashed(value) and (hashed := _hash(tag, value, config)):
        click.echo(f"Also looked for: {hashed}, which stands for it where {_shown(tag)} is hashed.")
        values.append(hashed)
    return Trait(tag, tuple(values))


def _hash(tag: str, value: str, config: Config) -> str | None:
    """What stands for a value where the tag is hashed; None without a key, if none is needed."""
    from costspan.middleware.config import ConfigError
    from costspan.middleware.hashing import KEY_VARIABLE, tag_hasher

    if tag not in config.hashed_tags and not os.environ.get(KEY_VARIABLE):
        return None
    try:
        hasher = tag_hasher((tag,))
    except ConfigError as error:
        raise click.ClickException(
            f"the values of {tag} are hashed: set {KEY_VARIABLE} to the key that they were "
            "recorded with, or give the hash itself (h:...)"
        ) from error
    return None if hasher is None else hasher.hashed(tag, value)


def _found(place: Home, person: Person) -> Found | None:
    from costspan.exporters.ledger.errors import NoLedgerError
    from costspan.exporters.ledger.forget import find

    with CtrlC():
        try:
            return find(place, person)
        except NoLedgerError:
            return None


def _erased(place: Home, person: Person) -> Forgotten:
    from costspan.exporters.ledger.forget import forget as forget_person

    with CtrlC(), progress("erasing"):
        return forget_person(place, person)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise click.ClickException("nobody can be asked here: say --yes to erase them")
    return click.confirm("Erase them for good?")


def _summary(found: Found, place: Home) -> str:
    from costspan.exporters.ledger.words import counted, instant
    from costspan.reports.text import usd, usd_decimals

    money = usd(found.cost_usd, usd_decimals([found.cost_usd]))
    amount = "of unknown cost" if found.cost_usd is None else f"of {money}"
    unpriced = f", {found.unpriced:,} of them unpriced" if found.unpriced else ""
    lines = [f"{counted(found.calls, 'call')} {amount}{unpriced} in {_shown(str(place.path))}."]
    if found.first and found.last:
        lines.append(
            f"The first began at {instant(found.first)}, the last at {instant(found.last)}."
        )
    if found.spooled or found.quarantined:
        spool = counted(found.spooled, "line")
        lines.append(f"Also {spool} in the spool, {found.quarantined:,} in the quarantine.")
    return "\n".join(lines)


def _report(done: Forgotten) -> None:
    """Say what was erased, and what was not."""
    from costspan.exporters.ledger.words import counted

    spool = counted(done.spooled, "line")
    lines = f"{spool} in the spool, {done.quarantined:,} in the quarantine"
    click.echo(f"Erased {counted(done.calls, 'call')}, {lines}.")
    if done.scratch:
        click.echo(f"Erased {counted(done.scratch, 'folder')} that killed reports had left.")
    _name(done.still)
    click.echo(COPIES)


def _name(files: Iterable[Path]) -> None:
    """Name the files that may hold the person's calls still."""
    for path in files:
        click.echo(f"Left alone, look at it yourself: {_shown(str(path))}")


def _shown(text: str) -> str:
    from costspan.reports.text import safe

    return safe(text)
