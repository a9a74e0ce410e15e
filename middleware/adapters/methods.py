"""Watching the public methods of a client one by one, for SDKs that have no one request method."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from costspan.core.endpoints import provider_from_url
from costspan.middleware.adapters.patching import replace
from costspan.middleware.arguments import argument_reader
from costspan.middleware.functions import begun_when_read, marked, watch_function
from costspan.middleware.known_functions import methods_of
from costspan.middleware.meter import MeterSource
from costspan.middleware.request import AskedCall, RequestReader, from_wire

Streams: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Whether a call with these keyword arguments gives a native generator."""


def watch_method(
    client: Any,
    owner: Any,
    name: str,
    meter: MeterSource,
    read: RequestReader,
    streams: Streams | None = None,
) -> None:
    """Watch one method of a client, or of a part of it, in place.

    Args:
        client: The client, which keeps the note how to undo it.
        owner: The client or the part of it that has the method.
        name: Name of the method.
        meter: Gives the Meter in force.
        read: Reads what is asked for.
        streams: As in `watched_method`.
    """
    replace(client, owner, name, watched_method(getattr(owner, name), meter, read, streams))


def watch_known_methods(client: Any, meter: MeterSource) -> None:
    """Watch a client in place at all of its methods that are known by name."""
    for name in methods_of(client):
        method = getattr(client, name)
        replace(client, client, name, watch_function(method, meter, argument_reader(method)))


def watched_method(
    function: Any, meter: MeterSource, read: RequestReader, streams: Streams | None = None
) -> Any:
    """Make a function of the same kind whose every call is watched.

    Args:
        function: A bound method of a client.
        meter: Gives the Meter in force.
        read: Reads what is asked for.
        streams: Tells the calls that give a generator which sends the request when it is first
            advanced: there the call begins then, and one that is never advanced is none. None for
            methods without such calls.
    """
    watched = watch_function(function, meter, read)
    if (
        streams is None
        or inspect.isgeneratorfunction(watched)
        or inspect.isasyncgenfunction(watched)
    ):
        return watched
    late = _late_coroutine if inspect.iscoroutinefunction(function) else _late
    return marked(late(function, watched, meter, read, streams), function)


def _late(
    function: Any, watched: Any, meter: MeterSource, read: RequestReader, streams: Streams
) -> Callable[..., Any]:
    def outer(*args: Any, **kwargs: Any) -> Any:
        if not streams(kwargs):
            return watched(*args, **kwargs)
        return begun_when_read(function(*args, **kwargs), meter, read, args, kwargs)

    return outer


def _late_coroutine(
    function: Any, watched: Any, meter: MeterSource, read: RequestReader, streams: Streams
) -> Callable[..., Any]:
    async def outer(*args: Any, **kwargs: Any) -> Any:
        if not streams(kwargs):
            return await watched(*args, **kwargs)
        return begun_when_read(await function(*args, **kwargs), meter, read, args, kwargs)

    return outer


def asked_of(
    api: str,
    body: Mapping[str, Any],
    base_url: str,
    maker: str,
    streaming: bool = False,
) -> AskedCall:
    """One request by a client that is made for one provider.

    Args:
        api: Canonical api.
        body: The arguments of the method, by the names that they have on the wire.
        base_url: Where it is sent; empty if nothing tells it.
        maker: Whose models the client calls where no known host says otherwise. The name of the
            model does not count: an open model of another maker is served, and billed, here.
        streaming: Whether the method is one that streams.
    """
    asked = from_wire(api, body, base_url, maker)
    return asked._replace(
        provider=_provider_at(base_url) or maker, streaming=streaming or asked.streaming
    )


@functools.lru_cache(maxsize=256)
def _provider_at(base_url: str) -> str | None:
    return provider_from_url(base_url)
