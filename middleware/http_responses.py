"""Finding the HTTP response inside what an SDK returns, and whether its body has been read."""

from __future__ import annotations

from typing import Any


def unread_response(result: object) -> Any | None:
    """The HTTP response inside an SDK's result (or the result itself) whose body is unread."""
    for candidate in (
        result,
        getattr(result, "http_response", None),
        getattr(result, "response", None),
    ):
        if _is_response(candidate):
            return None if already_read(candidate) else candidate
    return None


def read_response(result: object) -> Any | None:
    """The HTTP response inside a raw-response result whose body is in memory already."""
    for candidate in (getattr(result, "http_response", None), result):
        if _is_response(candidate) and already_read(candidate):
            return candidate
    return None


def _is_response(value: object) -> bool:
    return hasattr(type(value), "iter_bytes") and hasattr(type(value), "aiter_bytes")


def already_read(response: Any) -> bool:
    """Whether the body of a response is in memory, or gone."""
    return hasattr(response, "_content") or bool(response.is_closed or response.is_stream_consumed)


def response_behind(result: object) -> Any | None:
    """The HTTP response inside an SDK's result, read or not; the result itself if it is one."""
    for name in ("http_response", "response"):
        candidate = getattr(result, name, None)
        if _is_response(candidate):
            return candidate
    return result if _is_response(result) else None
