"""Sets aside what is damaged of a ledger, and merges again what the spool still holds.

Nothing is deleted but what killed processes left half made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from costspan.exporters.ledger.alone import locked, log_of, open_alone
from costspan.exporters.ledger.database import failure
from costspan.exporters.ledger.errors import LedgerCorruptError
from costspan.exporters.ledger.integrity import read_all
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import MergeResult, merge_spool


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did.

    Attributes:
        set_aside: Where damaged files lie now.
        lost_database: Whether the database itself is among them, and a new one was begun.
        leftovers: Half-made files of killed processes that were removed.
        merged: What was merged from the spool.
        calls: How many the ledger holds now.
    """

    set_aside: tuple[Path, ...]
    lost_database: bool
    leftovers: int
    merged: MergeResult
    calls: int

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to repair."""
        return not self.set_aside and not self.leftovers


def repair(
    home: str | os.PathLike[str],
    *,
    new: bool = False,
    wait_s: float = 2.5,
    hook: Callable[[str], None] = lambda point: None,
) -> Repaired:
    """Bring a ledger that cannot be opened back into use.

    A damaged log is set aside: the calls that it holds are in the spool still, since a merge
    removes a segment only when its rows are in the database file itself. A damaged database file
    is set aside only if that is asked for.

    Args:
        home: The ledger's folder.
        new: Set a damaged database file aside, and begin a new one.
        wait_s: How many seconds to wait for others who merge or read.
        hook: Called with the name of each point at which it may be killed, as it passes it.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open; the message names it.
        LedgerCorruptError: The database file is damaged, and ``new`` was not said.
        LedgerError: It is a newer costspan's, or the folder cannot be written.
    """
    folder = Path(home)
    database = folder / DATABASE
    deadline = time.monotonic() + wait_s
    with locked(home, deadline):
        leftovers = len(_leftovers(folder))
        set_aside: list[Path] = []
        damage = _damage(folder, deadline)
        if damage and log_of(database).exists():
            set_aside.append(_aside(log_of(database)))
            hook("log set aside")
            damage = _damage(folder, deadline)
        lost = damage is not None
        if damage:
            if not new:
                for log in set_aside:  # it was not the log that is damaged
                    os.rename(log, log_of(database))
                raise damage
            set_aside.append(_aside(database))
            hook("database set aside")
        with open_alone(folder, deadline) as connection:
            merged = merge_spool(connection, folder)
            ((calls,),) = connection.execute("SELECT count(*) FROM calls").fetchall()
    return Repaired(tuple(set_aside), lost, leftovers, merged, calls)


def _damage(folder: Path, deadline: float) -> LedgerCorruptError | None:
    """Open the database and read it to its end; say what is damaged, if anything."""
    import duckdb

    try:
        with open_alone(folder, deadline) as connection:
            read_all(connection)
    except duckdb.Error as error:
        found = failure(error, folder / DATABASE)
        if not isinstance(found, LedgerCorruptError):
            raise
        return found
    return None


def _aside(path: Path) -> Path:
    """Give a damaged file a name that nothing reads, with the instant in it."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    while aside.exists():
        aside = aside.with_name(f"{aside.name}+")
    os.rename(path, aside)
    return aside


def _leftovers(folder: Path) -> Sequence[Path]:
    """What killed processes left half made; whoever opens the ledger for writing removes it."""
    return [*folder.glob(".merge.*"), *folder.glob(f"{DATABASE}.new.*")]
