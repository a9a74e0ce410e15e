"""Foreign logs and our own into a ledger: the user's, or one that lasts as long as a report.

All that it needs is imported with it: an import that Ctrl-C breaks off can end the process.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Literal, NamedTuple, NoReturn

import click

from costspan.catalogue_in_force import catalogue_in_force
from costspan.cli_interrupt import PATIENCE_S, CtrlC, cleaning_up
from costspan.exporters.home import Home
from costspan.exporters.importers.noted import Recorder
from costspan.exporters.importers.reading import Form, Tally, read_batches
from costspan.exporters.importers.sources import Source, SourceError, find_sources
from costspan.exporters.ledger.importing import Imported, import_batches
from costspan.exporters.ledger.words import counted
from costspan.middleware.aliases import parse_aliases
from costspan.middleware.config import load
from costspan.middleware.hashing import tag_hasher
from costspan.reports.text import safe

_QUIET_S = 1.0
"""Only what takes longer says how far it is."""
_FORMATS = (
    "costspan JSON lines, LiteLLM spend logs (CSV or JSON with request_id, startTime and spend), "
    'Claude Code sessions (JSON lines with "type": "assistant" and message.usage)'
)


class Done(NamedTuple):
    """What an import found, and what it did."""

    imported: Imported
    tally: Tally


def import_files(
    home: Home,
    names: Sequence[str],
    *,
    form: Form = "auto",
    tags: Mapping[str, str] | None = None,
    billing_mode: Literal["metered", "plan"] = "metered",
    prices_of: Home | None = None,
) -> Done:
    """Bring the calls that files hold into the ledger of a folder.

    Args:
        home: The folder.
        names: Files, folders, or ``-`` for the standard input.
        form: The format to look for.
        tags: To be put on every call.
        billing_mode: Of calls out of foreign logs.
        prices_of: The folder whose updated prices are in force; that of the ledger by default.

    Raises:
        SourceError: A file cannot be read, or none of them holds a call.
        LedgerError, HomeError, ConfigError: As everywhere.
    """
    recorder = _recorder(prices_of or home)._replace(billing_mode=billing_mode, tags=tags or {})
    tally, shown = Tally(), _Progress()
    sources = find_sources(names)
    with shown:
        batches = read_batches(sources, form, recorder, tally, shown.say)
        imported = import_batches(home, batches)
    if not tally.records and not tally.newer:
        where = f"; the first that looks like one but cannot be read: {tally.first_damaged}"
        raise SourceError(
            f"{', '.join(names)}: no calls found{where if tally.damaged else ''}. "
            f"Read are: {_FORMATS}; see docs/import.md"
        )
    return Done(imported, tally)


def _recorder(home: Home) -> Recorder:
    """What prices and hashes as the configuration in force says."""
    config = load()
    catalogue = catalogue_in_force(home, config.prices)
    aliases, hasher = parse_aliases(config.aliases), tag_hasher(config.hashed_tags)
    return Recorder(catalogue, aliases, hasher=hasher)


def say_what_is_missing(done: Done) -> None:
    """Say on the error output what was passed over and should not have to be."""
    imported, tally = done
    if damaged := tally.damaged + imported.damaged:
        first = f", the first is {tally.first_damaged}" if tally.first_damaged else ""
        records = counted(damaged, "damaged record")
        click.echo(safe(f"costspan: passed over: {records}{first}"), err=True)
    if tally.newer:
        newer = f"{counted(tally.newer, 'record')} of a newer costspan"
        click.echo(f"costspan: passed over: {newer}; update this one", err=True)


@contextlib.contextmanager
def ledger_of(files: Sequence[str], place: Home) -> Iterator[Home]:
    """Give the folder of a ledger that holds the calls of some files, and is not kept.

    Args:
        files: As for `import_files`.
        place: The user's own ledger, whose updated prices are in force; it is not touched.
    """
    import costspan.exporters.ledger.read  # noqa: F401, before Ctrl-C raises

    with cleaning_up(), passing_home() as passing:
        with CtrlC(PATIENCE_S):
            done = import_files(passing, files, prices_of=place)
        say_what_is_missing(done)
        yield passing


@contextlib.contextmanager
def passing_home() -> Iterator[Home]:
    """Give a ledger's folder that is removed on every way out that a process can still take."""
    # Its name is known before it is there, so that no signal can come in between.
    folder = Path(tempfile.gettempdir(), f"costspan-from-{secrets.token_hex(8)}").absolute()
    with _ending_by_exception():
        try:
            folder.mkdir(mode=0o700)
            yield Home(folder / "ledger", named=True, fallback=False, reason="for this report")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _ending_by_exception() -> Iterator[None]:
    """Inside, a signal to end raises SystemExit, so that what is to be tidied is."""
    known = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    numbers = [one for one in known if signal.getsignal(one) is signal.SIG_DFL]  # not with nohup
    for number in numbers:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


class _Progress:
    """Says on a terminal how far it is, once it has taken a while."""

    def __init__(self) -> None:
        self._next_at = time.monotonic() + _QUIET_S
        self._shown = False

    def say(self, source: Source, number: int) -> None:
        """Show how far the reading is, on a terminal, and not too often."""
        now = time.monotonic()
        if now >= self._next_at and sys.stderr.isatty():
            self._next_at, self._shown = now + 0.2, True
            click.echo(f"\r\x1b[K{number:,} lines of {safe(source.name)[-60:]}", nl=False, err=True)

    def __enter__(self) -> None:
        """Nothing to be done yet."""

    def __exit__(self, *error: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
