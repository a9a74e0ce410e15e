"""One file of the spool, from its writer's side: zero-filled, locked, mapped, newline last.

A reader takes the bytes up to the last newline before the first NUL. The body of a line is stored
before its newline, so a line is there as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sys
from pathlib import Path

from costspan.exporters.ledger.layout import SEGMENT_SUFFIX, UNREADY_SUFFIX
from costspan.exporters.ledger.locks import lock_new
from costspan.exporters.sharing import opener

_ZEROS = bytes(1 << 16)
_NEWLINE = 10
_PROBE = 32

datasync = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have no fdatasync


class Segment:
    """An open segment. Not thread-safe: the `Writer` serialises all use.

    Attributes:
        path: The file.
        fd: Its descriptor, which holds the lock that says the writer is alive.
        capacity: Bytes it can take.
        used: Bytes stored.
        mapping: The shared mapping; None where the file system has none and lines are written.
    """

    __slots__ = ("capacity", "fd", "mapping", "path", "used")

    def __init__(self, path: Path, fd: int, capacity: int, mapping: mmap.mmap | None) -> None:
        self.path = path
        self.fd = fd
        self.capacity = capacity
        self.used = 0
        self.mapping = mapping

    @classmethod
    def create(cls, path: Path, capacity: int, *, mapped: bool = True) -> Segment:
        """Make a new segment and lock it.

        It is filled with real zeros, so that a full disk is an error here and not a bus error at
        a store. It gets its name only when it is locked and filled: a merger that could lock it
        before would take it for a dead writer's.

        Args:
            path: Where it will be; ends in ``.seg``.
            capacity: Bytes it has to take.
            mapped: Whether to store through a mapping, where the file system has them.

        Raises:
            OSError: The file cannot be made, filled or locked.
        """
        unready = path.with_name(path.name.removesuffix(SEGMENT_SUFFIX) + UNREADY_SUFFIX)
        if sys.platform == "win32":  # an open file cannot be renamed; nor can it be removed there
            unready = path
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        fd = opener(path.parent)(str(unready), flags)
        with contextlib.ExitStack() as undo:
            undo.callback(_unlink, unready)
            undo.callback(os.close, fd)
            if not lock_new(fd):
                raise OSError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(unready))
            mapping = _mapping(fd, capacity) if mapped else None
            if unready != path:
                os.rename(unready, path)
            undo.pop_all()
        return cls(path, fd, capacity, mapping)

    @property
    def spoiled(self) -> bool:
        """Whether somebody has removed the file, or cut it off: a store behind its end would be a
        bus error. Too dear to be asked at each store (it would give up the interpreter's lock)."""
        found = os.fstat(self.fd)
        cut = self.mapping is not None and found.st_size < self.capacity
        return cut or found.st_nlink == 0

    def append(self, line: bytes) -> None:
        """Store one line; the caller has seen that it fits.

        Args:
            line: UTF-8 without a NUL, one newline at its end and none before.

        Raises:
            OSError: Written, not mapped, and the disk is full; nothing of the line remains.
        """
        if self.mapping is None:
            self._write(line)
            return
        start = self.used
        end = start + len(line)
        self.mapping[start : end - 1] = line[:-1]
        # No signal handler runs between these two: the interpreter looks for signals at calls
        # and jumps only. So an interrupt never leaves a line that is there but not counted.
        self.used = end
        self.mapping[end - 1] = _NEWLINE

    def seal(self) -> None:
        """Cut off the zero tail and let go of the lock: from here on the file is a merger's."""
        if self.mapping is not None:
            self.mapping.close()
            with contextlib.suppress(OSError):  # a zero tail does no harm
                os.ftruncate(self.fd, self.used)
        os.close(self.fd)

    def abandon(self) -> None:
        """Let go of a segment that a forked child inherited: it is the parent's."""
        if self.mapping is not None:
            self.mapping.close()
        os.close(self.fd)

    def _write(self, line: bytes) -> None:
        # Asked of the file, because an interrupt may have come between a write and its count.
        start = os.lseek(self.fd, 0, os.SEEK_CUR)
        try:
            if os.write(self.fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        except OSError:
            os.ftruncate(self.fd, start)
            os.lseek(self.fd, start, os.SEEK_SET)
            raise
        self.used = start + len(line)


def _mapping(fd: int, capacity: int) -> mmap.mmap | None:
    """Fill a new file with zeros and map it; None where the file system has no shared mappings."""
    left = capacity
    while left:
        left -= os.write(fd, _ZEROS[: min(left, len(_ZEROS))])
    try:
        mapping = mmap.mmap(fd, capacity)
    except OSError:
        os.lseek(fd, 0, os.SEEK_SET)
        os.ftruncate(fd, 0)
        return None
    # A mapping that readers of the file do not see is of no use (some network and overlay mounts).
    mapping[0] = _PROBE
    os.lseek(fd, 0, os.SEEK_SET)
    seen = os.read(fd, 1)
    mapping[0] = 0
    if seen == bytes([_PROBE]):
        return mapping
    mapping.close()
    os.lseek(fd, 0, os.SEEK_SET)
    os.ftruncate(fd, 0)
    return None


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
