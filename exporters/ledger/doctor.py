"""Looks at a ledger's folder and says what is wrong with it and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from costspan.exporters.home import ENVIRONMENT, Home, HomeError, file_system, obstacle, verify
from costspan.exporters.ledger.database import looking
from costspan.exporters.ledger.errors import LedgerError
from costspan.exporters.ledger.folder import LIMIT_BYTES, spool_bytes
from costspan.exporters.ledger.layout import (
    BUDGETS,
    DATABASE,
    HEALTH,
    MERGE_LOCK,
    MERGE_STAMP,
    PUBLISHED,
    QUARANTINE,
    SPOOL,
)
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.notes import note_paths, read_notes
from costspan.exporters.ledger.published import published_at
from costspan.exporters.ledger.scan import scan
from costspan.exporters.ledger.schema import refuse_newer, version_of
from costspan.exporters.ledger.words import byte_count, counted, instant
from costspan.exporters.sharing import GROUP

Level: TypeAlias = Literal["ok", "warning", "error"]
"""``error`` something is lost, set aside or broken; ``warning`` it may become so."""

_FILES = (MERGE_LOCK, MERGE_STAMP)
_FOLDERS = (SPOOL, QUARANTINE, PUBLISHED, BUDGETS, HEALTH)
_LITTLE_ROOM_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a ledger.

    Attributes:
        level: How bad it is.
        what: What was found, as a sentence.
        cure: What to do about it; empty when there is nothing to do.
    """

    level: Level
    what: str
    cure: str = ""


def diagnose(home: str | os.PathLike[str]) -> list[Finding]:
    """Look at everything that can keep calls out of the reports. Changes nothing.

    Args:
        home: The ledger's folder; a `Home` also tells why it is that one.

    Returns:
        Findings in a fixed order: folder, losses, quarantine, database, spool.
    """
    folder = Path(home)
    findings = [*_folder(home, folder)]
    unusable = findings[0].level == "error"
    losses = list(_losses(folder))
    findings += losses
    if not folder.is_dir():
        if not losses and not unusable:
            findings.append(Finding("ok", "Nothing has been recorded there yet."))
        return findings
    if not losses and not unusable:
        findings.append(Finding("ok", "No process has noted a lost record."))
    findings += _in_the_way(folder)
    if damaged := set_aside(folder):
        findings.append(damaged)
    try:
        merged = _manifest(folder / DATABASE)
        findings.append(_size(folder / DATABASE, merged))
    except LedgerError as error:
        merged = None
        findings.append(Finding("error", *_split(str(error))))
    return [*findings, *_spool(folder, merged)]


def _folder(home: str | os.PathLike[str], folder: Path) -> Iterator[Finding]:
    where = f"The ledger's folder is {folder}"
    cure = f"Name a folder on a local disk that you can write, by {ENVIRONMENT}."
    if isinstance(home, Home):
        where += f", {home.reason}"
        try:
            verify(home)
        except HomeError as error:
            yield Finding("error", *_split(str(error)))
            return
    if problem := obstacle(folder):
        yield Finding("error", f"The ledger's folder {folder} {problem}.", cure)
        return
    fallback = isinstance(home, Home) and home.fallback
    yield Finding("warning" if fallback else "ok", f"{where}.", cure if fallback else "")
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    kind = file_system(existing) or "unknown"
    room = f"Its file system is {kind} with {byte_count(free)} free."
    if free < _LITTLE_ROOM_BYTES:
        yield Finding("warning", room, "Make room, or records will be refused and counted.")
    else:
        yield Finding("ok", room)


def _losses(folder: Path) -> Iterator[Finding]:
    for one in read_notes(folder):
        files = " and ".join(str(path) for path in note_paths(folder, one.process))
        yield Finding(
            "error",
            f"Process {one.process} lost {counted(one.lost, 'record')} from {instant(one.since)} "
            f"to {instant(one.at)}: {one.reason} ({one.last_error}).",
            f"Mend what the error says, then remove {files}.",
        )


def _in_the_way(folder: Path) -> Iterator[Finding]:
    """What stands where a file or a folder of the ledger belongs."""
    for names, kind, is_right in (
        (_FILES, "file", Path.is_file),
        (_FOLDERS, "folder", Path.is_dir),
    ):
        for path in (folder / name for name in names):
            if path.exists() and not is_right(path):
                what = f"{path} is no {kind}, so calls cannot be merged."
                yield Finding("error", what, "Move it away.")


def set_aside(folder: Path) -> Finding | None:
    """What was set aside in the quarantine, if anything."""
    files = sorted((folder / QUARANTINE).glob("*.jsonl"))
    if not files:
        return None
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    return Finding(
        "error",
        f"Set aside in {folder / QUARANTINE}: {counted(lines, 'damaged record')}.",
        "No report shows what is there. Look at the files, then remove them.",
    )


def _manifest(database: Path) -> tuple[int, int, dict[str, int]] | None:
    """Schema version, number of calls and merged bytes by segment; None without a database.

    Raises:
        LedgerError: It cannot be opened; the message says why.
    """
    if not database.exists():
        return None
    with looking(database) as connection:
        version = version_of(connection, "ledger")
        refuse_newer(version, database)
        if version == 0:
            return 0, 0, {}
        calls = connection.execute("SELECT count(*) FROM ledger.calls").fetchall()
        return version, int(calls[0][0]), merged_bytes(connection, "ledger")


def _size(database: Path, found: tuple[int, int, dict[str, int]] | None) -> Finding:
    if found is None:
        return Finding("ok", "There is no database yet: it is made by the first report or merge.")
    version, calls, _ = found
    size = byte_count(database.stat().st_size)
    held = counted(calls, "call")
    return Finding("ok", f"The database holds {held} in {size}, schema version {version}.")


def _spool(folder: Path, found: tuple[int, int, dict[str, int]] | None) -> Iterator[Finding]:
    try:
        spool = scan(folder, found[2] if found else {})
    except OSError as error:
        yield Finding(
            "error",
            f"The spool in {folder} cannot be read: {error.strerror}.",
            "Run this as the user that records calls, or give this one access.",
        )
        return
    live = sum(span.live for span in spool.spans)
    waiting = byte_count(sum(span.size for span in spool.spans))
    yield Finding(
        "ok",
        f"The spool has {counted(len(spool.spans), 'segment')}, {live:,} of running processes; "
        f"to be merged: {waiting}.",
    )
    at = published_at(folder)
    if at is not None:
        yield Finding("ok", f"It was last merged at {instant(datetime.fromtimestamp(at, UTC))}.")
    if spool_bytes(folder / SPOOL) > LIMIT_BYTES // 2:
        yield Finding(
            "warning",
            "The spool grows: nobody merges it.",
            "Run `costspan merge`, or keep `costspan merge --watch` running.",
        )
    if spool.unreadable:
        yield Finding(
            "warning",
            f"Left alone: {counted(spool.unreadable, 'segment')} of another user, which this one "
            "may not read.",
            f"Merge as that user, or share the folder by a group ({GROUP}).",
        )
    if spool.newer:
        yield Finding(
            "warning",
            f"Left alone: {counted(spool.newer, 'segment')} of a newer costspan.",
            "Upgrade costspan here (pip install -U costspan).",
        )


def _split(message: str) -> tuple[str, str]:
    """Part a message into its first sentence, what is wrong, and the rest, what to do."""
    what, dot, cure = message.partition(". ")
    return what + dot.strip(), cure
