"""Opens the ledger for those who change it by other ways than a merge: alone, under its lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.ledger.database import held_error, is_held
from costspan.exporters.ledger.errors import LedgerError, LedgerWriteError
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import failures, merge_lock, open_for_writing
from costspan.exporters.ledger.read import refuse_missing

if TYPE_CHECKING:
    import duckdb


@contextlib.contextmanager
def locked(home: str | os.PathLike[str], deadline: float) -> Iterator[None]:
    """Hold the merge lock of a folder that has a ledger; errors inside become ours.

    Args:
        home: The ledger's folder.
        deadline: Until when to wait for another process, by the monotonic clock.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerError: Another process holds it past the deadline, or the folder cannot be used.
    """
    folder = Path(home)
    refuse_missing(home, folder)
    with failures(folder / DATABASE), merge_lock(folder, deadline) as mine:
        if not mine:
            raise LedgerError(
                f"Another process merges or rewrites {folder}: try again when it is done."
            )
        yield


@contextlib.contextmanager
def open_alone(folder: Path, deadline: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database for writing; the merge lock is held.

    Raises:
        LedgerHeldError: Another program has it open past the deadline; the message names it.
    """
    import duckdb

    try:
        connection = open_for_writing(folder, deadline)
    except duckdb.Error as error:
        if not is_held(error):
            raise
        raise held_error(error, folder / DATABASE, writing=True) from error
    try:
        yield connection
    finally:
        connection.close()


def log_of(database: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside a database file."""
    return database.with_name(f"{database.name}.wal")


def refuse_log(database: Path) -> None:
    """Make sure that no log is left that a file put in place of the database would be given.

    Raises:
        LedgerWriteError: There is one: the database could not be brought up to date with it.
    """
    log = log_of(database)
    if log.exists():
        raise LedgerWriteError(
            f"The log {log} could not be taken into the ledger. Close the programs that have the "
            "ledger open, and try again. Nothing has been changed."
        )
