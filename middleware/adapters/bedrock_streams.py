"""What botocore hands out unread: an EventStream, or the StreamingBody of InvokeModel.

Their types stay, and so does that of the urllib3 response which ``with body`` gives: methods of the
one object are replaced. They hold the object weakly, so that it dies when it did before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any
from weakref import ref

from costspan.core.decoders import Event
from costspan.core.protocols import load
from costspan.core.protocols.bedrock_invoke import API as INVOKE
from costspan.core.protocols.bedrock_invoke import METRICS
from costspan.middleware.live import LiveCall
from costspan.middleware.relay import telling
from costspan.middleware.seeing import see_event
from costspan.middleware.streams import failed, left

_COUNTS = {
    "x-amzn-bedrock-input-token-count": "inputTokenCount",
    "x-amzn-bedrock-output-token-count": "outputTokenCount",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
}
"""Header of InvokeModel -> name of the same count in the last chunk of its stream."""


def watch_event_stream(call: LiveCall, stream: Any) -> None:
    """Show the events of an EventStream to a call, as the user reads them."""
    fields = vars(stream)
    frames = _tee(call, stream._event_generator)
    parse, close = _weakly(stream, "_parse_event"), _weakly(stream, "close")
    fields["_event_generator"] = frames
    fields["_parse_event"] = _parsing(call, parse)
    fields["close"] = _closing(call, close)
    call.keep_open()


def _weakly(owner: Any, name: str) -> Callable[..., Any]:
    """A method of an object that does not keep the object alive."""
    reference, method = ref(owner), getattr(type(owner), name)

    def bound(*args: Any, **kwargs: Any) -> Any:
        alive = reference()
        # Gone only where the garbage collector has cut it off, and closes what it holds as well.
        return None if alive is None else method(alive, *args, **kwargs)

    return bound


def _tee(call: LiveCall, frames: Generator[Any, None, None]) -> Generator[Any, None, None]:
    with telling(partial(left, call)):
        yield from frames
    left(call, None)


def _parsing(call: LiveCall, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Parsing of one frame, which raises for the exceptions that come in a stream."""

    def parsing(frame: Any) -> Any:
        with telling(call.fail):
            event = parse(frame)
        call.chunk()
        call.guarded("watch a stream", _see, call, event)
        return event

    return parsing


def _see(call: LiveCall, event: Mapping[str, Any]) -> None:
    packed = event.get("chunk")
    body: Mapping[str, Any] | None = event
    if isinstance(packed, dict):
        body = Event("", packed.get("bytes", b"")).json()
    if body is None:
        return
    see_event(call, body)
    if METRICS in body:
        load(INVOKE).observe({METRICS: body[METRICS]}, call.seen)
    # End with the last event: what comes later may come from the garbage collector.
    if METRICS in body or (body is event and "metadata" in event):
        call.end("exhausted")


def _closing(call: LiveCall, close: Callable[[], Any]) -> Callable[[], Any]:
    def closing() -> Any:
        try:
            return close()
        finally:
            call.end_later("closed")

    return closing


def watch_streaming_body(call: LiveCall, body: Any, headers: Mapping[str, str]) -> None:
    """Show the body of InvokeModel to a call, in whichever way the user reads it."""
    reader = _BodyReader(call, headers)
    raw = body._raw_stream
    for name in ("read", "read1"):
        vars(raw)[name] = _reading(reader, _weakly(raw, name))
    vars(raw)["read_chunked"] = _reading_chunked(reader, _weakly(raw, "read_chunked"))
    vars(raw)["close"] = _closing(call, _weakly(raw, "close"))
    call.keep_open()


class _BodyReader:
    """Collects the body as it is read; its JSON is whole only at the end.

    Args:
        call: The call that it answers.
        headers: Of the response, by lower-case names. They hold Bedrock's own counts, which are
            known even where nobody reads the body.
    """

    def __init__(self, call: LiveCall, headers: Mapping[str, str]) -> None:
        self.call = call
        self._pieces: list[bytes] = []
        self._length = 0
        said = headers.get("content-length", "")
        self._whole = int(said) if said.isdigit() else None
        found = {name: headers.get(header, "") for header, name in _COUNTS.items()}
        self._counts = {name: int(text) for name, text in found.items() if text.isdigit()}
        self._see_counts()

    def _see_counts(self) -> None:
        if self._counts:
            load(INVOKE).observe({METRICS: self._counts}, self.call.seen)

    def feed(self, data: bytes, is_end: bool) -> None:
        """Take bytes that were read, and whether there are no more."""
        self._pieces.append(data)
        self._length += len(data)
        if self._whole is not None and self._length < self._whole:
            if is_end:
                self.call.seen.note_error({"type": "IncompleteReadError"})  # botocore raises it
                self.call.end("raised")
        elif is_end or self._whole is not None:
            self.call.guarded("watch a response body", self._see_body)
            self.call.end("exhausted")

    def _see_body(self) -> None:
        body = Event("", b"".join(self._pieces)).json()
        self._pieces = []
        if body is None or not self.call.is_open:
            return
        seen = self.call.seen
        seen.usage, seen.api = None, self.call.asked.api  # the body says more than the headers
        see_event(self.call, body)
        seen.complete = True
        self._see_counts()


def _reading(reader: _BodyReader, read: Callable[..., bytes]) -> Callable[..., bytes]:
    def reading(*args: Any, **kwargs: Any) -> bytes:
        with telling(reader.call.fail):
            data = read(*args, **kwargs)
        if reader.call.is_open:
            amount = args[0] if args else kwargs.get("amt")
            reader.feed(data, amount is None or amount < 0 or (not data and amount > 0))
        return data

    return reading


def _reading_chunked(
    reader: _BodyReader, read: Callable[..., Generator[bytes, None, None]]
) -> Callable[..., Generator[bytes, None, None]]:
    def reading(*args: Any, **kwargs: Any) -> Generator[bytes, None, None]:
        with telling(partial(failed, reader.call)):
            for data in read(*args, **kwargs):
                if reader.call.is_open:
                    reader.feed(data, False)
                yield data
        if reader.call.is_open:
            reader.feed(b"", True)

    return reading
