"""Finding what counts in a request body: texts, messages, tools, media; never base64 as text."""

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
    schema: bool = False
    caches: bool = False


def read_content(body: Mapping[str, object]) -> Content:
    """Read the body of a request, or the keyword arguments of an SDK's call.

    Args:
        body: OpenAI chat or Responses, Anthropic, Gemini, Bedrock Converse, Cohere, completions or
            embeddings. Messages may be objects of an SDK. Odd values are passed over.
    """
    found = Content(caches="cache_control" in body)
    turns = _get(body, "messages", "contents", "input", "prompt")
    if isinstance(turns, str):
        found.messages += 1
        found.texts.append(turns)
    elif isinstance(turns, (list, tuple)):
        for turn in turns:
            _turn(found, turn)
    elif turns is not None:
        _turn(found, turns)
    for key in ("instructions", "system", "systemInstruction", "system_instruction"):
        system = body.get(key)
        if system:
            found.messages += key == "instructions"
            _part(found, system, 0)
    _tools(found, body)
    _schema(found, body)
    return found


def _turn(found: Content, turn: object) -> None:
    """Read one message or one item of a Responses input."""
    if isinstance(turn, str):
        found.messages += 1
        found.texts.append(turn)
        return
    if isinstance(turn, (int, float, bytes)) or turn is None:
        return
    content = _get(turn, "content", "parts")
    if content is None and _get(turn, "role") is None:
        _part(found, turn, 0)  # a function call, its output, a reasoning item
        return
    found.messages += 1
    role, name = _get(turn, "role"), _get(turn, "name")
    if isinstance(name, str):
        found.names.append((name, name == role))
    if isinstance(content, str):
        found.texts.append(content)
    elif content is not None:
        _part(found, content, 0)
    calls = _get(turn, "tool_calls")
    for call in calls if isinstance(calls, (list, tuple)) else ():
        _call(found, _get(call, "function") or call)
    legacy = _get(turn, "function_call")
    if legacy is not None:
        _call(found, legacy)


def _part(found: Content, part: object, depth: int) -> None:
    """Read a piece of content of any shape."""
    if isinstance(part, str):
        found.texts.append(part)
    elif isinstance(part, (list, tuple)):
        for one in part if depth < _DEEPEST else ():
            _part(found, one, depth + 1)
    elif part is not None and not isinstance(part, (int, float, bytes)) and depth < _DEEPEST:
        if isinstance(part, Mapping) and ("cache_control" in part or "cachePoint" in part):
            found.caches = True
        kind = _get(part, "type")
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is not None:
            reader(found, part, depth)
        else:
            _untyped(found, part, depth)


def _untyped(found: Content, part: object, depth: int) -> None:
    """Read a part that its keys tell: Gemini's and Bedrock's, and plain texts."""
    for key, reader in _KEYED:
        value = _get(part, key)
        if value is not None:
            reader(found, value, depth)
            return
    for key in ("content", "parts", "json"):
        value = _get(part, key)
        if value is not None:
            if key == "json":
                found.texts.append(_json(value))
            else:
                _part(found, value, depth + 1)
            return


def _text(found: Content, part: object, depth: int) -> None:
    text = _get(part, "text", "refusal")
    if isinstance(text, str):
        found.texts.append(text)


def _plain(found: Content, value: object, depth: int) -> None:
    if isinstance(value, str):
        found.texts.append(value)


def _call(found: Content, call: object, depth: int = 0) -> None:
    """Count a tool call by its name and its arguments."""
    found.tool_calls += 1
    name = _get(call, "name")
    if isinstance(name, str):
        found.texts.append(name)
    arguments = _get(call, "arguments", "input", "args")
    if isinstance(arguments, str):
        found.texts.append(arguments)
    elif arguments is not None:
        found.texts.append(_json(arguments))


def _result(found: Content, part: object, depth: int) -> None:
    """Read what a tool gave back."""
    value = _get(part, "content", "output", "response")
    if isinstance(value, Mapping):
        found.texts.append(_json(value))
    elif value is not None:
        _part(found, value, depth + 1)


def _image(found: Content, part: object, depth: int) -> None:
    found.images += 1


def _audio(found: Content, part: object, depth: int) -> None:
    found.audios += 1


def _file(found: Content, part: object, depth: int) -> None:
    source = _get(part, "source")
    if _get(source, "type") == "text":
        _plain(found, _get(source, "data"), depth)
    else:
        found.files += 1


def _blob(found: Content, value: object, depth: int) -> None:
    """Sort Gemini's inline data by its media type."""
    kind = _get(value, "mimeType", "mime_type")
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
    "tool_use": _call,
    "server_tool_use": _call,
    "function_call": _call,
    "custom_tool_call": _call,
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
    ("functionCall", _call),
    ("function_call", _call),
    ("functionResponse", _result),
    ("function_response", _result),
    ("toolUse", _call),
    ("toolResult", _result),
    ("image", _image),
    ("image_url", _image),
    ("document", _file),
    ("video", _file),
    ("audio", _audio),
    ("reasoningContent", _nothing),
)


def _tools(found: Content, body: Mapping[str, object]) -> None:
    """Take each function's definition as compact JSON."""
    config = body.get("toolConfig")
    tools = _get(body, "tools", "functions") or _get(config, "tools")
    for tool in tools if isinstance(tools, (list, tuple)) else ():
        if isinstance(tool, Mapping) and ("cache_control" in tool or "cachePoint" in tool):
            found.caches = True
        declared = _get(tool, "functionDeclarations", "function_declarations")
        if isinstance(declared, (list, tuple)):
            found.tools.extend(_json(one) for one in declared)
        else:
            found.tools.append(_json(_get(tool, "function", "toolSpec") or tool))


def _schema(found: Content, body: Mapping[str, object]) -> None:
    """Take an output schema, which OpenAI renders into the prompt."""
    wanted = body.get("response_format") or _get(body.get("text"), "format")
    schema = _get(_get(wanted, "json_schema") or wanted, "schema")
    if schema is not None:
        found.schema = True
        found.texts.append(_json(schema))


def _get(node: object, *keys: str) -> object:
    """Give the first of some fields that a mapping or an SDK's object has."""
    if isinstance(node, Mapping):
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


def _json(value: object) -> str:
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
