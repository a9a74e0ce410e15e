"""How much of the spool waits to be merged, told without the database."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from costspan.exporters.ledger.layout import parse_segment_name, segment_paths
from costspan.exporters.ledger.published import published_at, read_spend
from costspan.exporters.ledger.row import RECORD_VERSION


class Waiting(NamedTuple):
    """What waits in a spool.

    Attributes:
        bytes: How much this version can merge.
        since: When the last merge was, else when the oldest segment was last written to; seconds
            since 1970. None where nothing waits.
    """

    bytes: int
    since: float | None


def waiting(home: Path) -> Waiting:
    """Look at the spool, with the offsets that the last merge published."""
    spend = read_spend(home)
    merged = spend.merged if spend else {}
    total = 0
    oldest: float | None = None
    for path in segment_paths(home):
        name = parse_segment_name(path.name)
        if name is None or name.record_version > RECORD_VERSION:
            continue
        with contextlib.suppress(OSError):  # merged meanwhile, or another user's
            new = _used(path) - merged.get(path.name, 0)
            if new > 0:
                total += new
                written = path.stat().st_mtime
                oldest = written if oldest is None else min(oldest, written)
    return Waiting(total, (published_at(home) or oldest) if total else None)


def _used(path: Path) -> int:
    """The length of the lines in a segment, whose tail may be zeros; a few small reads."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        low, high = 0, os.fstat(fd).st_size
        while low < high:
            middle = (low + high) // 2
            os.lseek(fd, middle, os.SEEK_SET)
            if os.read(fd, 1) == b"\0":
                high = middle
            else:
                low = middle + 1
        return low
    finally:
        os.close(fd)
