"""Attach point two: the body of an HTTP response that has not been read yet.

The byte stream of the response is replaced by one that hands on every byte as it comes and shows
it to a reader. The user's own stream object stays what it is, in whichever way it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from costspan.core.decoders import Event, SSEDecoder, decoder_for
from costspan.core.deltas import brings_only_words
from costspan.middleware.background import follow, is_in_background
from costspan.middleware.byte_streams import TEES, Reader, Unpacking, replace_stream
from costspan.middleware.http_responses import already_read
from costspan.middleware.live import LiveCall
from costspan.middleware.record import EndedBy
from costspan.middleware.seeing import see_attempts, see_event

_STEP_BYTES = 64 << 10
_MOST_HELD = 2_000
"""Pieces of a stream that are held unread: about 600 KB, read in 4 ms if there is no usage."""
_LAST_EVENTS = frozenset(
    ("message_stop", "response.completed", "response.incomplete", "response.failed")
)


class BodyReader:
    """Turns the bytes that pass into wire events for one call."""

    def __init__(self, call: LiveCall, headers: Any) -> None:
        self.call = call
        self._decoder = decoder_for(headers.get("content-type", ""))
        # Bodies that cannot be unpacked pass unread: their usage is estimated.
        self._unpacking = Unpacking(headers)
        self._in_background = is_in_background(call)
        self._events: SSEDecoder | None = None
        if isinstance(self._decoder, SSEDecoder) and not self._unpacking.packed:
            self._events = self._decoder

    def feed(self, data: bytes) -> None:
        """Take bytes as they came off the wire."""
        call = self.call
        call.chunk()
        if self._unpacking.readable and call.is_open and not self._hold(data):
            call.guarded("watch a response body", self._feed, data)

    def _hold(self, data: bytes) -> bool:
        """Keep what brings nothing but words unread, as long as that is not too much.

        A piece costs 4 us so, and 9 if it is read as it passes (benchmarks/wrapping.py).
        """
        events, call = self._events, self.call
        if events is None or not call.recognised or not events.is_between_events:
            return False
        seen = call.seen
        if len(seen.held) >= _MOST_HELD or not brings_only_words(seen.api, data):
            return False
        seen.held.append(data)
        return True

    def _feed(self, data: bytes) -> None:
        self._see(self._decoder.feed(self._unpacking.unpack(data)))

    def _see(self, events: list[Event]) -> None:
        for event in events:
            if event.done:
                self._end("exhausted")
                return
            body = event.json()
            if body is not None:
                see_event(self.call, body)
                self._goes_on()  # from its first event on, for the stream may be dropped
                if body.get("type") in _LAST_EVENTS:
                    # The last event: end here, for a close that comes later may come from the
                    # garbage collector, where nothing may be settled.
                    self._end("exhausted")

    def read(self) -> None:
        """The body was read to its end."""
        if self._unpacking.readable and self.call.is_open:
            self.call.guarded("watch a response body", self._flush)
        self._end("exhausted")

    def _flush(self) -> None:
        self._see(self._decoder.flush())

    def failed(self, error: BaseException) -> None:
        """Reading the body raised."""
        if isinstance(error, GeneratorExit):
            self.closed()
        elif not self._goes_on():
            self.call.fail(error)

    def closed(self) -> None:
        """The body was closed, perhaps before its end."""
        if not self._goes_on():
            self.call.end_later("closed")

    def _end(self, ended_by: EndedBy) -> None:
        if not self._goes_on():
            self.call.end(ended_by)

    def _goes_on(self) -> bool:
        """Whether the response is made in the background, and not complete."""
        return self._in_background and follow(self.call)


def watch_body(call: LiveCall, response: Any) -> None:
    """Show the body of a call's response to the call, as it is read."""
    if replace_stream(response, TEES, BodyReader(call, response.headers)):
        call.seen.accepted = True
        see_attempts(call, response)
    else:
        call.end("value")


def show_body(response: Any, make_reader: Callable[[Unpacking], Reader]) -> Iterator[None]:
    """Show a body to a reader, as it is read.

    Args:
        response: A response of httpx or httpx2.
        make_reader: Makes the reader, which undoes the content encoding of what it is fed.

    Returns:
        The steps to take now, each of some milliseconds, where the body has been read already.
    """
    if already_read(response):
        return _shown_at_once(response.content, make_reader(Unpacking({})))
    replace_stream(response, TEES, make_reader(Unpacking(response.headers)))
    return iter(())


def _shown_at_once(content: bytes, reader: Reader) -> Iterator[None]:
    for begin in range(0, len(content), _STEP_BYTES):
        reader.feed(content[begin : begin + _STEP_BYTES])
        yield
    reader.read()
