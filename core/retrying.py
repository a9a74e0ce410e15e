"""Whether and when a failed request is sent again.

Built on tenacity, whose strategies need no sleeping of their own. It is loaded when a first request
has failed: a call that succeeds does not pay for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from costspan.core.errors import (
    APIConnectionError,
    APIError,
    CircuitOpenError,
    QuotaExceededError,
    Timeout,
)
from costspan.core.policy import Policy

if TYPE_CHECKING:
    from tenacity import RetryCallState

_SAFE_STATUSES = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
"""Answers of a server that has not worked, or says that it may be asked again."""


def is_safe(error: APIError, policy: Policy) -> bool:
    """Whether a request may be sent again: the provider has not worked, and will not bill twice.

    Args:
        error: What it failed with.
        policy: Says whether what may have been billed is repeated all the same.
    """
    if isinstance(error, (QuotaExceededError, CircuitOpenError)):
        return False
    if isinstance(error, (APIConnectionError, Timeout)) and not error.answered:
        return policy.retry_timeouts or not error.sent
    if error.should_retry is not None:
        return error.should_retry
    return error.status_code in _SAFE_STATUSES


class Retries:
    """The retries of one request to one model.

    Args:
        policy: The policy.
        deadline: Instant of the monotonic clock after which nothing is waited for; None for none.
        clock: Seconds, monotonic; for tests.
    """

    def __init__(
        self,
        policy: Policy,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from tenacity import (
            RetryCallState,
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        self._policy = policy
        self._deadline = deadline
        self._clock = clock
        self._jittered = wait_random_exponential(policy.first_wait_s, policy.max_wait_s)
        self._stop = stop_after_attempt(policy.max_retries + 1)
        strategies = Retrying(retry=retry_if_exception_type(APIError))
        self._state: RetryCallState = RetryCallState(strategies, None, (), {})

    def wait_s(self, error: APIError) -> float | None:
        """Seconds to wait before the request is sent again; None where it is not.

        Called once for each attempt that failed, in order.
        """
        if not is_safe(error, self._policy) or self._stop(self._state):
            return None
        wait_s = self._jittered(self._state)
        if error.retry_after_s is not None:
            if error.retry_after_s > self._policy.max_retry_after_s:
                return None
            wait_s = max(wait_s, error.retry_after_s)
        if self._deadline is not None and self._clock() + wait_s >= self._deadline:
            return None
        self._state.prepare_for_next_attempt()
        return wait_s
