"""Attach point three: generators, teed without changing what the user holds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any, TypeVar
from weakref import ref

from costspan.middleware.live import LiveCall
from costspan.middleware.relay import Relayed, relaying, relaying_async
from costspan.middleware.running import running
from costspan.middleware.seeing import see_chunk

T = TypeVar("T")


def teed(call: LiveCall, inner: Generator[Any, Any, Any]) -> Relayed:
    """How a generator is relayed whose items are shown to a call."""
    call.keep_open()
    return Relayed(inner, partial(advance, call), partial(see_chunk, call), partial(left, call))


def teed_async(call: LiveCall, inner: AsyncGenerator[Any, Any]) -> Relayed:
    """The same for an asynchronous generator."""
    call.keep_open()
    around = partial(advance_async, call)
    return Relayed(inner, around, partial(see_chunk, call), partial(left, call))


def tee_generator(call: LiveCall, inner: Generator[T, Any, Any]) -> Generator[T, Any, Any]:
    """A real generator that hands on everything of ``inner`` and reports what passes."""
    return relaying(teed)(call, inner)


def tee_async_generator(call: LiveCall, inner: AsyncGenerator[T, Any]) -> AsyncGenerator[T, Any]:
    """The same for an asynchronous generator."""
    return relaying_async(teed_async)(call, inner)


def left(call: LiveCall, error: BaseException | None) -> None:
    """A generator is over: end the call by what left it, None where it was read to its end."""
    if error is None:
        call.end("exhausted")
    elif isinstance(error, GeneratorExit):
        # From close(), from leaving a loop, or from the garbage collector: they look alike here.
        call.end_later("closed")
    else:
        call.fail(error)


def failed(call: LiveCall, error: BaseException) -> None:
    """What is read raised; where it only was left, the call goes on until it is closed."""
    if not isinstance(error, GeneratorExit):
        call.fail(error)


def advance(call: LiveCall, method: Callable[..., T], *value: Any) -> T:
    """Advance the user's iterator with the call marked as running, never across a yield."""
    former = running.get()
    try:
        running.set(ref(call))
        return method(*value)
    finally:
        running.set(former)


async def advance_async(call: LiveCall, method: Callable[..., Any], *value: Any) -> Any:
    """The same where the iterator is asynchronous."""
    former = running.get()
    try:
        running.set(ref(call))
        return await method(*value)
    finally:
        running.set(former)
