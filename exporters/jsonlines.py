"""Writes finished calls as lines of JSON on a stream, where no ledger can be kept: serverless.

``costspan import`` brings what was gathered of these lines into a ledger.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from typing import BinaryIO, TextIO, TypeAlias, cast

from costspan.exporters.ledger.background import weak_hook
from costspan.exporters.ledger.layout import host_word
from costspan.exporters.ledger.row import encode
from costspan.middleware.record import Call

Stream: TypeAlias = TextIO | BinaryIO | io.BufferedIOBase


class JsonLinesExporter:
    """One line a call on a stream, written at once and flushed.

    It may be used from threads, signal handlers, finalisers and forked children: a line is never
    torn by another. It never imports duckdb, and keeps nothing in memory.
    """

    def __init__(self, stream: Stream | None = None, *, sdk_version: str | None = None) -> None:
        """Write nothing yet.

        Args:
            stream: Of text or of bytes; None for the standard output as it is at each call.
            sdk_version: The version of costspan, to be noted with each call.
        """
        self._stream = stream
        self._sdk_version = sdk_version
        self._origin: Mapping[str, object] = {}
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=weak_hook(self._reset))

    def _reset(self) -> None:
        """As new: in a forked child, a lock that another thread held would stay locked."""
        self._lock = threading.RLock()
        self._busy = False
        self._waiting: deque[bytes] = deque()
        self._torn = False

    def finish(self, record: Call) -> None:
        """Write the record.

        One that interrupts the writing of another, in a signal handler, is written after it.

        Raises:
            OSError: The stream cannot be written, or not now.
            ValueError: It is closed.
        """
        pid = os.getpid()
        if self._origin.get("pid") != pid:  # the first call, or the first in a forked child
            self._origin = {"host": host_word(), "pid": pid, "sdk_version": self._sdk_version}
        self._waiting.append(encode(record, self._origin))
        failure: OSError | ValueError | None = None
        # Looked at again when nothing is busy any more: an interrupt may have come just before.
        while self._waiting:
            with self._lock:
                if self._busy:  # the lock lets its own thread pass: this interrupts a write of it
                    return
                self._busy = True
                try:
                    failure = self._write_waiting() or failure
                finally:
                    self._busy = False
        if failure is not None:
            raise failure

    def _write_waiting(self) -> OSError | ValueError | None:
        """Write all that waits; return what went wrong last."""
        failure: OSError | ValueError | None = None
        while self._waiting:
            try:
                self._write(self._waiting.popleft())
            except (OSError, ValueError) as error:
                failure = error
        return failure

    def _write(self, line: bytes) -> None:
        stream = sys.stdout if self._stream is None else self._stream
        if stream is None:
            raise ValueError("the standard output is closed")
        fd = _descriptor(stream)
        if fd is not None:
            self._write_to(fd, line)
        elif isinstance(stream, (io.RawIOBase, io.BufferedIOBase)):
            stream.write(line)
            stream.flush()
        else:
            text = cast(TextIO, stream)
            text.write(line.decode())
            text.flush()

    def _write_to(self, fd: int, line: bytes) -> None:
        """Write past the stream's own buffer, which no signal handler may enter twice."""
        whole = left = memoryview(b"\n" + line if self._torn else line)
        try:
            while left:
                left = left[os.write(fd, left) :]
        finally:  # the next line must not go on where this one broke off
            if left is not whole:
                self._torn = len(left) > 0


def _descriptor(stream: Stream) -> int | None:
    """The descriptor under a stream that just writes to one, with its buffer empty; else None.

    A stream that packs or collects what is written has none of its own.
    """
    buffer = getattr(stream, "buffer", stream)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, io.FileIO):
        return None
    with contextlib.suppress(RuntimeError):  # it interrupts a write; what is left comes after
        stream.flush()
    return raw.fileno()
