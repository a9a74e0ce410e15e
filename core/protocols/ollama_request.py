"""From OpenAI's terms to a request for Ollama's own chat.

Rules as of 2026-11: https://docs.ollama.com/api/chat, https://docs.ollama.com/capabilities/thinking
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.extra_body import add_extra_body
from costspan.core.protocols.message_parts import image_url, split_data_url, tool_call
from costspan.core.protocols.neutral import NEUTRAL, asking
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
_AS_THEY_ARE = ("logprobs", "top_logprobs")
_TRANSLATED = frozenset(
    (
        *_OPTIONS,
        *_AS_THEY_ARE,
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "thinking",
        "reasoning_effort",
        "stream_options",
    )
)

_NEUTRAL = {
    **NEUTRAL,
    "store": False,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "service_tier": "auto",
}
_ROLES = {"developer": "system"}


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = asking(request.params, _NEUTRAL)
    unsupported = [name for name in params if name not in _TRANSLATED]
    if params.get("tool_choice", "none") != "none":
        unsupported.append("tool_choice")
    dropped = refuse_or_drop(params, unsupported, request, endpoint)
    body: dict[str, object] = {
        "model": request.model,
        "messages": _messages(request.messages),
        # Said always, for Ollama streams unless told otherwise.
        "stream": request.stream,
    }
    # Nothing but leaving the tools out keeps a model from calling them.
    if "tools" in params and params.get("tool_choice") != "none":
        body["tools"] = params["tools"]
    options = _options(params)
    if options:
        body["options"] = options
    if "response_format" in params:
        body["format"] = _format(params["response_format"])
    think = _think(params, request.model)
    if think is not None:
        body["think"] = think
    body.update({name: params[name] for name in _AS_THEY_ARE if name in params})
    add_extra_body(body, request.extra_body, joined=("options",))
    return WireRequest("/api/chat", body, request.extra_headers, dropped)


def _options(params: Mapping[str, object]) -> dict[str, object]:
    found = {_OPTIONS[name]: value for name, value in params.items() if name in _OPTIONS}
    stop = params.get("stop")
    if stop is not None:
        found["stop"] = [stop] if isinstance(stop, str) else stop
    return found


def _format(wanted: object) -> object:
    """The schema of the answer, or ``json`` for any JSON."""
    schema = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    return schema["schema"] if isinstance(schema, Mapping) and "schema" in schema else "json"


def _think(params: Mapping[str, object], model: str) -> object:
    """Whether to think. Servers before 0.40 take a level for gpt-oss only, and none a budget."""
    thinking, effort = params.get("thinking"), params.get("reasoning_effort")
    if isinstance(thinking, Mapping):
        return thinking.get("type") != "disabled"
    if effort is None or effort == "none":
        return None if effort is None else False
    if "gpt-oss" in model:
        return "low" if effort == "minimal" else effort
    return True


def _messages(messages: Sequence[JSON]) -> list[dict[str, object]]:
    name_by_id: dict[object, object] = {}
    return [_message(message, name_by_id) for message in messages]


def _message(message: JSON, name_by_id: dict[object, object]) -> dict[str, object]:
    """A message; the names of the tools that it calls are kept for the results."""
    role = message["role"]
    text, images = _content(message.get("content"))
    found: dict[str, object] = {"role": _ROLES.get(role, role) if isinstance(role, str) else role}
    found["content"] = text
    if images:
        found["images"] = images
    if isinstance(message.get("reasoning_content"), str):
        found["thinking"] = message["reasoning_content"]
    calls = message.get("tool_calls")
    if isinstance(calls, list) and calls:
        found["tool_calls"] = sent = []
        for call in calls:
            identity, name, arguments = tool_call(call, "Ollama")
            name_by_id[identity] = name
            sent.append({"id": identity, "function": {"name": name, "arguments": arguments}})
    if role == "tool":
        identity = message.get("tool_call_id")
        found["tool_call_id"] = identity
        found["tool_name"] = message.get("name") or name_by_id.get(identity)
    return {name: value for name, value in found.items() if value is not None}


def _content(content: object) -> tuple[str, list[str]]:
    """The text of a message, and its images in base64."""
    if isinstance(content, str):
        return content, []
    if not isinstance(content, Iterable) or isinstance(content, Mapping):
        return "", []
    texts: list[str] = []
    images: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, Mapping) and kind == "image_url":
            images.append(_image(image_url(part)))
        else:
            raise UnsupportedParamsError(
                f"Ollama has no counterpart of a content part of type {kind!r}: it takes text and "
                "image_url",
                provider="ollama",
            )
    return "\n".join(texts), images


def _image(url: str) -> str:
    data = split_data_url(url)
    if data is None:
        raise BadRequestError(
            "Ollama fetches nothing from the web: give an image as a data: URL in base64, as in "
            "data:image/png;base64,...",
            provider="ollama",
        )
    return data[1]
