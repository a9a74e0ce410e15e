"""The time in which the user's own function runs: begun, made current, and ended on an error."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import Any

from costspan.middleware.live import LiveCall, running
from costspan.middleware.meter import Meter
from costspan.middleware.record import Activating
from costspan.middleware.request import RequestReader


class Watching:
    """Context manager around one call of the user's function, used alike by sync and async code.

    On entry the call begins, is marked as running and its span is made current. On exit both are
    undone; if the function raised, the call ends and the very same exception goes on.

    Args:
        meter: The Meter in force.
        read: Reads what is asked for.
        args, kwargs: The arguments of the user's call.

    Attributes:
        call: The call; None if we failed to begin it, which the user's function never notices.
    """

    __slots__ = ("_meter", "_spans", "_token", "call")

    def __init__(
        self,
        meter: Meter,
        read: RequestReader,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self._meter = meter
        self.call: LiveCall | None = meter.begin(read, args, kwargs)
        self._token: Token[LiveCall | None] | None = None
        self._spans: list[tuple[Activating, object]] = []

    @classmethod
    def resumed(cls, meter: Meter, call: LiveCall) -> Watching:
        """Watch the awaiting of a call that has begun already."""
        self = cls.__new__(cls)
        self._meter, self.call, self._token, self._spans = meter, call, None, []
        return self

    def __enter__(self) -> Watching:
        if self.call is not None:
            self._token = running.set(self.call)
            self._spans = self._meter.attach(self.call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            self._meter.detach(self._spans)
            running.reset(self._token)
        if error is not None and self.call is not None:
            self.call.fail(error)
