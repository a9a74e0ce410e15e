"""Attach point three: generators, teed without changing what the user holds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeVar
from weakref import ref

from costspan.middleware.live import LiveCall
from costspan.middleware.running import running
from costspan.middleware.seeing import see_chunk

T = TypeVar("T")


def tee_generator(call: LiveCall, inner: Generator[T, Any, Any]) -> Generator[T, Any, Any]:
    """A real generator that hands on everything of ``inner`` and reports what passes."""
    call.keep_open()
    try:
        item = advance(call, inner.__next__)
        while True:
            see_chunk(call, item)
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as thrown:
                item = advance(call, inner.throw, thrown)
            else:
                item = advance(call, inner.send, sent)
    except StopIteration as stop:
        call.end("exhausted")
        return stop.value
    except GeneratorExit:
        # From close(), from leaving a loop, or from the garbage collector: they look alike here.
        # What is within goes first: a call that is in the middle of its stream is part of this one.
        try:
            inner.close()
        finally:
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
    call.keep_open()
    try:
        item = await advance_async(call, inner.__anext__)
        while True:
            see_chunk(call, item)
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as thrown:
                item = await advance_async(call, inner.athrow, thrown)
            else:
                item = await advance_async(call, inner.asend, sent)
    except StopAsyncIteration:
        call.end("exhausted")
    except GeneratorExit:
        try:
            await inner.aclose()
        finally:
            call.end_later("closed")
        raise
    except BaseException as error:
        call.fail(error)
        raise
    finally:
        await inner.aclose()


def advance(call: LiveCall, advance: Callable[..., T], *value: Any) -> T:
    """Advance the user's iterator with the call marked as running, never across a yield."""
    former = running.get()
    try:
        running.set(ref(call))
        return advance(*value)
    finally:
        running.set(former)


async def advance_async(call: LiveCall, advance: Callable[..., Any], *value: Any) -> Any:
    former = running.get()
    try:
        running.set(ref(call))
        return await advance(*value)
    finally:
        running.set(former)
