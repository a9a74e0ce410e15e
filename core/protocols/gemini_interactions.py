"""Google's Interactions: ``POST {base}/interactions``; only read, where an SDK asked.

Format as of 2026-11: https://ai.google.dev/api/interactions
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation

_UNFINISHED = ("in_progress", "queued", "requires_continuation")


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what an interaction, or an event of its stream, says to ``seen``."""
    found = event.get("interaction") if "event_type" in event else event
    if isinstance(found, dict):
        _observe_interaction(found, seen)
    delta = event.get("delta")
    text = delta.get("text") if isinstance(delta, dict) else None
    if isinstance(text, str) and text:
        seen.output_text.append(text)
    if "error" in event:
        seen.note_error(event["error"])


def _observe_interaction(found: Mapping[str, object], seen: Observation) -> None:
    model, identity, usage = found.get("model"), found.get("id"), found.get("usage")
    if isinstance(model, str) and model:
        seen.model = model
    if isinstance(usage, dict) and usage:
        seen.usage = usage
    if isinstance(identity, str) and identity:
        seen.response_id = identity
    status = found.get("status")
    if isinstance(status, str):
        seen.complete = status not in _UNFINISHED
        if seen.complete:
            seen.finish_reasons[0] = status
