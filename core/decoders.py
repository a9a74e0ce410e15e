"""Push decoders: response bytes in any split go in, JSON events come out.

They drive the completion core and the observer of wrapped SDK streams alike, so they work on
bytes, decode nothing before it is asked for, and never raise on what a server sends.
"""

from __future__ import annotations

import json
from typing import Protocol

import orjson

_BOM = b"\xef\xbb\xbf"
_LINE_FEED = b"\n"
_CARRIAGE_RETURN = b"\r"
_DONE = b"[DONE]"


class Event:
    """One event of a response: a server-sent event, a line of NDJSON, or a whole JSON body.

    Attributes:
        name: The event's name (``message_start``); empty where the format has none.
        raw: Its data as bytes.
    """

    __slots__ = ("name", "raw")

    def __init__(self, name: str, raw: bytes) -> None:
        self.name = name
        self.raw = raw

    @property
    def data(self) -> str:
        """The data as text; bytes that are not UTF-8 become U+FFFD."""
        return self.raw.decode("utf-8", "replace")

    @property
    def done(self) -> bool:
        """Whether this is OpenAI's end mark, ``data: [DONE]``."""
        return self.raw == _DONE

    def json(self) -> dict[str, object] | None:
        """The data as a JSON object, or None where it is anything else.

        What the fast parser refuses and Python's accepts (lone surrogates of an emoji that was
        cut between two chunks, NaN) is still read.
        """
        try:
            found: object = orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            try:
                found = json.loads(self.data)
            except (ValueError, RecursionError):
                return None
        return found if isinstance(found, dict) else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self.name == other.name and self.raw == other.raw

    def __hash__(self) -> int:
        return hash((self.name, self.raw))

    def __repr__(self) -> str:
        return f"Event(name={self.name!r}, {len(self.raw)} bytes)"


class Decoder(Protocol):
    """What turns the bytes of a response into events."""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""

    def flush(self) -> list[Event]:
        """Return what an end of the body completes. Nothing may be fed afterwards."""


class SSEDecoder:
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    Accepts LF, CRLF and CR, a byte order mark, comments and data over several lines. One thing is
    more lenient than the standard: `flush` also returns a last event that lacks its blank line,
    because servers leave it out and the event may hold the usage.
    """

    __slots__ = ("_pending", "_skip_line_feed", "_started")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._skip_line_feed = False
        self._started = False

    @property
    def is_between_events(self) -> bool:
        """Whether all that was fed so far were whole events."""
        return self._started and not self._pending and not self._skip_line_feed

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""
        if self._skip_line_feed and data:
            self._skip_line_feed = False
            if data.startswith(_LINE_FEED):
                data = data[1:]
        if _CARRIAGE_RETURN in data:
            self._skip_line_feed = data.endswith(_CARRIAGE_RETURN)
            data = data.replace(b"\r\n", _LINE_FEED).replace(_CARRIAGE_RETURN, _LINE_FEED)
        if _LINE_FEED not in data:
            # Joined only when a line ends: a huge line in small pieces stays linear.
            if data:
                self._pending.append(data)
            return []
        if self._pending:
            self._pending.append(data)
            data = b"".join(self._pending)
        if not self._started:
            self._started = True
            data = data.removeprefix(_BOM)
        *blocks, rest = data.split(b"\n\n")
        self._pending = [rest] if rest else []
        return [event for block in blocks if (event := _sse_event(block)) is not None]

    def flush(self) -> list[Event]:
        """Return the last event if the body ended without its blank line."""
        block = b"".join(self._pending)
        self._pending = []
        if not self._started:
            block = block.removeprefix(_BOM)
        event = _sse_event(block)
        return [] if event is None else [event]


def _sse_event(block: bytes) -> Event | None:
    if block.startswith(b"data: ") and _LINE_FEED not in block:
        return Event("", block[6:])
    name = b""
    lines: list[bytes] = []
    for line in block.split(_LINE_FEED):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    if not lines:
        return None
    return Event(name.decode("utf-8", "replace"), _LINE_FEED.join(lines))


class NDJSONDecoder:
    """Newline-delimited JSON: one event a line, empty lines skipped."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""
        if _LINE_FEED not in data:
            self._pending.append(data)
            return []
        *lines, rest = b"".join((*self._pending, data)).split(_LINE_FEED)
        self._pending = [rest]
        return [Event("", line) for line in map(bytes.strip, lines) if line]

    def flush(self) -> list[Event]:
        """Return the last line if the body ended without a line feed."""
        line = b"".join(self._pending).strip()
        self._pending = []
        return [Event("", line)] if line else []


class JSONDecoder:
    """A whole JSON body: one event, at the end."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; nothing is complete before the end."""
        self._pending.append(data)
        return []

    def flush(self) -> list[Event]:
        """Return the body as one event, or nothing if it was empty."""
        body = b"".join(self._pending).strip().removeprefix(_BOM)
        self._pending = []
        return [Event("", body)] if body else []


def decoder_for(content_type: str) -> Decoder:
    """The decoder for a ``Content-Type`` header; whole JSON where the type names no stream."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "text/event-stream":
        return SSEDecoder()
    if media_type in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"):
        return NDJSONDecoder()
    if media_type == "application/vnd.amazon.eventstream":
        from costspan.core.aws_frames import FrameDecoder

        return FrameDecoder()
    return JSONDecoder()
