"""OpenAI Responses: ``POST {base}/responses``.

Format as of 2026-11: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.responses_output import choices, chunks
from costspan.core.request import Request, WireRequest

__all__ = ["HAS_N", "choices", "chunks", "encode", "observe"]

HAS_N = False
_FINAL_STATUS = frozenset(("completed", "incomplete", "failed", "cancelled"))
_BINARY_DELTAS = (".audio.delta", "output_audio.delta")


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole response or one stream event says to ``seen``.

    Text comes from the deltas of a stream, or from a whole body; the closing event of a stream
    repeats the text and is read for usage and tool calls only.
    """
    kind = event.get("type")
    if not isinstance(kind, str):
        if event.get("object") == "response" or "output" in event or "status" in event:
            _observe_body(event, seen)
            _observe_texts(event.get("output"), seen)
        elif "error" in event:
            seen.note_error(event["error"])
    elif kind.endswith(".delta"):
        delta = event.get("delta")
        if isinstance(delta, str) and not kind.endswith(_BINARY_DELTAS):
            seen.output_text.append(delta)
    elif kind == "error":
        nested = event.get("error")
        seen.note_error(nested if isinstance(nested, dict) else {"code": event.get("code")})
    elif kind == "response.output_item.done":
        output = seen.response.setdefault("output", [])
        if isinstance(output, list) and (call := _tool_call(event.get("item"))):
            output.append(call)
    elif isinstance(body := event.get("response"), dict):
        _observe_body(body, seen)


def _observe_body(body: Mapping[str, object], seen: Observation) -> None:
    model, identity = body.get("model"), body.get("id")
    if isinstance(model, str) and model:
        seen.model = model
    if isinstance(identity, str) and identity:
        seen.response_id = identity
    usage = body.get("usage")
    if isinstance(usage, dict):
        seen.usage = usage
    _observe_price_facts(body, seen)
    status = body.get("status")
    if isinstance(status, str) and status in _FINAL_STATUS:
        seen.complete = True
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        seen.finish_reasons[0] = reason if isinstance(reason, str) else status
    if body.get("error") is not None:
        seen.note_error(body["error"])
    if status == "failed":
        seen.error_type = seen.error_type or "error"


def _observe_price_facts(body: Mapping[str, object], seen: Observation) -> None:
    tier = body.get("service_tier")
    if isinstance(tier, str):
        seen.response["service_tier"] = tier
    tools = body.get("tools")
    if isinstance(tools, list):
        seen.response["tools"] = [{"type": t.get("type")} for t in tools if isinstance(t, dict)]
    output = body.get("output")
    if isinstance(output, list) and output:
        seen.response["output"] = [call for item in output if (call := _tool_call(item))]


def _tool_call(item: object) -> dict[str, object] | None:
    """The facts of a tool call that price depends on; None for other output items.

    The container's id is kept because code execution is billed by container, not by call.
    """
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    if not isinstance(kind, str) or not kind.endswith("_call"):
        return None
    kept = {key: item[key] for key in ("type", "id", "status", "container_id") if key in item}
    action = item.get("action")
    if isinstance(action, dict) and "type" in action:
        kept["action"] = {"type": action["type"]}
    return kept


def _observe_texts(output: object, seen: Observation) -> None:
    for item in output if isinstance(output, list) else ():
        if not isinstance(item, dict):
            continue
        for field in ("arguments", "input"):
            arguments = item.get(field)
            if isinstance(arguments, str):
                seen.output_text.append(arguments)
        for field in ("content", "summary"):
            parts = item.get(field)
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict):
                    text = part.get("text", part.get("refusal"))
                    if isinstance(text, str):
                        seen.output_text.append(text)


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    from costspan.core.protocols import responses_request

    return responses_request.encode(request, endpoint)
