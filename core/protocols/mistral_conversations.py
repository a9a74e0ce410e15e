"""Mistral's conversations, ``POST {base}/v1/conversations``: only read, not completed with.

Format as of 2026-11: https://docs.mistral.ai/api/endpoint/beta/conversations; the shapes were
compared with Mistral's Python SDK 3.7.0.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation

_DONE, _FAILED = "conversation.response.done", "conversation.response.error"


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole answer or one stream event says to ``seen``.

    One answer may hold several outputs, of several agents and their models: the last model counts.
    """
    kind, outputs = event.get("type"), event.get("outputs")
    for entry in outputs if isinstance(outputs, list) else (event,):
        if isinstance(entry, dict):
            _observe_entry(entry, seen)
    identity, usage = event.get("conversation_id"), event.get("usage")
    if identity and isinstance(identity, str):
        seen.response_id = identity
    if isinstance(usage, dict):
        seen.usage = usage
    if kind == _DONE:
        seen.complete = True
    elif kind == _FAILED:
        seen.note_error({"type": "error", "code": event.get("code")})
    elif event.get("error"):
        seen.note_error(event["error"])


def _observe_entry(entry: Mapping[str, object], seen: Observation) -> None:
    """One output, whole or a piece of it: its model, its text, the arguments of its call."""
    model = entry.get("model")
    if model and isinstance(model, str):
        seen.model = model
    content = entry.get("content")
    for part in content if isinstance(content, list) else (content,):
        text = part.get("text") if isinstance(part, dict) else part
        if text and isinstance(text, str):
            seen.output_text.append(text)
    arguments = entry.get("arguments")
    if arguments and isinstance(arguments, str):
        seen.output_text.append(arguments)
