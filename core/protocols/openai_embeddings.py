"""OpenAI embeddings, observed only: ``POST {base}/embeddings``."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what an embeddings body says to ``seen``."""
    model = event.get("model")
    if isinstance(model, str) and model:
        seen.model = model
    identity = event.get("id")
    if isinstance(identity, str) and identity:
        seen.response_id = identity
    usage = event.get("usage")
    if isinstance(usage, dict):
        seen.usage = usage
    if isinstance(event.get("data"), list):
        seen.complete = True
    if "error" in event:
        seen.note_error(event["error"])
