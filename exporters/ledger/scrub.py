"""Blanks a person's lines in the spool and takes them out of the quarantine; the lock is held."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from costspan.exporters.ledger.database import SCRATCH_PREFIX
from costspan.exporters.ledger.layout import (
    DATABASE,
    MERGE_LOCK,
    QUARANTINE,
    parse_segment_name,
    segment_paths,
)
from costspan.exporters.ledger.person import Person
from costspan.exporters.ledger.row import RECORD_VERSION
from costspan.exporters.ledger.scan import Span, measure, read_lines
from costspan.exporters.sharing import opener

_TEMPORARY = (SCRATCH_PREFIX, "costspan-from-")
"""How the temporary folders of reports begin, the second those of ``report --from``."""
_LEFT_BEHIND_S = 3600.0
"""No report takes as long; a younger folder may be in use."""


def spooled(home: Path, person: Person) -> int:
    """How many lines of the spool are the person's, merged or not."""
    return sum(len(found) for _, found in _segments(home, person))


def quarantined(home: Path, person: Person) -> int:
    """How many lines in the quarantine are the person's."""
    return sum(
        person.made(line) for _, content in _quarantine(home) for line in content.split(b"\n")
    )


def scrub_spool(home: Path, person: Person, hook: Callable[[str], None]) -> int:
    """Overwrite the person's lines with spaces, so that everything else stays where it is.

    A running process may have the segment mapped: it never looks back at a line that it has
    stored, and a blank line is no call to those who read it.

    Returns:
        How many lines.

    Raises:
        OSError: A segment cannot be written.
    """
    count = 0
    for path, found in _segments(home, person):
        if not found:
            continue
        fd = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        try:
            for start, size in found:
                os.lseek(fd, start, os.SEEK_SET)
                os.write(fd, b" " * size)
                hook("blanked")
            os.fsync(fd)
        finally:
            os.close(fd)
        count += len(found)
    return count


def scrub_quarantine(home: Path, person: Person, hook: Callable[[str], None]) -> int:
    """Rewrite the files of the quarantine without the person's lines; remove what gets empty.

    Returns:
        How many lines.

    Raises:
        OSError: A file cannot be written.
    """
    count = 0
    for path, content in _quarantine(home):
        lines = [line for line in content.split(b"\n") if line]
        kept = [line for line in lines if not person.made(line)]
        if len(kept) == len(lines):
            continue
        count += len(lines) - len(kept)
        if kept:
            unready = path.with_name(path.name + ".new")
            with open(unready, "wb", opener=opener(path.parent)) as target:
                target.writelines(line + b"\n" for line in kept)
                target.flush()
                os.fsync(target.fileno())
            os.replace(unready, path)
        else:
            path.unlink()
        hook("quarantine rewritten")
    return count


def erase_scratch() -> int:
    """Remove the temporary folders of this user's reports that were killed; return how many."""
    count = 0
    temporary = Path(tempfile.gettempdir())
    for path in [path for prefix in _TEMPORARY for path in temporary.glob(f"{prefix}*")]:
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            old = time.time() - found.st_mtime > _LEFT_BEHIND_S
            if own and old and stat.S_ISDIR(found.st_mode):
                shutil.rmtree(path)
                count += 1
    return count


def still_mentioning(home: Path, person: Person) -> list[Path]:
    """Files in the ledger's folder, but the database, that hold a value of the person's still.

    Databases and logs that were set aside are named whatever they hold, and so is what may not be
    read here: it cannot be seen.
    """
    found: list[Path] = []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        if path.parent == home and path.name in (DATABASE, f"{DATABASE}.wal", MERGE_LOCK):
            continue
        aside = path.relative_to(home).parts[0].startswith(DATABASE)
        try:
            if aside or person.mentioned_in(path.read_bytes()):
                found.append(path)
        except PermissionError:
            found.append(path)
        except FileNotFoundError:  # a merge or a writer has just removed it
            continue
    return found


def _segments(home: Path, person: Person) -> Iterator[tuple[Path, list[tuple[int, int]]]]:
    """The segments that can be read here, with the start and size of the person's lines."""
    for path in segment_paths(home):
        name = parse_segment_name(path.name)
        if name is None or name.record_version > RECORD_VERSION:
            continue
        with contextlib.suppress(FileNotFoundError, PermissionError):
            end, live = measure(path)
            found: list[tuple[int, int]] = []
            start = 0
            for line in read_lines(Span(path, 0, end, live)):
                if person.made(line):
                    found.append((start, len(line)))
                start += len(line) + 1
            yield path, found


def _quarantine(home: Path) -> Iterator[tuple[Path, bytes]]:
    """The files of the quarantine that may be read here."""
    for path in sorted((home / QUARANTINE).glob("*.jsonl")):
        with contextlib.suppress(PermissionError):
            yield path, path.read_bytes()
