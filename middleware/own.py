"""Calls of our own completion core: its replies and streams say themselves what they used."""

from __future__ import annotations

from costspan.core.assembly import StreamAssembler
from costspan.core.embedding_reply import EmbeddingReply
from costspan.core.reply import Chunk, Reply
from costspan.core.stream import AsyncStream, Stream
from costspan.middleware.live import LiveCall
from costspan.middleware.record import Call, EndedBy
from costspan.middleware.seeing import take_attempts
from costspan.pricing.types import Cost


def take_reply(call: LiveCall, reply: Reply | EmbeddingReply) -> None:
    """End a call with a whole reply of the core, and fill the reply's cost and estimate."""
    _take_facts(call, reply)
    call.end("value")
    _fill(call, reply)


def watch_own_stream(call: LiveCall, stream: Stream | AsyncStream) -> None:
    """Report what passes through a stream of the core to the call."""
    call.seen = stream.seen
    call.recognised = True
    stream.observers.append(_StreamObserver(call, stream.assembly))


class _StreamObserver:
    """Told by the stream; holds its assembly and not the stream, so that a dropped one is freed."""

    def __init__(self, call: LiveCall, assembly: StreamAssembler) -> None:
        self._call = call
        self._assembly = assembly

    def chunk(self, chunk: Chunk) -> None:
        self._call.chunk()

    def end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        self._call.guarded("watch a stream", self._end, ended_by, error)

    def _end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        call, reply = self._call, self._assembly.reply
        take_attempts(call, reply.attempts)
        _locate(call, reply)
        if error is not None:
            call.fail(error)
        elif ended_by == "exhausted":
            call.usage = reply.meters
            call.end(ended_by)
            _fill(call, reply)
        else:
            call.end_later(ended_by)


def _locate(call: LiveCall, reply: Reply | EmbeddingReply) -> None:
    call.asked = call.asked._replace(
        provider=reply.provider or call.asked.provider,
        api=reply.api or call.asked.api,
        endpoint=reply.endpoint,
        port=reply.port,
    )


def _take_facts(call: LiveCall, reply: Reply | EmbeddingReply) -> None:
    take_attempts(call, reply.attempts)
    _locate(call, reply)
    call.usage = reply.meters
    call.recognised = True
    if reply.attempts and (seen := reply.attempts[-1].seen) is not None:
        call.seen = seen
    call.seen.complete = True


def _fill(call: LiveCall, reply: Reply | EmbeddingReply) -> None:
    reply.estimate = call.estimate
    if call.record is not None:
        reply.cost = _whole_cost(call.record)


def _whole_cost(record: Call) -> Cost | None:
    """The cost of all requests of a call: several where it was fanned out or a model failed."""
    costs = [request.cost for request in record.requests if request.cost is not None]
    if len(costs) < 2:
        return costs[0] if costs else None
    return costs[-1]._replace(
        total=record.cost_usd,
        status=record.cost_status,
        lines=tuple(line for cost in costs for line in cost.lines),
        reported=None,
        difference=None,
        unpriced_meters=tuple(dict.fromkeys(m for cost in costs for m in cost.unpriced_meters)),
    )
