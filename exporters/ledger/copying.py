"""Makes a new ledger file out of an open one, and puts such a file in its place.

A ledger that calls are taken out of is written anew and renamed, because DuckDB gives no room back
to the disk (duckdb/duckdb#12286, #14124). Whoever kills it leaves the old file or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.exporters.ledger.alone import locked, open_alone, refuse_log
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import merge_spool
from costspan.exporters.ledger.output import private_files, refuse_little_room, removing
from costspan.exporters.ledger.schema import STORAGE_VERSION, migrate, sync

if TYPE_CHECKING:
    import duckdb

NO_VALUES: Mapping[str, object] = MappingProxyType({})
"""A condition without parameters."""

_LEDGER = Path(DATABASE).stem  # the name that DuckDB gives to the file
_MIGRATIONS = "migrations"


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a ledger that was written anew.

    Attributes:
        kept, removed: Calls.
        before_bytes, after_bytes: Size of the file.
    """

    kept: int
    removed: int
    before_bytes: int
    after_bytes: int


def copy_ledger(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    target: Path,
    keep: str = "true",
    values: Mapping[str, object] = NO_VALUES,
) -> None:
    """Make a new ledger file that holds some of the calls of an attached one.

    Their order is kept, and so is all else: what is known of these calls (repricings), which parts
    of the spool are merged, and when the migrations were made. The file is whole and on the disk,
    and nobody but this user can read it.

    Args:
        connection: Outside a transaction.
        source: The name by which the ledger is attached.
        target: The file to make; on any error there is none.
        keep: The SQL condition on ``calls`` that says which are wanted.
        values: The parameters of the condition, by name.

    Raises:
        OSError: The file exists, or cannot be made.
        duckdb.Error: The ledger cannot be read, or the disk is full.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    path = str(target).replace("'", "''")
    ((before,),) = connection.execute("SELECT current_database()").fetchall()
    with removing(target), private_files():
        connection.execute(f"ATTACH '{path}' AS fresh (STORAGE_VERSION '{STORAGE_VERSION}')")
        with _left(connection, before):
            connection.execute("USE fresh")
            migrate(connection, target, unfinished=True)
            _fill(connection, source, keep, values)
            connection.execute("CHECKPOINT")
        sync(target)


@contextlib.contextmanager
def replacing(
    home: str | os.PathLike[str],
    keep: str,
    values: Mapping[str, object] = NO_VALUES,
    wait_s: float = 2.5,
    hook: Callable[[str], None] = lambda point: None,
) -> Iterator[Replaced]:
    """Write the ledger of a folder anew with some of its calls only, the spool merged first.

    The body runs when the new file is in place, with the merge lock still held.

    Args:
        home: The ledger's folder.
        keep: The SQL condition on ``calls`` that says which stay.
        values: The parameters of the condition, by name.
        wait_s: How many seconds to wait for others who merge or read.
        hook: Called with the name of each point at which it may be killed, as it passes it.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open; the message names it.
        LedgerError: It is damaged, a newer costspan's, or cannot be written.
    """
    folder = Path(home)
    database = folder / DATABASE
    fresh = folder / f"{DATABASE}.new.{os.getpid()}"
    deadline = time.monotonic() + wait_s
    with locked(home, deadline), removing(fresh):
        with open_alone(folder, deadline) as connection:
            merge_spool(connection, folder)
            hook("merged")
            counts = f"SELECT count(*), count(*) FILTER (WHERE {keep}) FROM calls"
            ((calls, kept),) = connection.execute(counts, dict(values)).fetchall()
            before_bytes = database.stat().st_size
            refuse_little_room(folder, before_bytes * kept // max(calls, 1))
            copy_ledger(connection, _LEDGER, fresh, keep, values)
            hook("copied")
            connection.execute("CHECKPOINT")
            hook("checkpointed")
        refuse_log(database)
        os.chmod(fresh, stat.S_IMODE(database.stat().st_mode))  # of a shared folder, its group's
        hook("closed")
        os.replace(fresh, database)
        hook("renamed")
        yield Replaced(kept, calls - kept, before_bytes, database.stat().st_size)


def _fill(
    connection: duckdb.DuckDBPyConnection, source: str, keep: str, values: Mapping[str, object]
) -> None:
    """Copy the tables that both have: of calls those wanted, of the rest what belongs to them."""
    connection.execute(
        f"INSERT INTO calls BY NAME SELECT * FROM {source}.calls WHERE {keep}", dict(values)
    )
    own = _tables(connection, source)
    for table, columns in _tables(connection, "fresh").items():
        if table in ("calls", _MIGRATIONS) or table not in own:
            continue
        wanted = "call_id IN (SELECT call_id FROM calls)" if "call_id" in columns else "true"
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT * FROM {source}.{table} WHERE {wanted}"
        )
    connection.execute(
        f"UPDATE {_MIGRATIONS} SET applied_at = o.applied_at FROM {source}.{_MIGRATIONS} AS o "
        f"WHERE {_MIGRATIONS}.version = o.version"
    )


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """The tables of an attached database, and their columns."""
    found = connection.execute(
        "SELECT c.table_name, list(c.column_name) FROM duckdb_columns() AS c JOIN duckdb_tables() "
        "AS t ON c.table_oid = t.table_oid AND c.database_name = t.database_name "
        "WHERE c.database_name = ? AND NOT t.internal GROUP BY c.table_name",
        [database],
    )
    return dict(found.fetchall())


@contextlib.contextmanager
def _left(connection: duckdb.DuckDBPyConnection, before: str) -> Iterator[None]:
    """Go back to the database that was the current one, and detach the new one, at the end."""
    with contextlib.ExitStack() as undo:
        undo.callback(_give_up, connection, before)
        yield
        undo.pop_all()
    _leave(connection, before)


def _give_up(connection: duckdb.DuckDBPyConnection, before: str) -> None:
    import duckdb

    with contextlib.suppress(duckdb.Error):  # after a full disk the connection takes nothing
        _leave(connection, before)


def _leave(connection: duckdb.DuckDBPyConnection, before: str) -> None:
    connection.execute(f"USE {before}")
    connection.execute("DETACH fresh")
