"""One table for all SDKs: a row is a surface, which must be the same watched and unwatched.

    @pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
    def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
        check(surface, way, bed)

`check` takes each way out twice, unwrapped and wrapped, against a real server, compares all that
the user got and all that the server got, and then reads the one record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import pytest

from costspan.middleware.meter import MeterSource
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap
from costspan.pricing.types import CostStatus

if TYPE_CHECKING:
    from bed import Bed

Way: TypeAlias = Literal[
    "ok", "error", "cut", "cancel", "close", "with", "break", "abandon", "never"
]
"""How a call goes: read to its end; HTTP error; connection dropped in the middle of the body;
cancelled while it waits (KeyboardInterrupt where it is not asynchronous); after the first item of
a stream closed, left through ``with``, left by ``break``, or dropped; never read at all."""

PLAIN_WAYS: tuple[Way, ...] = ("ok", "error", "cut", "cancel")

REFUSED = {
    "type": "error",
    "error": {"type": "invalid_request_error", "code": "bad_value", "message": "no such thing"},
}
"""The body of an error, as OpenAI and Anthropic write it."""


def _wrapped(client: Any, meter: MeterSource) -> Any:
    return wrap(client, meter)


@dataclass(frozen=True, eq=False)
class Surface:
    """One way of asking in one SDK.

    Attributes:
        name: How it is called in the names of the tests.
        client: Base URL of the server -> a new client that does not repeat failed requests. Asked
            within a running loop where the surface is asynchronous.
        ask: Makes the call with a client, reads all of it and gives what is to be compared (lists,
            dicts and values, by type and ``repr``). A coroutine where it is asynchronous. None for
            reading what ``open`` gives, item by item.
        path: Path of the request.
        answer: A JSON body, or the frames of a stream.
        provider: Canonical provider of the record.
        buckets: Meter -> tokens, worked out by hand; zeros left out. None where the provider says
            nothing, and the record holds our flagged count.
        cost_usd: US dollars, worked out by hand; None for unpriced.
        cost_status: Of the record.
        open: Makes the call and gives the stream unread, or the manager that gives it; None for
            a surface that does not stream.
        items: What is iterated of an (entered) stream: the stream itself by default.
        first: How many of the frames come before the stream is left, cut or waits.
        is_async: Whether ``ask``, ``open`` and the stream are awaited.
        lazy: Whether the request is only sent when the stream is first read.
        error: Status and body with which the server refuses.
        headers: Further headers of the answer (``content-type`` of frames that are not SSE).
        wrap: What is done to the client, or to what stands for it in ``ask`` and ``open``.
        without: Ways that the SDK does not have; say why in a comment.
    """

    name: str
    client: Callable[[str], Any]
    ask: Callable[[Any], Any] | None
    path: str
    answer: Mapping[str, Any] | Sequence[bytes]
    provider: str
    buckets: Mapping[str, int] | None
    cost_usd: Decimal | None
    cost_status: CostStatus = "priced"
    open: Callable[[Any], Any] | None = None
    items: Callable[[Any], Any] = field(default=lambda stream: stream)
    first: int | None = None
    is_async: bool = False
    lazy: bool = False
    error: tuple[int, Mapping[str, Any]] = (400, REFUSED)
    headers: Mapping[str, str] = field(default_factory=dict)
    wrap: Callable[[Any, MeterSource], Any] = _wrapped
    without: tuple[Way, ...] = ()


def ways_of(surface: Surface) -> tuple[Way, ...]:
    """The ways that a surface can go."""
    ways: tuple[Way, ...] = PLAIN_WAYS if surface.open is None else get_args(Way)
    return tuple(way for way in ways if way not in surface.without)


def rows(surfaces: Sequence[Surface]) -> list[Any]:
    """Parameters ``surface, way`` of a test, with readable ids."""
    return [
        pytest.param(surface, way, id=f"{surface.name}-{way}")
        for surface in surfaces
        for way in ways_of(surface)
    ]


def check(surface: Surface, way: Way, bed: Bed) -> Call | None:
    """Go one way unwrapped and wrapped, and compare; then read the one record.

    Returns:
        The record, for what a test wants to see beyond the table; None where nothing was sent.
    """
    expected = bed.play(surface, way, wrapped=False)
    (_, error), _ = expected
    assert (error is not None) == (way in ("error", "cut", "cancel")), error
    assert bed.memory.calls == ()
    got = bed.play(surface, way, wrapped=True)
    assert got == expected
    if way == "never" and surface.lazy:
        assert bed.calls(0) == ()
        return None
    (call,) = bed.calls(1)
    _EXPECTED[way](surface, call)
    assert call.last.provider == surface.provider
    assert (len(call.requests), call.retries) == (1, 0)
    if way == "error":
        assert call.error is not None
        assert call.error.http_status == surface.error[0]
    return call


def _ok(surface: Surface, call: Call) -> None:
    assert call.status == "ok"
    assert call.ended_by in (("value", "exhausted") if surface.open is None else ("exhausted",))
    assert call.error is None
    usage = call.last.usage
    assert usage is not None
    if surface.buckets is None:
        assert usage.source == "estimated"
        assert "no_usage" in usage.flags
    else:
        assert usage.source == "provider"
        assert {meter: n for meter, n in usage.buckets.items() if n} == surface.buckets
        assert call.cost_usd == surface.cost_usd
    assert call.cost_status == surface.cost_status


def _error(surface: Surface, call: Call) -> None:
    assert (call.status, call.ended_by) == ("error", "raised")
    assert call.error is not None
    assert (call.usage, call.cost_usd, call.cost_status) == (None, None, "unpriced")


def _cut(surface: Surface, call: Call) -> None:
    if surface.open is None:
        _error(surface, call)
    else:
        assert (call.status, call.ended_by) == ("error", "raised")
        _partial(surface, call)


def _cancelled(surface: Surface, call: Call) -> None:
    assert (call.status, call.ended_by) == ("cancelled", "cancelled")
    if surface.open is not None:
        _partial(surface, call)
    else:
        assert (call.usage, call.cost_usd, call.cost_status) == (None, None, "unpriced")


def _left(surface: Surface, call: Call) -> None:
    assert call.status == "interrupted"
    assert call.ended_by in ("closed", "dropped")
    _partial(surface, call)


def _never(surface: Surface, call: Call) -> None:
    """The prompt is counted where the server is known to have begun its answer; no more."""
    assert call.status == "interrupted"
    assert call.ended_by in ("closed", "dropped")
    if call.usage is None:
        assert (call.cost_usd, call.cost_status) == (None, "unpriced")
        return
    assert call.usage.source == "partial"
    assert call.usage.flags == ("no_usage", "missing:output")
    assert call.usage.buckets.keys() == {"tokens.in.text"}
    # Which model it is, an agent tells with its answer.
    assert call.cost_status in (
        ("unpriced",) if surface.cost_usd is None else ("partial", "unpriced")
    )


def _partial(surface: Surface, call: Call) -> None:
    """What was seen is counted, flagged, and priced as far as the model has a price."""
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"
    assert (call.cost_usd is None) == (surface.cost_usd is None)


_EXPECTED: Mapping[Way, Callable[[Surface, Call], None]] = {
    "ok": _ok,
    "error": _error,
    "cut": _cut,
    "cancel": _cancelled,
    "close": _left,
    "with": _left,
    "break": _left,
    "abandon": _left,
    "never": _never,
}
