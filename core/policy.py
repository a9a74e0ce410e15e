"""The policy of a completion: how often it is tried, and how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from costspan.core.breaker import CircuitBreaker
from costspan.core.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class Policy:
    """When a request is sent again, and when a completion is given up.

    ```python
    policy = Policy(max_retries=4, deadline_s=60, breaker=CircuitBreaker())
    reply = completion("openai/gpt-4o", messages, policy=policy)
    ```

    Attributes:
        max_retries: How often a request to one model is sent again, 0 or more.
        first_wait_s: Seconds that the first wait is at most; each further one may be twice as long.
        max_wait_s: Seconds that a wait is at most, unless the provider asks for more.
        max_retry_after_s: Seconds that a provider's ``Retry-After`` is waited for at most; if it
            asks for more, its error is raised at once.
        deadline_s: Seconds for everything: all requests, waits and other models, and the reading
            of a stream; None for no limit.
        connect_timeout_s: Seconds to connect; None leaves it to ``timeout``.
        first_token_timeout_s: Seconds from sending a request to the first byte of its answer, where
            that is streamed; others are sent when they are complete.
        between_tokens_timeout_s: Seconds between two pieces of a stream.
        retry_timeouts: Also send again what timed out or broke after it was sent. The provider may
            have worked on it, and bill both.
        breaker: Keeps requests from a server that fails too often; one object may serve many
            policies, calls and threads.
    """

    max_retries: int = 2
    first_wait_s: float = 0.5
    max_wait_s: float = 8.0
    max_retry_after_s: float = 60.0
    deadline_s: float | None = None
    connect_timeout_s: float | None = None
    first_token_timeout_s: float | None = None
    between_tokens_timeout_s: float | None = None
    retry_timeouts: bool = False
    breaker: CircuitBreaker | None = None

    def __post_init__(self) -> None:
        if type(self.max_retries) is not int or self.max_retries < 0:
            raise BadRequestError(f"max_retries={self.max_retries!r}: it must be 0 or more")
        for each in fields(self):
            value = getattr(self, each.name)
            if not each.name.endswith("_s") or (value is None and each.default is None):
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise BadRequestError(f"{each.name}={value!r}: it must be more than 0 seconds")

    @property
    def limits_requests(self) -> bool:
        """Whether a single request is limited, besides by the deadline."""
        return (
            self.connect_timeout_s is not None
            or self.first_token_timeout_s is not None
            or self.between_tokens_timeout_s is not None
        )


DEFAULT_POLICY = Policy()
