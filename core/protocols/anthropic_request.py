"""From OpenAI's terms to a request for Anthropic messages.

Rules as of 2026-11: https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.anthropic_content import conversation, tool
from costspan.core.protocols.claude_thinking import (
    LEAST_THINKING_TOKENS,
    is_effort_unsupported,
    thinking_of_effort,
    thinks_by_budget,
)
from costspan.core.protocols.neutral import NEUTRAL, NO_PENALTIES, asking
from costspan.core.protocols.unsupported import dropped_names, refuse_or_drop
from costspan.core.request import Request, WireRequest

# The last version that takes temperature, top_p and top_k; 2026-10-21 refuses them
# (https://platform.claude.com/docs/en/api/versioning). A caller may ask for another one in
# extra_headers.
_VERSION = "2023-06-01"

# What must be told where a message names an uploaded file
# (https://docs.claude.com/en/api/files-content, 2026-11).
_FILES_BETA = "files-api-2025-04-14"

_AS_THEY_ARE = ("temperature", "top_p", "top_k")
_TRANSLATED = frozenset(
    (
        *_AS_THEY_ARE,
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "user",
        "safety_identifier",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "thinking",
        "thinking_budget",
        "reasoning_effort",
        "service_tier",
        "stream_options",
        "response_format",
        "web_search_options",
    )
)

_NEUTRAL = {**NEUTRAL, **NO_PENALTIES, "store": False, "verbosity": "medium"}
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_TOOL_CHOICES = ("auto", "any", "tool", "none")
_HIGHEST_TEMPERATURE = 1

# The version that all models with web search take
# (https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool).
_WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = asking(request.params, _NEUTRAL)
    dropped = refuse_or_drop(params, _unsupported(params, request.model), request, endpoint)
    dropped += _drop_blank_stops(params, request, endpoint)
    system, messages = conversation(request.messages)
    thinking = _thinking(params, request.model)
    body: dict[str, object] = {
        "model": request.model,
        "messages": messages,
        "max_tokens": _max_tokens(params, thinking, endpoint),
    }
    if system:
        body["system"] = system
    body.update({name: params[name] for name in _AS_THEY_ARE if name in params})
    body.update(_translated(params))
    output = _output_config(params, request.model)
    if output:
        body["output_config"] = output
    body.update(_tools(params))
    if thinking:
        body["thinking"] = thinking
    if request.stream:
        body["stream"] = True
    _check_temperature(body.get("temperature"))
    body.update(request.extra_body)
    dropped += dropped_names(request.messages)
    headers = {"anthropic-version": _VERSION, **_with_beta(request.extra_headers, messages)}
    return WireRequest("/v1/messages", body, headers, dropped)


def _with_beta(
    given: Mapping[str, str], messages: Iterable[Mapping[str, object]]
) -> Mapping[str, str]:
    """The caller's headers, with the beta of uploaded files where the messages name one."""
    contents = (turn["content"] for turn in messages)
    blocks = (block for each in contents if isinstance(each, list) for block in each)
    sources = (block.get("source") for block in blocks)
    theirs = given.get("anthropic-beta", "")
    if "files-api" in theirs or not any(
        isinstance(each, Mapping) and each.get("type") == "file" for each in sources
    ):
        return given
    return {**given, "anthropic-beta": ",".join(filter(None, (theirs, _FILES_BETA)))}


def _unsupported(params: Mapping[str, object], model: str) -> list[str]:
    """What cannot be said: parameters that the format lacks, and values that it has no word for."""
    found = [name for name in params if name not in _TRANSLATED]
    if params.get("service_tier", "auto") not in _TIERS:
        found.append("service_tier")
    wanted = params.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") != "json_schema":
        found.append("response_format")
    search = params.get("web_search_options")
    if isinstance(search, Mapping) and search.get("search_context_size", "medium") != "medium":
        found.append("web_search_options")
    if is_effort_unsupported(params, model):
        found.append("reasoning_effort")
    return found


def _drop_blank_stops(
    params: dict[str, object], request: Request, endpoint: Endpoint
) -> tuple[str, ...]:
    """Leave out stop sequences of white space only, such as an empty line: the API refuses them.

    Raises:
        UnsupportedParamsError: There are some, and ``drop_params`` is off.
    """
    stop = params.get("stop")
    given = [stop] if isinstance(stop, str) else stop
    if not isinstance(given, (list, tuple)) or all(str(each).strip() for each in given):
        return ()
    if not request.drop_params:
        raise UnsupportedParamsError(
            f"stop={stop!r}: Anthropic takes no stop sequence that is white space only: leave it "
            "out, or pass drop_params=True",
            provider=endpoint.provider,
            model=request.model,
        )
    params["stop"] = [each for each in given if str(each).strip()]
    return ("stop",)


def _thinking(params: Mapping[str, object], model: str) -> Mapping[str, object] | None:
    thinking, budget = params.get("thinking"), params.get("thinking_budget")
    if isinstance(thinking, Mapping):
        return thinking
    if budget is not None:
        return {"type": "enabled", "budget_tokens": budget}
    return thinking_of_effort(params, model)


def _max_tokens(
    params: Mapping[str, object], thinking: Mapping[str, object] | None, endpoint: Endpoint
) -> int:
    """The bound of the output, which the format requires and which includes the thinking."""
    asked = params.get("max_completion_tokens", params.get("max_tokens"))
    budget = thinking.get("budget_tokens") if thinking else None
    thought = budget if isinstance(budget, int) else 0
    if 0 < thought < LEAST_THINKING_TOKENS:
        raise BadRequestError(
            f"a thinking budget of {thought} tokens is out of range: Anthropic takes "
            f"{LEAST_THINKING_TOKENS} or more",
            provider=endpoint.provider,
        )
    if not isinstance(asked, int):
        return thought + (endpoint.default_max_tokens or 0)
    if thought >= asked:
        raise BadRequestError(
            f"the thinking budget of {thought} tokens leaves nothing of max_tokens={asked} for "
            "the answer: raise max_tokens above the budget",
            provider=endpoint.provider,
        )
    return asked


def _translated(params: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    stop = params.get("stop")
    if stop:
        found["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    user = params.get("safety_identifier", params.get("user"))
    if user is not None:
        found["metadata"] = {"user_id": user}
    tier = params.get("service_tier")
    if isinstance(tier, str):
        found["service_tier"] = _TIERS[tier]
    return found


def _output_config(params: Mapping[str, object], model: str) -> dict[str, object]:
    """How much effort is made, which is no budget of tokens, and the shape of the answer."""
    found: dict[str, object] = {}
    effort, wanted = params.get("reasoning_effort"), params.get("response_format")
    if effort is not None and effort != "none" and not thinks_by_budget(model):
        found["effort"] = "low" if effort == "minimal" else effort
    if isinstance(wanted, Mapping):
        from costspan.core.protocols.anthropic_schema import output_format

        found["format"] = output_format(wanted)
    return found


def _web_search(options: object) -> dict[str, object]:
    """The server's own tool for OpenAI's ``web_search_options``."""
    location = options.get("user_location") if isinstance(options, Mapping) else None
    if not isinstance(location, Mapping):
        return dict(_WEB_SEARCH)
    inner = location.get("approximate")
    place = inner if isinstance(inner, Mapping) else location
    return {**_WEB_SEARCH, "user_location": {"type": "approximate", **place}}


def _tools(params: Mapping[str, object]) -> dict[str, object]:
    given = params.get("tools")
    tools = [tool(each) for each in given] if isinstance(given, (list, tuple)) else []
    if "web_search_options" in params:
        tools.append(_web_search(params["web_search_options"]))
    if not tools:
        return {}
    found: dict[str, object] = {"tools": tools}
    choice = _tool_choice(params.get("tool_choice"))
    if params.get("parallel_tool_calls") is False:
        choice = choice or {"type": "auto"}
        if choice.get("type") != "none":
            choice["disable_parallel_tool_use"] = True
    if choice:
        found["tool_choice"] = choice
    return found


def _tool_choice(choice: object) -> dict[str, object] | None:
    if isinstance(choice, str):
        return {"type": "any" if choice == "required" else choice}
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function")
    if isinstance(function, Mapping):
        return {"type": "tool", "name": function.get("name")}
    if choice.get("type") not in _TOOL_CHOICES:
        raise BadRequestError(
            f"tool_choice of type {choice.get('type')!r}: Anthropic takes auto, required, none or "
            "a function",
            provider="anthropic",
        )
    return dict(choice)


def _check_temperature(temperature: object) -> None:
    if isinstance(temperature, (int, float)) and temperature > _HIGHEST_TEMPERATURE:
        raise BadRequestError(
            f"temperature={temperature} is out of range: Anthropic takes values from 0 to 1",
            provider="anthropic",
        )
