"""A thread that settles soon what ended in a finaliser, where nothing may be settled."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.middleware.meter import Meter

PERIOD_S = 0.2
"""The longest that a dropped or closed stream waits for its record."""


class Drainer:
    """Starts its daemon thread when the first stream is watched, and anew in a forked child."""

    def __init__(self, meter: Meter) -> None:
        self._meter = weakref.ref(meter)
        self._pid = 0

    def ensure(self) -> None:
        """Make sure the thread runs in this process."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            thread = threading.Thread(
                target=_run, args=(self._meter,), name="costspan-drainer", daemon=True
            )
            thread.start()


def _run(reference: weakref.ref[Meter]) -> None:
    while True:
        meter = reference()
        if meter is None:
            return
        meter.drain()
        del meter  # so that the Meter can be collected while we sleep
        time.sleep(PERIOD_S)
