"""HTTP: the only module that touches httpx, or a client of httpx2 that the caller passes in.

One client a process and one an event loop keep connections alive between calls. Neither is used
after a fork; the one of an event loop is closed when its loop shuts down, the other one at exit.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import orjson

from costspan.core.errors import APIConnectionError, APIError, BadRequestError, Timeout

if TYPE_CHECKING:
    import asyncio

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
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: object
    provider: str
    model: str
    key: str | None = None

    def __repr__(self) -> str:
        return f"Call(url={self.url!r})"


def send(call: Call, client: Client | None, *, stream: bool) -> Response:
    """Send a request and wait for the answer, or with ``stream`` for its head.

    Raises:
        APIConnectionError, Timeout: There was no answer; the original error is chained.
    """
    _close_dropped()
    client = client or _shared_client()
    try:
        return client.send(_request(call, client), stream=stream)
    except wire_errors(client) as error:
        raise wire_error(error, call.provider, call.model) from error


async def asend(call: Call, client: Client | None, *, stream: bool) -> Response:
    """Send a request and await the answer, or with ``stream`` its head.

    Raises:
        APIConnectionError, Timeout: There was no answer; the original error is chained.
    """
    client = client or await _shared_async_client()
    try:
        return await client.send(_request(call, client), stream=stream)
    except wire_errors(client) as error:
        raise wire_error(error, call.provider, call.model) from error


def _request(call: Call, client: Client) -> Any:
    _warn_of_plain_http(call.url)
    return client.build_request(
        "POST",
        call.url,
        headers={"content-type": "application/json", **call.headers},
        content=call.body,
        timeout=call.timeout,
    )


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


def wire_error(error: Exception, provider: str, model: str) -> APIError:
    """Our error for one of the HTTP library's, told by name for there are two libraries."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "TimeoutException" in kinds:
        return Timeout(
            f"{provider} did not answer in time ({type(error).__name__}): raise timeout=",
            provider=provider,
            model=model,
        )
    return APIConnectionError(
        f"no connection to {provider}, or it broke ({type(error).__name__}): check base_url and "
        "the network",
        provider=provider,
        model=model,
    )


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


_warned_hosts: set[str] = set()


def _warn_of_plain_http(url: str) -> None:
    if not url.startswith("http://"):
        return
    host = urlsplit(url).hostname or ""
    if host in _warned_hosts or _is_loopback(host):
        return
    _warned_hosts.add(host)
    warnings.warn(
        f"requests to http://{host} are not encrypted: anyone on the way can read the key and the "
        "messages. Use https://",
        UserWarning,
        stacklevel=5,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress

    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


_clients: dict[int, Client] = {}
"""The shared client by process id, so that a fork does not use its parent's sockets."""


def _shared_client() -> Client:
    client = _clients.get(os.getpid())
    if client is None:
        import httpx

        # Two threads may both come here first; the one that loses closes its own.
        made = httpx.Client(limits=httpx.Limits(max_connections=None))
        client = _clients.setdefault(os.getpid(), made)
        if client is made:
            atexit.register(made.close)
        else:
            made.close()
    return client


_loop_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()
_keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = (
    WeakKeyDictionary()
)


async def _shared_async_client() -> Client:
    import asyncio

    loop = asyncio.get_running_loop()
    client = _loop_clients.get(loop)
    if client is None:
        import httpx

        client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
        _loop_clients[loop] = client
        _keepers[loop] = keeper = _keep(client, loop)
        await anext(keeper)
    return client


async def _keep(client: Client, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
    """Close the client when the loop shuts down: a loop then closes its open generators."""
    try:
        yield
    finally:
        _loop_clients.pop(loop, None)
        _keepers.pop(loop, None)
        await client.aclose()


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
