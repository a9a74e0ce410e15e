"""Calls into an object without keeping it alive: from a thread, at a fork, at the exit."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable


def weak_hook(method: Callable[[], None]) -> Callable[[], None]:
    """Wrap a bound method so that it does nothing once its object has been collected."""
    weak = weakref.WeakMethod(method)

    def hook() -> None:
        alive = weak()
        if alive is not None:
            alive()

    return hook


class Ticker:
    """A daemon thread that calls a bound method at an interval while the object lives."""

    def __init__(self, method: Callable[[], None], interval_s: float) -> None:
        """Do not start yet.

        Args:
            method: Called with no lock held.
            interval_s: Seconds between calls.
        """
        self._method = weakref.WeakMethod(method)
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._thread is not None

    @property
    def stopped(self) -> bool:
        """Whether it has been stopped, or could not be started; it stays so."""
        return self._stop.is_set()

    def start(self) -> None:
        """Start the thread, once; where there can be no more threads, do without."""
        if self._thread is not None or self._stop.is_set():
            return
        thread = threading.Thread(target=self._run, name="costspan-ledger", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # too many threads, or the interpreter is going down
            self._thread = None
            self._stop.set()

    def stop(self, timeout_s: float) -> None:
        """End the thread and wait for what it is doing."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            method = self._method()
            if method is None:
                return
            method()
            del method
