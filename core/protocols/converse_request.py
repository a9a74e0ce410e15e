"""From OpenAI's terms to a request for Bedrock's Converse.

Rules as of 2026-11: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
and the service's model in botocore 1.44.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from costspan.core.aws_frames import require_botocore
from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError
from costspan.core.protocols.anthropic_schema import output_format
from costspan.core.protocols.converse_content import conversation, tools
from costspan.core.protocols.converse_thinking import (
    effort_for_all,
    is_nova,
    thinking_fields,
    unsupported_thinking,
)
from costspan.core.protocols.extra_body import add_extra_body
from costspan.core.protocols.neutral import NEUTRAL, NO_PENALTIES, asking
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest

_INFERENCE = {
    "max_tokens": "maxTokens",
    "max_completion_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
}
_TRANSLATED = frozenset(
    (
        *_INFERENCE,
        "stop",
        "top_k",
        "tools",
        "tool_choice",
        "thinking",
        "thinking_budget",
        "reasoning_effort",
        "response_format",
        "service_tier",
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
_TIERS = ("default", "priority", "flex", "reserved")
_HIGHEST_TEMPERATURE = 1


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    if request.stream:
        require_botocore("A stream from Bedrock")
    params = asking(request.params, _NEUTRAL)
    system, messages = conversation(request.messages)
    unsupported = _unsupported(params, request.model, messages)
    dropped = refuse_or_drop(params, unsupported, request, endpoint)
    body: dict[str, object] = {"messages": messages}
    if system:
        body["system"] = system
    parts = {
        "inferenceConfig": _inference(params),
        "toolConfig": _tool_config(params),
        "outputConfig": _output(params, request.model),
        "additionalModelRequestFields": _additional(params, request.model),
    }
    body.update({name: part for name, part in parts.items() if part})
    if "service_tier" in params:
        body["serviceTier"] = {"type": params["service_tier"]}
    add_extra_body(body, request.extra_body, joined=parts)
    operation = "converse-stream" if request.stream else "converse"
    path = f"/model/{quote(request.model, safe='')}/{operation}"
    return WireRequest(path, body, request.extra_headers, dropped)


def _unsupported(
    params: Mapping[str, object], model: str, messages: Iterable[Mapping[str, object]]
) -> list[str]:
    """Parameters that cannot be said, for any model or for this one."""
    found = [name for name in params if name not in _TRANSLATED]
    found += unsupported_thinking(params, model)
    if params.get("service_tier", "default") not in _TIERS:
        found.append("service_tier")
    if "response_format" in params and _schema(params) is None:
        found.append("response_format")
    if params.get("tool_choice") == "none" and _holds_tools(messages):
        # Said by leaving the tools out, which is refused where the history holds calls.
        found.append("tool_choice")
    return found


def _holds_tools(messages: Iterable[Mapping[str, object]]) -> bool:
    return any(
        not block.keys().isdisjoint(("toolUse", "toolResult"))
        for message in messages
        if isinstance(content := message["content"], list)
        for block in content
    )


def _inference(params: Mapping[str, object]) -> dict[str, object]:
    found = {_INFERENCE[name]: value for name, value in params.items() if name in _INFERENCE}
    temperature = found.get("temperature")
    if isinstance(temperature, (int, float)) and temperature > _HIGHEST_TEMPERATURE:
        raise BadRequestError(
            f"temperature={temperature} is out of range: Converse takes values from 0 to 1",
            provider="aws",
        )
    stop = params.get("stop")
    if stop is not None:
        found["stopSequences"] = [stop] if isinstance(stop, str) else stop
    return found


def _tool_config(params: Mapping[str, object]) -> dict[str, object]:
    given, choice = params.get("tools"), params.get("tool_choice")
    if not isinstance(given, (list, tuple)) or not given or choice == "none":
        return {}
    found: dict[str, object] = {"tools": tools(given)}
    if isinstance(choice, str):
        found["toolChoice"] = {"any" if choice == "required" else choice: {}}
    elif isinstance(choice, Mapping):
        function = choice.get("function")
        named = {"name": function.get("name")} if isinstance(function, Mapping) else None
        found["toolChoice"] = {"tool": named} if named else dict(choice)
    return found


def _schema(params: Mapping[str, object]) -> Mapping[str, object] | None:
    """The schema that the answer is to follow, with its name; there is no other JSON mode."""
    wanted = params.get("response_format")
    schema = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    return schema if isinstance(schema, Mapping) and "schema" in schema else None


def _output(params: Mapping[str, object], model: str) -> dict[str, object]:
    """How the answer is to look.

    Schemas are held to the same keywords as Anthropic's, and refused with any other:
    https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
    """
    found: dict[str, object] = {}
    schema = _schema(params)
    if schema is not None:
        named = {k: schema[k] for k in ("name", "description") if k in schema}
        supported = output_format({"json_schema": {"schema": schema["schema"]}})["schema"]
        written = json.dumps(supported, ensure_ascii=False)
        structure = {"jsonSchema": {"schema": written, **named}}
        found["textFormat"] = {"type": "json_schema", "structure": structure}
    effort = effort_for_all(params, model)
    if effort is not None:
        found["effort"] = effort
    return found


def _additional(params: Mapping[str, object], model: str) -> dict[str, object]:
    """Fields of the model's own, beside what all models have."""
    found = thinking_fields(params, model)
    if "top_k" in params:
        top_k = params["top_k"]
        # https://docs.aws.amazon.com/nova/latest/nova2-userguide/core-inference.html
        found.update({"inferenceConfig": {"topK": top_k}} if is_nova(model) else {"top_k": top_k})
    return found
