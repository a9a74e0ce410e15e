"""The pieces of a streamed answer, joined as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from costspan.core.base64_pieces import joined_base64
from costspan.core.reply import Choice, ChunkChoice, Function, Message, ToolCall
from costspan.core.types import JSON


@dataclass(slots=True)
class Pieces:
    """The pieces of one answer, as far as they have come."""

    role: str | None = None
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    call_by_index: dict[int, ToolCall] = field(default_factory=dict)
    function_call: Function | None = None
    thinking_blocks: list[JSON] = field(default_factory=list)
    annotations: list[object] = field(default_factory=list)
    audio: dict[str, object] = field(default_factory=dict)
    images: list[object] = field(default_factory=list)
    extra_content: JSON | None = None
    logprobs: dict[str, list[object]] = field(default_factory=dict)
    finish_reason: str | None = None

    def add(self, choice: ChunkChoice) -> None:
        """Take the next piece."""
        delta = choice.delta
        self.role = self.role or delta.role
        self.finish_reason = choice.finish_reason or self.finish_reason
        for pieces, piece in (
            (self.content, delta.content),
            (self.reasoning, delta.reasoning_content),
            (self.refusal, delta.refusal),
        ):
            if piece is not None:
                pieces.append(piece)
        for call in delta.tool_calls or ():
            self._add_call(call)
        if delta.function_call:
            self.function_call = self.function_call or Function()
            _add_function(self.function_call, delta.function_call)
        self.thinking_blocks += delta.thinking_blocks or ()
        self.annotations += delta.annotations or ()
        self.images += delta.images or ()
        self.extra_content = delta.extra_content or self.extra_content
        if delta.audio:
            _add_audio(self.audio, delta.audio)
        for name, entries in (choice.logprobs or {}).items():
            if isinstance(entries, list):
                self.logprobs.setdefault(name, []).extend(entries)

    def _add_call(self, delta: ToolCall) -> None:
        """Join a piece of a tool call.

        A second id at a known index begins another call: some compatible servers number all
        calls 0.
        """
        index = delta.index or 0
        call = self.call_by_index.get(index)
        if call is None or (delta.id and call.id and delta.id != call.id):
            call = ToolCall(delta.id, delta.type, Function())
            self.call_by_index[index] = call
            self.calls.append(call)
        call.id = call.id or delta.id
        call.extra_content = delta.extra_content or call.extra_content
        _add_function(call.function, delta.function)

    def joined(self, index: int) -> Choice:
        """The answer as far as it has come."""
        message = Message(
            role=self.role or "assistant",
            content="".join(self.content) if any(self.content) or not self.calls else None,
            tool_calls=self.calls or None,
            function_call=self.function_call,
            reasoning_content="".join(self.reasoning) or None,
            thinking_blocks=self.thinking_blocks or None,
            refusal="".join(self.refusal) or None,
            annotations=self.annotations or None,
            audio=self.audio or None,
            images=self.images or None,
            extra_content=self.extra_content,
        )
        return Choice(index, message, self.finish_reason, self.logprobs or None)


def _add_function(whole: Function, piece: Function) -> None:
    whole.name = whole.name or piece.name
    if piece.arguments is not None:
        whole.arguments = (whole.arguments or "") + piece.arguments


def _add_audio(whole: dict[str, object], piece: Mapping[str, object]) -> None:
    """Join a piece of audio: its data and transcript grow, the rest is replaced."""
    for name, value in piece.items():
        known = whole.get(name)
        if not isinstance(known, str) or not isinstance(value, str):
            whole[name] = value
        elif name == "data":
            whole[name] = joined_base64(known, value)
        else:
            whole[name] = known + value if name == "transcript" else value
