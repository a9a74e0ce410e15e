"""A call while it runs: what the attach points report to, and what ends exactly once."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar
from uuid import UUID
from weakref import ref

from costspan.core.attempt import Attempt
from costspan.core.observation import Observation
from costspan.core.types import Usage
from costspan.middleware.cancellation import is_cancellation
from costspan.middleware.last import Slot, note_finished
from costspan.middleware.record import Call, EndedBy
from costspan.middleware.request import AskedCall
from costspan.pricing.types import Estimate

if TYPE_CHECKING:
    from costspan.middleware.meter import Meter

P = ParamSpec("P")
R = TypeVar("R")


class Ending(NamedTuple):
    """How and when a call ended.

    Attributes:
        ended_by: Which way out it took.
        error: The exception that reached the user, if one did.
        at: UTC instant.
        latency_us: Microseconds since the start, by the monotonic clock.
    """

    ended_by: EndedBy
    error: BaseException | None
    at: datetime
    latency_us: int


class LiveCall:
    """One call from its start to its end; satisfies `record.OpenCall` for the exporters.

    Attributes:
        asked: What was asked for.
        seen: What the response has shown so far.
        usage: Leaf usage where the callee is our own core and has it ready.
        retries: Attempts that were repeated inside the call.
        sent: HTTP requests that an SDK is known to have sent.
        attempts: The requests one by one, where each of them is known (those of our own core, the
            hops of google-genai); else empty.
        chunks: Stream chunks seen.
        record: The frozen record, once the call is settled.
        outer: The wrapped call that this one is part of, if any.
        parts: The calls within this one that have ended.
        settled: Whether they have been taken, so that no more can be part of it.
        within: The calls that began within this one, open or not.
        ended_by: Which way out it took; None while it is open.
        recognised: Whether the wire format was told by what came back.
        slot: Where its record is left for `last_call`; None in a call within another.
        is_told: Whether the hooks are told of it; not where one of them makes it.
    """

    __slots__ = (
        "__weakref__",
        "_first_chunk_ns",
        "_meter",
        "_open",
        "_pid",
        "_start_ns",
        "asked",
        "attempts",
        "call_id",
        "chunks",
        "ended_by",
        "estimate",
        "is_told",
        "outer",
        "parts",
        "recognised",
        "record",
        "retries",
        "root_span_id",
        "seen",
        "sent",
        "settled",
        "slot",
        "span_id",
        "started_at",
        "streaming",
        "tags",
        "trace_id",
        "usage",
        "within",
    )

    def __init__(
        self,
        meter: Meter,
        asked: AskedCall,
        tags: Mapping[str, str],
        outer: LiveCall | None = None,
    ) -> None:
        now_ns = meter.clock()
        self._meter = meter
        self._pid = os.getpid()
        self._start_ns = time.perf_counter_ns()
        self._first_chunk_ns: int | None = None
        self.asked = asked
        self.call_id: UUID = meter.ids.new(now_ns, self._pid)
        self.started_at = datetime.fromtimestamp(now_ns / 1e9, UTC)
        self.seen = Observation(asked.api)
        self.recognised = False
        self.record: Call | None = None
        self.usage: Usage | None = None
        self.streaming = asked.streaming
        self.tags = tags
        self.estimate: Estimate | None = None
        self.retries = 0
        self.sent = 0
        self.attempts: Sequence[Attempt] = ()
        self.chunks = 0
        self.trace_id: str | None = None
        self.span_id: str | None = None
        self.root_span_id: str | None = None
        self.outer = outer
        self.parts: deque[Call] = deque()
        self.settled = False
        self.within: list[ref[LiveCall]] = []
        self.slot: Slot | None = None
        self.is_told = True
        self.ended_by: EndedBy | None = None
        # Last, because what is not open yet cannot end: an interrupt may fall in here.
        self._open = [True]
        if outer is not None:
            outer.within.append(ref(self))

    @property
    def meter(self) -> Meter:
        """The Meter that settles it."""
        return self._meter

    @property
    def operation(self) -> str:
        """OpenTelemetry's name of the operation."""
        return self.asked.operation

    @property
    def provider(self) -> str:
        """Canonical provider id."""
        return self.asked.provider

    @property
    def api(self) -> str:
        """Canonical api name."""
        return self.asked.api

    @property
    def model(self) -> str:
        """The model that was asked for, without a routing prefix."""
        return self.asked.model

    @property
    def endpoint(self) -> str | None:
        """Host of the server."""
        return self.asked.endpoint

    @property
    def port(self) -> int | None:
        """Port of the server."""
        return self.asked.port

    @property
    def request_params(self) -> Mapping[str, object]:
        """Sampling parameters and the like; no content."""
        return self.asked.params

    @property
    def is_open(self) -> bool:
        """Whether the call has not ended yet."""
        return bool(self._open)

    @property
    def ttft_us(self) -> int | None:
        """Microseconds from the start to the first chunk; None before it, or without a stream."""
        if self._first_chunk_ns is None:
            return None
        return (self._first_chunk_ns - self._start_ns) // 1000

    def chunk(self) -> None:
        """Note that a stream chunk has arrived."""
        self.chunks += 1
        if self._first_chunk_ns is None:
            self._first_chunk_ns = time.perf_counter_ns()
            self.streaming = True
            if self._meter.hears_first_token:
                self._meter.first_chunk(self)

    def keep_open(self) -> None:
        """The stream outlives the function: let the Meter end it at interpreter exit if need be."""
        self._meter.keep_open(self)

    def guarded(
        self, step: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Run a step of ours under the Meter's guard: None instead of an exception."""
        return self._meter.guard.run(step, function, *args, **kwargs)

    def end(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        """End the call; the first end counts, later ones and those of a forked child do nothing."""
        ending = self._close(ended_by, error)
        if ending is not None:
            self._meter.finish(self, ending)
            if self.slot:
                note_finished(self.slot[0])

    def join(self, record: Call) -> bool:
        """Become part of the outer call; False where that has ended or there is none.

        The outer call takes its parts one by one when it is settled, so a part that is still in
        the queue then was not taken. What was cancelled with the outer call, on another thread and
        before any answer, has nothing to add: it is taken as said.
        """
        outer = self.outer
        if outer is None:
            return False
        if outer.settled:
            return outer.ended_by == record.ended_by == "cancelled" and record.usage is None
        outer.parts.append(record)
        if not outer.settled:
            return True
        try:
            outer.parts.remove(record)
        except ValueError:
            return True
        return False

    def take_parts(self) -> list[Call]:
        """The calls within this one, oldest first; to be asked when it is settled."""
        self.settled = True
        taken: list[Call] = []
        while self.parts:
            taken.append(self.parts.popleft())
        return sorted(taken, key=attrgetter("started_at"))

    def fail(self, error: BaseException) -> None:
        """End the call with the exception that reaches the user."""
        self._leave_streams(LiveCall.end)
        self.end("cancelled" if is_cancellation(error) else "raised", error)

    def end_later(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        """End the call now, but settle it soon: for ways out that a finaliser may take as well.

        A close can come from the garbage collector, which may have stopped code of ours that holds
        a lock. So nothing is locked here; the Meter settles within a fifth of a second.
        """
        self._leave_streams(LiveCall.end_later)
        ending = self._close(ended_by, error)
        if ending is not None:
            self._meter.defer(self, ending)

    def _leave_streams(self, end: Callable[[LiveCall, EndedBy], None]) -> None:
        """End the streams within that are still open: who read them has left in the middle.

        An asynchronous generator that is left is closed by the event loop a little later, and
        would then be recorded on its own what this call has counted.
        """
        for reference in self.within if self._open else ():
            inner = reference()
            if inner is not None and inner.streaming and inner.is_open:
                inner._leave_streams(end)
                end(inner, "closed")

    def _close(self, ended_by: EndedBy, error: BaseException | None) -> Ending | None:
        try:
            self._open.pop()  # atomic: exactly one caller gets the token
        except IndexError:
            return None
        if os.getpid() != self._pid:
            return None
        self.ended_by = ended_by
        latency_us = (time.perf_counter_ns() - self._start_ns) // 1000
        at = datetime.fromtimestamp(self._meter.clock() / 1e9, UTC)
        return Ending(ended_by, error, at, latency_us)

    def __del__(self) -> None:
        # Runs inside the garbage collector, which may have stopped any code of ours, lock held.
        # So: no settling and no exporters here, only an append that the Meter drains later.
        if getattr(self, "_open", None):
            self.end_later("dropped")
