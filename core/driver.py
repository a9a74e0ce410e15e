"""The two drivers of a completion's way: they do what it yields, and differ only in awaiting."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Sequence
from typing import Any

from costspan.core import transport
from costspan.core.attempts import Opened, Step, Wait, Way
from costspan.core.errors import APIError
from costspan.core.reply import Reply

_MOST_THREADS = 32


def drive(way: Way, client: transport.Client | None, *, stream: bool) -> Reply | Opened:
    """Go the way of a completion.

    Args:
        way: From `costspan.core.attempts.way`.
        client: The caller's HTTP client; None for the shared one.
        stream: Whether the answer is streamed.

    Raises:
        APIError: The completion failed.
    """
    try:
        step = next(way)
        while True:
            try:
                outcome = _do(step, client, stream)
            except APIError as error:
                step = way.throw(error)
            else:
                step = way.send(outcome)
    except StopIteration as end:
        found: Reply | Opened = end.value
        return found


def _do(step: Step, client: transport.Client | None, stream: bool) -> Any:
    if isinstance(step, transport.Call):
        response = transport.send(step, client, stream=stream)
        if stream and response.status_code >= 300:
            transport.read(response, step)
        return response
    if isinstance(step, Wait):
        return time.sleep(step.seconds)
    return _all(step.ways, client)


def _all(ways: Sequence[Way], client: transport.Client | None) -> list[Any]:
    # Its threads are daemons, unlike an executor's: after a Ctrl-C the program ends, and waits for
    # no request that still runs.
    from multiprocessing.pool import ThreadPool

    with ThreadPool(min(len(ways), _MOST_THREADS)) as pool:
        # In copies of this context: spans and tags of the caller hold in the threads as well.
        tasks = [
            pool.apply_async(contextvars.copy_context().run, (_result, way, client)) for way in ways
        ]
        return [task.get() for task in tasks]


def _result(way: Way, client: transport.Client | None) -> Reply | Opened | APIError:
    try:
        return drive(way, client, stream=False)
    except APIError as error:
        return error


async def adrive(way: Way, client: transport.Client | None, *, stream: bool) -> Reply | Opened:
    """Go the way of a completion without blocking the event loop; otherwise as `drive`."""
    try:
        step = next(way)
        while True:
            try:
                outcome = await _ado(step, client, stream)
            except APIError as error:
                step = way.throw(error)
            else:
                step = way.send(outcome)
    except StopIteration as end:
        found: Reply | Opened = end.value
        return found


async def _ado(step: Step, client: transport.Client | None, stream: bool) -> Any:
    if isinstance(step, transport.Call):
        response = await transport.asend(step, client, stream=stream)
        if stream and response.status_code >= 300:
            await transport.aread(response, step)
        return response
    import asyncio

    if isinstance(step, Wait):
        return await asyncio.sleep(step.seconds)
    return await asyncio.gather(*(_aresult(way, client) for way in step.ways))


async def _aresult(way: Way, client: transport.Client | None) -> Reply | Opened | APIError:
    try:
        return await adrive(way, client, stream=False)
    except APIError as error:
        return error
