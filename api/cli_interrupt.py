"""Ctrl-C that works at once, also while native code (a DuckDB query) runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from costspan.cli import EXIT_INTERRUPTED, leave

GRACE_S = 0.3
PATIENCE_S = 10.0
"""For what leaves something behind when its process is ended."""


@contextmanager
def cleaning_up() -> Iterator[None]:
    """Inside, Ctrl-C raises KeyboardInterrupt, for what has to tidy when it ends."""
    silent = signal.getsignal(signal.SIGINT) is leave
    if silent:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if silent:
            signal.signal(signal.SIGINT, leave)


class CtrlC:
    """Inside the ``with`` block, Ctrl-C raises KeyboardInterrupt, and is not waited for long.

    Python runs its signal handlers only between two of its own instructions, and a query in DuckDB
    1.5 does not come to one before it is done. So the interpreter's wake-up pipe, which is written
    from the signal itself, wakes a thread that breaks the query off. When the block has not ended
    `GRACE_S` later, or what is given, the thread ends the process: the ledger is made for being
    left like that.

    DuckDB makes errors of its own out of this; whatever came, the block ends in KeyboardInterrupt.
    To be used in the main thread, the only one that receives signals. What is to be imported for
    the block is best imported before it.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._seen = False
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None

    @contextmanager
    def breaking_off(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Inside, Ctrl-C calls ``interrupt``, from another thread; afterwards never."""
        self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None

    def __enter__(self) -> CtrlC:
        """Start to listen."""
        read, self._write = os.pipe()
        if sys.platform != "win32":  # where Python asks for it, and where it can
            os.set_blocking(self._write, False)
        self._handler = signal.signal(signal.SIGINT, self._note)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(read,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to listen.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, whatever else it led to.
        """
        self._left.set()
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGINT, self._handler)
        os.close(self._write)
        if self._seen:
            raise KeyboardInterrupt

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._seen = True
        raise KeyboardInterrupt

    def _watch(self, read: int) -> None:
        with os.fdopen(read, "rb", buffering=0) as pipe:
            while number := pipe.read(1):
                if number[0] == signal.SIGINT:
                    self._break_off()

    def _break_off(self) -> None:
        with self._lock:
            if self._interrupt is not None:
                self._interrupt()
        if not self._left.wait(self._grace_s):
            os._exit(EXIT_INTERRUPTED)
