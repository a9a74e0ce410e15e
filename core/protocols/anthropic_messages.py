"""Anthropic messages: ``POST {base}/v1/messages``.

Format as of 2026-11, version header 2023-06-01: https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.message_parts import arguments_text
from costspan.core.reply import Choice, Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.request import Request, WireRequest

HAS_N = False
_THINKING = ("thinking", "redacted_thinking")
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole message or one stream event says to ``seen``.

    Usage in a stream is cumulative: the keys of ``message_delta`` replace those of
    ``message_start``, nothing is added up.
    """
    kind = event.get("type")
    if kind == "content_block_delta":
        _observe_delta(event.get("delta"), seen.output_text)
    elif kind == "message_start":
        message = event.get("message")
        if isinstance(message, dict):
            _observe_message(message, seen)
    elif kind == "message_delta":
        delta = event.get("delta")
        if isinstance(delta, dict):
            _observe_stop(delta.get("stop_reason"), seen)
        _merge_usage(event.get("usage"), seen)
    elif kind == "content_block_start":
        _observe_block(event.get("content_block"), seen.output_text)
    elif kind == "message_stop":
        seen.complete = True
    elif kind == "error" or "error" in event:
        seen.note_error(event.get("error"))
    elif kind == "message" or "content" in event:
        _observe_message(event, seen)
    else:
        for name in event:  # a stream of Bedrock ends in an event that is named after its exception
            if name.endswith("Exception"):
                seen.note_error({"type": name})


def _observe_message(message: Mapping[str, object], seen: Observation) -> None:
    model, identity = message.get("model"), message.get("id")
    if isinstance(model, str) and model:
        seen.model = model
    if isinstance(identity, str) and identity:
        seen.response_id = identity
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        _observe_block(block, seen.output_text)
    _merge_usage(message.get("usage"), seen)
    _observe_stop(message.get("stop_reason"), seen)


def _observe_stop(reason: object, seen: Observation) -> None:
    if isinstance(reason, str) and reason:
        seen.finish_reasons[0] = reason
        seen.complete = True


def _merge_usage(usage: object, seen: Observation) -> None:
    if isinstance(usage, dict):
        known = {key: value for key, value in usage.items() if value is not None}
        seen.usage = {**seen.usage, **known} if seen.usage else known


def _observe_delta(delta: object, texts: list[str]) -> None:
    if isinstance(delta, dict):
        for field in ("text", "thinking", "partial_json"):
            text = delta.get(field)
            if text and isinstance(text, str):
                texts.append(text)


def _observe_block(block: object, texts: list[str]) -> None:
    if not isinstance(block, dict):
        return
    for field in ("text", "thinking", "name"):
        text = block.get(field)
        if text and isinstance(text, str):
            texts.append(text)
    arguments = block.get("input")
    if arguments and isinstance(arguments, dict):
        texts.append(str(arguments))


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    from costspan.core.protocols import anthropic_request

    return anthropic_request.encode(request, endpoint)


def _finish_reason(reason: object) -> str | None:
    """OpenAI's word for a stop reason; one that has none (``pause_turn``) stays as it is."""
    return _FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else None


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The one answer in a whole message; None where it is no message."""
    content = body.get("content")
    if not isinstance(content, list):
        return None
    blocks = [block for block in content if isinstance(block, dict)]
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    thoughts = [block["thinking"] for block in blocks if isinstance(block.get("thinking"), str)]
    calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
    cited = [block["citations"] for block in blocks if isinstance(block.get("citations"), list)]
    message = Message(
        role="assistant",
        content="".join(texts) if texts else None,
        tool_calls=calls or None,
        reasoning_content="".join(thoughts) if thoughts else None,
        thinking_blocks=[b for b in blocks if b.get("type") in _THINKING] or None,
        annotations=[each for citations in cited for each in citations] or None,
    )
    return [Choice(0, message, _finish_reason(body.get("stop_reason")))]


def _tool_call(block: Mapping[str, object], index: int | None = None) -> ToolCall:
    identity, name, arguments = block.get("id"), block.get("name"), block.get("input")
    written = arguments_text(arguments) if index is None else ""
    return ToolCall(
        identity if isinstance(identity, str) else None,
        "function",
        Function(name if isinstance(name, str) else None, written),
        index,
    )


class Chunks:
    """Reads the events of one stream, keeping which block is which tool call."""

    __slots__ = ("_thinking", "_tools", "_top", "_unsaid")

    def __init__(self) -> None:
        self._top: dict[str, str] = {}
        self._tools: dict[int, int] = {}
        self._thinking: dict[int, dict[str, object]] = {}
        self._unsaid: dict[int, str] = {}

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means; None for events that bring nothing new."""
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = event.get("delta")
            new = self._delta(event.get("index"), delta) if isinstance(delta, dict) else None
        elif kind == "content_block_start":
            new = self._start(event.get("index"), event.get("content_block"))
        elif kind == "content_block_stop":
            new = self._stop(event.get("index"))
        elif kind == "message_start":
            new = self._begin(event.get("message"))
        elif kind == "message_delta":
            delta = event.get("delta")
            reason = _finish_reason(delta.get("stop_reason")) if isinstance(delta, dict) else None
            return self._chunk([ChunkChoice(0, Message(), reason)]) if reason else None
        elif kind == "message":
            # Servers that cannot stream answer with a whole message.
            return self._whole(event)
        else:
            return self._chunk([]) if kind == "message_stop" else None
        return None if new is None else self._chunk([ChunkChoice(0, new)])

    def _chunk(self, new: list[ChunkChoice]) -> Chunk:
        return Chunk(id=self._top.get("id"), choices=new, model=self._top.get("model"))

    def _whole(self, message: Mapping[str, object]) -> Chunk:
        self._begin(message)
        answers = choices(message) or []
        return self._chunk([ChunkChoice(0, each.message, each.finish_reason) for each in answers])

    def _begin(self, message: object) -> Message:
        if isinstance(message, dict):
            found = ((name, message.get(name)) for name in ("id", "model"))
            self._top = {name: value for name, value in found if isinstance(value, str)}
        return Message(role="assistant", content="")

    def _start(self, index: object, block: object) -> Message | None:
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(block, dict) or not isinstance(index, int):
            return None
        if kind == "tool_use":
            position = self._tools[index] = len(self._tools)
            self._unsaid[index] = arguments_text(block.get("input"))
            return Message(tool_calls=[_tool_call(block, position)])
        if kind in _THINKING:
            self._thinking[index] = dict(block)
        text = block.get("text")
        return Message(content=text) if isinstance(text, str) and text else None

    def _delta(self, index: object, delta: Mapping[str, object]) -> Message | None:
        text, thought, arguments = (delta.get(f) for f in ("text", "thinking", "partial_json"))
        if isinstance(text, str):
            return Message(content=text)
        if delta.get("type") == "citations_delta" and "citation" in delta:
            return Message(annotations=[delta["citation"]])
        if not isinstance(index, int):
            return None
        if isinstance(arguments, str) and index in self._tools:
            if arguments:
                self._unsaid.pop(index, None)
            call = ToolCall(None, None, Function(None, arguments), self._tools[index])
            return Message(tool_calls=[call])
        block = self._thinking.get(index)
        if block is None:
            return None
        for field in ("thinking", "signature"):
            piece, known = delta.get(field), block.get(field)
            if isinstance(piece, str):
                block[field] = (known if isinstance(known, str) else "") + piece
        return Message(reasoning_content=thought) if isinstance(thought, str) else None

    def _stop(self, index: object) -> Message | None:
        """What of the block that ends here has not been told: thoughts to send back, and the
        arguments of a call that has none, which come in no delta.
        """
        if not isinstance(index, int):
            return None
        block, arguments = self._thinking.pop(index, None), self._unsaid.pop(index, None)
        if arguments:
            call = ToolCall(None, None, Function(None, arguments), self._tools[index])
            return Message(tool_calls=[call])
        return Message(thinking_blocks=[block]) if block else None


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()
