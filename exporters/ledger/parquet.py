"""Writes the calls as Parquet files, one folder a month, for any tool that reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from costspan.exporters.ledger.errors import LedgerError
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import failures
from costspan.exporters.ledger.output import private_files, writing_folder
from costspan.exporters.ledger.read import Reader, open_ledger
from costspan.exporters.ledger.schema import CALL_COLUMNS

_TEXT = ("UUID", "JSON")
"""Types that Parquet knows, and many of its readers do not: they become text."""

_MONTHS = """\
SELECT date_trunc('month', started_at)::TIMESTAMP AS month, count(*) FROM calls
WHERE started_at >= ? AND started_at < ? GROUP BY month ORDER BY month"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        calls: All of them, those that were still in the spool included.
        months: In how many folders.
        size_bytes: Size of all files.
        left_out: Damaged lines of the spool, which are not in it.
        unreadable: Segments of other users that this one may not read, which are not in it.
    """

    calls: int
    months: int
    size_bytes: int
    left_out: int
    unreadable: int


def export_parquet(
    home: str | os.PathLike[str],
    target: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    force: bool = False,
    wait_s: float = 2.5,
    hook: Callable[[str], None] = lambda point: None,
) -> Exported:
    """Write all columns of the calls to ``<target>/month=2026-11/calls.parquet``, by their instant.

    Args:
        home: The ledger's folder.
        target: The folder to make; written as ``<name>.new`` and renamed when it is whole.
        since: Only calls that started then or later; aware.
        until: Only calls that started before then; aware.
        force: Replace the folder, with all that is in it, if it is not empty.
        wait_s: How many seconds to wait for a program that has the ledger open for writing.
        hook: Called with the month of each file that is written.

    Returns:
        What was written; where there are no calls, that is nothing, and there is no folder.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open for writing; the message names it.
        LedgerError: It is damaged, a newer costspan's or cannot be read, or the folder is not
            empty or cannot be written.
    """
    database = Path(home) / DATABASE
    _refuse_ledger(database.parent.resolve(), target.resolve())
    with failures(database), open_ledger(home, wait_s, files=True) as reader:
        ends = [_naive(since, datetime.min), _naive(until, datetime.max)]
        months: list[Any] = reader.execute(_MONTHS, ends).rows
        if not months:
            return Exported(0, 0, 0, reader.quarantined, reader.unreadable)
        with writing_folder(target, force=force) as unready, private_files():
            for month, _ in months:
                _write_month(reader, unready, month, ends)
                hook(f"{month:%Y-%m}")
            files = list(unready.glob("*/*.parquet"))
            size = sum(path.stat().st_size for path in files)
        calls = sum(count for _, count in months)
        return Exported(calls, len(files), size, reader.quarantined, reader.unreadable)


def _refuse_ledger(folder: Path, target: Path) -> None:
    """Refuse a place that the ledger would be replaced with, or mixed with."""
    if folder.is_relative_to(target) or target.is_relative_to(folder):
        raise LedgerError(f"{target} holds the ledger or is in its folder: name another place.")


def _write_month(reader: Reader, folder: Path, month: datetime, ends: list[datetime]) -> None:
    """Write one file: in the order of time, so that readers can skip what they do not want."""
    place = folder / f"month={month:%Y-%m}"
    place.mkdir(mode=0o700)
    path = str(place / "calls.parquet").replace("'", "''")
    kinds = {name: kind.removesuffix(" NOT NULL") for name, kind in CALL_COLUMNS}
    columns = ", ".join(
        f"{name}::VARCHAR AS {name}" if kinds.get(name) in _TEXT else name
        for name in reader.execute("SELECT * FROM calls LIMIT 0").columns
    )
    following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    reader.execute(
        f"COPY (SELECT {columns} FROM calls WHERE started_at >= ? AND started_at < ? "
        f"ORDER BY started_at, call_id) TO '{path}' (FORMAT parquet, COMPRESSION zstd)",
        [max(month, ends[0]), min(following, ends[1])],
    )


def _naive(at: datetime | None, otherwise: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at else otherwise
