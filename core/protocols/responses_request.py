"""From OpenAI's chat terms to a request for OpenAI Responses.

Rules as of 2026-11: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.protocols.extra_body import add_extra_body
from costspan.core.protocols.neutral import NEUTRAL, NO_PENALTIES, asking
from costspan.core.protocols.responses_content import conversation, tool, tool_choice
from costspan.core.protocols.unsupported import dropped_names, refuse_or_drop
from costspan.core.request import Request, WireRequest

_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "top_logprobs",
    "parallel_tool_calls",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "store",
)
_TRANSLATED = frozenset(
    (
        *_AS_THEY_ARE,
        "max_tokens",
        "max_completion_tokens",
        "logprobs",
        "tools",
        "tool_choice",
        "response_format",
        "verbosity",
        "reasoning_effort",
        "web_search_options",
        "stream_options",
    )
)

_NEUTRAL = {**NEUTRAL, **NO_PENALTIES}

# Objects of which a caller may say a part in extra_body and another part by a parameter.
_JOINED = ("reasoning", "text")


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = asking(request.params, _NEUTRAL)
    unsupported = [
        name for name in params if name not in _TRANSLATED or name in endpoint.unsupported
    ]
    dropped = refuse_or_drop(params, unsupported, request, endpoint)
    body: dict[str, object] = {
        "model": request.model,
        "input": conversation(request.messages),
        **{name: params[name] for name in _AS_THEY_ARE if name in params},
        **_translated(params),
        **_tools(params),
    }
    if request.stream:
        body["stream"] = True
        # The usage always comes, and there is no option to ask for it.
        options = params.get("stream_options")
        if isinstance(options, Mapping) and (others := options.keys() - {"include_usage"}):
            body["stream_options"] = {name: options[name] for name in others}
    add_extra_body(body, request.extra_body, _JOINED)
    dropped += dropped_names(request.messages)
    return WireRequest("/responses", body, request.extra_headers, dropped)


def _translated(params: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    most = params.get("max_completion_tokens", params.get("max_tokens"))
    if most is not None:
        found["max_output_tokens"] = most
    if "logprobs" in params:
        found["include"] = ["message.output_text.logprobs"]
    if "reasoning_effort" in params:
        found["reasoning"] = {"effort": params["reasoning_effort"]}
    text: dict[str, object] = {}
    if "response_format" in params:
        text["format"] = _format(params["response_format"])
    if "verbosity" in params:
        text["verbosity"] = params["verbosity"]
    if text:
        found["text"] = text
    return found


def _format(wanted: object) -> object:
    """A response format in the flat form."""
    schema = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    return {"type": "json_schema", **schema} if isinstance(schema, Mapping) else wanted


def _tools(params: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    asked = params.get("tools")
    tools = [tool(each) for each in asked] if isinstance(asked, (list, tuple)) else []
    options = params.get("web_search_options")
    if isinstance(options, Mapping):
        tools.append(_web_search(options))
    if tools:
        found["tools"] = tools
    if "tool_choice" in params:
        found["tool_choice"] = tool_choice(params["tool_choice"])
    return found


def _web_search(options: Mapping[str, object]) -> dict[str, object]:
    """Chat's web search as the tool that it is here; the place is told without its nesting."""
    found: dict[str, object] = {"type": "web_search", **options}
    place = options.get("user_location")
    about = place.get("approximate") if isinstance(place, Mapping) else None
    if isinstance(about, Mapping):
        found["user_location"] = {"type": "approximate", **about}
    return found
