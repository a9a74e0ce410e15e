"""Calls of our own completion core: its replies and streams say themselves what they used."""

from __future__ import annotations

from dataclasses import replace

from costspan.core.reply import Chunk, Reply
from costspan.core.stream import AsyncStream, Stream
from costspan.middleware.live import LiveCall
from costspan.middleware.record import EndedBy


def take_reply(call: LiveCall, reply: Reply, ended_by: EndedBy = "value") -> None:
    """End a call with a whole reply of the core, and fill the reply's cost and estimate."""
    _take_facts(call, reply)
    call.end(ended_by)
    _fill(call, reply)


def watch_own_stream(call: LiveCall, stream: Stream | AsyncStream) -> None:
    """Report what passes through a stream of the core to the call."""
    stream.observers.append(_StreamObserver(call, stream))


class _StreamObserver:
    def __init__(self, call: LiveCall, stream: Stream | AsyncStream) -> None:
        self._call = call
        self._stream = stream

    def chunk(self, chunk: Chunk) -> None:
        self._call.chunk()

    def end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        self._call.guarded("watch a stream", self._end, ended_by, error)

    def _end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        call, stream = self._call, self._stream
        call.seen = stream.seen
        reply = stream.reply if ended_by == "exhausted" else None
        if reply is not None:
            take_reply(call, reply, ended_by)
        elif error is not None:
            call.fail(error)
        else:
            call.end_later(ended_by)


def _take_facts(call: LiveCall, reply: Reply) -> None:
    call.asked = replace(
        call.asked,
        provider=reply.provider or call.asked.provider,
        api=reply.api or call.asked.api,
        endpoint=reply.endpoint,
        port=reply.port,
    )
    call.usage = reply.meters
    seen = call.seen
    seen.api, seen.model, seen.response_id = reply.api, reply.model, reply.id
    seen.complete = True
    for choice in reply.choices:
        if choice.finish_reason:
            seen.finish_reasons[choice.index] = choice.finish_reason
        if reply.meters is None and choice.message.content:
            seen.output_text.append(choice.message.content)


def _fill(call: LiveCall, reply: Reply) -> None:
    reply.estimate = call.estimate
    if call.record is not None:
        reply.cost = call.record.last.cost
