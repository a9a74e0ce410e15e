"""The pieces that messages are made of, in every provider's shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_DEEPEST = 24


@dataclass(slots=True)
class Content:
    """What a request holds.

    Attributes:
        texts: Every text that is tokenised, in order.
        messages: How many messages carry them.
        names: (name, whether it repeats the role) of named messages.
        tools: The tool definitions as JSON text.
        tool_calls: Tool calls in the history.
        images, audios, files: Media of which the size is unknown.
        token_ids: Tokens that were handed over as numbers.
        thinking: Whether extended thinking is switched on.
        schema: Whether an output schema is among the texts.
        caches: Whether it asks for parts to be written to the cache.
    """

    texts: list[str] = field(default_factory=list)
    messages: int = 0
    names: list[tuple[str, bool]] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    tool_calls: int = 0
    images: int = 0
    audios: int = 0
    files: int = 0
    token_ids: int = 0
    thinking: bool = False
    schema: bool = False
    caches: bool = False


def read_part(found: Content, part: object, depth: int) -> None:
    """Read a piece of content of any shape."""
    if isinstance(part, str):
        found.texts.append(part)
    elif isinstance(part, (list, tuple)):
        for one in part if depth < _DEEPEST else ():
            read_part(found, one, depth + 1)
    elif part is not None and not isinstance(part, (int, float, bytes)) and depth < _DEEPEST:
        if isinstance(part, Mapping) and ("cache_control" in part or "cachePoint" in part):
            found.caches = True
        kind = field_of(part, "type")
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is not None:
            reader(found, part, depth)
        else:
            _untyped(found, part, depth)


def _untyped(found: Content, part: object, depth: int) -> None:
    """Read a part that its keys tell: Gemini's and Bedrock's, and plain texts."""
    for key, reader in _KEYED:
        value = field_of(part, key)
        if value is not None:
            reader(found, value, depth)
            return
    for key in ("content", "parts", "json"):
        value = field_of(part, key)
        if value is not None:
            if key == "json":
                found.texts.append(as_json(value))
            else:
                read_part(found, value, depth + 1)
            return


def _text(found: Content, part: object, depth: int) -> None:
    text = field_of(part, "text", "refusal")
    if isinstance(text, str):
        found.texts.append(text)


def _plain(found: Content, value: object, depth: int) -> None:
    if isinstance(value, str):
        found.texts.append(value)


def read_call(found: Content, call: object, depth: int = 0) -> None:
    """Count a tool call by its name and its arguments."""
    found.tool_calls += 1
    name = field_of(call, "name")
    if isinstance(name, str):
        found.texts.append(name)
    arguments = field_of(call, "arguments", "input", "args")
    if isinstance(arguments, str):
        found.texts.append(arguments)
    elif arguments is not None:
        found.texts.append(as_json(arguments))


def _result(found: Content, part: object, depth: int) -> None:
    """Read what a tool gave back."""
    value = field_of(part, "content", "output", "response")
    if isinstance(value, Mapping):
        found.texts.append(as_json(value))
    elif value is not None:
        read_part(found, value, depth + 1)


def _image(found: Content, part: object, depth: int) -> None:
    found.images += 1


def _audio(found: Content, part: object, depth: int) -> None:
    found.audios += 1


def _file(found: Content, part: object, depth: int) -> None:
    source = field_of(part, "source")
    if field_of(source, "type") == "text":
        _plain(found, field_of(source, "data"), depth)
    else:
        found.files += 1


def _blob(found: Content, value: object, depth: int) -> None:
    """Sort Gemini's inline data by its media type."""
    kind = field_of(value, "mimeType", "mime_type")
    kind = kind if isinstance(kind, str) else ""
    found.images += kind.startswith("image/")
    found.audios += kind.startswith("audio/")
    found.files += not kind.startswith(("image/", "audio/"))


def _nothing(found: Content, part: object, depth: int) -> None:
    """Skip thinking: old turns' is not billed, and what it is encrypted to is not text."""


_Reader = Callable[[Content, object, int], None]
_READERS: dict[str, _Reader] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _text,
    "image": _image,
    "image_url": _image,
    "input_image": _image,
    "input_audio": _audio,
    "audio": _audio,
    "file": _file,
    "input_file": _file,
    "document": _file,
    "video_url": _file,
    "tool_use": read_call,
    "server_tool_use": read_call,
    "function_call": read_call,
    "custom_tool_call": read_call,
    "tool_result": _result,
    "function_call_output": _result,
    "custom_tool_call_output": _result,
    "thinking": _nothing,
    "redacted_thinking": _nothing,
    "reasoning": _nothing,
    "item_reference": _nothing,
}
_KEYED: tuple[tuple[str, _Reader], ...] = (
    ("text", _plain),
    ("inlineData", _blob),
    ("inline_data", _blob),
    ("fileData", _blob),
    ("file_data", _blob),
    ("functionCall", read_call),
    ("function_call", read_call),
    ("functionResponse", _result),
    ("function_response", _result),
    ("toolUse", read_call),
    ("toolResult", _result),
    ("image", _image),
    ("image_url", _image),
    ("document", _file),
    ("video", _file),
    ("audio", _audio),
    ("reasoningContent", _nothing),
)


def field_of(node: object, *keys: str) -> object:
    """Give the first of some fields that a mapping or an SDK's object has."""
    if type(node) is dict or isinstance(node, Mapping):
        for key in keys:
            value = node.get(key)
            if value is not None:
                return value
        return None
    if node is None or isinstance(node, (str, bytes, int, float, list, tuple)):
        return None
    for key in keys:
        value = getattr(node, key, None)
        if value is not None and not callable(value):
            return value
    return None


def as_json(value: object) -> str:
    """Write a value as compact JSON; what JSON cannot hold is written as its type's name."""
    try:
        return json.dumps(
            value,
            ensure_ascii=False,
            separators=(",", ":"),
            skipkeys=True,
            default=lambda odd: type(odd).__name__,
        )
    except (ValueError, RecursionError):  # it holds itself, or is nested without end
        return ""
