"""The writer: puts finished lines into this process's own segment, in the caller's thread.

A store into a shared mapping outlives the process, so `Writer.put` needs no queue and a kill
loses nothing that it accepted. A background thread makes the bytes safe against power loss, keeps
one spare segment ready, seals full ones and says once what went wrong.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections import deque
from typing import Literal, TypeAlias

from costspan.exporters.home import ENVIRONMENT, Home
from costspan.exporters.ledger.automerge import AutoMerge
from costspan.exporters.ledger.background import Ticker, weak_hook
from costspan.exporters.ledger.folder import LIMIT_BYTES, SpoolFolder
from costspan.exporters.ledger.health import Losses
from costspan.exporters.ledger.segment import Segment, datasync

Sync: TypeAlias = Literal["interval", "always"]
"""When records reach the disk: some times a second, or before `Writer.put` returns."""

SYNC_S = 0.2
"""Power failure costs at most the records of about this many seconds."""

_SEGMENT_BYTES = 1 << 20
_REFUSE_S = 1.0
_STOP_S = 2.0


class Writer:
    """Appends lines to the spool of a home; a forked child goes on with a segment of its own.

    Attributes:
        home: Where it writes.
    """

    def __init__(
        self,
        home: Home,
        *,
        record_version: int,
        segment_bytes: int = _SEGMENT_BYTES,
        mapped: bool = True,
        sync: Sync = "interval",
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        """Do nothing yet: folders, files and the thread come with the first `put`.

        Args:
            home: Where to write; created with mode 0700 if need be.
            record_version: The version of the lines, which goes into the names of the segments.
            segment_bytes: Size of a segment in bytes; a longer line gets one of its own.
            mapped: False to write lines with a system call each, as is done by itself where
                files cannot be mapped.
            sync: When records are safe from a power failure.
            limit_bytes: How large the spool may get, of all processes together; then records are
                refused and counted.
        """
        self.home = home
        self._segment_bytes = segment_bytes
        self._sync_always = sync == "always"
        self._closed = False
        self._folder = SpoolFolder(home, record_version, mapped=mapped, limit_bytes=limit_bytes)
        self._reset()
        if home.fallback:
            lasting = f"Name a folder that lasts by {ENVIRONMENT}."
            self._losses.warn(f"The ledger goes to {home.path}: {home.reason}. {lasting}")
        self._exit_hook = weak_hook(self._finish)
        atexit.register(self._exit_hook)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=weak_hook(self._before_fork),
                after_in_parent=weak_hook(self._after_fork_in_parent),
                after_in_child=weak_hook(self._after_fork_in_child),
            )

    def _reset(self) -> None:
        self._lock = threading.RLock()
        # Held while the thread opens or closes a file, so that a fork never copies a descriptor
        # (and with it the lock on the segment) that the child would not know of. It is never
        # taken under the other lock: a finaliser that runs while it is held may put.
        self._files = threading.RLock()
        self._ticker = Ticker(self._tick, SYNC_S)
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        self._retired: deque[Segment] = deque()
        self._late: deque[bytes] = deque()
        self._busy = self._dirty = self._forking = False
        self._refused_until = 0.0
        self._automerge = AutoMerge(self.home)
        self._losses = Losses(self.home, f"{self._folder.host}.{os.getpid()}")

    @property
    def lost(self) -> int:
        """Records that this process could not keep."""
        return self._losses.count

    @property
    def last_error(self) -> str | None:
        """The kind of the last error, as ``OSError(ENOSPC)``; None if there was none."""
        return self._losses.last_error

    @property
    def mode(self) -> str:
        """``mmap`` or ``write``: how lines are stored; ``mmap`` before the first."""
        return "write" if self._segment is not None and self._segment.mapping is None else "mmap"

    def put(self, line: bytes) -> bool:
        """Store one record. Never raises, never waits for the database or the disk's sync.

        It may be called from a signal handler or a finaliser that interrupted another `put` of
        the same thread: the line is then stored by that `put`, before it returns.

        Args:
            line: UTF-8 without a NUL, one newline at its end and none before.

        Returns:
            True when the line is in the segment, where it outlives the process. False when it was
            refused and counted in `lost`, when the writer is closed, or when an interrupted `put`
            will store it.
        """
        with self._lock:
            # The lock lets its own thread pass, so what is under way is a put of this thread.
            if self._busy:
                self._late.append(line)
                return False
            try:
                self._busy = True
                stored = self._store(line)
                while self._late:
                    self._store(self._late.popleft())
            finally:
                self._busy = False
        self._store_late()  # what came since it was busy no more
        return stored

    def flush(self) -> bool:
        """Bring everything that was put onto the disk, and note what was lost.

        Returns:
            Whether nothing was lost since this was last called.
        """
        self._store_late()
        self._seal_retired()
        self._sync()
        self._losses.report()
        return not self._losses.take_new()

    def close(self) -> None:
        """Seal the segment and stop the thread; a `put` after it is ignored."""
        self._closed = True
        self._finish()
        atexit.unregister(self._exit_hook)

    # In the caller's thread, under the lock.

    def _store(self, line: bytes) -> bool:
        try:
            segment = self._segment
            if segment is None or segment.used + len(line) > segment.capacity:
                segment = self._next(len(line))
                if segment is None:
                    return False
            segment.append(line)
            if self._sync_always:
                datasync(segment.fd)
        except (OSError, ValueError, MemoryError) as error:
            self._losses.add(error)
            self._refused_until = time.monotonic() + _REFUSE_S
            self._retire()
            return False
        self._dirty = True
        return True

    def _store_late(self) -> None:
        while self._late:
            with self._lock:
                if self._busy:
                    return
                try:
                    self._busy = True
                    while self._late:
                        self._store(self._late.popleft())
                finally:
                    self._busy = False

    def _next(self, need: int) -> Segment | None:
        self._retire()
        if self._closed:
            return None
        if time.monotonic() < self._refused_until:
            self._losses.again()
            return None
        self._ticker.start()
        if self._spare is not None and self._spare.capacity >= need:
            self._segment, self._spare = self._spare, None
        else:
            self._segment = self._folder.create(max(need, self._segment_bytes))
        return self._segment

    def _retire(self) -> None:
        if self._segment is not None:
            self._retired.append(self._segment)
            self._segment = None
        if not self._ticker.running:  # or it seals: a caller need not wait for that
            while self._retired:
                with contextlib.suppress(OSError, IndexError):
                    self._retired.popleft().seal()

    # In the background thread, without the lock.

    def _tick(self) -> None:
        self._store_late()
        self._seal_retired()
        self._sync()
        self._make_spare()
        self._merge()
        self._losses.report()

    def _merge(self) -> None:
        with self._files:  # or a forked child keeps the pipe that the start waits for
            self._automerge.look(now=self._losses.full)
        if self._automerge.warning is not None:
            self._losses.warn(self._automerge.warning)
            self._automerge.warning = None

    def _sync(self) -> None:
        if (segment := self._segment) is None:
            return
        with contextlib.suppress(OSError):
            if self._dirty:
                self._dirty = False
                datasync(segment.fd)
            if segment.spoiled:  # begin anew
                with self._lock:
                    if self._segment is segment:
                        self._retire()

    def _make_spare(self) -> None:
        segment = self._segment
        if segment is None or self._spare is not None or segment.used <= segment.capacity // 2:
            return
        with contextlib.suppress(OSError), self._files:  # the put that needs the room will say it
            spare = self._folder.create(self._segment_bytes)
            if self._ticker.stopped:
                spare.seal()
            else:
                self._spare = spare

    def _seal_retired(self) -> None:
        while self._retired:
            with contextlib.suppress(OSError, IndexError):
                datasync(self._retired[0].fd)
            with contextlib.suppress(OSError, IndexError), self._files:
                self._retired.popleft().seal()

    # Fork and end.

    def _before_fork(self) -> None:
        self._files.acquire()
        self._lock.acquire()
        self._forking = True

    def _after_fork_in_parent(self) -> None:
        if self._forking:  # or it was made while another thread was about to fork
            self._forking = False
            self._lock.release()
            self._files.release()

    def _after_fork_in_child(self) -> None:
        for segment in self._open_segments():
            segment.abandon()
        self._automerge.leave()
        self._reset()

    def _finish(self) -> None:
        self._ticker.stop(_STOP_S)  # a put after it does without a thread
        self._store_late()
        with self._lock:
            self._retired.extend(one for one in (self._segment, self._spare) if one is not None)
            self._segment = self._spare = None
        self._seal_retired()
        self._automerge.leave()
        self._losses.report()

    def _open_segments(self) -> list[Segment]:
        return [one for one in (self._segment, self._spare, *self._retired) if one is not None]

    def __del__(self) -> None:
        # Nobody else holds this object any more, so no lock is needed, and none is taken.
        for segment in self._open_segments():
            with contextlib.suppress(OSError):
                segment.seal()
        self._losses.note()
