"""The byte streams that take the place of a response's own: each hands on what it is fed with."""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from costspan.middleware.relay import telling

_HTTP_MODULES = ("httpx2", "httpx")
_GZIP_OR_ZLIB = 47  # zlib's wbits value for "look at the header"


class Reader(Protocol):
    """What is shown a body as it is read. None of its methods may raise."""

    def feed(self, data: bytes) -> None:
        """Take bytes as they came off the wire."""

    def read(self) -> None:
        """The body was read to its end."""

    def failed(self, error: BaseException) -> None:
        """Reading the body raised."""

    def closed(self) -> None:
        """The body was closed, perhaps before its end; perhaps by the garbage collector."""


class Unpacking:
    """Undoes the content encoding of a body.

    Attributes:
        packed: Whether there is one that can be undone.
        readable: Whether the body can be read: brotli and zstandard cannot.
    """

    def __init__(self, headers: Any) -> None:
        encoding = headers.get("content-encoding", "").lower()
        self.packed = encoding in ("gzip", "deflate")
        self.readable = self.packed or encoding in ("", "identity")
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB) if self.packed else None

    def unpack(self, data: bytes) -> bytes:
        """Take the next bytes, and give what they hold.

        Raises:
            zlib.error: They are damaged.
        """
        return data if self._inflate is None else self._inflate.decompress(data)


def replace_stream(response: Any, kinds: StreamKinds, reader: object) -> bool:
    """Put a byte stream of ours between the connection and whoever reads the response.

    Args:
        response: A response of httpx or httpx2, unread.
        kinds: The classes of the stream that is put there.
        reader: What that hands the bytes to.

    Returns:
        Whether it was one of theirs.
    """
    inner = response.stream
    module = _module_of(inner)
    if module is None:
        return False
    kind: type = type(inner)
    response.stream = _stream_class(module, kind, kinds)(inner, reader)
    return True


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
    reader: Reader

    def __iter__(self) -> Iterator[bytes]:
        with telling(self.reader.failed):
            for data in self.inner:
                self.reader.feed(data)
                yield data
        self.reader.read()

    def close(self) -> None:
        try:
            self.inner.close()
        finally:
            self.reader.closed()


class _AsyncTee:
    inner: Any
    reader: Reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        iterator = self.inner.__aiter__()
        try:
            with telling(self.reader.failed):
                async for data in iterator:
                    self.reader.feed(data)
                    yield data
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
        self.reader.read()

    async def aclose(self) -> None:
        try:
            await self.inner.aclose()
        finally:
            self.reader.closed()


class _Stream:
    def __init__(self, inner: Any, reader: Any) -> None:
        self.inner = inner
        self.reader = reader

    def __getattr__(self, name: str) -> Any:
        # What the HTTP library keeps on its stream (``elapsed``) stays readable.
        return getattr(self.__dict__["inner"], name)


class StreamKinds(NamedTuple):
    """The synchronous and the asynchronous class of a byte stream of ours."""

    synchronous: type
    asynchronous: type


TEES = StreamKinds(_SyncTee, _AsyncTee)
"""They hand on every byte, and show it to a `Reader`."""


@cache
def _stream_class(module: ModuleType, stream_type: type, kinds: StreamKinds) -> type[Any]:
    """The stream for one HTTP library and kind of stream, defined once."""
    bases: list[type] = [_Stream]
    if issubclass(stream_type, module.SyncByteStream):
        bases += [kinds.synchronous, module.SyncByteStream]
    if issubclass(stream_type, module.AsyncByteStream):
        bases += [kinds.asynchronous, module.AsyncByteStream]
    return type("CostspanByteStream", tuple(bases), {})
