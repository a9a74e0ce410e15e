"""Responses in background mode as they are retrieved: the answer to what was asked for before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from costspan.core.decoders import Event, decoder_for
from costspan.core.observation import Observation
from costspan.core.protocols import load
from costspan.middleware.byte_streams import Unpacking
from costspan.middleware.ids import repeatable_id
from costspan.middleware.instants import instant_of
from costspan.middleware.meter import Meter
from costspan.middleware.noting import note
from costspan.middleware.pending import pending_of
from costspan.middleware.record import EndedBy
from costspan.middleware.request import AskedCall

API = "responses"
_FINAL = frozenset(("completed", "incomplete", "failed", "cancelled"))

Asking: TypeAlias = Callable[[str, Mapping[str, Any]], AskedCall]
"""What was asked for, from the api and what the answer says of the request (its model)."""


class RetrievedReader:
    """Is shown the body of a retrieved response, whole or streamed.

    Args:
        meter: The Meter in force.
        identity: The response's id.
        asking: Says what was asked for, where the request was made in another process.
        content_type: Of the body.
        unpacking: Undoes the content encoding of what is fed.
    """

    def __init__(
        self, meter: Meter, identity: str, asking: Asking, content_type: str, unpacking: Unpacking
    ) -> None:
        self._meter = meter
        self._identity = identity
        self._asking = asking
        self._decoder = decoder_for(content_type)
        self._unpacking = unpacking
        self._seen = Observation(API)
        self._over = False

    def feed(self, data: bytes) -> None:
        """Take bytes as they came off the wire."""
        if self._unpacking.readable:
            self._meter.guard.run("watch a retrieved response", self._feed, data)

    def _feed(self, data: bytes) -> None:
        self._see(self._decoder.feed(self._unpacking.unpack(data)))

    def read(self) -> None:
        """The body was read to its end."""
        self._meter.guard.run("watch a retrieved response", self._flush)

    def _flush(self) -> None:
        self._see(self._decoder.flush())

    def failed(self, error: BaseException) -> None:
        """What was shown so far is kept; the response goes on."""

    def closed(self) -> None:
        """The same."""

    def _see(self, events: list[Event]) -> None:
        for event in events:
            body = event.json()
            if body is not None and not self._over:
                self.see(body)

    def see(self, body: Mapping[str, Any]) -> None:
        """Take a whole response, or one event of its stream."""
        pending = pending_of(self._meter)
        call = pending.get(self._identity)
        seen = self._seen if call is None else call.seen
        load(API).observe(body, seen)
        response = body.get("response", body)
        status = response.get("status") if isinstance(response, dict) else None
        if status not in _FINAL:
            return
        self._over = True
        if status == "cancelled" and seen.usage is None:
            seen.complete = False  # what it had cost by then is not known
        known = self._identity in pending.recorded
        call = pending.take(self._identity)
        way: EndedBy = "cancelled" if status == "cancelled" else "value"
        if call is not None:
            call.end(way)
        elif response.get("background") is True and not known:
            self._note(response, way)

    def _note(self, response: Mapping[str, Any], way: EndedBy) -> None:
        """Record a response whose request was made in another process."""
        started_at = instant_of(response.get("created_at")) or self._meter.now()
        ended_at = instant_of(response.get("completed_at")) or started_at
        asked = self._asking(API, response)
        note(
            self._meter,
            asked,
            self._seen,
            started_at=started_at,
            ended_at=max(started_at, ended_at),
            call_id=repeatable_id(f"{asked.provider}/{API}/{self._identity}"),
            ended_by=way,
        )
