"""From OpenAI's terms to a request for OpenAI chat, which are the same but for the server's quirks.

Format as of 2026-11: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costspan.core.endpoint import Endpoint
from costspan.core.protocols.neutral import NEUTRAL, NO_PENALTIES
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

_MAX_TOKENS = ("max_tokens", "max_completion_tokens")

_NEUTRAL = {**NEUTRAL, **NO_PENALTIES, "store": False}

# Fields of messages that came from other wire formats.
_FOREIGN = ("thinking_blocks", "images")


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = dict(request.params)
    for name in endpoint.unsupported:
        if name in _NEUTRAL and params.get(name) == _NEUTRAL[name]:
            del params[name]
    dropped = refuse_or_drop(params, endpoint.unsupported, request, endpoint)
    if endpoint.max_tokens_field:
        for name in _MAX_TOKENS:
            if name in params:
                params[endpoint.max_tokens_field] = params.pop(name)
    for name, theirs in endpoint.renamed.items():
        if name in params:
            params[theirs] = params.pop(name)
    if "thinking_off" in endpoint.quirks and params.get("reasoning_effort") == "none":
        del params["reasoning_effort"]
        params["thinking"] = {"type": "disabled"}
    tools = params.get("tools")
    if isinstance(tools, (list, tuple)):
        params["tools"] = [_without(each, _refused_marks(endpoint)) for each in tools]
    options = params.pop("stream_options", None)
    body: dict[str, object] = {
        "model": request.model,
        "messages": [_message(each, endpoint) for each in request.messages],
        **params,
    }
    if request.stream:
        body["stream"] = True
        if endpoint.include_usage:
            asked = options if isinstance(options, Mapping) else {}
            body["stream_options"] = {"include_usage": True, **asked}
    body.update(request.extra_body)
    return WireRequest("/chat/completions", body, request.extra_headers, dropped)


def _message(message: JSON, endpoint: Endpoint) -> JSON:
    refused = (*_FOREIGN, *endpoint.unsupported_in_messages)
    if "extra_content" not in endpoint.quirks:
        refused += ("extra_content",)
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message = {**message, "tool_calls": [_without(call, refused) for call in calls]}
    message = _without(message, refused)
    if message["role"] == "developer" and "developer" not in endpoint.quirks:
        message = {**message, "role": "system"}
    content, marks = message.get("content"), _refused_marks(endpoint)
    if isinstance(content, list):
        message = {**message, "content": [_part(part, marks) for part in content]}
    if "one_text" in endpoint.quirks:
        message = _with_text(message)
    audio = message.get("audio")
    if isinstance(audio, Mapping) and "id" in audio:
        # What was said goes back by its id, and not as the sound of it.
        message = {**message, "audio": {"id": audio["id"]}}
    return message


def _refused_marks(endpoint: Endpoint) -> tuple[str, ...]:
    """Anthropic's cache marks, which stand in parts and tools as well, where they are refused."""
    return tuple(field for field in endpoint.unsupported_in_messages if field == "cache_control")


def _part(part: object, marks: tuple[str, ...]) -> object:
    """A content part with the address of an image in an object, as OpenAI wants it."""
    if isinstance(part, Mapping) and isinstance(part.get("image_url"), str):
        part = {**part, "image_url": {"url": part["image_url"]}}
    return _without(part, marks)


def _with_text(message: JSON) -> JSON:
    """The message with its texts as one; with other parts among them it is left as it is."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    if len(texts) != len(content) or not all(isinstance(text, str) for text in texts):
        return message
    return {**message, "content": "\n".join(map(str, texts))}


def _without(item: Any, refused: tuple[str, ...]) -> Any:
    if isinstance(item, Mapping) and any(field in item for field in refused):
        return {k: v for k, v in item.items() if k not in refused}
    return item
