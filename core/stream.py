"""Streamed replies: iterate over their chunks, leave them in any way, read the whole at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

from costspan.core import transport
from costspan.core.assembly import StreamAssembler, no_completion
from costspan.core.attempts import Opened
from costspan.core.decoders import decoder_for
from costspan.core.errors import APIError
from costspan.core.observation import Observation
from costspan.core.reply import Chunk, Reply
from costspan.core.types import Usage
from costspan.core.wire_error import wire_error

EndedBy: TypeAlias = Literal["exhausted", "raised", "closed", "dropped", "cancelled"]
"""How a stream ended: read to its end, by an error, by `close` or leaving its ``with``, by the
garbage collector, by a cancellation or keyboard interrupt."""


class Observer(Protocol):
    """What is told of a stream; see `Stream.observers`."""

    def chunk(self, chunk: Chunk) -> None:
        """A chunk is about to be handed to the caller."""

    def end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        """The stream has ended. Called exactly once; a dropped stream calls it in a finaliser."""


class _Stream:
    """What the two kinds of streams share: all but the reading of bytes.

    Attributes:
        observers: What is told of the chunks and the end. One that needs the reply or what was
            seen keeps ``assembly``, not the stream: a stream in a reference cycle with its
            observer is not freed where it is dropped, but at some later garbage collection.
        assembly: What joins the chunks: ``assembly.reply`` is the stream's reply.
        provider, api: Canonical ids of who answers, in which wire format.
        endpoint, port: Host and port of the server.
        seen: What the response has said so far.
    """

    def __init__(self, opened: Opened) -> None:
        response, exchange = opened.response, opened.exchange
        self._response = response
        self._exchange = exchange
        self._decoder = decoder_for(response.headers.get("content-type", ""))
        self.assembly = StreamAssembler(exchange, opened.attempts, opened.secret)
        self._pending: deque[Chunk] = deque()
        self._failure: APIError | None = None
        self._drained = False
        self._ended = False
        self._wire_errors = transport.wire_errors(response)
        self._limits = opened.limits
        self._breaker = opened.breaker
        self.observers: list[Observer] = []
        self.provider = exchange.endpoint.provider
        self.api = exchange.endpoint.protocol
        self.endpoint = exchange.endpoint.host
        self.port = exchange.endpoint.port
        self.seen: Observation = self.assembly.seen
        opened.attempts[-1].seen = self.seen

    @property
    def reply(self) -> Reply:
        """The whole reply, joined from the chunks; before the end, what has come so far."""
        return self.assembly.reply

    @property
    def meters(self) -> Usage | None:
        """The usage seen so far; None when the provider has sent none yet."""
        return self.seen.usage_of(self.provider)

    @property
    def output_text(self) -> str:
        """All text seen so far: answers, reasoning and tool arguments."""
        return "".join(self.seen.output_text)

    @property
    def dropped_params(self) -> tuple[str, ...]:
        """Parameters that the wire format lacks and that were left out."""
        return self._exchange.dropped

    def _take(self, data: bytes | None) -> None:
        """Decode the next bytes; None is the end of the body."""
        self._drained = data is None
        if data and self._limits is not None:
            self._limits.began = True
        events = self._decoder.flush() if data is None else self._decoder.feed(data)
        hides_usage = not self._exchange.request.wants_usage_chunk
        try:
            for event in events:
                chunk = self.assembly.push(event)
                if chunk is not None and (chunk.choices or not hides_usage):
                    self._pending.append(chunk)
        except APIError as error:
            # The chunks before the error are the caller's first.
            self._failure = error
        if self._drained and self._failure is None and self.assembly.is_empty:
            self._failure = no_completion(self._exchange)

    def _next(self) -> Chunk | None:
        """The next chunk to hand out, if one has been read."""
        if not self._pending:
            return None
        chunk = self._pending.popleft()
        for observer in self.observers:
            observer.chunk(chunk)
        return chunk

    def _end(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        """Note the end, once."""
        if self._ended:
            return
        self._ended = True
        if isinstance(error, APIError):
            error.history = tuple(self.assembly.attempts)
            error.attempts = len(error.history)
            if self._breaker is not None:
                self._breaker.after(self._exchange.endpoint.base_url or "", error)
        self.assembly.finish()
        for observer in self.observers:
            observer.end(ended_by, error)

    def _broken(self, error: Exception) -> APIError:
        return wire_error(error, self.provider, self._exchange.request.model, self._limits)


def _cancels(error: BaseException | None) -> bool:
    import asyncio

    return isinstance(error, (asyncio.CancelledError, KeyboardInterrupt))


class Stream(_Stream):
    """A streamed reply. Iterate over it; use it in ``with`` or call `close` to leave it early.

    ```python
    with completion("openai/gpt-4o", messages, stream=True) as stream:
        for chunk in stream:
            print(chunk.choices[0].delta.content or "", end="")
    print(stream.reply.usage)
    ```
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._body: Iterator[bytes] = opened.response.iter_bytes()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        while (chunk := self._next()) is None:
            if self._ended:
                raise StopIteration
            if self._failure is not None:
                self._leave("raised", self._failure)
                raise self._failure
            if self._drained:
                self._leave("exhausted")
                raise StopIteration
            self._read()
        return chunk

    def _read(self) -> None:
        try:
            self._take(next(self._body, None))
        except self._wire_errors as error:
            broken = self._broken(error)
            self._leave("raised", broken)
            raise broken from error
        except BaseException as error:
            self._leave("cancelled" if _cancels(error) else "raised", error)
            raise

    def close(self) -> None:
        """Leave the stream; the provider may stop generating."""
        self._leave("closed")

    def _leave(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        try:
            self._response.close()
        finally:
            self._pending.clear()
            self._end(ended_by, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _cancels(error):
            self._leave("cancelled", error)
        else:
            self._leave("closed")

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            transport.drop(self._response, self._body)
            self._end("dropped")


class AsyncStream(_Stream):
    """A streamed reply for ``async for``; use it in ``async with`` or await `aclose` to leave it.

    A stream that is dropped hangs up when it is garbage-collected.
    """

    def __init__(self, opened: Opened) -> None:
        import asyncio

        super().__init__(opened)
        self._body: AsyncIterator[bytes] = opened.response.aiter_bytes()
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        while (chunk := self._next()) is None:
            if self._ended:
                raise StopAsyncIteration
            if self._failure is not None:
                await self._leave("raised", self._failure)
                raise self._failure
            if self._drained:
                await self._leave("exhausted")
                raise StopAsyncIteration
            await self._read()
        return chunk

    async def _read(self) -> None:
        try:
            self._take(await anext(self._body, None))
        except self._wire_errors as error:
            broken = self._broken(error)
            await self._leave("raised", broken)
            raise broken from error
        except BaseException as error:
            await self._leave("cancelled" if _cancels(error) else "raised", error)
            raise

    async def aclose(self) -> None:
        """Leave the stream; the provider may stop generating."""
        await self._leave("closed")

    async def close(self) -> None:
        """The same as `aclose`."""
        await self._leave("closed")

    async def _leave(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        try:
            await self._response.aclose()
        finally:
            self._pending.clear()
            self._end(ended_by, error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _cancels(error):
            await self._leave("cancelled", error)
        else:
            await self._leave("closed")

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            transport.adrop(self._response, self._loop)
            self._end("dropped")
