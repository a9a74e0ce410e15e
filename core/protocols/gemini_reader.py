"""From Gemini's candidates to OpenAI's choices: text, thoughts, tool calls, media, logprobs.

Format as of 2026-11: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping

from costspan.core.base64_pieces import joined_base64
from costspan.core.reply import Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.types import JSON

FINISH_UNKNOWN = "FINISH_REASON_UNSPECIFIED"
"""What stands for no finish reason."""

_FILTERED = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
)
_FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(_FILTERED, "content_filter"),
}
_SOURCES = ("citationMetadata", "groundingMetadata", "urlContextMetadata")


class Chunks:
    """Reads the events of one stream, counting the tool calls of each answer.

    Gemini gives tool calls no id before its third generation. One is then made of the id of the
    response and the place of the call, so that reading the same response again gives the same.
    """

    __slots__ = ("_calls", "_identity", "_seed")

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._identity: str | None = None
        self._seed = ""

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means; None for events without an answer and usage."""
        self._identity = _text(event.get("responseId")) or self._identity
        candidates, feedback = event.get("candidates"), event.get("promptFeedback")
        new: list[ChunkChoice] = []
        if isinstance(candidates, list) and candidates:
            new = [
                self._choice(candidate, position)
                for position, candidate in enumerate(candidates)
                if isinstance(candidate, dict)
            ]
        elif isinstance(feedback, dict) and feedback.get("blockReason"):
            refusal = _text(feedback.get("blockReasonMessage"))
            blocked = Message(role="assistant", refusal=refusal)
            new = [ChunkChoice(0, blocked, "content_filter")]
        elif not isinstance(candidates, list) and not isinstance(event.get("usageMetadata"), dict):
            return None
        return Chunk(id=self._identity, choices=new, model=_text(event.get("modelVersion")))

    def _choice(self, candidate: Mapping[str, object], position: int) -> ChunkChoice:
        index = position_of(candidate, position)
        role = None if index in self._calls else "assistant"
        calls = self._calls.setdefault(index, 0)
        delta = self._message(index, parts_of(candidate))
        delta.role = role
        delta.annotations = [
            {name: found} for name in _SOURCES if (found := candidate.get(name))
        ] or None
        reason = _text(candidate.get("finishReason"))
        if reason == "STOP" and (calls or delta.tool_calls):
            reason = "tool_calls"
        # A reason for which OpenAI has no word (MALFORMED_FUNCTION_CALL) stays as it is.
        finish = None if reason == FINISH_UNKNOWN else _FINISH_REASONS.get(reason or "", reason)
        return ChunkChoice(index, delta, finish, _logprobs(candidate.get("logprobsResult")))

    def _message(self, index: int, parts: list[Mapping[str, object]]) -> Message:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[ToolCall] = []
        images: list[object] = []
        message = Message()
        for part in parts:
            text, call, blob = (part.get(f) for f in ("text", "functionCall", "inlineData"))
            if isinstance(call, dict):
                calls.append(self._tool_call(index, call, part))
            elif part.get("thought") is True:
                thoughts += [text] if isinstance(text, str) else []
            elif isinstance(blob, dict):
                if (_text(blob.get("mimeType")) or "").startswith("audio/"):
                    message.audio = _with_audio(message.audio, blob)
                else:
                    images.append(_image(blob, part))
            else:
                texts += [text] if isinstance(text, str) else []
                message.extra_content = _extra_content(part) or message.extra_content
        message.content = "".join(texts) if texts else None
        message.reasoning_content = "".join(thoughts) if thoughts else None
        message.tool_calls, message.images = calls or None, images or None
        return message

    def _tool_call(
        self, index: int, call: Mapping[str, object], part: Mapping[str, object]
    ) -> ToolCall:
        position = self._calls[index]
        self._calls[index] = position + 1
        arguments = call.get("args")
        written = json.dumps(arguments if isinstance(arguments, dict) else {}, ensure_ascii=False)
        return ToolCall(
            _text(call.get("id")) or self._made_up_id(index, position),
            "function",
            Function(_text(call.get("name")), written),
            position,
            _extra_content(part),
        )

    def _made_up_id(self, index: int, position: int) -> str:
        self._seed = self._seed or self._identity or os.urandom(12).hex()
        place = f"{self._seed}/{index}/{position}"
        return "call_" + hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()[:24]


def _with_audio(known: Mapping[str, object] | None, blob: Mapping[str, object]) -> JSON:
    before, data = known.get("data") if known else None, blob.get("data")
    if isinstance(before, str) and isinstance(data, str):
        return {**blob, "data": joined_base64(before, data)}
    return dict(blob)


def _image(blob: Mapping[str, object], part: Mapping[str, object]) -> JSON:
    """An image of an answer as a content part of OpenAI's, so that it can be sent back."""
    url = f"data:{blob.get('mimeType')};base64,{blob.get('data')}"
    image: dict[str, object] = {"type": "image_url", "image_url": {"url": url}}
    signature = _extra_content(part)
    return {**image, "extra_content": signature} if signature else image


def _extra_content(part: Mapping[str, object]) -> JSON | None:
    """The signature of a part where Google's OpenAI-compatible API has it."""
    signature = part.get("thoughtSignature")
    if isinstance(signature, str) and signature:
        return {"google": {"thought_signature": signature}}
    return None


def _logprobs(result: object) -> JSON | None:
    if not isinstance(result, dict):
        return None
    chosen, top = result.get("chosenCandidates"), result.get("topCandidates")
    others = top if isinstance(top, list) else []
    content = [
        {**_logprob(each), "top_logprobs": _top(others[place] if place < len(others) else None)}
        for place, each in enumerate(chosen if isinstance(chosen, list) else ())
        if isinstance(each, dict)
    ]
    return {"content": content} if content else None


def _top(step: object) -> list[JSON]:
    found = step.get("candidates") if isinstance(step, dict) else None
    return [_logprob(e) for e in found if isinstance(e, dict)] if isinstance(found, list) else []


def _logprob(each: Mapping[str, object]) -> JSON:
    token = _text(each.get("token"))
    written = None if token is None else list(token.encode("utf-8", "replace"))
    return {"token": token, "logprob": each.get("logProbability"), "bytes": written}


def parts_of(candidate: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The parts of a candidate's content; none where they are null or missing."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def position_of(candidate: Mapping[str, object], position: int) -> int:
    """The index of a candidate, which is left out where it is 0."""
    index = candidate.get("index")
    return index if isinstance(index, int) else position


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
