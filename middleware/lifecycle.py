"""Fork and exit: a child forgets its parent's calls, an exit ends the open ones."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.middleware.meter import Meter

_meters: weakref.WeakSet[Meter] = weakref.WeakSet()
_hooked: list[bool] = []

_DRAINING_S = 0.2
"""The longest that who asks for records waits for a thread that settles them just now."""


def follow_process(meter: Meter) -> None:
    """Have a Meter told of fork and exit for as long as it lives."""
    _meters.add(meter)
    if not _hooked:
        _hooked.append(True)
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):  # Windows does not fork
            os.register_at_fork(after_in_child=_in_child)


def living_meters() -> list[Meter]:
    """The Meters of this process."""
    return list(_meters)


def drain_all() -> None:
    """Settle what was put off: streams that were left a moment ago."""
    for meter in living_meters():
        meter.drain(_DRAINING_S)


def _at_exit() -> None:
    for meter in living_meters():
        meter.close()


def _in_child() -> None:
    for meter in living_meters():
        meter.forget()
