"""Recording an answer whose request did not run here: a batch's line, another's callback."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from costspan.core.observation import Observation
from costspan.middleware.live import Ending, LiveCall
from costspan.middleware.record import EndedBy
from costspan.middleware.request import AskedCall

if TYPE_CHECKING:
    from costspan.middleware.meter import Meter

_MICROSECOND = timedelta(microseconds=1)


class _Noted(LiveCall):
    """A call that is over before it begins here."""

    __slots__ = ()

    def __init__(self, meter: Meter, asked: AskedCall, seen: Observation) -> None:
        super().__init__(meter, asked, meter.tags_of(asked))
        self._open.clear()  # nothing can end it, the garbage collector neither
        self.seen = seen
        self.recognised = True

    def started(self, at: datetime, first_chunk_at: datetime | None) -> None:
        self.started_at = at
        if first_chunk_at is not None:
            self._first_chunk_ns = self._start_ns + (first_chunk_at - at) // _MICROSECOND * 1000


def note(
    meter: Meter,
    asked: AskedCall,
    seen: Observation,
    *,
    started_at: datetime,
    ended_at: datetime,
    call_id: UUID | None = None,
    first_chunk_at: datetime | None = None,
    ended_by: EndedBy | None = None,
    error: BaseException | None = None,
) -> None:
    """Settle and emit one call, as if it had run here between two instants.

    It carries the Meter's tags, those of this context and those of ``asked``; no wrapped call that
    this code is part of takes it in.

    Args:
        meter: The Meter.
        asked: What was asked of whom.
        seen: What the answer says, filled by a protocol's `observe`; ``complete`` is to be set.
        started_at, ended_at: Aware instants; the later one is what schedules of prices go by.
        call_id: A deterministic id where the same call may be noted again; by default a new one.
        first_chunk_at: When a stream brought its first chunk.
        ended_by: Which way out it took; by default ``raised`` with an error, else ``value``.
        error: The exception that it ended in, if it did.
    """
    call = _Noted(meter, asked, seen)
    if call_id is not None:
        call.call_id = call_id
    call.started(started_at, first_chunk_at)
    meter.start(call)
    latency_us = (ended_at - started_at) // _MICROSECOND
    way = ended_by or ("raised" if error is not None else "value")
    meter.finish(call, Ending(way, error, ended_at, latency_us))
