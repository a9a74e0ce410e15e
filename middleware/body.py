"""Attach point two: the body of an HTTP response that has not been read yet.

The byte stream of the response is replaced by one that hands on every byte as it comes and feeds
a push decoder. The user's own stream object stays what it is, in whichever way it is read.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from functools import cache
from types import ModuleType
from typing import Any

from costspan.core.decoders import Event, decoder_for
from costspan.middleware.live import LiveCall
from costspan.middleware.seeing import see_attempts, see_event

_HTTP_MODULES = ("httpx2", "httpx")
_GZIP_OR_ZLIB = 47  # zlib's wbits value for "look at the header"


class BodyReader:
    """Turns the bytes that pass into wire events for one call. Never raises."""

    def __init__(self, call: LiveCall, headers: Any) -> None:
        self.call = call
        self._decoder = decoder_for(headers.get("content-type", ""))
        encoding = headers.get("content-encoding", "").lower()
        self._inflate = (
            zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in ("gzip", "deflate") else None
        )
        # Brotli and zstandard bodies pass unread: their usage is estimated.
        self._readable = encoding in ("", "identity", "gzip", "deflate")

    def feed(self, data: bytes) -> None:
        """Take bytes as they came off the wire."""
        self.call.chunk()
        if self._readable and self.call.is_open:
            self.call.guarded("watch a response body", self._feed, data)

    def _feed(self, data: bytes) -> None:
        if self._inflate is not None:
            data = self._inflate.decompress(data)
        self._see(self._decoder.feed(data))

    def _see(self, events: list[Event]) -> None:
        for event in events:
            if event.done:
                self.call.end("exhausted")
                return
            body = event.json()
            if body is not None:
                see_event(self.call, body)
                if body.get("type") in ("message_stop", "response.completed"):
                    # The last event: end here, for a close that comes later may come from the
                    # garbage collector, where nothing may be settled.
                    self.call.end("exhausted")

    def read(self) -> None:
        """The body was read to its end."""
        if self._readable and self.call.is_open:
            self.call.guarded("watch a response body", self._flush)
        self.call.end("exhausted")

    def _flush(self) -> None:
        self._see(self._decoder.flush())

    def failed(self, error: BaseException) -> None:
        """Reading the body raised."""
        if isinstance(error, GeneratorExit):
            self.call.end_later("closed")
        else:
            self.call.fail(error)

    def closed(self) -> None:
        """The body was closed, perhaps before its end."""
        self.call.end_later("closed")


def unread_response(result: object) -> Any | None:
    """The HTTP response inside an SDK's result (or the result itself) whose body is unread."""
    for candidate in (
        result,
        getattr(result, "http_response", None),
        getattr(result, "response", None),
    ):
        if _is_response(candidate):
            return None if _already_read(candidate) else candidate
    return None


def read_response(result: object) -> Any | None:
    """The HTTP response inside a raw-response result whose body is in memory already."""
    for candidate in (getattr(result, "http_response", None), result):
        if _is_response(candidate) and _already_read(candidate):
            return candidate
    return None


def _is_response(value: object) -> bool:
    return hasattr(type(value), "iter_bytes") and hasattr(type(value), "aiter_bytes")


def _already_read(response: Any) -> bool:
    return hasattr(response, "_content") or bool(response.is_closed or response.is_stream_consumed)


def watch_body(call: LiveCall, response: Any) -> None:
    """Put the tee between the connection and whoever reads the response."""
    inner = response.stream
    module = _module_of(inner)
    if module is None:
        call.end("value")
        return
    see_attempts(call, response)
    kind: type = type(inner)
    response.stream = _tee_class(module, kind)(inner, BodyReader(call, response.headers))


def _module_of(stream: object) -> ModuleType | None:
    for name in _HTTP_MODULES:
        module = sys.modules.get(name)
        if module is not None and isinstance(
            stream, (module.SyncByteStream, module.AsyncByteStream)
        ):
            return module
    return None


class _SyncTee:
    """Byte stream that hands on and reports; made a subclass of its HTTP library's own below."""

    inner: Any
    reader: BodyReader

    def __iter__(self) -> Iterator[bytes]:
        try:
            for data in self.inner:
                self.reader.feed(data)
                yield data
        except BaseException as error:
            self.reader.failed(error)
            raise
        self.reader.read()

    def close(self) -> None:
        try:
            self.inner.close()
        finally:
            self.reader.closed()


class _AsyncTee:
    inner: Any
    reader: BodyReader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        iterator = self.inner.__aiter__()
        try:
            async for data in iterator:
                self.reader.feed(data)
                yield data
        except BaseException as error:
            self.reader.failed(error)
            raise
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
        self.reader.read()

    async def aclose(self) -> None:
        try:
            await self.inner.aclose()
        finally:
            self.reader.closed()


class _Tee:
    def __init__(self, inner: Any, reader: BodyReader) -> None:
        self.inner = inner
        self.reader = reader

    def __getattr__(self, name: str) -> Any:
        # What the HTTP library keeps on its stream (``elapsed``) stays readable.
        return getattr(self.__dict__["inner"], name)


@cache
def _tee_class(module: ModuleType, stream_type: type) -> type[Any]:
    """The tee for one HTTP library and kind of stream, defined once."""
    bases: list[type] = [_Tee]
    if issubclass(stream_type, module.SyncByteStream):
        bases += [_SyncTee, module.SyncByteStream]
    if issubclass(stream_type, module.AsyncByteStream):
        bases += [_AsyncTee, module.AsyncByteStream]
    return type("CostspanByteStream", tuple(bases), {})
