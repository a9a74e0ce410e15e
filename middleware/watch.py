"""What came back decides how a call is watched: a value, an unread body, or a stream."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, TypeVar

from costspan.core.decoders import JSONDecoder
from costspan.core.embedding_reply import EmbeddingReply
from costspan.core.reply import Reply
from costspan.core.stream import AsyncStream, Stream
from costspan.middleware.background import answered
from costspan.middleware.body import watch_body
from costspan.middleware.futures import watch_future
from costspan.middleware.http_responses import read_response, unread_response
from costspan.middleware.iterators import watch_iterator
from costspan.middleware.live import LiveCall
from costspan.middleware.own import take_reply, watch_own_stream
from costspan.middleware.seeing import see_value
from costspan.middleware.streams import tee_async_generator, tee_generator

T = TypeVar("T")


def watch(call: LiveCall, result: T) -> T:
    """Attach to what the user's call returned, and give back what the user gets.

    Returns:
        The very same object; for a generator one of the same type that hands everything on.
    """
    watched: T | None = call.guarded("watch a result", _watch, call, result)
    return result if watched is None else watched


_HOLD_A_RESPONSE = frozenset(("response", "http_response", "stream", "_stream"))
"""Attributes of an SDK's result that wraps an HTTP response, and of a response itself."""


def _watch(call: LiveCall, result: Any) -> Any:
    fields = getattr(result, "__dict__", None)
    if type(result) is dict or (type(fields) is dict and _is_plain(result, fields)):
        see_value(call, result)
        answered(call)
        return result
    return _watch_other(call, result)


def _is_plain(result: object, fields: dict[str, object]) -> bool:
    """Whether an object is a whole reply: the quick answer for nearly all of them."""
    kind: type = type(result)
    return _HOLD_A_RESPONSE.isdisjoint(fields) and not _goes_on(kind)


@lru_cache(maxsize=1024)
def _goes_on(kind: type) -> bool:
    """Whether objects of a class give more than they are: streams and futures."""
    return any(hasattr(kind, name) for name in ("__next__", "__anext__", "add_done_callback"))


def _watch_other(call: LiveCall, result: Any) -> Any:
    if isinstance(result, (Reply, EmbeddingReply)):
        take_reply(call, result)
    elif isinstance(result, (Stream, AsyncStream)):
        call.keep_open()
        watch_own_stream(call, result)
    elif inspect.isgenerator(result):
        call.keep_open()
        return tee_generator(call, result)
    elif inspect.isasyncgen(result):
        call.keep_open()
        return tee_async_generator(call, result)
    elif (response := unread_response(result)) is not None:
        call.keep_open()
        watch_body(call, response)
    elif (response := read_response(result)) is not None:
        _see_content(call, response.content)
    elif hasattr(type(result), "add_done_callback"):
        call.keep_open()
        watch_future(call, result)
    elif hasattr(type(result), "__next__") or hasattr(type(result), "__anext__"):
        call.keep_open()
        return watch_iterator(call, result)
    else:
        see_value(call, result)
        answered(call)
    return result


def _see_content(call: LiveCall, content: bytes) -> None:
    """Read a raw response's own bytes; the user's ``parse()`` is theirs to call."""
    decoder = JSONDecoder()
    call.seen.complete = True
    for event in (*decoder.feed(content), *decoder.flush()):
        body = event.json()
        if body is not None:
            see_value(call, body)
    answered(call)
