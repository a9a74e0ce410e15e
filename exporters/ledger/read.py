"""Opens the ledger for reports: what is in the database and what still waits in the spool."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from costspan.exporters.home import Home, HomeError, obstacle, unusable, verify
from costspan.exporters.ledger.database import SCRATCH_PREFIX, connect, failure, held_error, is_held
from costspan.exporters.ledger.errors import LedgerError, LedgerWriteError, NoLedgerError
from costspan.exporters.ledger.layout import DATABASE, segment_paths
from costspan.exporters.ledger.load import collect, data_errors, insert, sort_out
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.merge import MergeResult, merge
from costspan.exporters.ledger.scan import Span, scan
from costspan.exporters.ledger.schema import (
    call_requests_sql,
    calls_ddl,
    migrate,
    no_repricings_sql,
    refuse_newer,
    version_of,
)

if TYPE_CHECKING:
    import duckdb

_POLL_S = 0.02


class Result(NamedTuple):
    """The answer to a query.

    Attributes:
        columns: Their names.
        rows: The values; money as Decimal, times as UTC without a zone.
    """

    columns: list[str]
    rows: list[tuple[object, ...]]


class Reader:
    """The views ``calls``, ``call_requests`` and ``repricings`` on a ledger; a context manager.

    Nothing can be written through it, no other file can be read, and its settings are locked.

    Attributes:
        merged: What the merge before reading did.
        unmerged: Calls that are shown from the spool, because they could not be merged.
        quarantined: Lines in the spool that no row could be made of, while they are not merged.
        unreadable: Segments that another user does not let this one read, which are not shown.
        spans: Where in the spool these stand.
        connection: DuckDB's, for who copies the ledger; see `open_ledger`.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        scratch: tempfile.TemporaryDirectory[str],
        merged: MergeResult,
    ) -> None:
        self.connection = connection
        self._scratch = scratch
        self.merged = merged
        self.unmerged = 0
        self.quarantined = 0
        self.unreadable = 0
        self.spans: list[Span] = []

    def execute(self, sql: str, params: Sequence[object] | Mapping[str, object] = ()) -> Result:
        """Run one query and fetch its rows.

        Args:
            sql: With ``?`` or ``$name`` for parameters.
            params: Their values.

        Raises:
            duckdb.Error: The query is wrong, or was interrupted.
        """
        values = dict(params) if isinstance(params, Mapping) else list(params)
        done = self.connection.execute(sql, values)
        return Result([column[0] for column in done.description or []], done.fetchall())

    def interrupt(self) -> None:
        """Break off a running query; for a signal handler or another thread."""
        self.connection.interrupt()

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()
        self._scratch.cleanup()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_ledger(
    home: str | os.PathLike[str], wait_s: float = 2.5, *, files: bool = False
) -> Reader:
    """Open the ledger of a folder for reading, merged as far as that is possible.

    While another program only reads the database, calls that cannot be merged are shown from the
    spool, so the answer is complete.

    Args:
        home: The ledger's folder.
        wait_s: How many seconds to wait for a program that has the database open for writing.
        files: Leave the connection able to write other files, for who copies the ledger.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open for writing; the message names it.
        LedgerVersionError: The database is a newer costspan's.
        LedgerCorruptError: The database is damaged.
        LedgerError: The folder cannot be used, or not by this user.
    """
    import duckdb

    folder = Path(home)
    database = folder / DATABASE
    refuse_missing(home, folder)
    deadline = time.monotonic() + wait_s
    scratch = tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX)
    with contextlib.ExitStack() as undo:
        undo.callback(scratch.cleanup)
        while True:
            merged = _merged(folder)
            try:
                reader = Reader(_attach(database, Path(scratch.name)), scratch, merged)
                break
            except duckdb.Error as error:
                if not is_held(error):
                    raise failure(error, database) from error
                if time.monotonic() >= deadline:
                    raise held_error(error, database) from error
            time.sleep(_POLL_S)
        undo.callback(reader.close)
        try:
            _prepare(reader, folder, Path(scratch.name))
            if not files:
                _shut_off(reader.connection)
        except (duckdb.Error, OSError) as error:
            raise failure(error, database) from error
        undo.pop_all()
    return reader


def refuse_missing(home: str | os.PathLike[str], folder: Path) -> None:
    """Raise what there is to say of a folder without a ledger, or of one that cannot be used."""
    if isinstance(home, Home):
        try:
            verify(home)
        except HomeError as error:
            raise LedgerError(str(error)) from error
    try:
        found = (folder / DATABASE).exists() or segment_paths(folder)
    except PermissionError as error:
        raise LedgerError(
            f"{folder} may not be read by this user: run the report as its owner, or name your "
            "own folder by COSTSPAN_HOME or --home."
        ) from error
    if not found and (problem := obstacle(folder)):
        raise LedgerError(unusable(folder, problem))
    if not found:
        raise NoLedgerError(
            f"No calls have been recorded in {folder} yet. Wrap a call with costspan and make it, "
            "or name the folder that holds the ledger by COSTSPAN_HOME."
        )


def _merged(folder: Path) -> MergeResult:
    try:
        return merge(folder)
    except LedgerWriteError:  # a folder that can only be read: show the spool as it is
        return MergeResult(state="held")


def _attach(database: Path, scratch: Path) -> duckdb.DuckDBPyConnection:
    """Open the database read-only under the name ``ledger``; an empty one if there is none."""
    connection = connect("", temporary=scratch / "spill", memory=True)
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        if database.exists():
            path = str(database).replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS ledger (READ_ONLY)")
        else:
            connection.execute("ATTACH ':memory:' AS ledger")
            connection.execute("USE ledger")
            migrate(connection, database, unfinished=True)
            connection.execute("USE memory")
        undo.pop_all()
    return connection


def _prepare(reader: Reader, folder: Path, scratch: Path) -> None:
    """Make the views."""
    connection = reader.connection
    version = version_of(connection, "ledger")
    refuse_newer(version, folder / DATABASE)
    spool = scan(folder, merged_bytes(connection, "ledger"))
    reader.unreadable = spool.unreadable
    spans = [span for span in spool.spans if span.size]
    reader.spans = spans
    calls = "SELECT * FROM ledger.calls"
    if spans:
        connection.execute(calls_ddl("live_calls"))
        lines = scratch / "live.jsonl"
        collect(spans, lines)
        try:
            reader.unmerged = insert(connection, "live_calls", lines)
        except data_errors():
            reader.quarantined = len(sort_out(connection, spans, lines))
            reader.unmerged = insert(connection, "live_calls", lines)
        lines.unlink()
        calls += " UNION ALL BY NAME SELECT * FROM live_calls"
    connection.execute(f"CREATE VIEW calls AS {calls}")
    connection.execute(f"CREATE VIEW call_requests AS {call_requests_sql()}")
    # A ledger that cannot be written now is not brought up to the newest version either.
    repricings = "SELECT * FROM ledger.repricings" if version >= 2 else no_repricings_sql()
    connection.execute(f"CREATE VIEW repricings AS {repricings}")


def _shut_off(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the connection read and write nothing but what it has open, for good."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
