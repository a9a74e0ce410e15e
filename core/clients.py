"""The shared HTTP clients, which keep connections alive between calls.

One a process, and for each event loop as many as its requests need. None is used after a fork;
those of an event loop are closed when it shuts down, the other one at exit.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import AsyncGenerator
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import asyncio
    import ssl

_MOST_AT_ONCE = 4
"""Requests that one asynchronous client gets at once; then the next client is asked.

In httpcore 1.0.9 every request that waits looks through all connections, and one that falls idle
is given to all that wait: 200 at once in one client take more than twice as long. Measured by
``benchmarks/completion.py``.
"""

_KEPT_ALIVE_S = 60.0
"""How long an idle connection is kept: people think longer than httpx's 5 seconds before the next
message. One that the server has closed is noticed before it is used."""

_clients: dict[int, Any] = {}
"""The shared client by process id, so that a fork does not use its parent's sockets."""


@cache
def _ssl_context() -> ssl.SSLContext:
    """What all clients verify with: to read the certificates takes longer than all the rest."""
    import httpx

    return httpx.create_ssl_context()


def _options() -> dict[str, Any]:
    import httpx

    limits = httpx.Limits(max_connections=None, keepalive_expiry=_KEPT_ALIVE_S)
    return {"limits": limits, "verify": _ssl_context()}


def shared_client() -> Any:
    """The client of this process."""
    client = _clients.get(os.getpid())
    if client is None:
        import httpx

        # Two threads may both come here first; the one that loses closes its own.
        made = httpx.Client(**_options())
        client = _clients.setdefault(os.getpid(), made)
        if client is made:
            atexit.register(made.close)
        else:
            made.close()
    return client


class AsyncShare:
    """One of the clients of an event loop.

    Attributes:
        client: The client.
        waiting: Requests that have no answer yet.
        streams: Answers that are being read, and some that were.
        used_at: The loop's time when it was last asked for.
    """

    __slots__ = ("client", "streams", "used_at", "waiting")

    def __init__(self, client: Any) -> None:
        self.client = client
        self.waiting = 0
        self.streams: list[Any] = []
        self.used_at = 0.0

    @property
    def at_once(self) -> int:
        """Requests that it is busy with."""
        if self.streams:
            self.streams = [each for each in self.streams if not each.is_closed]
        return self.waiting + len(self.streams)


_shares: WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncShare]] = WeakKeyDictionary()
_keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = (
    WeakKeyDictionary()
)


async def async_share() -> AsyncShare:
    """The first client of the running event loop that is not busy with too much."""
    import asyncio

    loop = asyncio.get_running_loop()
    shares = _shares.get(loop)
    if shares is None:
        shares = _shares[loop] = []
        _keepers[loop] = keeper = _keep(shares, loop)
        await anext(keeper)
    share = next((each for each in shares if each.at_once < _MOST_AT_ONCE), None)
    if share is None:
        import httpx

        share = AsyncShare(httpx.AsyncClient(**_options()))
        shares.append(share)
    share.used_at = loop.time()
    last = shares[-1]
    if share.used_at - last.used_at > _KEPT_ALIVE_S and not last.at_once:
        # Left over from when more was asked at once: nobody else closes its connections.
        shares.remove(last)
        await last.client.aclose()
    return share


async def _keep(
    shares: list[AsyncShare], loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[None, None]:
    """Close the clients when the loop shuts down: a loop then closes its open generators."""
    try:
        yield
    finally:
        _shares.pop(loop, None)
        _keepers.pop(loop, None)
        for share in shares:
            await share.client.aclose()
