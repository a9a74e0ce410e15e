"""Replies and chunks in OpenAI's shape, whatever the provider's wire format.

Every value can be read as an attribute and as an item. What the provider did not say is None:
reading it never raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from costspan.core.shape import Shape, Slot
from costspan.core.types import JSON, Usage

if TYPE_CHECKING:
    from costspan.core.attempt import Attempt
    from costspan.core.structured import Reader


@dataclass(slots=True)
class Function(Shape):
    """The function of a tool call; ``arguments`` is JSON text as the model wrote it."""

    name: str | None = None
    arguments: str | None = None


@dataclass(slots=True)
class ToolCall(Shape):
    """A tool call, or in a chunk a piece of one.

    Attributes:
        id, type, function: As OpenAI has them.
        index: The place of the call, in chunks only.
        extra_content: What Google wants back with the call:
            ``{"google": {"thought_signature": ...}}``.
    """

    id: str | None = None
    type: str | None = "function"
    function: Function = field(default_factory=Function)
    index: int | None = None
    extra_content: Mapping[str, object] | None = None


@dataclass(slots=True)
class Message(Shape):
    """What the model answered, or in a chunk the piece that is new.

    Attributes:
        role: ``assistant``.
        content: The text.
        tool_calls: Tools that the model wants called.
        function_call: The first tool call, where the caller used the older ``functions``.
        reasoning_content: The reasoning that the provider shows.
        thinking_blocks: Anthropic's thinking blocks with signatures, to be sent back unchanged.
        refusal: Why the model refused.
        annotations: Citations, as the provider gave them.
        audio: Audio output, as the provider gave it.
        images: Images that the model made, as ``image_url`` parts.
        extra_content: What Google wants back with the text, as in `ToolCall`.
    """

    role: str | None = None
    content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[Mapping[str, object]] | None = None
    refusal: str | None = None
    annotations: list[object] | None = None
    audio: Mapping[str, object] | None = None
    images: list[object] | None = None
    extra_content: Mapping[str, object] | None = None


@dataclass(slots=True)
class Choice(Shape):
    """One of the answers to a request."""

    index: int
    message: Message
    finish_reason: str | None = None
    logprobs: Mapping[str, object] | None = None
    _reader: Reader | None = field(default=None, repr=False, compare=False)
    _parsed: tuple[Any] | None = field(default=None, repr=False, compare=False)

    def read_with(self, reader: Reader) -> None:
        """Let `parsed` read the answer with this reader."""
        self._reader, self._parsed = reader, None

    @property
    def parsed(self) -> Any:
        """The answer as an instance of the pydantic model that ``response_format`` named, or as
        decoded JSON; None where no structured output was asked for, or tools are to be called.

        Raises:
            JSONSchemaValidationError: The answer is no JSON or does not fit; ``text`` holds it.
        """
        if self._parsed is None:
            if self._reader is None:
                return None
            self._parsed = (self._reader.read(self),)
        return self._parsed[0]


@dataclass(slots=True)
class ChunkChoice(Shape):
    """What is new in one of the answers."""

    index: int
    delta: Message
    finish_reason: str | None = None
    logprobs: Mapping[str, object] | None = None


@dataclass(slots=True)
class PromptTokensDetails(Shape):
    """Parts of ``prompt_tokens``; None where the provider does not say."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


@dataclass(slots=True)
class CompletionTokensDetails(Shape):
    """Parts of ``completion_tokens``; None where the provider does not say."""

    reasoning_tokens: int | None = None


@dataclass(slots=True)
class TokenUsage(Shape):
    """Token counts in OpenAI's shape.

    Attributes:
        prompt_tokens: The whole prompt, cached and cache-written tokens included, for every
            provider.
        completion_tokens: The whole output, reasoning included, for every provider.
        total_tokens: The provider's own total, or the sum of the two.
        prompt_tokens_details, completion_tokens_details: Parts of them.
    """

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails

    @classmethod
    def of(cls, meters: Usage | None) -> TokenUsage | None:
        """OpenAI's view of a usage; None where there is none."""
        if meters is None:
            return None
        prompt, completion = meters.input_tokens, meters.output_tokens
        total = meters.total_tokens
        if total is None and (prompt is not None or completion is not None):
            total = (prompt or 0) + (completion or 0)
        return cls(
            prompt,
            completion,
            total,
            PromptTokensDetails(meters.cache_read_tokens, meters.cache_write_tokens),
            CompletionTokensDetails(meters.reasoning_tokens),
        )


@dataclass(slots=True)
class Chunk(Shape):
    """One piece of a streamed reply. The last one may have usage and no choices."""

    id: str | None = None
    choices: list[ChunkChoice] = field(default_factory=list)
    created: int | None = None
    model: str | None = None
    object: str = "chat.completion.chunk"
    system_fingerprint: str | None = None
    service_tier: str | None = None
    usage: TokenUsage | None = None


OWN_FIELDS = frozenset(
    (
        "meters",
        "provider",
        "api",
        "endpoint",
        "port",
        "raw",
        "dropped_params",
        "attempts",
        "cost",
        "estimate",
    )
)
"""Fields of replies that OpenAI's shape does not have."""


@dataclass(slots=True)
class Reply(Shape):
    """A whole reply.

    Attributes:
        id, choices, created, model, object, system_fingerprint, service_tier: As OpenAI has them.
        usage: Token counts; None where the provider sent none, never zeros.
        meters: The same usage in disjoint buckets, with the fees.
        provider, api: Canonical ids of who answered, in which wire format.
        endpoint, port: Host and port of the server.
        raw: The body as received; None for a streamed reply.
        dropped_params: Parameters that the wire format lacks and ``drop_params`` left out.
        attempts: The requests that were made for it, failed ones and those of a fan-out included.
        cost, estimate: What the call cost and was estimated to cost, where it was metered.
    """

    _own = OWN_FIELDS

    id: str | None = None
    choices: list[Choice] = field(default_factory=list)
    created: int | None = None
    model: str | None = None
    object: str = "chat.completion"
    system_fingerprint: str | None = None
    service_tier: str | None = None
    usage: TokenUsage | None = None
    meters: Usage | None = None
    provider: str = ""
    api: str = ""
    endpoint: str | None = None
    port: int | None = None
    raw: JSON | None = None
    dropped_params: tuple[str, ...] = ()
    attempts: Sequence[Attempt] = ()
    cost: Slot = None
    estimate: Slot = None

    @property
    def parsed(self) -> Any:
        """The first answer's `Choice.parsed`; None where there is no answer."""
        return self.choices[0].parsed if self.choices else None
