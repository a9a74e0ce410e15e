"""From wire to reply: a whole body at once, or a stream's events one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from costspan.core.attempt import Attempt
from costspan.core.base64_pieces import joined_base64
from costspan.core.decoders import Event
from costspan.core.endpoint import Endpoint
from costspan.core.errors import APIResponseValidationError
from costspan.core.failures import error_from_event
from costspan.core.legacy import show_function_call
from costspan.core.observation import Observation
from costspan.core.protocols import Protocol
from costspan.core.reply import (
    Choice,
    Chunk,
    ChunkChoice,
    Function,
    Message,
    Reply,
    TokenUsage,
    ToolCall,
)
from costspan.core.request import Request
from costspan.core.types import JSON

if TYPE_CHECKING:
    from costspan.core.structured import Reader


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way: what was asked, of whom, and in which wire format.

    Attributes:
        request: What was asked.
        endpoint: Who was asked.
        protocol: The wire format.
        dropped: Parameters that were left out.
        reader: What reads the answers, where structured output was asked for.
    """

    request: Request
    endpoint: Endpoint
    protocol: Protocol
    dropped: tuple[str, ...] = ()
    reader: Reader | None = None


def reply_from_body(body: JSON, exchange: Exchange, seen: Observation | None = None) -> Reply:
    """The reply in a whole body.

    Args:
        body: The body.
        exchange: What was asked.
        seen: Is told what the body says, where somebody wants to know.

    Raises:
        APIError: The body is an error in spite of its status.
        APIResponseValidationError: The body is no completion.
    """
    seen = seen or Observation(api=exchange.endpoint.protocol)
    exchange.protocol.observe(body, seen)
    choices = exchange.protocol.choices(body)
    if choices is None:
        if seen.error_type:
            raise error_from_event(
                body, provider=exchange.endpoint.provider, model=exchange.request.model
            )
        raise no_completion(exchange)
    reply = _reply(choices, seen, exchange)
    created = body.get("created", body.get("created_at"))
    fingerprint = body.get("system_fingerprint")
    reply.created = created if isinstance(created, int) else None
    reply.system_fingerprint = fingerprint if isinstance(fingerprint, str) else None
    reply.raw = body
    return reply


def no_completion(exchange: Exchange) -> APIResponseValidationError:
    """The error for an answer that holds no completion."""
    return APIResponseValidationError(
        f"{exchange.endpoint.provider} at {exchange.endpoint.base_url} answered with something "
        f"that is no {exchange.endpoint.protocol} completion: check base_url",
        provider=exchange.endpoint.provider,
        model=exchange.request.model,
    )


def _reply(choices: list[Choice], seen: Observation, exchange: Exchange) -> Reply:
    endpoint = exchange.endpoint
    meters = seen.usage_of(endpoint.provider)
    tier = seen.response.get("service_tier")
    if exchange.request.legacy_functions:
        for choice in choices:
            show_function_call(choice.message)
    if exchange.reader is not None:
        from costspan.core.structured import make_readable

        asked = exchange.request.model
        make_readable(choices, exchange.reader, provider=endpoint.provider, model=asked)
    return Reply(
        id=seen.response_id,
        choices=choices,
        # Converse names no model: the one that was asked for is the one that answered.
        model=seen.model or exchange.request.model,
        service_tier=tier if isinstance(tier, str) else meters.served.tier if meters else None,
        usage=TokenUsage.of(meters),
        meters=meters,
        provider=endpoint.provider,
        api=endpoint.protocol,
        endpoint=endpoint.host,
        port=endpoint.port,
        dropped_params=exchange.dropped,
    )


class StreamAssembler:
    """Turns the events of one stream into chunks, and joins the chunks to the reply.

    Attributes:
        exchange: What was asked of whom.
        attempts: The requests that were made; the last one is this.
        seen: What has been seen so far.
    """

    __slots__ = (
        "_created",
        "_final",
        "_fingerprint",
        "_parts",
        "_reader",
        "attempts",
        "exchange",
        "seen",
    )

    def __init__(self, exchange: Exchange, attempts: Sequence[Attempt] = ()) -> None:
        self.exchange = exchange
        self.attempts = attempts
        self.seen = Observation(api=exchange.endpoint.protocol)
        self._reader = exchange.protocol.chunks()
        self._parts: dict[int, _Parts] = {}
        self._created: int | None = None
        self._fingerprint: str | None = None
        self._final: Reply | None = None

    def push(self, event: Event) -> Chunk | None:
        """Take the next event; the chunk that it means, or None.

        Raises:
            APIError: The event is an error of the provider.
        """
        if event.done:
            self.seen.complete = True
            return None
        body = event.json()
        if body is None:
            return None
        seen, exchange = self.seen, self.exchange
        exchange.protocol.observe(body, seen)
        if seen.error_type:
            raise error_from_event(
                body, provider=exchange.endpoint.provider, model=exchange.request.model
            )
        chunk = self._reader.read(body)
        if chunk is None:
            return None
        ends = any(choice.finish_reason for choice in chunk.choices)
        if ends or not chunk.choices or isinstance(body.get("usage"), dict):
            chunk.usage = TokenUsage.of(seen.usage_of(exchange.endpoint.provider))
        self._created = chunk.created or self._created
        self._fingerprint = chunk.system_fingerprint or self._fingerprint
        for choice in chunk.choices:
            if choice.index not in self._parts:
                self._parts[choice.index] = _Parts()
            self._parts[choice.index].add(choice)
        if exchange.request.legacy_functions:
            for choice in chunk.choices:
                show_function_call(choice.delta)
        return chunk

    def finish(self) -> None:
        """Nothing more comes: from now on `reply` is one object."""
        self._final = self.reply

    @property
    def reply(self) -> Reply:
        """The reply as far as it has come."""
        if self._final is not None:
            return self._final
        choices = [parts.joined(index) for index, parts in sorted(self._parts.items())]
        reply = _reply(choices, self.seen, self.exchange)
        reply.created = self._created
        reply.system_fingerprint = self._fingerprint
        reply.attempts = self.attempts
        return reply


@dataclass(slots=True)
class _Parts:
    """The pieces of one answer."""

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
