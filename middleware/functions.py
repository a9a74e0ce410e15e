"""Watching a function: one wrapper for each kind, which differ only in where they await."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import Any, TypeAlias
from weakref import ref

from costspan.middleware.live import LiveCall
from costspan.middleware.meter import Meter, MeterSource
from costspan.middleware.relay import Relayed, relaying, relaying_async, telling
from costspan.middleware.request import RequestReader
from costspan.middleware.running import running
from costspan.middleware.streams import teed, teed_async
from costspan.middleware.watch import watch

MARK = "__costspan_wrapped__"
"""Attribute of a watched function; what it calls is its ``__wrapped__``."""

Look: TypeAlias = Callable[[LiveCall, Any], Any]
"""Attaches to what a call returned, and gives back what the user gets."""


def watch_function(
    function: Any, meter: MeterSource, read: RequestReader, *, look: Look = watch
) -> Any:
    """Make a function of the same kind and signature whose every call is watched.

    Args:
        function: A function, coroutine function, generator function or other callable.
        meter: Gives the Meter in force.
        read: Reads what is asked for.
        look: Looks at what a plain function returned, where `watch` does not know what that is.
    """
    if inspect.isasyncgenfunction(function):
        watched: Any = _async_generator(function, meter, read)
    elif inspect.isgeneratorfunction(function):
        watched = _generator(function, meter, read)
    elif inspect.iscoroutinefunction(function):
        watched = _coroutine(function, meter, read)
    else:
        watched = _plain(function, meter, read, look)
    return marked(watched, function)


def marked(watched: Any, function: Any) -> Any:
    """Give a watched function the looks of the one that it calls, and the mark of being watched."""
    functools.update_wrapper(watched, function)
    setattr(watched, MARK, True)
    return watched


def _plain(
    function: Callable[..., Any], meter: MeterSource, read: RequestReader, look: Look
) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        in_force = meter()
        call = in_force.begin(read, args, kwargs)
        if call is None:
            return function(*args, **kwargs)
        former = running.get()
        spans = in_force.attach(call)
        try:
            with telling(call.fail):
                running.set(ref(call))
                result = function(*args, **kwargs)
        finally:
            running.set(former)
            in_force.detach(spans)
        if inspect.iscoroutine(result):
            # A function that hides that it is asynchronous, as the SDKs' own ``create`` does.
            return _await(in_force, call, result)
        return look(call, result)

    return watched


async def _await(meter: Meter, call: LiveCall, awaitable: Awaitable[Any]) -> Any:
    former = running.get()
    spans = meter.attach(call)
    try:
        with telling(call.fail):
            running.set(ref(call))
            result = await awaitable
    finally:
        running.set(former)
        meter.detach(spans)
    return watch(call, result)


def _coroutine(
    function: Callable[..., Awaitable[Any]], meter: MeterSource, read: RequestReader
) -> Callable[..., Awaitable[Any]]:
    async def watched(*args: Any, **kwargs: Any) -> Any:
        in_force = meter()
        call = in_force.begin(read, args, kwargs)
        if call is None:
            return await function(*args, **kwargs)
        return await _await(in_force, call, function(*args, **kwargs))

    return watched


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], meter: MeterSource, read: RequestReader
) -> Callable[..., Generator[Any, Any, Any]]:
    def start(*args: Any, **kwargs: Any) -> Relayed:
        inner = function(*args, **kwargs)
        call = meter().begin(read, args, kwargs)
        return Relayed(inner, _directly) if call is None else teed(call, inner)

    return relaying(start)


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], meter: MeterSource, read: RequestReader
) -> Callable[..., AsyncGenerator[Any, Any]]:
    def start(*args: Any, **kwargs: Any) -> Relayed:
        inner = function(*args, **kwargs)
        call = meter().begin(read, args, kwargs)
        return Relayed(inner, _directly) if call is None else teed_async(call, inner)

    return relaying_async(start)


def _directly(method: Callable[..., Any], *value: Any) -> Any:
    """A step of a generator whose call is not recorded."""
    return method(*value)


def begun_when_read(
    stream: Generator[Any, Any, Any] | AsyncGenerator[Any, Any],
    meter: MeterSource,
    read: RequestReader,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Make a generator of the same kind whose call begins when it is first advanced.

    Args:
        stream: A generator that sends its request then, and not before.
        meter: Gives the Meter in force.
        read: Reads what is asked for.
        args, kwargs: What it reads: the arguments of the function that gave the stream.
    """
    made: Any = _async_generator if inspect.isasyncgen(stream) else _generator
    return made(lambda *_, **__: stream, meter, read)(*args, **kwargs)
