"""The output of OpenAI Responses, whole or streamed, in the shape of a chat's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from costspan.core.reply import Choice, Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.types import JSON

_Key: TypeAlias = "int | str | None"
"""Which output item an event is about: its index, or its id with servers that send no index."""

_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
"""Calls of the caller's tools: their type in a chat, and the field that holds the arguments."""

_ARGUMENTS = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta")
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_PARAGRAPH = "\n\n"
_UNFINISHED = ("queued", "in_progress")
_ENDS = ("response.completed", "response.incomplete")
_FINISH_REASONS = {"max_output_tokens": "length"}


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The one answer in a whole response; None where it failed or is no response.

    A response that is still being made in the background has no finish reason.
    """
    output = body.get("output")
    failed = body.get("status") == "failed" or body.get("error") is not None
    if not isinstance(output, list) or failed:
        return None
    answer = _Answer()
    for item in output:
        answer.add(item)
    message = answer.message()
    message.role = "assistant"
    reason = _finish_reason(body, called=bool(answer.calls))
    return [Choice(0, message, reason, _logprobs(answer.logprobs))]


def _finish_reason(body: Mapping[str, object], *, called: bool) -> str | None:
    """OpenAI's word of a chat for a status; one that has none (``cancelled``) stays as it is."""
    status = body.get("status")
    if not isinstance(status, str) or status in _UNFINISHED:
        return None
    if status == "incomplete":
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else status
    if status == "completed":
        return "tool_calls" if called else "stop"
    return status


@dataclass(slots=True)
class _Answer:
    """What the output items say, in the order in which they come."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    reasoning: list[JSON] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    annotations: list[object] = field(default_factory=list)
    logprobs: list[object] = field(default_factory=list)
    images: list[object] = field(default_factory=list)

    def add(self, item: object) -> None:
        """Take the next output item; of the provider's own tools, only images are answers."""
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(kind, str):
            return
        if kind == "message":
            for part in _parts(item, "content"):
                self._add_part(part)
        elif kind == "reasoning":
            self.reasoning.append(item)
            for part in (*_parts(item, "summary"), *_parts(item, "content")):
                _append_text(self.thoughts, part.get("text"))
        elif kind in _CALLS:
            self.calls.append(_tool_call(item, kind))
        elif kind == "image_generation_call" and (data := _text(item.get("result"))):
            url = f"data:image/{item.get('output_format') or 'png'};base64,{data}"
            self.images.append({"type": "image_url", "image_url": {"url": url}})

    def _add_part(self, part: Mapping[str, object]) -> None:
        _append_text(self.texts, part.get("text"))
        _append_text(self.refusals, part.get("refusal"))
        for name, known in (("annotations", self.annotations), ("logprobs", self.logprobs)):
            found = part.get(name)
            known += found if isinstance(found, list) else ()

    def message(self) -> Message:
        """The answer, without its role."""
        return Message(
            content="".join(self.texts) if self.texts else None,
            tool_calls=self.calls or None,
            reasoning_content=_PARAGRAPH.join(self.thoughts) or None,
            thinking_blocks=self.reasoning or None,
            refusal="".join(self.refusals) or None,
            annotations=self.annotations or None,
            images=self.images or None,
        )


def _parts(item: Mapping[str, object], name: str) -> list[dict[str, object]]:
    found = item.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _append_text(texts: list[str], text: object) -> None:
    if isinstance(text, str):
        texts.append(text)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _logprobs(entries: object) -> JSON | None:
    """Chat's form of the log probabilities, whose entries are the same."""
    return {"content": entries} if isinstance(entries, list) and entries else None


def _tool_call(item: Mapping[str, object], kind: str) -> ToolCall:
    called, arguments = _CALLS[kind]
    identity = _text(item.get("call_id")) or _text(item.get("id"))
    function = Function(_text(item.get("name")), _text(item.get(arguments)))
    return ToolCall(identity, called, function)


class Chunks:
    """Reads the events of one stream, keeping what it has told of which output item.

    Closing events repeat what the deltas said. They are read for what has not been told yet:
    reasoning items, which go back to the provider whole, and the text of servers that send no
    deltas.
    """

    __slots__ = ("_calls", "_created", "_keys", "_thought", "_told", "_top")

    def __init__(self) -> None:
        self._top: dict[str, str] = {}
        self._created: int | None = None
        self._keys: dict[str, str] = {}
        self._calls: dict[_Key, int] = {}
        self._told: set[_Key] = set()
        self._thought: object = None

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means; None for events that bring nothing new."""
        kind, item, response = event.get("type"), event.get("item"), event.get("response")
        if not isinstance(kind, str):
            # Servers that cannot stream answer with a whole response.
            return self._whole(event)
        new: Message | None = None
        if kind.endswith(".delta"):
            new = self._delta(kind, event)
        elif kind == "response.output_item.added":
            new = self._announced(event, item) if isinstance(item, dict) else None
        elif kind == "response.output_item.done":
            new = self._done(event, item) if isinstance(item, dict) else None
        elif kind == "response.output_text.annotation.added":
            note = event.get("annotation")
            new = Message(annotations=[note]) if isinstance(note, dict) else None
        elif kind == "response.created" and isinstance(response, dict):
            self._begin(response)
            new = Message(role="assistant", content="")
        elif kind in _ENDS and isinstance(response, dict):
            return self._close(response)
        return None if new is None else self._chunk(new, logprobs=_logprobs(event.get("logprobs")))

    def _chunk(
        self, new: Message, reason: str | None = None, logprobs: JSON | None = None
    ) -> Chunk:
        return Chunk(
            id=self._top.get("id"),
            choices=[ChunkChoice(0, new, reason, logprobs)],
            created=self._created,
            model=self._top.get("model"),
        )

    def _begin(self, response: Mapping[str, object]) -> None:
        found = ((name, response.get(name)) for name in ("id", "model"))
        self._top |= {name: value for name, value in found if isinstance(value, str)}
        created = response.get("created_at")
        self._created = created if isinstance(created, int) else self._created

    def _key(self, event: Mapping[str, object], *names: object) -> _Key:
        """Which item an event is about, by its index or else by any of the names that it goes by.

        llama.cpp sends no index, and names a finished call by its ``call_id`` alone.
        """
        index = event.get("output_index")
        if isinstance(index, int):
            return index
        known = [name for name in names if isinstance(name, str)]
        key = next((self._keys[name] for name in known if name in self._keys), None)
        for name in known:
            key = self._keys.setdefault(name, key or name)
        return key

    def _delta(self, kind: str, event: Mapping[str, object]) -> Message | None:
        delta, key = event.get("delta"), self._key(event, event.get("item_id"))
        if not isinstance(delta, str):
            return None
        if kind in _ARGUMENTS:
            if key not in self._calls:
                return None  # nobody said whose they are: they come whole with the call
            call = ToolCall(None, None, Function(None, delta), self._calls[key])
            new = Message(tool_calls=[call])
        elif kind == "response.output_text.delta":
            new = Message(content=delta)
        elif kind == "response.refusal.delta":
            new = Message(refusal=delta)
        elif kind in _THOUGHTS:
            part = (key, kind, event.get("summary_index"), event.get("content_index"))
            new = Message(reasoning_content=self._paragraph(part) + delta)
        else:
            return None
        self._told.add(key)
        return new

    def _paragraph(self, part: object) -> str:
        """What stands between one part of the reasoning and the next."""
        known, self._thought = self._thought, part
        return "" if known is None or known == part else _PARAGRAPH

    def _announced(self, event: Mapping[str, object], item: JSON) -> Message | None:
        """The head of a tool call; its arguments come with the deltas."""
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in _CALLS:
            return None
        call = _tool_call(item, kind)
        call.function.arguments = ""
        key = self._key(event, item.get("id"), item.get("call_id"))
        call.index = self._calls.setdefault(key, len(self._calls))
        return Message(tool_calls=[call])

    def _done(self, event: Mapping[str, object], item: JSON) -> Message | None:
        """What of a finished item has not been told yet."""
        key = self._key(event, item.get("id"), item.get("call_id"))
        answer = _Answer()
        answer.add(item)
        new = answer.message()
        if key in self._told:
            new = Message(thinking_blocks=new.thinking_blocks)
        else:
            self._told.add(key)
            for call in answer.calls:
                if key in self._calls:
                    call.id = call.type = call.function.name = None
                call.index = self._calls.setdefault(key, len(self._calls))
            if new.reasoning_content:
                new.reasoning_content = self._paragraph(key) + new.reasoning_content
        return None if new == Message() else new

    def _close(self, response: Mapping[str, object]) -> Chunk | None:
        """The end of the answer, and all of it where nothing came before."""
        if not self._told and (whole := self._whole(response)) is not None:
            return whole
        self._begin(response)
        reason = _finish_reason(response, called=bool(self._calls))
        chunk = self._chunk(Message(), reason)
        chunk.service_tier = _text(response.get("service_tier"))
        return chunk

    def _whole(self, response: Mapping[str, object]) -> Chunk | None:
        answers = choices(response)
        if not answers:
            return None
        self._begin(response)
        (answer,) = answers
        for index, call in enumerate(answer.message.tool_calls or ()):
            call.index = index
        chunk = self._chunk(answer.message, answer.finish_reason, answer.logprobs)
        chunk.service_tier = _text(response.get("service_tier"))
        return chunk


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()
