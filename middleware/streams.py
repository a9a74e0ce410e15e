"""Attach point three: generators and iterators, teed without changing what the user holds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, TypeVar
from weakref import ref

from costspan.middleware.live import LiveCall
from costspan.middleware.running import running
from costspan.middleware.seeing import see_chunk

T = TypeVar("T")


def tee_generator(call: LiveCall, inner: Generator[T, Any, Any]) -> Generator[T, Any, Any]:
    """A real generator that hands on everything of ``inner`` and reports what passes."""
    try:
        item = _step(call, inner.__next__)
        while True:
            see_chunk(call, item)
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as thrown:
                item = _step(call, inner.throw, thrown)
            else:
                item = _step(call, inner.send, sent)
    except StopIteration as stop:
        call.end("exhausted")
        return stop.value
    except GeneratorExit:
        # From close(), from leaving a loop, or from the garbage collector: they look alike here.
        call.end_later("closed")
        raise
    except BaseException as error:
        call.fail(error)
        raise
    finally:
        inner.close()


async def tee_async_generator(
    call: LiveCall, inner: AsyncGenerator[T, Any]
) -> AsyncGenerator[T, Any]:
    """The same for an asynchronous generator."""
    try:
        item = await _async_step(call, inner.__anext__)
        while True:
            see_chunk(call, item)
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as thrown:
                item = await _async_step(call, inner.athrow, thrown)
            else:
                item = await _async_step(call, inner.asend, sent)
    except StopAsyncIteration:
        call.end("exhausted")
    except GeneratorExit:
        call.end_later("closed")
        raise
    except BaseException as error:
        call.fail(error)
        raise
    finally:
        await inner.aclose()


def _step(call: LiveCall, advance: Callable[..., T], *value: Any) -> T:
    """Advance the user's iterator with the call marked as running, never across a yield."""
    former = running.get()
    try:
        running.set(ref(call))
        return advance(*value)
    finally:
        running.set(former)


async def _async_step(call: LiveCall, advance: Callable[..., Any], *value: Any) -> Any:
    former = running.get()
    try:
        running.set(ref(call))
        return await advance(*value)
    finally:
        running.set(former)


class IteratorProxy:
    """Stands in for an iterator object that owns no HTTP response and is no generator.

    Its class reads as the iterator's own; every other attribute is the iterator's.
    """

    def __init__(self, call: LiveCall, inner: Any) -> None:
        object.__setattr__(self, "_costspan_call", call)
        object.__setattr__(self, "_costspan_inner", inner)

    @property
    def __class__(self) -> type:
        return type(object.__getattribute__(self, "_costspan_inner"))

    @__class__.setter
    def __class__(self, value: type) -> None:  # pragma: no cover - demanded by the type checker
        raise TypeError("the class of a watched stream cannot be changed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._costspan_inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._costspan_inner, name, value)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        call = self._costspan_call
        try:
            item = _step(call, self._costspan_inner.__next__)
        except StopIteration:
            call.end("exhausted")
            raise
        except BaseException as error:
            call.fail(error)
            raise
        see_chunk(call, item)
        return item

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        call = self._costspan_call
        try:
            item = await _async_step(call, self._costspan_inner.__anext__)
        except StopAsyncIteration:
            call.end("exhausted")
            raise
        except BaseException as error:
            call.fail(error)
            raise
        see_chunk(call, item)
        return item

    def __enter__(self) -> Any:
        self._costspan_inner.__enter__()
        return self

    def __exit__(self, *exc: Any) -> Any:
        try:
            return self._costspan_inner.__exit__(*exc)
        finally:
            self._costspan_call.end_later("closed", exc[1])

    async def __aenter__(self) -> Any:
        await self._costspan_inner.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        try:
            return await self._costspan_inner.__aexit__(*exc)
        finally:
            self._costspan_call.end_later("closed", exc[1])

    def close(self) -> Any:
        """Close the iterator and end the call."""
        try:
            return self._costspan_inner.close()
        finally:
            self._costspan_call.end_later("closed")

    async def aclose(self) -> Any:
        """Close the asynchronous iterator and end the call."""
        try:
            return await self._costspan_inner.aclose()
        finally:
            self._costspan_call.end_later("closed")
