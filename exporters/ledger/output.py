"""Files and folders that are made of the ledger elsewhere: whole under their name, or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from costspan.exporters.ledger.alone import log_of
from costspan.exporters.ledger.database import failure
from costspan.exporters.ledger.errors import LedgerError, LedgerWriteError
from costspan.exporters.ledger.words import byte_count


@contextlib.contextmanager
def writing_file(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Make a database file under another name, and give it its own when the body has ended.

    Args:
        target: The file.
        force: Replace it if it exists.

    Yields:
        ``<name>.new``, which does not exist.

    Raises:
        LedgerError: The file exists, or it cannot be made.
    """
    unready = target.with_name(f"{target.name}.new")
    with _failures(target):
        _refuse_no_parent(target)
        if target.is_dir():
            raise LedgerError(f"{target} is a folder: name a file in it.")
        if target.exists() and not force:
            raise LedgerError(f"{target} exists: name another file, or say --force to replace it.")
        for leftover in (unready, log_of(unready)):
            leftover.unlink(missing_ok=True)
        with removing(unready):
            yield unready
            os.replace(unready, target)


@contextlib.contextmanager
def writing_folder(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Fill a folder under another name, and give it its own when the body has ended.

    Args:
        target: The folder; one that exists has to be empty.
        force: Replace it with all that is in it.

    Yields:
        ``<name>.new``, a new folder that nobody else may enter.

    Raises:
        LedgerError: The folder is not empty, or it cannot be made.
    """
    unready = target.with_name(f"{target.name}.new")
    with _failures(target):
        _refuse_no_parent(target)
        if target.exists() and not target.is_dir():
            raise LedgerError(f"{target} is a file: name a folder.")
        if target.exists() and any(target.iterdir()) and not force:
            raise LedgerError(
                f"{target} is not empty: name another folder, or say --force to replace it with "
                "all that is in it."
            )
        shutil.rmtree(unready, ignore_errors=True)
        unready.mkdir(mode=0o700)
        try:
            yield unready
            if target.exists():
                shutil.rmtree(target)
            os.rename(unready, target)
        finally:
            shutil.rmtree(unready, ignore_errors=True)


@contextlib.contextmanager
def removing(unready: Path) -> Iterator[None]:
    """Remove an unfinished database file, and its log, when the body fails."""
    with contextlib.ExitStack() as undo:
        for path in (unready, log_of(unready)):
            undo.callback(path.unlink, missing_ok=True)
        yield
        undo.pop_all()


def refuse_little_room(folder: Path, needed_bytes: int) -> None:
    """Say at once that a copy will not fit.

    Raises:
        LedgerWriteError: The file system of the folder has less room than that.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise LedgerWriteError(
            f"A new ledger in {folder} needs about {byte_count(needed_bytes)}, and its file system "
            f"has {byte_count(free)} left. Make room, and try again. Nothing has been changed."
        )


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Have the files that DuckDB makes inside readable by this user only, from the first byte."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def _failures(target: Path) -> Iterator[None]:
    """Inside, what stands against writing a file is put into words, with the cure."""
    import duckdb

    try:
        yield
    except (OSError, duckdb.Error) as error:
        if not isinstance(failure(error, target), LedgerWriteError):
            raise  # it is the ledger that could not be read
        reason = str(error).strip().split("\n", 1)[0]
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        raise LedgerWriteError(
            f"{target} cannot be written: {reason}. Make room, give this user access to "
            f"{target.parent}, or name another place. The ledger is as it was."
        ) from error


def _refuse_no_parent(target: Path) -> None:
    if not target.parent.is_dir():
        raise LedgerError(f"{target} cannot be written: {target.parent} is no folder: make it.")
