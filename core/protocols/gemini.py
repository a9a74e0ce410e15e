"""Gemini's generateContent: ``POST {base}/models/{model}:generateContent``, AI Studio and Vertex.

Format as of 2026-11: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.gemini_reader import FINISH_UNKNOWN, Chunks, parts_of, position_of
from costspan.core.reply import Choice, Message
from costspan.core.request import Request, WireRequest

HAS_N = True


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole body or one stream event says to ``seen``.

    Usage stands on every event and is cumulative: the last one wins, nothing is added up. Of the
    grounding only what is billed is kept: that a search was made, and which ones are the same.
    """
    model, identity = event.get("modelVersion"), event.get("responseId")
    if isinstance(model, str) and model:
        seen.model = model
        seen.response["modelVersion"] = model
    if isinstance(identity, str) and identity:
        seen.response_id = identity
    candidates = event.get("candidates")
    for position, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
        if isinstance(candidate, dict):
            _observe_candidate(candidate, position, seen)
    feedback = event.get("promptFeedback")
    if isinstance(feedback, dict):
        _observe_finish(feedback.get("blockReason"), 0, seen)
    usage = event.get("usageMetadata")
    if isinstance(usage, dict):
        seen.usage = usage
    error = event.get("error")
    if isinstance(error, dict):
        seen.note_error({"type": error.get("status"), "code": error.get("code")})
    elif error:
        seen.note_error(error)


def _observe_candidate(candidate: Mapping[str, object], position: int, seen: Observation) -> None:
    index = position_of(candidate, position)
    for part in parts_of(candidate):
        _observe_part(part, seen.output_text)
    _observe_grounding(candidate.get("groundingMetadata"), seen.response)
    _observe_finish(candidate.get("finishReason"), index, seen)
    if index not in seen.finish_reasons:
        seen.unfinished.add(index)
        seen.complete = False


def _observe_finish(reason: object, index: int, seen: Observation) -> None:
    if isinstance(reason, str) and reason and reason != FINISH_UNKNOWN:
        seen.finish_reasons[index] = reason
        seen.unfinished.discard(index)
        seen.complete = not seen.unfinished


def _observe_part(part: Mapping[str, object], texts: list[str]) -> None:
    text, call = part.get("text"), part.get("functionCall")
    if isinstance(text, str) and text:
        texts.append(text)
    if isinstance(call, dict):
        name, arguments = call.get("name"), call.get("args")
        if isinstance(name, str):
            texts.append(name)
        if isinstance(arguments, dict) and arguments:
            try:
                texts.append(json.dumps(arguments, ensure_ascii=False))
            except (TypeError, ValueError, RecursionError):
                return  # no arguments that anybody can send: nothing to count


def _observe_grounding(metadata: object, response: dict[str, object]) -> None:
    if not isinstance(metadata, dict):
        return
    queries, chunks = metadata.get("webSearchQueries"), metadata.get("groundingChunks")
    known = response.get("groundingMetadata")
    kept: dict[str, object] = dict(known) if isinstance(known, dict) else {}
    before = kept.get("webSearchQueries")
    marks = dict.fromkeys(before if isinstance(before, list) else ())
    for query in queries if isinstance(queries, list) else ():
        if isinstance(query, str) and query:
            # A query is made of the prompt, so it is not kept; equal ones are billed once.
            marks[f"{hash(query):x}"] = None
    if marks:
        kept["webSearchQueries"] = list(marks)
    for chunk in chunks if isinstance(chunks, list) else ():
        if isinstance(chunk, dict) and chunk.get("maps") is not None:
            kept["groundingChunks"] = [{"maps": True}]
    if kept:
        response["groundingMetadata"] = kept


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    from costspan.core.protocols import gemini_request

    return gemini_request.encode(request, endpoint)


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The answers in a whole body; None where it is no completion.

    A prompt that was blocked has one answer without text; its finish reason is
    ``content_filter``. So does a reply that holds nothing but its usage, without a reason.
    """
    chunk = Chunks().read(body)
    if chunk is None:
        return None
    for choice in chunk.choices:
        for call in choice.delta.tool_calls or ():
            call.index = None
    answers = [Choice(c.index, c.delta, c.finish_reason, c.logprobs) for c in chunk.choices]
    return answers or [Choice(0, Message(role="assistant"))]


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()
