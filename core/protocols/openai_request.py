"""From OpenAI's terms to a request for OpenAI chat, which are the same but for the server's quirks.

Format as of 2026-11: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costspan.core.endpoint import Endpoint
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

_MAX_TOKENS = ("max_tokens", "max_completion_tokens")

# Values that ask for nothing: no reason to fail where the server lacks the parameter.
_NEUTRAL: Mapping[str, object] = {
    "n": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
    "store": False,
    "modalities": ["text"],
}

# Fields of messages that came from other wire formats.
_FOREIGN = ("thinking_blocks", "images")
_TAKE_EXTRA_CONTENT = ("google", "vertex")


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
    if endpoint.provider not in _TAKE_EXTRA_CONTENT:
        refused += ("extra_content",)
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message = {**message, "tool_calls": [_without(call, refused) for call in calls]}
    message = _without(message, refused)
    audio = message.get("audio")
    if isinstance(audio, Mapping) and "id" in audio:
        # What was said goes back by its id, and not as the sound of it.
        message = {**message, "audio": {"id": audio["id"]}}
    return message


def _without(item: Any, refused: tuple[str, ...]) -> Any:
    if isinstance(item, Mapping) and any(field in item for field in refused):
        return {k: v for k, v in item.items() if k not in refused}
    return item
