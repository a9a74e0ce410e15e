"""The record of a call: frozen when the call has ended; everything downstream projects it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable
from uuid import UUID

from costspan.core.types import Usage
from costspan.pricing.types import Cost, CostStatus, Estimate

Status: TypeAlias = Literal["ok", "error", "cancelled", "interrupted"]
"""How a call ended: ``ok`` the answer is complete; ``error`` an exception reached the user;
``cancelled`` the user stopped it (cancellation, keyboard interrupt); ``interrupted`` the stream
was left before its end (break, close, dropped, interpreter exit)."""

EndedBy: TypeAlias = Literal[
    "value", "exhausted", "raised", "cancelled", "closed", "dropped", "exit"
]
"""Which way out the call took: a value was returned, the stream was read to its end, an exception,
a cancellation, an explicit close, garbage collection, interpreter exit."""


NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No tags, no parameters, no context; read-only, because it is shared."""


class ErrorFacts(NamedTuple):
    """What is kept of an error. Never its message or trace: they can hold prompt text and keys.

    Attributes:
        type: The exception's qualified class name (``openai.RateLimitError``).
        http_status: The HTTP status, if the provider answered.
        code: The provider's own error code (``insufficient_quota``), if it gave one.
    """

    type: str
    http_status: int | None = None
    code: str | None = None


class ProviderRequest(NamedTuple):
    """One request to a provider within a call, priced alone: a price band must never see a sum.

    Attributes:
        provider: Canonical provider id (``openai``, ``aws`` ...), or ``unknown``.
        api: Canonical api name (``chat``, ``responses``, ``messages`` ...).
        model_requested: The model as the user named it.
        model: The model that answered where known, else as requested.
        started_at, ended_at: UTC instants; a schedule can price by either.
        usage: What it used; None when nothing is known.
        cost: What it cost; None when it was not priced because pricing itself failed.
        endpoint: Host of the server, without path or key; None when unknown.
        port: Port of the server.
        response_id: The provider's id of the response.
        finish_reasons: One per choice, in order.
        context: What only the caller knew and price depends on (batch, asked tier, aliases used).
        error: What is kept of its error, if it failed.
    """

    provider: str
    api: str
    model_requested: str
    model: str
    started_at: datetime
    ended_at: datetime
    usage: Usage | None = None
    cost: Cost | None = None
    endpoint: str | None = None
    port: int | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    context: Mapping[str, object] = NOTHING
    error: ErrorFacts | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy it; a read-only mapping can be neither."""
        return ProviderRequest, tuple(self._replace(context=dict(self.context)))


class Repeated(NamedTuple):
    """An attempt within a call that failed and was followed by another one.

    Attributes:
        at: When it had failed; a UTC instant.
        provider, model: Who was asked.
        error: What is kept of its error.
        wait_s: Seconds waited before the next attempt; None where another model was asked.
    """

    at: datetime
    provider: str
    model: str
    error: ErrorFacts | None
    wait_s: float | None


class Call(NamedTuple):
    """One logical completion, finished.

    Attributes:
        call_id: Time-ordered UUID (version 7), made when the call started.
        operation: OpenTelemetry's operation name (``chat``, ``embeddings``, ``text_completion``).
        requests: The provider requests, oldest first; at least one.
        started_at, ended_at: UTC instants.
        latency_us: Duration in microseconds by the monotonic clock; 0 where nobody knows it (a
            line of a batch).
        ttft_us: Microseconds to the first chunk of a stream; None otherwise.
        streaming: Whether the answer was streamed.
        chunks: Number of chunks seen, 0 when not streamed.
        status, ended_by: How it ended, and which way out it took.
        error: What is kept of the error that reached the user.
        retries: How many attempts were repeated inside the call (SDK or our own policy).
        tags: The user's tags at the start of the call.
        estimate: What was said before it ran.
        session_id, unit_id: The user's conversation and the thing worked on (ticket, pull request).
        trace_id, span_id, root_span_id: Lower-case hex, as OpenTelemetry prints them; None where
            no OpenTelemetry SDK is set up.
        billing_mode: ``metered``, or ``plan`` for calls that a flat subscription pays.
        amount_kind: ``tokens``, or ``other`` for amounts that no token count explains.
        request_params: Sampling parameters and the like for the span; no content.
        repeated: The attempts of our own core that failed before the one that counts.
    """

    call_id: UUID
    operation: str
    requests: tuple[ProviderRequest, ...]
    started_at: datetime
    ended_at: datetime
    latency_us: int
    status: Status
    ended_by: EndedBy
    ttft_us: int | None = None
    streaming: bool = False
    chunks: int = 0
    error: ErrorFacts | None = None
    retries: int = 0
    tags: Mapping[str, str] = NOTHING
    estimate: Estimate | None = None
    session_id: str | None = None
    unit_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    root_span_id: str | None = None
    billing_mode: Literal["metered", "plan"] = "metered"
    amount_kind: Literal["tokens", "other"] = "tokens"
    request_params: Mapping[str, object] = NOTHING
    repeated: tuple[Repeated, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy it; a read-only mapping can be neither."""
        params = dict(self.request_params)
        return Call, tuple(self._replace(tags=dict(self.tags), request_params=params))

    @property
    def last(self) -> ProviderRequest:
        """The request whose answer reached the user."""
        return self.requests[-1]

    @property
    def provider(self) -> str:
        """The provider that answered last."""
        return self.last.provider

    @property
    def api(self) -> str:
        """The api that answered last."""
        return self.last.api

    @property
    def model(self) -> str:
        """The model that answered last."""
        return self.last.model

    @property
    def usage(self) -> Usage | None:
        """What all requests used together; None where that of an answer is unknown.

        For showing only: a price band must never see a sum.
        """
        from costspan.core.fan_out import summed

        known = [r.usage for r in self.requests if r.usage is not None or r.error is None]
        return summed(known)

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars over all requests; None when none of them has a price."""
        totals = [r.cost.total for r in self.requests if r.cost and r.cost.total is not None]
        return sum(totals, Decimal(0)) if totals else None

    @property
    def cost_status(self) -> CostStatus:
        """The weakest status of the requests that cost something.

        A request that failed and whose usage is unknown does not weaken the ones that are known.
        """
        known: list[CostStatus] = [r.cost.status for r in self.requests if r.cost is not None]
        if not known or all(s == "unpriced" for s in known):
            return "unpriced"
        if "unpriced" in known or "partial" in known:
            return "partial"
        if "reported" in known:
            return "reported"
        return "priced" if "priced" in known else "free"


class OpenCall(Protocol):
    """A call that has started, as exporters see it in `Starting.start`.

    Exporters may set ``trace_id``, ``span_id`` and ``root_span_id``.
    """

    call_id: UUID
    started_at: datetime
    streaming: bool
    tags: Mapping[str, str]
    estimate: Estimate | None
    trace_id: str | None
    span_id: str | None
    root_span_id: str | None

    @property
    def operation(self) -> str:
        """OpenTelemetry's name of the operation."""

    @property
    def provider(self) -> str:
        """Canonical provider id."""

    @property
    def api(self) -> str:
        """Canonical api name."""

    @property
    def model(self) -> str:
        """The model that was asked for, without a routing prefix."""

    @property
    def endpoint(self) -> str | None:
        """Host of the server, if known."""

    @property
    def port(self) -> int | None:
        """Port of the server, if known."""

    @property
    def request_params(self) -> Mapping[str, object]:
        """Sampling parameters and the like; no content."""

    @property
    def ttft_us(self) -> int | None:
        """Microseconds from the start to the first chunk; None before it."""


class Exporter(Protocol):
    """Where finished calls go.

    Every method may raise; the Meter's guard logs the first failure, counts all of them and goes
    on. An exporter may also have any of these:

    - ``start(call: OpenCall)``, before the call runs; `finish` then follows exactly once;
    - ``attach`` and ``detach``, see `Activating`;
    - ``flush(timeout_s: float) -> bool``: push out what is buffered, and say whether all of it went
      out in time;
    - ``close()``: release what is held.
    """

    def finish(self, record: Call) -> None:
        """A call has ended; in whichever thread that was."""


@runtime_checkable
class Starting(Protocol):
    """An exporter that wants to know of a call before it runs."""

    def start(self, call: OpenCall) -> None:
        """The call is about to run."""


@runtime_checkable
class Activating(Protocol):
    """An exporter that makes something current while the user's call runs (a span).

    It is asked to only if a trace id was set in the call by `Starting.start`.
    """

    def attach(self, call: OpenCall) -> object:
        """Enter; the result is handed to `detach` in the same context."""

    def detach(self, token: object) -> None:
        """Leave."""
