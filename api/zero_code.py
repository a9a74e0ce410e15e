"""``instrument`` and ``uninstrument``: every client of the SDKs is watched, without a ``wrap``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from costspan.middleware.instrumenting import Instrumentation
from costspan.middleware.switch import disabled

if TYPE_CHECKING:
    from costspan.middleware.meter import Meter

_lock = threading.Lock()
_installed: Instrumentation | None = None


def instrument(meter: Meter | None = None) -> None:
    """Watch every client that is made from now on, of all SDKs that there is an adapter for.

    Nothing is imported for it: SDKs that are imported later are watched then. A client that you
    `wrap` yourself belongs to the Meter that you give there. With ``COSTSPAN_DISABLED=1`` in the
    environment nothing is done. Calling it again changes nothing, unless you give a Meter.

    Args:
        meter: The Meter to use; by default the one that the configuration describes.

    Raises:
        ConfigError: The configuration file, or the file of own prices that it names, cannot be
            used, or there is no key for the tags to be hashed; said here, never in a call.

    Example:
        >>> import costspan
        >>> costspan.instrument()
        >>> costspan.uninstrument()
    """
    if disabled():
        return
    if meter is None:
        from costspan.calling import check_configuration

        check_configuration()
    _install(meter)


def start_program() -> None:
    """`instrument` for every program that ``costspan run`` starts: nothing is read or said."""
    if not disabled():
        _install(None)


def _install(meter: Meter | None) -> None:
    global _installed
    source = _default if meter is None else lambda: meter
    with _lock:
        if _installed is None:
            _installed = Instrumentation(source)
            _installed.install()
        elif meter is not None:
            _installed.use(source)


def uninstrument() -> None:
    """Undo `instrument`: classes and functions are what they were, and living clients unwatched."""
    global _installed
    with _lock:
        if _installed is not None:
            _installed.remove()
            _installed = None


def _default() -> Meter:
    from costspan.calling import meter_source

    return meter_source(None)()
