"""Copies the ledger into one file, while others record and read.

The database file is never opened by hand: that would drop DuckDB's lock on it, and a program that
writes it could be overtaken by another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from costspan.exporters.ledger.copying import copy_ledger
from costspan.exporters.ledger.errors import LedgerError
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import failures
from costspan.exporters.ledger.output import refuse_little_room, writing_file
from costspan.exporters.ledger.read import Reader, open_ledger
from costspan.exporters.ledger.schema import sync


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Attributes:
        calls: All of them, those that were still in the spool included.
        unmerged: Those that were.
        left_out: Damaged lines of the spool, which are not in it.
        unreadable: Segments of other users that this one may not read, which are not in it.
        size_bytes: Size of the file.
    """

    calls: int
    unmerged: int
    left_out: int
    unreadable: int
    size_bytes: int


def backup(
    home: str | os.PathLike[str],
    target: Path,
    *,
    force: bool = False,
    wait_s: float = 2.5,
    hook: Callable[[str], None] = lambda point: None,
) -> Backup:
    """Copy the ledger, with all calls that have been recorded until now, into a ledger file.

    Put into a folder under the name ``ledger.duckdb`` it is that folder's ledger.

    Args:
        home: The ledger's folder.
        target: The file; written as ``<name>.new`` and renamed when it is whole and on the disk.
        force: Replace the file if it exists.
        wait_s: How many seconds to wait for a program that has the ledger open for writing.
        hook: Called with the name of each point at which it may be killed, as it passes it.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open for writing; the message names it.
        LedgerError: It is damaged, a newer costspan's or cannot be read, or the file exists, is the
            ledger itself, or cannot be written.
    """
    database = Path(home) / DATABASE
    place = target.resolve()
    if place.parent == database.parent.resolve() and place.name.startswith(DATABASE):
        raise LedgerError(f"{target} is, or belongs to, the ledger itself: name another file.")
    with (
        failures(database),
        open_ledger(home, wait_s, files=True) as reader,
        writing_file(target, force=force) as unready,
    ):
        if database.exists():
            refuse_little_room(target.parent, database.stat().st_size)
        copy_ledger(reader.connection, "ledger", unready)
        hook("copied")
        if reader.spans:
            _add_spool(reader, unready)
        sync(unready)
        ((calls,),) = reader.connection.execute("SELECT count(*) FROM calls").fetchall()
        size = unready.stat().st_size
        hook("added")
    return Backup(calls, reader.unmerged, reader.quarantined, reader.unreadable, size)


def _add_spool(reader: Reader, copy: Path) -> None:
    """Add what is not merged yet to a copy, and note in it that it is, as a merge does."""
    path = str(copy).replace("'", "''")
    connection = reader.connection
    connection.execute(f"ATTACH '{path}' AS fresh")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO fresh.calls BY NAME SELECT * FROM live_calls")
    connection.execute(
        "INSERT INTO fresh.merged_segments (segment, merged_bytes, done_at) "
        "SELECT unnest(?), unnest(?), ?",
        [
            [span.path.name for span in reader.spans],
            [span.end for span in reader.spans],
            datetime.now(UTC).replace(tzinfo=None),
        ],
    )
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT fresh")
    connection.execute("DETACH fresh")
