"""Cohere's first version, chat and generate: only read, for the clients that still ask in it.

Format as of 2026-11: https://docs.cohere.com/v1/reference/chat; the shapes of its events were
compared with Cohere's Python SDK 7.3.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole answer or one stream event says to ``seen``.

    The last event of a stream repeats the whole answer.
    """
    kind = event.get("event_type")
    if kind == "stream-end":
        whole = event.get("response")
        _observe_end(whole if isinstance(whole, dict) else event, seen)
        _finish(event.get("finish_reason"), seen)
        seen.complete = True
        return
    _observe_text(event, seen)
    if not isinstance(kind, str):
        _observe_end(event, seen)


def _observe_text(event: Mapping[str, object], seen: Observation) -> None:
    generations = event.get("generations")
    for each in (event, *(generations if isinstance(generations, list) else ())):
        text = each.get("text") if isinstance(each, dict) else None
        if text and isinstance(text, str):
            seen.output_text.append(text)


def _observe_end(answer: Mapping[str, object], seen: Observation) -> None:
    usage = answer.get("meta")
    if isinstance(usage, dict):
        seen.usage = usage
    for name in ("generation_id", "id"):
        identity = answer.get(name)
        if identity and isinstance(identity, str):
            seen.response_id = identity
            break
    _finish(answer.get("finish_reason"), seen)


def _finish(reason: object, seen: Observation) -> None:
    if reason and isinstance(reason, str):
        seen.finish_reasons[0] = reason
        if reason.startswith("ERROR"):
            seen.error_type = reason
