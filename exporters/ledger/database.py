"""Opens the ledger's database file, and says in plain words why it cannot be opened."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.ledger.errors import (
    LedgerCorruptError,
    LedgerError,
    LedgerHeldError,
    LedgerWriteError,
)

if TYPE_CHECKING:
    import duckdb

SCRATCH_PREFIX = "costspan-read-"
"""How the temporary folders of readers are named; a killed one leaves its folder."""

_HELD_THERE = ("could not set lock", "being used by another process")
_HELD_HERE = ("different configuration", "file handle conflict")
_UNWRITABLE = ("permission denied", "read-only file system", "no space left", "disk full")
_UNWRITABLE_MORE = ("could not write", "not enough space", "quota exceeded")


def connect(
    path: str, *, temporary: Path | None = None, memory: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a database without ever loading an extension from the network.

    Args:
        path: The database file.
        temporary: Folder for what does not fit into memory.
        memory: Open a database in memory instead.

    Raises:
        duckdb.Error: It cannot be opened.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if temporary is not None:
        settings["temp_directory"] = str(temporary)
    connection = duckdb.connect(":memory:" if memory else path, config=settings)
    # After two seconds it would be printed, into the midst of a report.
    connection.execute("SET enable_progress_bar = false")
    return connection


@contextlib.contextmanager
def looking(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a database attached read-only as ``ledger``; nothing is changed or merged.

    Args:
        database: The file, which exists.

    Raises:
        LedgerHeldError: Another program has it open for writing; the message names it.
        LedgerError: It is damaged or cannot be read; of errors inside, too.
    """
    import duckdb

    path = str(database).replace("'", "''")
    try:
        with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX) as scratch:
            connection = connect("", temporary=Path(scratch), memory=True)
            try:
                connection.execute(f"ATTACH '{path}' AS ledger (READ_ONLY)")
                yield connection
            finally:
                connection.close()
    except duckdb.Error as error:
        raise (held_error if is_held(error) else failure)(error, database) from error


def is_held(error: Exception) -> bool:
    """Whether an error says that the file is open elsewhere."""
    text = str(error).lower()
    return any(sign in text for sign in (*_HELD_THERE, *_HELD_HERE))


def held_error(error: Exception, path: Path, *, writing: bool = False) -> LedgerHeldError:
    """Name the program that has the ledger open, and what to do.

    Args:
        error: DuckDB's.
        path: The database.
        writing: Whether it was to be written, which those who only read it prevent too.
    """
    found = re.search(r"PID (\d+)", str(error))
    pid = int(found[1]) if found else None
    if any(sign in str(error).lower() for sign in _HELD_HERE):
        pid = os.getpid()
    command = _command(pid) if pid else None
    if pid and command:
        who = f"process {pid} ({command})"
        cure = f"Close the ledger there, or end it (kill {pid})"
    elif pid:
        who = f"process {pid}"
        cure = "Close the ledger there; if no such process runs here, it is in another container"
    else:
        who = "a program that cannot be seen from here (another container or user?)"
        cure = "Close the ledger there"
    how, share = " for writing", "; open it with read_only=True to share it"
    if writing:
        how = share = ""
    return LedgerHeldError(
        f"The ledger {path} is open{how} in {who}. {cure}, then try again{share}. "
        "Recording goes on meanwhile and nothing is lost.",
        pid,
        command,
    )


def failure(error: Exception, path: Path) -> LedgerError:
    """Put an error of the database or the file system into words for people."""
    if isinstance(error, LedgerError):
        return error
    reason = str(error).strip().split("\n", 1)[0]
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror
        if error.filename and os.fspath(error.filename) != str(path):
            reason += f": {os.fsdecode(error.filename)}"
    text = str(error).lower()
    if isinstance(error, OSError) or any(s in text for s in (*_UNWRITABLE, *_UNWRITABLE_MORE)):
        return LedgerWriteError(
            f"The ledger {path} cannot be written: {reason}. Make room or give this user access "
            f"to {path.parent}. Records wait in the spool; none is lost."
        )
    home = path.parent
    log = path.with_name(path.name + ".wal")
    if log.exists() and path.is_file():
        return LedgerCorruptError(
            f"The ledger's log {log} is damaged: {reason}. Set it aside by `costspan ledger repair "
            f"--home {home}`: the calls it holds are in the spool still. Recording goes on."
        )
    if path.is_dir():
        reason = "it is a folder, not a file"
    return LedgerCorruptError(
        f"The ledger {path} is damaged: {reason}. Put a backup in its place if there is one, or "
        f"begin a new one with what waits in the spool by `costspan ledger repair --new --home "
        f"{home}`, which sets this one aside. Recording goes on."
    )


def _command(pid: int) -> str | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return None
    text = " ".join(word.decode("utf-8", "replace") for word in words)
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown[:200] or None
