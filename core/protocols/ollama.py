"""Ollama's own chat: ``POST {base}/api/chat``, whose streams are lines of JSON.

Format as of 2026-11: https://docs.ollama.com/api/chat; the answers of ``/api/generate`` differ in
that text and thinking stand at their top: https://docs.ollama.com/api/generate
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.message_parts import arguments_text
from costspan.core.reply import Choice, Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

HAS_N = False
_COUNTS = ("prompt_eval_count", "eval_count")
_FINISH_REASONS = {"load": "stop", "unload": "stop"}


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole body or one line of a stream says to ``seen``.

    The counts stand beside the answer, in the last line. ``prompt_eval_count`` may be missing
    there, which leaves it unknown.
    """
    model = event.get("model")
    if model and isinstance(model, str):
        seen.model = model
    message = event.get("message")
    if isinstance(message, dict):
        _observe_message(message, seen.output_text)
    else:
        seen.output_text += [
            text for f in ("thinking", "response") if (text := _text(event.get(f)))
        ]
    if event.get("done") is True:
        seen.complete = True
        reason = event.get("done_reason")
        if reason and isinstance(reason, str):
            seen.finish_reasons[0] = reason
    counts = {name: event[name] for name in _COUNTS if event.get(name) is not None}
    if counts:
        seen.usage = counts
    if event.get("error"):
        seen.note_error(event["error"])


def _observe_message(message: JSON, texts: list[str]) -> None:
    for field in ("content", "thinking"):
        text = message.get(field)
        if text and isinstance(text, str):
            texts.append(text)
    for call in _tool_calls(message, 0):
        texts += filter(None, (call.function.name, call.function.arguments))


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    from costspan.core.protocols import ollama_request

    return ollama_request.encode(request, endpoint)


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The one answer in a whole body; None where it is none."""
    found = body.get("message")
    if not isinstance(found, dict):
        return None
    calls = _tool_calls(found, 0)
    for call in calls:
        call.index = None
    message = Message(
        role="assistant",
        content=_text(found.get("content")),
        tool_calls=calls or None,
        reasoning_content=_text(found.get("thinking")) or None,
    )
    return [Choice(0, message, _finish_reason(body, bool(calls)), _logprobs(body))]


class Chunks:
    """Reads the lines of one stream, counting the tool calls."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls = 0

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that a line means; None for lines without a message."""
        found = event.get("message")
        if not isinstance(found, dict):
            return None
        calls = _tool_calls(found, self._calls)
        self._calls += len(calls)
        delta = Message(
            role=_text(found.get("role")),
            content=_text(found.get("content")),
            tool_calls=calls or None,
            reasoning_content=_text(found.get("thinking")) or None,
        )
        reason = _finish_reason(event, bool(self._calls))
        choice = ChunkChoice(0, delta, reason, _logprobs(event))
        return Chunk(choices=[choice], model=_text(event.get("model")))


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()


def _finish_reason(event: JSON, has_calls: bool) -> str | None:
    """OpenAI's word for how an answer ended; Ollama says ``stop`` where tools are to be called."""
    if event.get("done") is not True:
        return None
    reason = _text(event.get("done_reason")) or "stop"
    reason = _FINISH_REASONS.get(reason, reason)
    return "tool_calls" if has_calls and reason == "stop" else reason


def _tool_calls(message: JSON, first: int) -> list[ToolCall]:
    """The tool calls of a message, which come whole; older servers give them no id."""
    calls = message.get("tool_calls")
    found: list[ToolCall] = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            written = arguments_text(function.get("arguments"))
            said = Function(_text(function.get("name")), written)
            identity = _text(call.get("id")) or f"call_{uuid4().hex}"
            found.append(ToolCall(identity, "function", said, first + len(found)))
    return found


def _logprobs(event: JSON) -> JSON | None:
    found = event.get("logprobs")
    return {"content": found} if isinstance(found, list) and found else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
