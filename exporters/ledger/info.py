"""The measure of a ledger: what it holds, how large it is, and what waits beside it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.ledger.database import looking
from costspan.exporters.ledger.facts import NOT_BILLED_SQL
from costspan.exporters.ledger.integrity import file_format
from costspan.exporters.ledger.layout import DATABASE, QUARANTINE
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.notes import read_notes
from costspan.exporters.ledger.read import refuse_missing
from costspan.exporters.ledger.scan import scan
from costspan.exporters.ledger.schema import refuse_newer, version_of

if TYPE_CHECKING:
    import duckdb

_MONTHS = f"""\
SELECT strftime(started_at, '%Y-%m') AS month, count(*), sum(cost_usd),
    count(*) FILTER (cost_usd IS NULL AND NOT ({NOT_BILLED_SQL})),
    min(started_at), max(started_at)
FROM ledger.calls GROUP BY month ORDER BY month"""


@dataclass(frozen=True, slots=True)
class Month:
    """The calls of one month, UTC.

    Attributes:
        month: ``2026-11``.
        calls: How many.
        cost_usd: Their cost, as far as it is known; None where no cost is.
        unpriced: How many of them have an unknown cost.
    """

    month: str
    calls: int
    cost_usd: Decimal | None
    unpriced: int


@dataclass(frozen=True, slots=True)
class Database:
    """What is in the database.

    Attributes:
        size_bytes: Of the file.
        schema_version: 0 for a file without tables.
        file_format: In the words of DuckDB: ``v1.5.0+``.
        first, last: When the first and the last call started, UTC; None if there is none.
        merged_at: When something was merged last, UTC; None if nothing ever was.
        months: By month, oldest first.
    """

    size_bytes: int
    schema_version: int
    file_format: str
    first: datetime | None = None
    last: datetime | None = None
    merged_at: datetime | None = None
    months: tuple[Month, ...] = ()

    @property
    def calls(self) -> int:
        """How many calls."""
        return sum(month.calls for month in self.months)


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """A ledger's folder.

    Attributes:
        folder: Its path.
        duckdb_version: Of the DuckDB that looked.
        database: What is in the database; None where there is none yet.
        segments: Files of the spool; ``live_segments`` of them belong to running processes.
        waiting_bytes: How much of them is to be merged.
        oldest_segment_at: When the oldest of those that hold something new was last written to.
        quarantined: Damaged records that were set aside.
        lost: Records that processes noted as lost.
        free_bytes: Room left on the file system.
    """

    folder: Path
    duckdb_version: str
    database: Database | None
    segments: int
    live_segments: int
    waiting_bytes: int
    oldest_segment_at: datetime | None
    quarantined: int
    lost: int
    free_bytes: int


def ledger_info(home: str | os.PathLike[str]) -> LedgerInfo:
    """Look at a ledger. Changes nothing, and does not merge.

    Args:
        home: The ledger's folder.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open for writing; the message names it.
        LedgerError: It is damaged, a newer costspan's, or cannot be read.
    """
    import duckdb

    folder = Path(home)
    refuse_missing(home, folder)
    path = folder / DATABASE
    manifest: dict[str, int] = {}
    database = None
    if path.exists():
        with looking(path) as connection:
            database = _database(connection, path, manifest)
    spans = scan(folder, manifest).spans
    waiting = [span.path.stat().st_mtime for span in spans if span.size]
    return LedgerInfo(
        folder,
        duckdb.__version__,
        database,
        len(spans),
        sum(span.live for span in spans),
        sum(span.size for span in spans),
        datetime.fromtimestamp(min(waiting), UTC) if waiting else None,
        sum(file.read_bytes().count(b"\n") for file in (folder / QUARANTINE).glob("*.jsonl")),
        sum(note.lost for note in read_notes(folder)),
        shutil.disk_usage(folder).free,
    )


def _database(
    connection: duckdb.DuckDBPyConnection, path: Path, manifest: dict[str, int]
) -> Database:
    """Look at the database, and learn from it how far the spool is merged."""
    version = version_of(connection, "ledger")
    refuse_newer(version, path)
    facts = path.stat().st_size, version, file_format(connection)
    if version == 0:
        return Database(*facts)
    rows = connection.execute(_MONTHS).fetchall()
    ((merged_at,),) = connection.execute(
        "SELECT max(done_at) FROM ledger.merged_segments"
    ).fetchall()
    manifest.update(merged_bytes(connection, "ledger"))
    return Database(
        *facts,
        min((row[4].replace(tzinfo=UTC) for row in rows), default=None),
        max((row[5].replace(tzinfo=UTC) for row in rows), default=None),
        merged_at and merged_at.replace(tzinfo=UTC),
        tuple(Month(*row[:4]) for row in rows),
    )
