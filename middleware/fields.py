"""A reply object of any SDK as plain dicts, so that rules written for wire JSON can read it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from costspan.core.recognition import camelised

_PLAIN = (str, int, float, bool, type(None))
_LEAVES = frozenset(_PLAIN)
_MAX_DEPTH = 8
_TOP = frozenset(
    {
        "choices",
        "content",
        "content_block",
        "conversation_id",
        "data",
        "delta",
        "done",
        "done_reason",
        "embedding",
        "embeddings",
        "error",
        "eval_count",
        "event_type",
        "finish_reason",
        "generation_id",
        "generations",
        "id",
        "incomplete_details",
        "index",
        "item",
        "message",
        "meta",
        "model",
        "object",
        "output",
        "outputs",
        "prompt_eval_count",
        "response",
        "role",
        "service_tier",
        "status",
        "stop_reason",
        "text",
        "thinking",
        "tools",
        "type",
        "usage",
        "x_groq",
    }
)
"""What a reply or stream event of a known wire format holds at its top; nothing else is walked,
so that a client or a session that hangs on a result is never read."""

_GEMINI = frozenset(
    {"candidates", "model_version", "prompt_feedback", "response_id", "usage_metadata"}
)
"""The same for google-genai, whose objects spell the fields in another way than the wire does."""

_WORDS = frozenset(("message", "logprobs"))
"""What of a choice is read only to count its words."""


def reply_fields(value: object, *, whole: bool = False) -> dict[str, object] | None:
    """The wire fields of a reply.

    Only instance dictionaries (and pydantic's extra fields) are read: no property and no method of
    the user's object runs, and nothing of it is changed.

    Args:
        value: A mapping or an object with attributes; anything else has no fields.
        whole: Whether it is a whole reply. If that has usage, the words of its choices are not
            walked: nobody counts them.

    Returns:
        The fields with nested objects turned into dicts, or None. A dict is wire JSON already and
        comes back as it is.
    """
    if isinstance(value, dict):
        return value
    fields = _attributes(value)
    if fields is None:
        return None
    if "sdk_http_response" in fields:
        return camelised({key: _plain(fields[key], _MAX_DEPTH) for key in _GEMINI & fields.keys()})
    if whole and _has_counts(fields.get("usage")):
        fields = {**fields, "choices": _without_words(fields.get("choices"))}
    # Leaves are told here, without a call for each: a usage has a dozen. What is None is left out:
    # a usage without details is plain then, and needs no rules to be read.
    return {
        key: item if type(item) in _LEAVES else _plain(item, _MAX_DEPTH)
        for key, item in fields.items()
        if item is not None and key in _TOP
    }


def plain_fields(value: object) -> dict[str, object] | None:
    """All fields of one part of a reply, such as its usage; None where it has none."""
    fields = _plain(value, _MAX_DEPTH)
    return fields if isinstance(fields, dict) else None


def _has_counts(usage: object) -> bool:
    counts = getattr(usage, "__dict__", None)
    return isinstance(counts, dict) and any(type(each) is int for each in counts.values())


def _without_words(choices: object) -> object:
    if not isinstance(choices, list):
        return choices
    every = [_attributes(choice) for choice in choices]
    return [
        each and {key: item for key, item in each.items() if key not in _WORDS} for each in every
    ]


def _attributes(value: object) -> Mapping[str, object] | None:
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict):
        return None
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if isinstance(extra, dict) and extra else fields


def _plain(value: object, depth: int) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _PLAIN) or depth == 0:
        return value
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], _PLAIN):
            return value  # an embedding's numbers: not worth a walk
        return [_plain(item, depth - 1) for item in value]
    fields = value if isinstance(value, dict) else _attributes(value)
    if fields is None:
        return value
    if not fields and not isinstance(value, dict):
        return None  # a mark for what is not set, as Mistral's SDK has
    return {
        key: item if type(item) in _LEAVES else _plain(item, depth - 1)
        for key, item in fields.items()
        if item is not None
    }
