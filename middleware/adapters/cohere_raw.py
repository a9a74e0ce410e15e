"""The raw client of cohere, ``client.with_raw_response``, which its public methods call too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from costspan.middleware.adapters.patching import replace
from costspan.middleware.body import watch_body
from costspan.middleware.functions import watch_function
from costspan.middleware.live import LiveCall
from costspan.middleware.meter import MeterSource
from costspan.middleware.relay import telling
from costspan.middleware.request import RequestReader
from costspan.middleware.running import innermost_call
from costspan.middleware.streams import failed


def watch_raw(client: Any, raw: Any, name: str, meter: MeterSource, read: RequestReader) -> None:
    """Watch one method of a raw client, which gives an HTTP response or a context manager of one.

    Args:
        client: The client, which keeps the note how to undo it.
        raw: Its raw client.
        name: Name of the method.
        meter: Gives the Meter in force.
        read: Reads what is asked for.
    """
    method = getattr(raw, name)
    function = inspect.unwrap(method)
    if inspect.isasyncgenfunction(function):
        watching = _acontext
    elif inspect.isgeneratorfunction(function):
        watching = _context
    else:
        watching = _aplain if inspect.iscoroutinefunction(function) else _plain
    replace(client, raw, name, functools.update_wrapper(watching(method, meter, read), method))


def _is_recorded() -> bool:
    """Whether this is within a call of the public method, which is recorded itself."""
    call = innermost_call()
    return call is not None and call.asked.is_request


def _plain(method: Any, meter: MeterSource, read: RequestReader) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        if _is_recorded():
            return method(*args, **kwargs)
        kept = []

        def data(*args: Any, **kwargs: Any) -> Any:
            kept.append(method(*args, **kwargs))
            return kept[0].data

        watch_function(data, meter, read)(*args, **kwargs)
        return kept[0]

    return watched


def _aplain(method: Any, meter: MeterSource, read: RequestReader) -> Callable[..., Any]:
    async def watched(*args: Any, **kwargs: Any) -> Any:
        if _is_recorded():
            return await method(*args, **kwargs)
        kept = []

        async def data(*args: Any, **kwargs: Any) -> Any:
            kept.append(await method(*args, **kwargs))
            return kept[0].data

        await watch_function(data, meter, read)(*args, **kwargs)
        return kept[0]

    return watched


def _context(method: Any, meter: MeterSource, read: RequestReader) -> Callable[..., Any]:
    @contextmanager
    def watched(*args: Any, **kwargs: Any) -> Iterator[Any]:
        call = None if _is_recorded() else meter().begin(read, args, kwargs)
        with _ending(call), method(*args, **kwargs) as response:
            _watch_body(call, response)
            yield response

    return watched


def _acontext(method: Any, meter: MeterSource, read: RequestReader) -> Callable[..., Any]:
    @asynccontextmanager
    async def watched(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        call = None if _is_recorded() else meter().begin(read, args, kwargs)
        with _ending(call):
            async with method(*args, **kwargs) as response:
                _watch_body(call, response)
                yield response

    return watched


@contextmanager
def _ending(call: LiveCall | None) -> Iterator[None]:
    """End a call where its block is left, unless its body has ended it before."""
    if call is None:
        yield
        return
    try:
        with telling(functools.partial(failed, call)):
            yield
    finally:
        call.end_later("closed")


def _watch_body(call: LiveCall | None, response: Any) -> None:
    if call is not None:
        call.keep_open()
        call.guarded("watch a raw response", watch_body, call, response.response)
