"""From OpenAI's terms to a request for Gemini's generateContent.

Rules as of 2026-11: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from costspan.core.endpoint import Endpoint
from costspan.core.protocols.extra_body import add_extra_body
from costspan.core.protocols.gemini_content import Contents
from costspan.core.protocols.gemini_thinking import (
    thinking_config,
    thinks_by_level,
    unsupported_thinking,
)
from costspan.core.protocols.neutral import NEUTRAL, NO_PENALTIES, asking
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest

_CONFIG_NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_TRANSLATED = frozenset(
    (
        *_CONFIG_NAMES,
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "thinking",
        "thinking_budget",
        "modalities",
        "audio",
        "service_tier",
        "web_search_options",
        "stream_options",
    )
)

_NEUTRAL = {
    **NEUTRAL,
    **NO_PENALTIES,
    "store": False,
    "parallel_tool_calls": True,
    "service_tier": "auto",
}
_PLAIN_SEARCHES: tuple[object, ...] = ({}, {"search_context_size": "medium"})

# https://ai.google.dev/gemini-api/docs/pricing: standard, flex and priority, 2026-11.
_TIERS = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}

# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo, 2026-11; a field of the
# body is refused there (https://github.com/googleapis/python-genai/issues/2433).
_VERTEX_TIER = "X-Vertex-AI-LLM-Shared-Request-Type"

_TOOL_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = asking(request.params, _NEUTRAL)
    dropped = refuse_or_drop(params, _unsupported(params, request.model), request, endpoint)
    contents = Contents(
        # Vertex answers 400 to ids of calls: https://github.com/vercel/ai/issues/15664, 2026-05.
        with_ids=endpoint.provider != "vertex",
        must_sign="gemini" in request.model and thinks_by_level(request.model),
        nests_media=thinks_by_level(request.model),
    )
    system, turns = contents.conversation(request.messages)
    body: dict[str, object] = {"contents": turns}
    if system:
        body["systemInstruction"] = {"parts": system}
    body.update(_tools(params))
    config = _generation_config(params)
    thinking = thinking_config(params, request.model, endpoint)
    if thinking:
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    headers = request.extra_headers
    tier = params.get("service_tier")
    if isinstance(tier, str) and endpoint.provider != "vertex":
        body["serviceTier"] = _TIERS[tier]
    elif isinstance(tier, str) and _TIERS[tier] != "standard":
        headers = {_VERTEX_TIER: _TIERS[tier], **headers}
    add_extra_body(body, request.extra_body, joined=("generationConfig",))
    method, query = "generateContent", {}
    if request.stream:
        method, query = "streamGenerateContent", {"alt": "sse"}
    path = f"/models/{quote(request.model.removeprefix('models/'), safe='')}:{method}"
    return WireRequest(path, body, headers, dropped, query)


def _unsupported(params: Mapping[str, object], model: str) -> list[str]:
    """Parameters that the format lacks, or of which it lacks the value."""
    found = [name for name in params if name not in _TRANSLATED]
    found += unsupported_thinking(params, model)
    if params.get("service_tier", "default") not in _TIERS:
        found.append("service_tier")
    # A search has no context size and no place.
    if params.get("web_search_options", {}) not in _PLAIN_SEARCHES:
        found.append("web_search_options")
    if "audio" in params and _speech(params["audio"]) is None:
        found.append("audio")
    return found


def _generation_config(params: Mapping[str, object]) -> dict[str, object]:
    config = {_CONFIG_NAMES[name]: params[name] for name in params if name in _CONFIG_NAMES}
    stop, modalities = params.get("stop"), params.get("modalities")
    if stop is not None:
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if isinstance(modalities, (list, tuple)):
        config["responseModalities"] = [str(each).upper() for each in modalities]
    if "audio" in params:
        config["speechConfig"] = _speech(params["audio"])
    config.update(_response_format(params.get("response_format")))
    return config


def _response_format(asked: object) -> dict[str, object]:
    """What constrains the answer to JSON; a schema is always kept to, so there is no ``strict``."""
    if not isinstance(asked, Mapping) or asked.get("type") == "text":
        return {}
    found: dict[str, object] = {"responseMimeType": "application/json"}
    named = asked.get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if schema:
        found["responseJsonSchema"] = schema
    return found


def _speech(audio: object) -> dict[str, object] | None:
    """The voice; None where another sound format than Gemini's only one is asked for."""
    if not isinstance(audio, Mapping) or audio.get("format", "pcm16") != "pcm16":
        return None
    return {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": audio.get("voice")}}}


def _tools(params: Mapping[str, object]) -> dict[str, object]:
    """Functions in one declaration, Gemini's own tools as they are, and how to choose."""
    tools = params.get("tools")
    functions: list[object] = []
    found: list[object] = []
    for each in tools if isinstance(tools, (list, tuple)) else ():
        function = each.get("function") if isinstance(each, Mapping) else None
        if isinstance(function, Mapping):
            functions.append(_declaration(function))
        else:
            found.append(each)
    if functions:
        found.insert(0, {"functionDeclarations": functions})
    if "web_search_options" in params:
        found.append({"googleSearch": {}})
    body: dict[str, object] = {"tools": found} if found else {}
    choice = _tool_choice(params.get("tool_choice"))
    if found and choice:
        body["toolConfig"] = {"functionCallingConfig": choice}
    return body


def _declaration(function: Mapping[str, object]) -> dict[str, object]:
    """A function; ``strict`` has no counterpart, for Gemini declares it for the whole request."""
    found = {name: function[name] for name in ("name", "description") if name in function}
    if function.get("parameters"):
        found["parametersJsonSchema"] = function["parameters"]
    return found


def _tool_choice(choice: object) -> dict[str, object] | None:
    if isinstance(choice, str):
        return {"mode": _TOOL_MODES.get(choice, choice)}
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function")
    if isinstance(function, Mapping):
        return {"mode": "ANY", "allowedFunctionNames": [function.get("name")]}
    return dict(choice)
