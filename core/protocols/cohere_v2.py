"""Cohere chat, second version: ``POST {base}/v2/chat``.

Format as of 2026-11: https://docs.cohere.com/reference/chat and /reference/chat-stream; the shapes
of its events were compared with Cohere's Python SDK 7.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.reply import Choice, Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

HAS_N = False
_FINISH_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_FAILURES = ("ERROR", "TIMEOUT")
"""Finish reasons of answers that the provider could not finish."""


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole answer or one stream event says to ``seen``.

    The model's name comes in neither.
    """
    kind, delta, message = event.get("type"), event.get("delta"), event.get("message")
    identity = event.get("id")
    if isinstance(kind, str):
        if isinstance(delta, dict):
            _observe_message(delta.get("message"), seen.output_text)
            if kind == "message-end":
                _observe_end(delta, seen)
    elif isinstance(message, dict):
        _observe_message(message, seen.output_text)
        _observe_end(event, seen)
    else:
        # An error has its text where answers have their message.
        seen.note_error(event.get("error") or message)
        return
    if isinstance(identity, str) and identity:
        seen.response_id = identity


def _observe_message(message: object, texts: list[str]) -> None:
    if not isinstance(message, dict):
        return
    for part in _each(message.get("content")):
        texts += [text for f in ("text", "thinking") if (text := _text(part.get(f)))]
    if plan := _text(message.get("tool_plan")):
        texts.append(plan)
    for call in _each(message.get("tool_calls")):
        function = call.get("function")
        if isinstance(function, dict):
            texts += [text for f in ("name", "arguments") if (text := _text(function.get(f)))]


def _observe_end(end: Mapping[str, object], seen: Observation) -> None:
    usage, reason, error = end.get("usage"), end.get("finish_reason"), end.get("error")
    if isinstance(usage, dict):
        seen.usage = usage
    if isinstance(reason, str) and reason:
        seen.finish_reasons[0] = reason
        seen.complete = True
    if error or reason in _FAILURES:
        seen.note_error(error)
        seen.error_type = str(reason) if reason in _FAILURES else seen.error_type or "error"


def _each(value: object) -> Iterator[Mapping[str, object]]:
    """The objects in a list; an object alone, as streams have it, is one of them."""
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, dict):
            yield each


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    from costspan.core.protocols import cohere_request

    return cohere_request.encode(request, endpoint)


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The one answer in a whole body; None where it failed or is no answer."""
    found, reason = body.get("message"), body.get("finish_reason")
    if not isinstance(found, dict) or reason in _FAILURES or body.get("error"):
        return None
    message = _message(found)
    message.role = "assistant"
    return [Choice(0, message, _finish_reason(reason), _logprobs(body.get("logprobs")))]


def _finish_reason(reason: object) -> str | None:
    return _FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else None


def _message(found: Mapping[str, object]) -> Message:
    """What a message says, or the piece of one."""
    parts = list(_each(found.get("content")))
    texts = [text for part in parts if (text := _text(part.get("text"))) is not None]
    thoughts = [text for part in parts if (text := _text(part.get("thinking")))]
    if plan := _text(found.get("tool_plan")):
        thoughts.append(plan)
    return Message(
        content="".join(texts) if texts else None,
        tool_calls=[_tool_call(call) for call in _each(found.get("tool_calls"))] or None,
        reasoning_content="".join(thoughts) or None,
        annotations=[dict(each) for each in _each(found.get("citations"))] or None,
    )


def _tool_call(call: Mapping[str, object]) -> ToolCall:
    function = call.get("function")
    told = function if isinstance(function, dict) else {}
    named = Function(_text(told.get("name")), _text(told.get("arguments")))
    return ToolCall(_text(call.get("id")), _text(call.get("type")), named)


def _logprobs(found: object) -> JSON | None:
    """Log probabilities in OpenAI's shape: one entry for each piece of text.

    Where a piece has several tokens, its probability is the product of theirs.
    """
    entries: list[object] = []
    for piece in _each(found):
        text, numbers = piece.get("text"), piece.get("logprobs")
        if isinstance(text, str) and isinstance(numbers, list):
            known = [number for number in numbers if isinstance(number, (int, float))]
            entries.append({"token": text, "logprob": sum(known), "top_logprobs": []})
    return {"content": entries} if entries else None


class Chunks:
    """Reads the events of one stream, keeping which event index is which tool call."""

    __slots__ = ("_count", "_id", "_tools")

    def __init__(self) -> None:
        self._id: str | None = None
        self._tools: dict[object, int] = {}
        self._count = 0

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means; None for events that bring nothing new."""
        kind, delta = event.get("type"), event.get("delta")
        if not isinstance(kind, str):
            # Servers that cannot stream answer with a whole body.
            return self._whole(event)
        if not isinstance(delta, dict):
            return None
        if kind == "message-start":
            self._id = _text(event.get("id"))
            return self._chunk(Message(role="assistant", content=""))
        if kind == "message-end":
            reason = _finish_reason(delta.get("finish_reason"))
            return self._chunk(Message(), reason) if reason else None
        new = _message(delta["message"]) if isinstance(delta.get("message"), dict) else Message()
        for call in new.tool_calls or ():
            call.index = self._position(event.get("index"), starts=kind == "tool-call-start")
        return None if new == Message() else self._chunk(new, None, event.get("logprobs"))

    def _position(self, index: object, *, starts: bool) -> int:
        """The number of a tool call among the calls; the event's index counts texts as well."""
        known = index if isinstance(index, int) else None
        if starts or known not in self._tools:
            self._tools[known] = self._count
            self._count += 1
        return self._tools[known]

    def _whole(self, body: Mapping[str, object]) -> Chunk | None:
        self._id = _text(body.get("id"))
        for answer in choices(body) or ():
            for index, call in enumerate(answer.message.tool_calls or ()):
                call.index = index
            return self._chunk(answer.message, answer.finish_reason, body.get("logprobs"))
        return None

    def _chunk(self, new: Message, reason: str | None = None, logprobs: object = None) -> Chunk:
        return Chunk(id=self._id, choices=[ChunkChoice(0, new, reason, _logprobs(logprobs))])


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()
