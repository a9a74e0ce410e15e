"""A reply object of any SDK as plain dicts, so that rules written for wire JSON can read it."""

from __future__ import annotations

from collections.abc import Mapping

_PLAIN = (str, int, float, bool, type(None))
_MAX_DEPTH = 8
_TOP = frozenset(
    {
        "choices",
        "content",
        "content_block",
        "data",
        "delta",
        "error",
        "id",
        "incomplete_details",
        "index",
        "item",
        "message",
        "model",
        "object",
        "output",
        "response",
        "role",
        "service_tier",
        "status",
        "stop_reason",
        "tools",
        "type",
        "usage",
        "x_groq",
    }
)
"""What a reply or stream event of a known wire format holds at its top; nothing else is walked,
so that a client or a session that hangs on a result is never read."""


def reply_fields(value: object) -> dict[str, object] | None:
    """The wire fields of a reply.

    Only instance dictionaries (and pydantic's extra fields) are read: no property and no method of
    the user's object runs, and nothing of it is changed.

    Args:
        value: A mapping or an object with attributes; anything else has no fields.

    Returns:
        The fields with nested objects turned into dicts, or None. A dict is wire JSON already and
        comes back as it is.
    """
    if isinstance(value, dict):
        return value
    fields = _attributes(value)
    if fields is None:
        return None
    return {key: _plain(fields[key], _MAX_DEPTH) for key in _TOP & fields.keys()}


def _attributes(value: object) -> Mapping[str, object] | None:
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict):
        return None
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if isinstance(extra, dict) and extra else fields


def _plain(value: object, depth: int) -> object:
    if isinstance(value, _PLAIN) or depth == 0:
        return value
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], _PLAIN):
            return value  # an embedding's numbers: not worth a walk
        return [_plain(item, depth - 1) for item in value]
    fields = value if isinstance(value, dict) else _attributes(value)
    if fields is None:
        return value
    return {key: _plain(item, depth - 1) for key, item in fields.items()}
