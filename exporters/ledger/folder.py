"""The spool's folder, from a writer's side: makes segments in it, as long as there is room."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
from pathlib import Path

from costspan.exporters.home import Home, file_system, prepare
from costspan.exporters.ledger.layout import SPOOL, host_word, segment_name
from costspan.exporters.ledger.segment import Segment
from costspan.exporters.sharing import make_folder

LIMIT_BYTES = 1 << 30
"""About a million calls."""

_COPY_ON_WRITE = frozenset(("btrfs", "zfs", "bcachefs", "nilfs2"))
"""Here a block of zeros reserves no room: a store into a mapping could fail on a full disk, and
that is a bus error, not an exception. So lines are written."""


class SpoolFullError(OSError):
    """The spool holds as much as it may; the message says how to empty it."""


class SpoolFolder:
    """Makes the segments of one process.

    Attributes:
        host: This host, as the names of segments have it.
    """

    def __init__(self, home: Home, record_version: int, *, mapped: bool, limit_bytes: int) -> None:
        """Do nothing yet.

        Args:
            home: The ledger's folder.
            record_version: The version of the lines.
            mapped: Whether to map files where that is safe.
            limit_bytes: How large the spool may get, of all processes together.
        """
        self.host = host_word()
        self._home = home
        self._record_version = record_version
        self._mapped = mapped
        self._limit_bytes = limit_bytes
        self._sequence = itertools.count()

    def create(self, capacity: int) -> Segment:
        """Make the next segment, locked and ready for lines.

        Raises:
            OSError: The folder cannot be used or is full, see also `SpoolFullError`.
        """
        prepare(self._home)
        spool = Path(self._home) / SPOOL
        make_folder(spool)
        self._refuse_too_much(spool, capacity)
        mapped = self._mapped and sys.platform != "win32"
        mapped = mapped and file_system(spool) not in _COPY_ON_WRITE
        name = segment_name(self.host, next(self._sequence), self._record_version)
        return Segment.create(spool / name, capacity, mapped=mapped)

    def _refuse_too_much(self, spool: Path, more_bytes: int) -> None:
        total = spool_bytes(spool)
        if total + more_bytes > self._limit_bytes:
            raise SpoolFullError(
                errno.EDQUOT,
                f"The spool {spool} holds {total >> 20:,} MB and may hold "
                f"{self._limit_bytes >> 20:,} MB, so new records are refused and counted. Calls go "
                "on. Empty it by `costspan merge` (costspan doctor says what stands in its way), "
                "or allow more by spool_limit_mb",
            )


def spool_bytes(spool: Path) -> int:
    """The size of all files in the spool; 0 where there is none."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(spool) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total
