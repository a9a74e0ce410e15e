"""A whole response, as the provider would have sent it, around the usage of a cost case."""

from __future__ import annotations

from typing import Any

Case = dict[str, Any]


def response_body(case: Case) -> dict[str, Any]:
    """Give the JSON of the response that bears a case's usage.

    Args:
        case: An entry of ``tests/data/cost_cases.json``.
    """
    usage, extra = case["usage"], case["response_extra"]
    model = case["response_model"] or case["model"]
    if case["api"] == "messages":
        content = [{"type": "text", "text": "x"}]
        message = {"id": "1", "type": "message", "role": "assistant", "stop_reason": "end_turn"}
        return {**message, "model": model, "content": content, "usage": usage, **extra}
    if case["api"] == "generateContent":
        content = {"role": "model", "parts": [{"text": "x"}]}
        candidate = {"index": 0, "finishReason": "STOP", "content": content, **extra}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}
    if case["api"] == "converse":
        message = {"role": "assistant", "content": [{"text": "x"}]}
        output = {"output": {"message": message}, "stopReason": "end_turn"}
        return {**output, "usage": usage, "metrics": {"latencyMs": 1}, **extra}
    if case["api"] == "realtime":
        return {"type": "response.done", "model": model, "response": {"usage": usage, **extra}}
    if case["api"] == "responses":
        text = {"type": "output_text", "text": "x", "annotations": []}
        message = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
        output = [{**message, "content": [text]}, *extra.get("output", ())]
        head = {"id": "1", "object": "response", "created_at": 0, "status": "completed"}
        rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
        return {**head, **rest, "model": model, "usage": usage, **extra, "output": output}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
    head = {"id": "1", "object": "chat.completion", "created": 0}
    return {**head, "model": model, "choices": [choice], "usage": usage, **extra}
