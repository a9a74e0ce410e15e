"""Brings the spool into the database, each record exactly once, wherever it is killed.

One transaction adds the rows and notes how far each segment is merged. A dead writer's segment is
removed only when that is on the disk and the segment has been measured again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from costspan.exporters.home import obstacle, unusable
from costspan.exporters.ledger.database import connect, failure, is_held
from costspan.exporters.ledger.errors import LedgerWriteError
from costspan.exporters.ledger.layout import (
    DATABASE,
    MERGE_LOCK,
    QUARANTINE,
    SPOOL,
    UNREADY_SUFFIX,
    segment_paths,
)
from costspan.exporters.ledger.load import (
    SpooledLine,
    collect,
    data_errors,
    drop_repeated,
    insert,
    sort_out,
)
from costspan.exporters.ledger.locks import try_lock
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.publish import publish
from costspan.exporters.ledger.scan import Span, batches, measure, scan
from costspan.exporters.ledger.schema import create_database, migrate
from costspan.exporters.sharing import group_umask, make_folder, opener

if TYPE_CHECKING:
    import duckdb

State: TypeAlias = Literal["merged", "busy", "held"]
"""``merged`` the spool is in the database; ``busy`` another merge is under way; ``held`` some
program has the database open."""

Hook: TypeAlias = Callable[[str], None]

# Large enough for a full row group of DuckDB (122,880 rows), which it writes past its log.
_BATCH_BYTES = 256 << 20
_POLL_S = 0.02
_KEEP_MANIFEST = timedelta(days=30)
_UNREADY_S = 60.0


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge did.

    Attributes:
        rows: Calls added to the database.
        segments: Segments that had something new.
        quarantined: Lines that no row could be made of; they are kept in ``quarantine/``.
        skipped_newer: Segments of a newer costspan, left alone.
        unreadable: Segments that another user does not let this one read, left alone.
        state: Whether it could merge at all.
    """

    rows: int = 0
    segments: int = 0
    quarantined: int = 0
    skipped_newer: int = 0
    unreadable: int = 0
    state: State = "merged"


def merge(
    home: str | os.PathLike[str], wait_s: float = 0.0, hook: Hook = lambda point: None
) -> MergeResult:
    """Merge everything that is in the spool when it starts.

    Args:
        home: The ledger's folder.
        wait_s: How many seconds to wait for another merge, or for a program that has the database
            open, to end.
        hook: Called with the name of each point at which a merge may be killed, as it passes it.

    Returns:
        What was done; its ``state`` says whether it was possible. A folder without a spool and
        a database is left as it is, if it can be used at all.

    Raises:
        LedgerVersionError: The database is a newer costspan's.
        LedgerCorruptError: The database is damaged.
        LedgerWriteError: The folder cannot be written.
    """
    import duckdb

    folder = Path(home)
    database = folder / DATABASE
    if not database.exists() and not segment_paths(folder):
        if problem := obstacle(folder):
            raise LedgerWriteError(unusable(folder, problem))
        return MergeResult()
    deadline = time.monotonic() + wait_s
    with failures(database), merge_lock(folder, deadline) as locked:
        if not locked:
            return MergeResult(state="busy")
        try:
            connection = open_for_writing(folder, deadline)
        except duckdb.Error as error:
            if not is_held(error):
                raise
            return MergeResult(state="held")
        try:
            return merge_spool(connection, folder, hook)
        finally:
            connection.close()


@contextlib.contextmanager
def failures(database: Path) -> Iterator[None]:
    """Inside, errors of the database and of the file system become ours."""
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise failure(error, database) from error


@contextlib.contextmanager
def merge_lock(folder: Path, deadline: float) -> Iterator[bool]:
    """Hold ``merge.lock``; yields False when another process keeps it past the deadline."""
    fd = opener(folder)(str(folder / MERGE_LOCK), os.O_RDWR | os.O_CREAT)
    try:
        while not (locked := try_lock(fd)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        with group_umask(folder):
            yield locked
    finally:
        os.close(fd)


def open_for_writing(folder: Path, deadline: float) -> duckdb.DuckDBPyConnection:
    """Open the newest version of the database, created if need be; the merge lock is held.

    Args:
        folder: The ledger's folder.
        deadline: Until when to wait for a program that has it open, by the monotonic clock.

    Raises:
        duckdb.Error: It cannot be opened; see `is_held`, if a program holds it past the deadline.
    """
    import duckdb

    _remove_leftovers(folder)
    database = folder / DATABASE
    if not database.exists():
        create_database(database)
    while True:
        try:
            connection = connect(str(database))
            break
        except duckdb.Error as error:
            if not is_held(error) or time.monotonic() >= deadline:
                raise
        time.sleep(_POLL_S)
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        migrate(connection, database)
        undo.pop_all()
    return connection


def merge_spool(
    connection: duckdb.DuckDBPyConnection, folder: Path, hook: Hook = lambda point: None
) -> MergeResult:
    """Merge the spool into a database that is open for writing; the merge lock is held."""
    merged = merged_bytes(connection)
    spool = scan(folder, merged)
    rows = segments = quarantined = 0
    for batch in batches(spool.spans, _BATCH_BYTES):
        added, bad = _merge_batch(connection, folder, batch, hook)
        merged |= {span.path.name: span.end for span in batch}
        rows += added
        segments += len(batch)
        quarantined += bad
    if segments or (folder / f"{DATABASE}.wal").exists():  # a merge that was killed left it
        # From here on the rows do not stand in the log alone, so a damaged log loses nothing.
        connection.execute("CHECKPOINT")
        hook("checkpointed")
    if spool.spans:
        # Before segments go: what is in no segment any more must be in the published sums.
        publish(connection, folder, merged)
        hook("published")
    for span in spool.spans:
        if not span.live and merged.get(span.path.name, 0) >= span.end:
            _remove(span.path, merged.get(span.path.name, 0))
            hook("removed")
    return MergeResult(rows, segments, quarantined, spool.newer, spool.unreadable)


def _merge_batch(
    connection: duckdb.DuckDBPyConnection, folder: Path, batch: Sequence[Span], hook: Hook
) -> tuple[int, int]:
    """Merge some segments in one transaction; return the rows added and the lines refused."""
    scratch = folder / f".merge.{os.getpid()}.jsonl"
    lines = collect(batch, scratch)
    bad: list[SpooledLine] = []
    hook("collected")
    try:
        try:
            rows = _commit(connection, scratch, lines, bad, hook)
        except data_errors():
            connection.execute("ROLLBACK")
            bad = sort_out(connection, batch, scratch)
            _quarantine(folder, bad)
            hook("quarantined")
            rows = _commit(connection, scratch, lines, bad, hook)
    finally:
        scratch.unlink()
    hook("committed")
    return rows, len(bad)


def _commit(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    lines: dict[Span, int],
    bad: Sequence[SpooledLine],
    hook: Hook,
) -> int:
    now = datetime.now(UTC).replace(tzinfo=None)
    connection.execute("BEGIN")
    rows = insert(connection, "calls", scratch) - drop_repeated(connection)
    hook("inserted")
    refused = Counter(one.span for one in bad)
    notes = [
        (span.path.name, span.end, lines[span] - refused[span], refused[span]) for span in lines
    ]
    connection.execute(
        "INSERT INTO merged_segments SELECT unnest(?), unnest(?), unnest(?), unnest(?), ?",
        [*map(list, zip(*notes, strict=True)), now],
    )
    present = [span.path.name for span in lines]
    connection.execute(
        "DELETE FROM merged_segments WHERE done_at < ? AND NOT list_contains(?, segment)",
        [now - _KEEP_MANIFEST, present],
    )
    hook("noted")
    connection.execute("COMMIT")
    return rows


def _quarantine(folder: Path, bad: Sequence[SpooledLine]) -> None:
    """Keep bad lines under a name that a repeated merge of the same bytes uses again."""
    quarantine = folder / QUARANTINE
    make_folder(quarantine)
    found: dict[Span, list[bytes]] = {}
    for one in bad:
        found.setdefault(one.span, []).append(one.line)
    for span, lines in found.items():
        path = quarantine / f"{span.path.name}.{span.start}.jsonl"
        with open(path, "wb", opener=opener(folder)) as target:
            target.writelines(line + b"\n" for line in lines)
            target.flush()
            os.fsync(target.fileno())


def _remove(path: Path, merged_bytes: int) -> None:
    """Remove a merged segment, unless its writer has stored more since it was measured."""
    # On Windows a file that anybody has open cannot be removed: a later merge does it.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        end, live = measure(path)
        if not live and merged_bytes >= end:
            path.unlink()


def _remove_leftovers(folder: Path) -> None:
    """Remove what merges and writers that were killed left half made; we hold the lock."""
    for path in (*folder.glob(".merge.*"), *folder.glob(f"{DATABASE}.new.*")):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            path.unlink()
    for path in (folder / SPOOL).glob(f"*{UNREADY_SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNREADY_S:
                path.unlink()
