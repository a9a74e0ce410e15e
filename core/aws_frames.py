"""AWS event-stream frames (``application/vnd.amazon.eventstream``), decoded by botocore.

Format as of 2026-11: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import orjson

from costspan.core.decoders import Event
from costspan.core.errors import BadRequestError

_PIECE_BYTES = 65_536
"""How much is put into botocore's buffer at once: it copies its rest for each frame."""


def require_botocore(purpose: str) -> None:
    """Make sure that botocore is there, before anything is sent that could not be read.

    Args:
        purpose: What it is needed for, as the beginning of a sentence.

    Raises:
        BadRequestError: It is not installed.
    """
    if find_spec("botocore") is None:
        raise BadRequestError(
            f"{purpose} needs botocore, which is not installed: pip install 'costspan[bedrock]'",
            provider="aws",
        )


class FrameDecoder:
    """AWS event-stream frames to events in the shape in which boto3 hands them out.

    The data of an event is ``{"<event type>": <payload>}``, and of an exception ``{"<exception
    type>": <payload>}``. Frames of InvokeModelWithResponseStream become the event of the model's
    own wire format that is packed into them. A frame that is broken ends the decoding, for nothing
    after it can be trusted; without botocore nothing is decoded.
    """

    __slots__ = ("_broken_by", "_frames")

    def __init__(self) -> None:
        self._frames: Any = None
        self._broken_by: tuple[type[Exception], ...] = ()
        try:
            from botocore.eventstream import EventStreamBuffer, ParserError
        except ImportError:
            return
        self._frames = EventStreamBuffer()
        # Besides its own errors, it lets out those of headers that are cut or of no known type.
        self._broken_by = (ParserError, struct.error, KeyError, UnicodeDecodeError)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete."""
        events: list[Event] = []
        for start in range(0, len(data), _PIECE_BYTES):
            if self._frames is None:
                break
            self._frames.add_data(data[start : start + _PIECE_BYTES])
            try:
                for frame in self._frames:
                    event = _event(frame.headers, frame.payload)
                    if event is not None:
                        events.append(event)
            except self._broken_by:
                self._frames = None
        return events

    def flush(self) -> list[Event]:
        """Nothing: a frame that is not complete says nothing."""
        return []


def _event(headers: Mapping[str, object], payload: bytes) -> Event | None:
    """The event in a frame; None for frames that are none."""
    if headers.get(":message-type") == "error":
        # An error that the service does not model has no payload.
        code, message = headers.get(":error-code"), headers.get(":error-message")
        return Event("error", orjson.dumps({"error": {"type": code, "message": message}}))
    name = headers.get(":event-type") or headers.get(":exception-type")
    if not isinstance(name, str):
        return None
    if name == "chunk":
        return _packed(payload)
    return Event(name, b"{%b:%b}" % (json.dumps(name).encode(), payload or b"{}"))


def _packed(payload: bytes) -> Event | None:
    """The event that a chunk of InvokeModelWithResponseStream carries in base64."""
    chunk = Event("", payload).json() or {}
    packed = chunk.get("bytes")
    try:
        return Event("", binascii.a2b_base64(packed)) if isinstance(packed, str) else None
    except ValueError:
        return None
