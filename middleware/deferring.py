"""Calls whose settling waits, because they ended where nothing of ours may run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.middleware.live import Ending, LiveCall


class Deferring:
    """Ended calls that wait, and the threads that are inside an exporter of ours.

    A signal handler or a finaliser of the user can run a wrapped call while we hold a lock of the
    ledger or the SDK on the same thread; that call is put off.

    Attributes:
        waiting: The calls and how they ended, oldest first.
    """

    def __init__(self) -> None:
        self.waiting: deque[tuple[LiveCall, Ending]] = deque()
        self._busy: set[int] = set()
        self._draining = Lock()

    def enter(self) -> bool:
        """Go inside on this thread; False if it is inside already."""
        ident = get_ident()
        if ident in self._busy:
            return False
        self._busy.add(ident)
        return True

    def leave(self) -> None:
        """Come out on this thread."""
        self._busy.discard(get_ident())

    def drain(self, finish: Callable[[LiveCall, Ending], None], wait_s: float) -> None:
        """Finish what waits.

        Args:
            finish: Settles and emits one call.
            wait_s: How long to wait, in seconds, for another thread that is at it.
        """
        if get_ident() in self._busy:  # a hook or an exporter asks: this thread may hold the lock
            return
        # Never waits without a limit: a signal handler may have interrupted us with the lock held.
        if not self._draining.acquire(timeout=wait_s):
            return
        try:
            # No more than there are now: a storm of signal handlers must not keep us here.
            for _ in range(len(self.waiting)):
                if get_ident() in self._busy:
                    return
                finish(*self.waiting.popleft())
        finally:
            self._draining.release()

    def forget(self) -> None:
        """Drop what belongs to the parent process; called in a forked child."""
        self.waiting.clear()
        self._busy.clear()
        self._draining = Lock()
