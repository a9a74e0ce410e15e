"""Clients and functions that nobody wrapped: they give way to an explicit ``wrap``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from costspan.middleware.live import LiveCall
from costspan.middleware.meter import Meter
from costspan.middleware.request import RequestReader

if TYPE_CHECKING:
    from costspan.middleware.meter import MeterSource

_watched: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""What is watched without a ``wrap``, by its id: a client need not be hashable."""


class AutomaticMeter:
    """Gives the Meter of what is watched without a ``wrap``.

    Args:
        meter: Gives the Meter in force.
    """

    def __init__(self, meter: MeterSource) -> None:
        self._meter = meter

    def __call__(self) -> Meter:
        return self._meter()


class IdleMeter(Meter):
    """Begins no call, so that all passes unwatched.

    SDKs and users keep bound methods and wrappers, which outlive the restoring of the classes.
    """

    def begin(
        self, read: RequestReader, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> LiveCall | None:
        return None


def note(watched: Any) -> None:
    """Remember that nobody wrapped a client or a function that is watched."""
    _watched[id(watched)] = watched


def gives_way(watched: Any, meter: MeterSource) -> bool:
    """Whether a client or function is watched automatically, and who asks is not: ``wrap`` wins."""
    return not isinstance(meter, AutomaticMeter) and _watched.pop(id(watched), None) is not None
