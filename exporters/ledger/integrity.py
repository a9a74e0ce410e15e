"""Reads a ledger from end to end and says whether it is whole and agrees with itself."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from costspan.exporters.ledger.check import acceptable
from costspan.exporters.ledger.database import looking
from costspan.exporters.ledger.doctor import Finding, set_aside
from costspan.exporters.ledger.errors import LedgerCorruptError
from costspan.exporters.ledger.layout import DATABASE, QUARANTINE
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.read import refuse_missing
from costspan.exporters.ledger.scan import read_lines, scan
from costspan.exporters.ledger.schema import (
    STORAGE_VERSION,
    call_requests_sql,
    refuse_newer,
    version_of,
)
from costspan.exporters.ledger.words import counted

if TYPE_CHECKING:
    import duckdb

_EARLIEST = datetime(2015, 1, 1)  # years before there was a completion that cost anything
_AHEAD = timedelta(days=1)
_RESTORE = "Put a backup in its place, and report this as a bug of costspan."


class _Rule(NamedTuple):
    """Something that holds for every ledger.

    Attributes:
        holds: It, as a sentence.
        offenders: The query that counts what breaks it.
        broken: What follows the number of them.
        cure: What to do.
    """

    holds: str
    offenders: str
    broken: str
    cure: str


_PARTS = [f"cost_{part}_usd" for part in ("input", "output", "cache_read", "cache_write", "other")]
_SUM = " + ".join(f"coalesce({part}, 0)" for part in _PARTS)
_AGREE = "x.{0} IS DISTINCT FROM c.{0}"
_RULES = (
    _Rule(
        "Every call has an id of its own.",
        "SELECT count(*) - count(DISTINCT call_id) FROM ledger.calls",
        "with the id of another",
        _RESTORE,
    ),
    _Rule(
        "Every call started at an instant that can be.",
        f"SELECT count(*) FROM ledger.calls WHERE started_at < '{_EARLIEST}' OR "
        "started_at > $latest",
        f"started before {_EARLIEST.year} or in the future",
        "Set the clock of the machine that made them; no period of a report will show them.",
    ),
    # A reported amount needs no parts, and of several requests the parts may be of some.
    _Rule(
        "Every cost is the sum of its parts.",
        "SELECT count(*) FROM ledger.calls WHERE requests IS NULL AND cost_status <> 'reported' "
        f"AND cost_usd IS DISTINCT FROM reported_usd AND coalesce({', '.join(_PARTS)}) IS NOT NULL "
        f"AND abs(cost_usd - ({_SUM})) > {len(_PARTS)} * 0.000000000001",
        "with a cost that is not the sum of its parts",
        "Have them priced again by `costspan reprice`.",
    ),
    _Rule(
        "A cost is missing where the call is unpriced, and nowhere else.",
        "SELECT count(*) FROM ledger.calls WHERE (cost_status = 'unpriced') <> (cost_usd IS NULL)",
        "unpriced with a cost, or priced without one",
        "Have them priced again by `costspan reprice`.",
    ),
    # What was too large for a column is unknown there, and flagged.
    _Rule(
        "Calls with several requests are the sums of them.",
        "SELECT count(*) FROM ledger.calls AS c JOIN (SELECT call_id, sum(cost_usd) AS cost_usd, "
        "sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens FROM "
        f"({call_requests_sql('ledger.calls')}) GROUP BY call_id) AS x USING (call_id) "
        "WHERE c.requests IS NOT NULL AND coalesce(c.usage_flags, '') NOT LIKE '%overflow%' AND "
        f"({' OR '.join(map(_AGREE.format, ('cost_usd', 'input_tokens', 'output_tokens')))})",
        "unlike the sum of its requests",
        "Have them priced again by `costspan reprice`.",
    ),
)
_REPRICINGS = _Rule(
    "Every repricing is of a call.",
    "SELECT count(*) FROM ledger.repricings ANTI JOIN ledger.calls USING (call_id)",
    "of calls that are not there",
    _RESTORE,
)


def check(home: str | os.PathLike[str]) -> Iterator[Finding]:
    """Check all there is. Changes nothing, and does not merge.

    Args:
        home: The ledger's folder.

    Yields:
        One finding a check, in a fixed order: database, spool, quarantine.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open for writing; the message names it.
        LedgerVersionError: It is a newer costspan's.
        LedgerError: The folder cannot be used.
    """
    folder = Path(home)
    refuse_missing(home, folder)
    database = folder / DATABASE
    merged: dict[str, int] = {}
    if not database.exists():
        yield Finding("ok", "There is no database yet: it is made by the first report or merge.")
    else:
        try:
            with looking(database) as connection:
                yield from _database(connection, database, merged)
        except LedgerCorruptError as error:
            what, _, cure = str(error).partition(". ")
            yield Finding("error", f"{what}.", cure)
    yield from _spool(folder, merged)
    yield set_aside(folder) or Finding("ok", "No damaged record has been set aside.")


def _database(
    connection: duckdb.DuckDBPyConnection, database: Path, merged: dict[str, int]
) -> Iterator[Finding]:
    """Check the database, and learn from it how far the spool is merged."""
    yield Finding("ok", f"The database {database} opens.")
    yield _format(connection)
    version = version_of(connection, "ledger")
    refuse_newer(version, database)
    yield Finding("ok", f"Its schema version is {version}.")
    if version == 0:
        return
    yield Finding("ok", f"All {read_all(connection)} columns can be read to their end.")
    rules = [*_RULES, _REPRICINGS] if version >= 2 else _RULES
    latest = datetime.now(UTC).replace(tzinfo=None) + _AHEAD
    for rule in rules:
        values = {"latest": latest} if "$latest" in rule.offenders else {}
        ((offenders,),) = connection.execute(rule.offenders, values).fetchall()
        if offenders:
            noun = "repricing" if rule is _REPRICINGS else "call"
            yield Finding("error", f"{counted(offenders, noun)} {rule.broken}.", rule.cure)
        else:
            yield Finding("ok", rule.holds)
    merged.update(merged_bytes(connection, "ledger"))


def _format(connection: duckdb.DuckDBPyConnection) -> Finding:
    found = file_format(connection)
    version, readable = (
        tuple(map(int, re.findall(r"\d+", text))) for text in (found, STORAGE_VERSION)
    )
    if version <= readable:
        return Finding("ok", f"Its file format is {found}, which DuckDB 1.5 and 2 read.")
    return Finding(
        "error",
        f"Its file format is {found}, which DuckDB 1.5 does not read.",
        "Write it anew: `costspan ledger backup FILE`, then put FILE in its place.",
    )


def file_format(connection: duckdb.DuckDBPyConnection) -> str:
    """The file format of the attached ledger, in the words of DuckDB: ``v1.5.0+``."""
    found = connection.execute(
        "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'ledger'"
    )
    return str(found.fetchall()[0][0])


def read_all(connection: duckdb.DuckDBPyConnection) -> int:
    """Read every value of a ledger that is open under its own name.

    DuckDB compares the checksum of each block that it reads.

    Returns:
        The number of columns.

    Raises:
        duckdb.Error: One cannot be read.
    """
    columns = connection.execute(
        "SELECT c.table_name, c.column_name FROM duckdb_columns() AS c JOIN duckdb_tables() AS t "
        "ON c.table_oid = t.table_oid AND c.database_oid = t.database_oid "
        "WHERE c.database_name = 'ledger' AND NOT t.internal"
    ).fetchall()
    for table, column in columns:
        connection.execute(f'SELECT bit_xor(hash("{column}")) FROM ledger."{table}"').fetchall()
    return len(columns)


def _spool(folder: Path, merged: dict[str, int]) -> Iterator[Finding]:
    lines = bad = 0
    spool = scan(folder, merged)
    for span in spool.spans:
        with contextlib.suppress(FileNotFoundError):  # a merge that has just ended removed it
            for line in filter(bytes.strip, read_lines(span)):
                lines += 1
                bad += not acceptable(line)
    short = [span for span in spool.spans if span.end < span.start]
    if short:
        yield Finding(
            "error",
            f"Shorter than what was merged of it: {counted(len(short), 'segment')} of the spool, "
            f"among them {short[0].path}.",
            "Look who changes files there but costspan. What was merged is in the ledger.",
        )
    else:
        yield Finding("ok", "No segment of the spool is shorter than what was merged of it.")
    if spool.unreadable:
        yield Finding(
            "warning",
            f"Not looked at: {counted(spool.unreadable, 'segment')} of other users.",
            "Check as the user that records them.",
        )
    if bad:
        yield Finding(
            "error",
            f"Damaged: {bad:,} of {counted(lines, 'line')} in the spool.",
            f"The next merge sets them aside in {QUARANTINE}/, and takes the rest.",
        )
    else:
        yield Finding("ok", f"All that is in the spool can be merged: {counted(lines, 'call')}.")
