"""Brings spooled lines into a DuckDB table: at one go, and sorted out where a line is bad."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from costspan.exporters.ledger.check import MAX_LINE_BYTES, acceptable
from costspan.exporters.ledger.scan import Span, copy_span, read_lines
from costspan.exporters.ledger.schema import CALL_COLUMNS, calls_ddl

if TYPE_CHECKING:
    import duckdb

_TRIAL = "trial_calls"
# Ids of version 5 are made from what names a call (a line of a batch's results, a response made in
# the background), so that two processes that see the same call give it the same one.
_DROP_REPEATED = """\
DELETE FROM calls USING (
    SELECT call_id, min(rowid) AS first FROM calls WHERE uuid_extract_version(call_id) = 5
    GROUP BY call_id HAVING count(*) > 1
) AS repeated WHERE calls.call_id = repeated.call_id AND calls.rowid > repeated.first"""


@dataclass(frozen=True, slots=True)
class SpooledLine:
    """A line and the segment it stands in."""

    span: Span
    line: bytes


def collect(spans: Sequence[Span], scratch: Path) -> dict[Span, int]:
    """Write the new bytes of some segments to one file; return the number of lines of each."""
    with _private(scratch) as target:
        return {span: copy_span(span, target) for span in spans}


def insert(connection: duckdb.DuckDBPyConnection, table: str, scratch: Path) -> int:
    """Add the lines of a file to a table of calls, by time, all or none.

    Returns:
        The number of rows.

    Raises:
        duckdb.Error: A line is no row (see `data_errors`), or the database failed.
    """
    if scratch.stat().st_size == 0:
        return 0
    travel = {"TIMESTAMP NOT NULL": "BIGINT"}  # integer microseconds, so that no zone gets lost
    types = ", ".join(
        f"{name}: '{travel.get(kind, kind).removesuffix(' NOT NULL')}'"
        for name, kind in CALL_COLUMNS
    )
    path = str(scratch).replace("'", "''")
    done = connection.execute(
        f"INSERT INTO {table} BY NAME SELECT * REPLACE (make_timestamp(started_at) AS started_at, "
        f"make_timestamp(ended_at) AS ended_at) FROM read_json('{path}', "
        f"format = 'newline_delimited', columns = {{{types}}}, "
        f"maximum_object_size = {MAX_LINE_BYTES}) ORDER BY started_at"
    )
    return int(done.fetchall()[0][0])


def drop_repeated(connection: duckdb.DuckDBPyConnection) -> int:
    """Drop calls that the ledger has already, in a transaction that has added some.

    It takes 20 ms for a million calls.

    Returns:
        How many were dropped.
    """
    return int(connection.execute(_DROP_REPEATED).fetchall()[0][0])


def data_errors() -> tuple[type[Exception], ...]:
    """The errors by which DuckDB says that a line is at fault, not the disk or the memory."""
    import duckdb

    return (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)


def sort_out(
    connection: duckdb.DuckDBPyConnection, spans: Sequence[Span], scratch: Path
) -> list[SpooledLine]:
    """Rewrite the file of `collect` without the lines that no row can be made of.

    Args:
        connection: Outside a transaction.
        spans: What was collected.
        scratch: The file.

    Returns:
        The lines left out.
    """
    good: list[SpooledLine] = []
    bad: list[SpooledLine] = []
    for span in spans:
        for line in filter(bytes.strip, read_lines(span)):  # what was forgotten is blank
            (good if acceptable(line) else bad).append(SpooledLine(span, line))
    connection.execute(calls_ddl(_TRIAL).replace("CREATE TABLE", "CREATE TEMP TABLE"))
    try:
        refused = _refused(connection, good, scratch)
    finally:
        connection.execute(f"DROP TABLE {_TRIAL}")
    kept = set(map(id, good)) - set(map(id, refused))
    _write([one for one in good if id(one) in kept], scratch)
    return bad + refused


def _refused(
    connection: duckdb.DuckDBPyConnection, lines: list[SpooledLine], scratch: Path
) -> list[SpooledLine]:
    """Find, by halving, lines that look right and that the database does not take even so."""
    _write(lines, scratch)
    try:
        insert(connection, _TRIAL, scratch)
    except data_errors():
        if len(lines) == 1:
            return lines
        half = len(lines) // 2
        return _refused(connection, lines[:half], scratch) + _refused(
            connection, lines[half:], scratch
        )
    return []


def _write(lines: Sequence[SpooledLine], scratch: Path) -> None:
    with _private(scratch) as target:
        target.writelines(one.line + b"\n" for one in lines)


def _private(path: Path) -> BinaryIO:
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))
