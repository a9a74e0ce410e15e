"""An attempt: one request to a provider within a completion, and what became of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from costspan.core.endpoint import Endpoint
from costspan.core.errors import APIConnectionError, APIError
from costspan.core.observation import Observation
from costspan.core.types import Usage

_STALE_NS = 1_000_000_000
"""A server that hangs up within a second, without a word, had given up the connection when the
request came: servers close those that were idle. It has not worked on it."""


@dataclass(slots=True)
class Attempt:
    """One request to a provider. A completion has several where it was repeated, fanned out, or
    where another model was asked.

    Attributes:
        model_requested: The model as the caller named it.
        model: The model as the provider spells it.
        provider, api: Canonical ids of who was asked, in which wire format.
        endpoint, port: Host and port of the server.
        started_ns, ended_ns: Nanoseconds since the epoch; the end is that of the answer, or of the
            head of a streamed one.
        error: What it failed with; None where it was answered.
        seen: What the answer said; None where there was none.
        wait_s: Seconds waited after it before it was repeated; None where it was the last one to
            this model.
        mocked: Whether nothing was sent, because of ``mock_response``.
    """

    model_requested: str
    model: str
    provider: str
    api: str
    endpoint: str | None
    port: int | None
    started_ns: int
    ended_ns: int = 0
    error: APIError | None = None
    seen: Observation | None = None
    wait_s: float | None = None
    mocked: bool = False

    @classmethod
    def begin(cls, endpoint: Endpoint, model_requested: str, model: str) -> Attempt:
        """An attempt that starts now."""
        return cls(
            model_requested,
            model,
            endpoint.provider,
            endpoint.protocol,
            endpoint.host,
            endpoint.port,
            time.time_ns(),
        )

    def end(self, error: APIError | None = None) -> None:
        """Note the end, and whether what broke had reached a server at work."""
        self.ended_ns = time.time_ns()
        self.error = error
        if isinstance(error, APIConnectionError) and error.hung_up:
            error.sent = self.ended_ns - self.started_ns > _STALE_NS

    @property
    def meters(self) -> Usage | None:
        """What it used, as the provider said; None where it said nothing."""
        return self.seen.usage_of(self.provider) if self.seen else None
