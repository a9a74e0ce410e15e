"""What the SDKs of one family let their users see: raw responses, parsed streams, helpers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from surfaces import Surface

if TYPE_CHECKING:
    from bed import Bed

Asked: TypeAlias = Callable[[Any], Any]
"""Asks a client; gives an awaitable where the client is asynchronous."""


def both(
    name: str, clients: tuple[Callable[[str], Any], Callable[[str], Any]], **fields: Any
) -> list[Surface]:
    """A surface of the sync and of the async client, which are asked by the same words.

    Args:
        name: The surface.
        clients: How the two clients are made.
        fields: Of `Surface`; ``ask`` and ``open`` may be pairs, one for each client.
    """
    pairs = {key: fields.pop(key) for key in ("ask", "open") if isinstance(fields.get(key), tuple)}
    return [
        Surface(
            name=f"{word}{name}",
            client=clients[which],
            is_async=bool(which),
            **{"ask": None, **fields, **{key: pair[which] for key, pair in pairs.items()}},
        )
        for which, word in enumerate(("", "async "))
    ]


def raw(make: Asked) -> tuple[Asked, Asked]:
    """All that a raw response shows."""

    def told(client: Any) -> Any:
        response = make(client)
        octets = list(response.http_response.iter_bytes())
        return [*_shown(response), response.parse(), octets]

    async def atold(client: Any) -> Any:
        response = await make(client)
        parsed = response.parse()
        if hasattr(parsed, "__await__"):
            parsed = await parsed
        octets = [data async for data in response.http_response.aiter_bytes()]
        return [*_shown(response), parsed, octets]

    return told, atold


def _shown(response: Any) -> list[Any]:
    http = response.http_response
    return [
        (response.status_code, response.headers, response.url, response.method),
        (response.retries_taken, response.is_closed, response.http_version),
        (http.content, http.json(), http.is_stream_consumed, http.num_bytes_downloaded),
        (http.elapsed.total_seconds() > 0, response.elapsed == http.elapsed),
    ]


def raw_stream(make: Asked) -> tuple[Asked, Asked]:
    """The stream that a raw response parses into."""

    def parsed(client: Any) -> Any:
        return make(client).parse()

    async def aparsed(client: Any) -> Any:
        stream = (await make(client)).parse()
        return await stream if hasattr(stream, "__await__") else stream

    return parsed, aparsed


def final(make: Asked, method: str) -> tuple[Asked, Asked]:
    """The events of a helper's stream, and then what it has put together."""

    def told(client: Any) -> Any:
        with make(client) as stream:
            return [next(stream), list(stream), getattr(stream, method)()]

    async def atold(client: Any) -> Any:
        async with make(client) as stream:
            first = await anext(stream)
            return [first, [event async for event in stream], await getattr(stream, method)()]

    return told, atold


def lines(response: Any) -> Any:
    """What is iterated of a streaming response: its lines."""
    return response.iter_lines()


def octets(response: Any) -> Any:
    """What is iterated of a streaming response: its bytes, as they come."""
    return response.iter_bytes()


def check_attempts(surface: Surface, bed: Bed) -> None:
    """Be refused twice by a client that tries again: that is one call."""
    repeating = replace(surface, client=_patient(surface.client))
    expected = bed.play(repeating, "ok", wrapped=False, refusals=2)
    assert len(bed.server.requests()) == 3
    assert bed.play(repeating, "ok", wrapped=True, refusals=2) == expected
    (call,) = bed.calls(1)
    assert (call.retries, call.status, call.cost_usd) == (2, "ok", surface.cost_usd)


@cache
def _patient(make: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda url: make(url).with_options(max_retries=2)
