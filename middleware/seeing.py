"""What passes by is shown to the call: whole values, stream chunks, wire events."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.protocols import load, recognise
from costspan.middleware.fields import reply_fields
from costspan.middleware.live import LiveCall


def see_value(call: LiveCall, value: object) -> None:
    """Read a returned reply: an SDK object, our own, or a mapping."""
    fields = reply_fields(value)
    if fields:
        see_event(call, fields)
    call.seen.complete = True


def see_chunk(call: LiveCall, chunk: object) -> None:
    """Read one item of a stream of reply objects. Never raises."""
    call.chunk()
    call.guarded("watch a stream", _read_chunk, call, chunk)


def _read_chunk(call: LiveCall, chunk: object) -> None:
    fields = reply_fields(chunk)
    if fields:
        see_event(call, fields)


def see_event(call: LiveCall, event: Mapping[str, object]) -> None:
    """Read one wire event or whole body, by the format it has or else by the one asked for."""
    if not call.recognised:
        api = recognise(event)
        if api is not None:
            call.seen.api = api
            call.recognised = True
    protocol = load(call.seen.api)
    if protocol is not None:
        protocol.observe(event, call.seen)
