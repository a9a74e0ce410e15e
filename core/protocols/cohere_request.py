"""From OpenAI's terms to a request for Cohere's chat.

Rules as of 2026-11: https://docs.cohere.com/reference/chat; ``reasoning_effort`` as Cohere's own
translation from OpenAI's format has it (https://docs.cohere.com/docs/compatibility-api).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.message_parts import (
    arguments_text,
    call_and_function,
    image_url,
    part_and_type,
    unknown_role,
)
from costspan.core.protocols.neutral import NEUTRAL, asking
from costspan.core.protocols.unsupported import dropped_names, refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

_NAMES = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logprobs": "logprobs",
}
"""Parameters that are the same but for the name."""

_TRANSLATED = frozenset(
    (
        *_NAMES,
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "thinking",
        "thinking_budget",
        "reasoning_effort",
        "stream_options",
    )
)

_NEUTRAL = {
    **NEUTRAL,
    "store": False,
    "parallel_tool_calls": True,
    "service_tier": "auto",
    "verbosity": "medium",
}
_RANGES = {
    "frequency_penalty": (0, 1),
    "presence_penalty": (0, 1),
    "top_p": (0.01, 0.99),
    "top_k": (0, 500),
}
_EFFORTS = {"none": "disabled", "high": "enabled"}
_TOOL_CHOICES = {"required": "REQUIRED", "none": "NONE"}
_CONTENT = {
    "system": ("text",),
    "user": ("text", "image_url"),
    "assistant": ("text", "thinking"),
    "tool": ("text", "document"),
}
"""Content parts that the messages of a role may have."""


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = asking(asking(request.params, _NEUTRAL), {"service_tier": "default"})
    unsupported = [n for n in params if n not in _TRANSLATED or n in endpoint.unsupported]
    if params.get("reasoning_effort", "none") not in _EFFORTS:
        unsupported.append("reasoning_effort")
    dropped = refuse_or_drop(params, unsupported, request, endpoint)
    _check_ranges(params)
    body: dict[str, object] = {
        "model": request.model,
        "messages": _messages(request.messages),
        "stream": request.stream,
        **{_NAMES[name]: value for name, value in params.items() if name in _NAMES},
        **_tools(params),
    }
    stop = params.get("stop")
    if stop is not None:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if "response_format" in params:
        body["response_format"] = _response_format(params["response_format"])
    thinking = _thinking(params)
    if thinking:
        _check_budget(thinking.get("token_budget"), body.get("max_tokens"))
        body["thinking"] = thinking
    body.update(request.extra_body)
    dropped += dropped_names(request.messages)
    return WireRequest("/v2/chat", body, request.extra_headers, dropped)


def _check_ranges(params: Mapping[str, object]) -> None:
    for name, (low, high) in _RANGES.items():
        value = params.get(name)
        if isinstance(value, (int, float)) and not low <= value <= high:
            raise BadRequestError(
                f"{name}={value!r} is out of range: Cohere takes values from {low} to {high}",
                provider="cohere",
            )


def _check_budget(budget: object, most: object) -> None:
    if isinstance(budget, int) and isinstance(most, int) and budget >= most:
        raise BadRequestError(
            f"the thinking budget of {budget} tokens leaves nothing of max_tokens={most} for the "
            "answer: raise max_tokens above the budget",
            provider="cohere",
        )


def _thinking(params: Mapping[str, object]) -> dict[str, object] | None:
    thinking, budget = params.get("thinking"), params.get("thinking_budget")
    if isinstance(thinking, Mapping):
        if thinking.get("type") == "disabled":
            return {"type": "disabled"}
        budget = thinking.get("token_budget", thinking.get("budget_tokens"))
        return {"type": "enabled"} if budget is None else _enabled(budget)
    if budget is not None:
        return _enabled(budget)
    effort = params.get("reasoning_effort")
    return {"type": _EFFORTS[effort]} if isinstance(effort, str) else None


def _enabled(budget: object) -> dict[str, object]:
    return {"type": "enabled", "token_budget": budget}


def _response_format(wanted: object) -> object:
    """JSON by a schema is one of the options of JSON here."""
    named = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    if not isinstance(wanted, Mapping) or wanted.get("type") != "json_schema":
        return wanted
    return {
        "type": "json_object",
        "json_schema": named.get("schema") if isinstance(named, Mapping) else None,
    }


def _tools(params: Mapping[str, object]) -> dict[str, object]:
    """Tools and the choice among them.

    One tool alone cannot be demanded by its name, but if it is the only one that is offered.
    """
    asked = params.get("tools")
    functions = [_function(each) for each in asked] if isinstance(asked, (list, tuple)) else []
    if not functions:
        return {}
    found: dict[str, object] = {}
    choice = params.get("tool_choice")
    named = choice.get("function") if isinstance(choice, Mapping) else None
    if isinstance(named, Mapping):
        name, choice = named.get("name"), "required"
        functions = [each for each in functions if each.get("name") == name]
        if not functions:
            raise BadRequestError(f"tool_choice names {name!r}, which is not among the tools")
    if choice is not None:
        found |= _tool_choice(choice)
    if all(each.get("strict") for each in functions):
        found["strict_tools"] = True
    found["tools"] = [_tool(each) for each in functions]
    return found


def _tool_choice(choice: object) -> dict[str, object]:
    if choice == "auto":
        return {}
    if not isinstance(choice, str) or choice not in _TOOL_CHOICES:
        raise BadRequestError(
            f"tool_choice={choice!r}: Cohere takes auto, required, none or a function",
            provider="cohere",
        )
    return {"tool_choice": _TOOL_CHOICES[choice]}


def _function(each: object) -> JSON:
    function = each.get("function") if isinstance(each, Mapping) else None
    if not isinstance(function, Mapping):
        raise UnsupportedParamsError(
            "Cohere takes tools of type function only, as in "
            "{'type': 'function', 'function': {'name': 'now'}}",
            provider="cohere",
        )
    return function


def _tool(function: JSON) -> dict[str, object]:
    told = {k: function[k] for k in ("name", "description") if k in function}
    told["parameters"] = function.get("parameters") or {"type": "object", "properties": {}}
    return {"type": "function", "function": told}


def _messages(messages: Sequence[JSON]) -> list[dict[str, object]]:
    """The messages, but for answers without a word, which the API does not take back."""
    found = [_message(each) for each in messages]
    return [each for each in found if each["role"] != "assistant" or len(each) > 1]


def _message(message: JSON) -> dict[str, object]:
    role = "system" if message["role"] == "developer" else message["role"]
    if role not in _CONTENT:
        raise unknown_role(role)
    found: dict[str, object] = {"role": role}
    calls = message.get("tool_calls")
    content = _content(message.get("content"), str(role))
    if content or role != "assistant":
        found["content"] = content
    if isinstance(calls, list) and calls:
        found["tool_calls"] = [_call(each) for each in calls]
        # The plan is what led to the calls; our own replies have it as their reasoning.
        plan = message.get("tool_plan", message.get("reasoning_content"))
        if plan:
            found["tool_plan"] = plan
    if role == "tool":
        found["tool_call_id"] = message.get("tool_call_id")
    return found


def _content(content: object, role: str) -> str | list[object]:
    if isinstance(content, str):
        return content
    if isinstance(content, Iterable) and not isinstance(content, Mapping):
        return [_part(part, role) for part in content]
    return ""


def _part(part: object, role: str) -> object:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    part, kind = part_and_type(part)
    if kind not in _CONTENT[role]:
        raise UnsupportedParamsError(
            f"Cohere has no counterpart of a content part of type {kind!r} in a message of role "
            f"{role}: it takes {' and '.join(_CONTENT[role])}",
            provider="cohere",
        )
    if kind == "image_url":
        image = part.get("image_url")
        known = image if isinstance(image, Mapping) else {}
        return {"type": "image_url", "image_url": {**known, "url": image_url(part)}}
    # A cache mark of another provider has no meaning here.
    return {name: value for name, value in part.items() if name != "cache_control"}


def _call(call: object) -> dict[str, object]:
    call, function = call_and_function(call)
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {
            "name": function.get("name"),
            "arguments": arguments_text(function.get("arguments") or {}),
        },
    }
