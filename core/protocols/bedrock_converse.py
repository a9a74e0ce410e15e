"""Bedrock Converse: ``POST {base}/model/{id}/converse`` and ``/converse-stream``.

Format as of 2026-11: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
and API_runtime_ConverseStream.html. Events of a stream have the shape in which boto3 hands them
out: ``{"contentBlockDelta": {...}}``. The id of a response stands in a header only.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.message_parts import arguments_text
from costspan.core.reply import Choice, Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

HAS_N = False
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_NOTHING: JSON = {}


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole body or one stream event says to ``seen``.

    Usage comes once, in the body or in the ``metadata`` event at the end.
    """
    if "output" in event or "stopReason" in event:
        _observe_end(event, seen)
        for block in _blocks(event):
            _observe_block(block, seen.output_text)
        return
    for name, said in event.items():
        if not isinstance(said, dict):
            continue
        if name == "contentBlockDelta":
            _observe_block(said.get("delta"), seen.output_text)
        elif name == "contentBlockStart":
            _observe_block(said.get("start"), seen.output_text)
        elif name in ("messageStop", "metadata"):
            _observe_end(said, seen)
        elif name.endswith("Exception"):
            seen.note_error({"type": name})
        elif name == "error":
            seen.note_error(said)


def _observe_end(said: JSON, seen: Observation) -> None:
    """What stands at the top of a body, or in the last two events of a stream."""
    reason = said.get("stopReason")
    if isinstance(reason, str) and reason:
        seen.finish_reasons[0] = reason
        seen.complete = True
    usage = said.get("usage")
    if isinstance(usage, dict):
        seen.usage = usage
    tier = said.get("serviceTier")
    if isinstance(tier, dict):
        seen.response["serviceTier"] = tier
    router = _mapping(_mapping(said.get("trace")).get("promptRouter"))
    model = router.get("invokedModelId")
    if isinstance(model, str) and model:
        seen.model = model


def _observe_block(block: object, texts: list[str]) -> None:
    """Keep the texts of a content block, or of the delta of one."""
    found = _mapping(block)
    reasoning, use = _reasoning(found), _mapping(found.get("toolUse"))
    arguments = arguments_text(use["input"]) if use.get("input") else None
    for text in (*_texts(found), reasoning.get("text"), use.get("name"), arguments):
        if isinstance(text, str) and text:
            texts.append(text)


def _texts(block: JSON) -> list[str]:
    """The texts of a block; those that cite a document stand deeper."""
    cited = _each(_mapping(block.get("citationsContent")).get("content"))
    return [text for each in (block, *cited) if isinstance(text := each.get("text"), str)]


def _each(value: object) -> list[JSON]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _reasoning(block: JSON) -> JSON:
    """The reasoning in a block, whose text stands deeper in a whole body than in a delta."""
    content = _mapping(block.get("reasoningContent"))
    return _mapping(content.get("reasoningText")) or content


def _blocks(body: JSON) -> list[JSON]:
    return _each(_mapping(_mapping(body.get("output")).get("message")).get("content"))


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    from costspan.core.protocols import converse_request

    return converse_request.encode(request, endpoint)


def _finish_reason(reason: object) -> str | None:
    """OpenAI's word for a stop reason; one that has none (``malformed_tool_use``) stays."""
    return _FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else None


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The one answer in a whole body; None where it is no answer of Converse."""
    if not isinstance(body.get("output"), dict):
        return None
    blocks = _blocks(body)
    texts = [text for block in blocks for text in _texts(block)]
    cited = (_mapping(block.get("citationsContent")).get("citations") for block in blocks)
    citations: list[object] = [each for found in cited for each in _each(found)]
    thoughts = [text for b in blocks if isinstance(text := _reasoning(b).get("text"), str)]
    uses = [use for block in blocks if isinstance(use := block.get("toolUse"), dict)]
    kept = [thinking for block in blocks if (thinking := _thinking_block(block))]
    message = Message(
        role="assistant",
        content="".join(texts) if texts else None,
        tool_calls=[_tool_call(use) for use in uses] or None,
        reasoning_content="".join(thoughts) or None,
        thinking_blocks=kept or None,
        annotations=citations or None,
    )
    return [Choice(0, message, _finish_reason(body.get("stopReason")))]


def _thinking_block(block: JSON) -> JSON | None:
    """Reasoning that must be sent back unchanged, in Anthropic's shape."""
    redacted = _mapping(block.get("reasoningContent")).get("redactedContent")
    if isinstance(redacted, str):
        return {"type": "redacted_thinking", "data": redacted}
    reasoning = _reasoning(block)
    text, signature = reasoning.get("text"), reasoning.get("signature")
    if not isinstance(signature, str):
        return None
    return {"type": "thinking", "thinking": _text(text) or "", "signature": signature}


def _tool_call(use: JSON, index: int | None = None) -> ToolCall:
    written = arguments_text(use.get("input")) if index is None else ""
    name = Function(_text(use.get("name")), written)
    return ToolCall(_text(use.get("toolUseId")), "function", name, index)


class Chunks:
    """Reads the events of one stream, keeping which block is which tool call."""

    __slots__ = ("_silent", "_thinking", "_tools")

    def __init__(self) -> None:
        self._tools: dict[int, int] = {}
        self._silent: set[int] = set()
        self._thinking: dict[int, dict[str, str]] = {}

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means; None for events that bring nothing new."""
        if "output" in event:
            # Servers that cannot stream answer with a whole body.
            return _whole(event)
        name, said = next(iter(event.items()), ("", None))
        if not isinstance(said, dict):
            return None
        index = said.get("contentBlockIndex")
        if name == "contentBlockDelta":
            new = self._delta(index, _mapping(said.get("delta")))
        elif name == "contentBlockStart":
            new = self._start(index, _mapping(_mapping(said.get("start")).get("toolUse")))
        elif name == "contentBlockStop":
            new = self._stop(index)
        elif name == "messageStart":
            new = Message(role="assistant", content="")
        elif name == "messageStop":
            reason = _finish_reason(said.get("stopReason"))
            return Chunk(choices=[ChunkChoice(0, Message(), reason)]) if reason else None
        else:
            return Chunk() if name == "metadata" else None
        return None if new is None else Chunk(choices=[ChunkChoice(0, new)])

    def _start(self, index: object, use: JSON) -> Message | None:
        if not use or not isinstance(index, int):
            return None
        position = self._tools[index] = len(self._tools)
        self._silent.add(index)
        return Message(tool_calls=[_tool_call(use, position)])

    def _delta(self, index: object, delta: JSON) -> Message | None:
        text = delta.get("text")
        if isinstance(text, str):
            return Message(content=text)
        if isinstance(delta.get("citation"), dict):
            return Message(annotations=[delta["citation"]])
        if not isinstance(index, int):
            return None
        arguments = _mapping(delta.get("toolUse")).get("input")
        if isinstance(arguments, str) and index in self._tools:
            if arguments:
                self._silent.discard(index)
            call = ToolCall(None, None, Function(None, arguments), self._tools[index])
            return Message(tool_calls=[call])
        return self._reasoned(index, _mapping(delta.get("reasoningContent")))

    def _reasoned(self, index: int, delta: JSON) -> Message | None:
        block = self._thinking.setdefault(index, {})
        for field in ("text", "signature", "redactedContent"):
            piece = delta.get(field)
            if isinstance(piece, str):
                block[field] = block.get(field, "") + piece
        thought = delta.get("text")
        return Message(reasoning_content=thought) if isinstance(thought, str) else None

    def _stop(self, index: object) -> Message | None:
        """The reasoning that ends here, if it must be sent back; no arguments where none came."""
        if not isinstance(index, int):
            return None
        if index in self._silent:
            self._silent.discard(index)
            call = ToolCall(None, None, Function(None, "{}"), self._tools[index])
            return Message(tool_calls=[call])
        content = self._thinking.pop(index, None)
        block = _thinking_block({"reasoningContent": content}) if content else None
        return Message(thinking_blocks=[block]) if block else None


def _whole(body: Mapping[str, object]) -> Chunk:
    answers = choices(body) or []
    return Chunk(choices=[ChunkChoice(0, each.message, each.finish_reason) for each in answers])


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()


def _mapping(value: object) -> JSON:
    return value if isinstance(value, dict) else _NOTHING


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
