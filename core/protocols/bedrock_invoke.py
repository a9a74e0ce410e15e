"""Bedrock InvokeModel: bodies in the words of each model family; only read.

Shapes as of 2026-11: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html.
A body that has the shape of another protocol (messages, converse, chat) is read by that. The counts
that Bedrock itself adds for all models stand in headers, or in the last chunk of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation

API = "invoke-any"
METRICS = "amazon-bedrock-invocationMetrics"
"""Where the last chunk of a stream holds Bedrock's own counts."""

_LLAMA = ("prompt_token_count", "generation_token_count")
_TEXTS = ("generation", "outputText", "text")
_REASONS = ("stop_reason", "completionReason", "finish_reason")


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole body or one chunk says to ``seen``.

    Bedrock's own counts stand only where the body has told none.
    """
    for part in (event, *_parts(event, "results"), *_parts(event, "outputs")):
        _observe_text(part, seen)
    llama = {name: event[name] for name in _LLAMA if isinstance(event.get(name), int)}
    if llama:
        seen.usage = {**(seen.usage or {}), **llama}
        seen.api = "invoke-llama"
    counts = event.get(METRICS)
    if isinstance(counts, dict) and seen.usage is None:
        seen.usage = counts
        seen.api = API


def _parts(event: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """The answers in a body of Titan (``results``) or Mistral (``outputs``)."""
    found = event.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _observe_text(part: Mapping[str, object], seen: Observation) -> None:
    for name in _TEXTS:
        text = part.get(name)
        if text and isinstance(text, str):
            seen.output_text.append(text)
    for name in _REASONS:
        reason = part.get(name)
        if reason and isinstance(reason, str):
            seen.finish_reasons[0] = reason
            seen.complete = True
