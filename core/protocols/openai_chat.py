"""OpenAI chat completions: ``POST {base}/chat/completions``, spoken by most providers.

Format as of 2026-11: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.message_parts import arguments_text
from costspan.core.reply import Choice, Chunk, ChunkChoice, Function, Message, ToolCall
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

HAS_N = True

# Words of Together (https://github.com/openai/openai-dotnet/pull/267, 2024-10), of TGI
# (https://github.com/huggingface/text-generation-inference/pull/2344, 2024-07) and of Mistral
# (https://docs.mistral.ai/api, 2026-11).
_FINISH_REASONS = {"eos": "stop", "eos_token": "stop", "model_length": "length"}


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a whole body or one stream event says to ``seen``.

    Usage: the last one that is not null wins, for servers repeat it cumulatively on each chunk;
    Groq's ``x_groq.usage`` counts where ``usage`` is absent.
    """
    model = event.get("model")
    if model and isinstance(model, str):
        seen.model = model
    identity = event.get("id")
    if identity and isinstance(identity, str):
        seen.response_id = identity
    choices = event.get("choices")
    if isinstance(choices, list):
        for position, choice in enumerate(choices):
            if isinstance(choice, dict):
                _observe_choice(choice, position, seen)
    usage = event.get("usage")
    if isinstance(usage, dict):
        seen.usage = usage
    elif seen.usage is None:
        groq = event.get("x_groq")
        if isinstance(groq, dict) and isinstance(groq.get("usage"), dict):
            seen.usage = groq["usage"]
    tier = event.get("service_tier")
    if tier and isinstance(tier, str):
        seen.response["service_tier"] = tier
    if event.get("error"):
        seen.note_error(event["error"])


def _observe_choice(choice: Mapping[str, object], position: int, seen: Observation) -> None:
    index = choice.get("index")
    if not isinstance(index, int):
        index = position
    message = choice.get("delta") or choice.get("message")
    if isinstance(message, dict):
        _observe_texts(message, seen.output_text)
    text = choice.get("text")
    if text and isinstance(text, str):
        seen.output_text.append(text)
    reason = choice.get("finish_reason")
    if reason and isinstance(reason, str):
        seen.finish_reasons[index] = reason
        seen.unfinished.discard(index)
        seen.complete = not seen.unfinished
    elif index not in seen.finish_reasons:
        seen.unfinished.add(index)
        seen.complete = False
    if choice.get("error"):
        seen.note_error(choice["error"])


def _observe_texts(message: Mapping[str, object], texts: list[str]) -> None:
    content = message.get("content")
    if isinstance(content, str):
        if content:
            texts.append(content)
    elif isinstance(content, list):
        texts.extend(text for text, _ in content_parts(content))
    for field in ("reasoning_content", "reasoning", "refusal"):
        if field in message:
            text = message[field]
            if text and isinstance(text, str):
                texts.append(text)
                if field == "reasoning_content":
                    break
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        for call in calls:
            if isinstance(call, dict):
                _observe_function(call.get("function"), texts)
    if "function_call" in message:
        _observe_function(message["function_call"], texts)


def _observe_function(function: object, texts: list[str]) -> None:
    if isinstance(function, dict):
        for field in ("name", "arguments"):
            text = function.get(field)
            if text and isinstance(text, str):
                texts.append(text)


def content_parts(content: list[object]) -> list[tuple[str, bool]]:
    """Text pieces of a content list, each with whether it is reasoning (Mistral's shape)."""
    found: list[tuple[str, bool]] = []
    for part in content:
        if not isinstance(part, dict):
            continue
        text = part.get("text")
        if isinstance(text, str) and text:
            found.append((text, False))
        thinking = part.get("thinking")
        if isinstance(thinking, str) and thinking:
            found.append((thinking, True))
        elif isinstance(thinking, list):
            found.extend((text, True) for text, _ in content_parts(thinking))
    return found


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format, which is its own but for the quirks of the server."""
    from costspan.core.protocols import openai_request

    return openai_request.encode(request, endpoint)


def choices(body: Mapping[str, object]) -> list[Choice] | None:
    """The answers in a whole body; None where it is no completion."""
    found = body.get("choices")
    if not isinstance(found, list):
        return None
    answers = [
        Choice(
            _index(choice, position),
            _read_message(choice.get("message"), indexed=False),
            _finish_reason(choice.get("finish_reason")),
            _mapping(choice.get("logprobs")),
        )
        for position, choice in enumerate(found)
        if isinstance(choice, dict)
    ]
    for answer in answers:
        answer.message.role = answer.message.role or "assistant"
        _cite(answer.message, body)
    return answers


def _finish_reason(reason: object) -> str | None:
    """OpenAI's word for a finish reason; one that has none stays as it is."""
    return _FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else None


def _cite(message: Message, body: Mapping[str, object]) -> None:
    """Perplexity names its sources beside the answers."""
    sources = body.get("search_results") or body.get("citations")
    if message.annotations is None and isinstance(sources, list):
        message.annotations = sources


class Chunks:
    """Reads the events of one stream; OpenAI's need no state."""

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means; None for events without choices and usage."""
        found = event.get("choices")
        new = [
            ChunkChoice(
                _index(choice, position),
                # Servers that cannot stream answer with a whole message.
                _read_message(choice.get("delta") or choice.get("message"), indexed=True),
                _finish_reason(choice.get("finish_reason")),
                _mapping(choice.get("logprobs")),
            )
            for position, choice in enumerate(found if isinstance(found, list) else ())
            if isinstance(choice, dict)
        ]
        if not new and not isinstance(event.get("usage"), dict):
            return None
        for choice in new:
            if choice.finish_reason:  # they are repeated in every event
                _cite(choice.delta, event)
        created = event.get("created")
        return Chunk(
            id=_text(event.get("id")),
            choices=new,
            created=created if isinstance(created, int) else None,
            model=_text(event.get("model")),
            system_fingerprint=_text(event.get("system_fingerprint")),
            service_tier=_text(event.get("service_tier")),
        )


def chunks() -> Chunks:
    """A reader for one stream."""
    return Chunks()


def _read_message(message: object, *, indexed: bool) -> Message:
    """A message, or the delta of one; tool calls of deltas keep their index."""
    if not isinstance(message, dict):
        return Message()
    content, thoughts = message.get("content"), None
    if len(message) == 1 and isinstance(content, str):
        return Message(content=content)  # nearly all pieces of a stream: half the time
    if isinstance(content, list):
        parts = content_parts(content)
        content = "".join(text for text, thought in parts if not thought) or None
        thoughts = "".join(text for text, thought in parts if thought) or None
    calls, annotations, images = (message.get(f) for f in ("tool_calls", "annotations", "images"))
    reasoning = message.get("reasoning_content") or message.get("reasoning") or thoughts
    return Message(
        role=_text(message.get("role")),
        content=_text(content),
        tool_calls=_tool_calls(calls, indexed=indexed) if isinstance(calls, list) else None,
        function_call=_function(message.get("function_call")),
        reasoning_content=_text(reasoning),
        refusal=_text(message.get("refusal")),
        annotations=annotations if isinstance(annotations, list) else None,
        audio=_mapping(message.get("audio")),
        images=images if isinstance(images, list) else None,
        extra_content=_mapping(message.get("extra_content")),
    )


def _tool_calls(calls: list[object], *, indexed: bool) -> list[ToolCall] | None:
    found = [
        ToolCall(
            _text(call.get("id")),
            _text(call.get("type")) or "function",
            _function(call.get("function")) or Function(),
            _index(call, position) if indexed else None,
            _mapping(call.get("extra_content")),
        )
        for position, call in enumerate(calls)
        if isinstance(call, dict)
    ]
    return found or None


def _function(function: object) -> Function | None:
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # as some servers of one's own send them
        arguments = arguments_text(arguments)
    return Function(_text(function.get("name")), _text(arguments))


def _index(item: Mapping[str, object], position: int) -> int:
    index = item.get("index")
    return index if isinstance(index, int) else position


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: object) -> JSON | None:
    return value if isinstance(value, dict) else None
