"""HTTP: what is sent and how it fails, over httpx or a client of httpx2 that is passed in."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import orjson

from costspan.core.clients import async_share, shared_client
from costspan.core.errors import APIConnectionError, BadRequestError
from costspan.core.plain_http import warn_of_plain_http
from costspan.core.wire_error import wire_error

if TYPE_CHECKING:
    import asyncio

    from costspan.core.timeouts import Limits

Client: TypeAlias = Any
"""An httpx or httpx2 client, told by what it can do: ``build_request`` and ``send``."""

Response: TypeAlias = Any
"""Its response."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request.

    Attributes:
        url: Where it goes.
        headers: Its headers, the key among them.
        body: The JSON body as bytes.
        timeout: Seconds, or a timeout object of the client's own library; None waits forever.
        provider, model: For the errors.
        key: The API key that stands in the headers, so that no echo of it survives in an error.
        limits: What the policy limits besides; None where it does not.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: object
    provider: str
    model: str
    key: str | None = None
    limits: Limits | None = None

    def __repr__(self) -> str:
        return f"Call(url={self.url!r})"


def send(call: Call, client: Client | None, *, stream: bool) -> Response:
    """Send a request and wait for the answer, or with ``stream`` for its head.

    Raises:
        APIConnectionError, Timeout: There was no answer; the original error is chained.
    """
    _close_dropped()
    client = client or shared_client()
    try:
        if call.limits is None:
            return client.send(_request(call, client), stream=stream)
        return _send_limited(call, client, call.limits, stream=stream)
    except wire_errors(client) as error:
        raise _failed(error, call) from error


async def asend(call: Call, client: Client | None, *, stream: bool) -> Response:
    """Send a request and await the answer, or with ``stream`` its head.

    Raises:
        APIConnectionError, Timeout: There was no answer; the original error is chained.
    """
    if client is not None:
        return await _asend(call, client, stream=stream)
    share = await async_share()
    share.waiting += 1
    try:
        response = await _asend(call, share.client, stream=stream)
    finally:
        share.waiting -= 1
    if stream:
        share.streams.append(response)
    return response


async def _asend(call: Call, client: Client, *, stream: bool) -> Response:
    try:
        if call.limits is None:
            return await client.send(_request(call, client), stream=stream)
        return await _asend_limited(call, client, call.limits, stream=stream)
    except wire_errors(client) as error:
        raise _failed(error, call) from error


def _send_limited(call: Call, client: Client, limits: Limits, *, stream: bool) -> Response:
    response = client.send(_request(call, client), stream=True)
    _bound_reads(response, limits)
    if not stream:
        with closing(response):
            response.read()
    return response


async def _asend_limited(call: Call, client: Client, limits: Limits, *, stream: bool) -> Response:
    response = await client.send(_request(call, client), stream=True)
    _bound_reads(response, limits)
    if not stream:
        async with aclosing(response):
            await response.aread()
    return response


def _bound_reads(response: Response, limits: Limits) -> None:
    from costspan.core.timeouts import bound_reads

    bound_reads(response, limits)


def read(response: Response, call: Call) -> None:
    """Read the body of a streamed response that is a refusal.

    Raises:
        APIConnectionError, Timeout: It broke; the original error is chained.
    """
    try:
        response.read()
    except wire_errors(response) as error:
        raise _failed(error, call) from error


async def aread(response: Response, call: Call) -> None:
    """The same without blocking the event loop."""
    try:
        await response.aread()
    except wire_errors(response) as error:
        raise _failed(error, call) from error


def _failed(error: Exception, call: Call) -> APIConnectionError:
    server = urlsplit(call.url).netloc.rpartition("@")[2]
    return wire_error(error, call.provider, call.model, call.limits, server=server)


def _request(call: Call, client: Client) -> Any:
    warn_of_plain_http(call.url)
    kind: Any = type(getattr(client, "base_url", ""))
    request = client.build_request(
        "POST",
        _parsed(kind, call.url),
        headers={"content-type": "application/json", **call.headers},
        content=call.body,
        timeout=call.timeout,
    )
    if call.limits is not None:
        call.limits.take_over(request.extensions)
    return request


@lru_cache(maxsize=256)
def _parsed(kind: Any, url: str) -> Any:
    """An address as the client's library has it: to read it takes a tenth of the whole request."""
    return kind(url)


def encoded(body: Mapping[str, object]) -> bytes:
    """A JSON body as bytes.

    Raises:
        BadRequestError: It holds what JSON cannot say.
    """
    try:
        return orjson.dumps(body)
    except TypeError:
        # Lone surrogates and keys that are no strings, which only the slower encoder takes.
        try:
            return json.dumps(body).encode()
        except (TypeError, ValueError) as error:
            raise BadRequestError(f"the request cannot be written as JSON: {error}") from error


def wire_errors(source: Client | Response) -> tuple[type[Exception], ...]:
    """The errors of the library that a client or response comes from; httpx's for others."""
    for kind in type(source).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in ("httpx", "httpx2"):
            library: Any = sys.modules[name]
            break
    else:
        import httpx

        library = httpx
    return (library.HTTPError, library.StreamError, library.InvalidURL)


_dropped: deque[tuple[Response, Iterator[bytes]]] = deque()


def drop(response: Response, body: Iterator[bytes]) -> None:
    """Hang up on a response from a finaliser.

    The socket is closed at once. The pool is told at the next request, and the body's iterator
    is kept until then: the pool's lock may be held by the very thread that the garbage collector
    interrupted.
    """
    stream = response.extensions.get("network_stream")
    if stream is not None:
        with suppress(OSError):
            stream.close()
    _dropped.append((response, body))


def _close_dropped() -> None:
    while _dropped:
        with suppress(IndexError, OSError):
            _dropped.popleft()[0].close()


_closing: set[asyncio.Task[None]] = set()


def adrop(response: Response, loop: asyncio.AbstractEventLoop) -> None:
    """Hang up on a response of an event loop from a finaliser, in whichever thread it runs."""
    with suppress(RuntimeError):  # The loop is closed, and its connections with it.
        loop.call_soon_threadsafe(_close_soon, response)


def _close_soon(response: Response) -> None:
    import asyncio

    task = asyncio.ensure_future(response.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
