"""From wire to reply: a whole body at once, or a stream's events one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costspan.core.attempt import Attempt
from costspan.core.decoders import Event
from costspan.core.endpoint import Endpoint
from costspan.core.errors import APIError, APIResponseValidationError
from costspan.core.failures import error_from_event
from costspan.core.legacy import show_function_call
from costspan.core.observation import Observation
from costspan.core.pieces import Pieces
from costspan.core.protocols import Protocol
from costspan.core.redaction import redact
from costspan.core.reply import Choice, Chunk, Reply, TokenUsage
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

    def error(self, body: JSON, seen: Observation, secret: str | None) -> APIError:
        """The error that a body or an event means.

        Args:
            body: The body or the event.
            seen: What was seen of it.
            secret: The API key that was sent: no echo of it survives here or in ``seen``.
        """
        seen.error_type = seen.error_type and str(redact(seen.error_type, secret))
        seen.error_code = seen.error_code and str(redact(seen.error_code, secret))
        return error_from_event(
            body, provider=self.endpoint.provider, model=self.request.model, secret=secret
        )

    def unreadable(self, wanted: str) -> APIResponseValidationError:
        """The error for an answer that is no ``wanted``."""
        return APIResponseValidationError(
            f"{self.endpoint.provider} at {self.endpoint.shown} answered with something that is "
            f"no {wanted}: check base_url and the model",
            provider=self.endpoint.provider,
            model=self.request.model,
        )


def reply_from_body(
    body: JSON,
    exchange: Exchange,
    seen: Observation | None = None,
    secret: str | None = None,
) -> Reply:
    """The reply in a whole body.

    Args:
        body: The body.
        exchange: What was asked.
        seen: Is told what the body says, where somebody wants to know.
        secret: The API key that was sent, so that no echo of it survives in an error.

    Raises:
        APIError: The body is an error in spite of its status.
        APIResponseValidationError: The body is no completion.
    """
    seen = seen or Observation(api=exchange.endpoint.protocol)
    exchange.protocol.observe(body, seen)
    choices = exchange.protocol.choices(body)
    if choices is None:
        if seen.error_type:
            raise exchange.error(body, seen, secret)
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
    return exchange.unreadable(f"{exchange.endpoint.protocol} completion")


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

    Args:
        exchange: What was asked of whom.
        attempts: The requests that were made; the last one is this.
        secret: The API key that was sent, so that no echo of it survives in an error.

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
        "_secret",
        "attempts",
        "exchange",
        "seen",
    )

    def __init__(
        self,
        exchange: Exchange,
        attempts: Sequence[Attempt] = (),
        secret: str | None = None,
    ) -> None:
        self.exchange = exchange
        self.attempts = attempts
        self._secret = secret
        self.seen = Observation(api=exchange.endpoint.protocol)
        self._reader = exchange.protocol.chunks()
        self._parts: dict[int, Pieces] = {}
        self._created: int | None = None
        self._fingerprint: str | None = None
        self._final: Reply | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come that belongs to a completion: a web page, for instance."""
        seen = self.seen
        nothing_said = seen.response_id is None and seen.usage is None and not seen.complete
        return nothing_said and not self._parts

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
            raise exchange.error(body, seen, self._secret)
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
                self._parts[choice.index] = Pieces()
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
