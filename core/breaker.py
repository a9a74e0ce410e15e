"""A circuit breaker: keeps requests from a server that fails too often.

Own code, because the libraries that are well kept (pybreaker 1.4, aiobreaker 1.2) open after a
number of failures in a row; a busy service wants a rate.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import urlsplit

from costspan.core.errors import (
    APIConnectionError,
    APIError,
    BadRequestError,
    CircuitOpenError,
    Timeout,
)

_MOST_ADDRESSES = 1000
_MOST_OUTCOMES = 10_000


@dataclass(slots=True)
class _Circuit:
    """What is known of one server.

    Attributes:
        outcomes: Instant and failure of the latest requests, oldest first.
        failures: How many of them are failures.
        opened_at: When it opened; None while it is closed.
        probing_since: When the one request was let through that tries an open circuit.
    """

    outcomes: deque[tuple[float, bool]] = field(default_factory=deque)
    failures: int = 0
    opened_at: float | None = None
    probing_since: float | None = None

    def note(self, now: float, failed: bool, oldest: float) -> None:
        """Note an outcome, and forget those from before the instant ``oldest``."""
        outcomes = self.outcomes
        outcomes.append((now, failed))
        self.failures += failed
        while outcomes[0][0] < oldest or len(outcomes) > _MOST_OUTCOMES:
            self.failures -= outcomes.popleft()[1]

    def probed(self, now: float, failed: bool) -> None:
        """The probe has ended: close, or stay open as long again."""
        self.probing_since = None
        if failed:
            self.opened_at = now
            return
        self.opened_at = None
        self.outcomes.clear()
        self.failures = 0


class CircuitBreaker:
    """Opens for a server when too many of its answers are failures, and tries it again later.

    Failures are errors of the server (5xx, 529), timeouts and broken connections; not 429, and not
    what is wrong with a request. One object can serve many threads and event loops, and knows each
    server by its address.

    Args:
        failure_rate: Share of failures at which it opens, above 0 and up to 1.
        min_calls: Requests in the window before the rate counts, at least 1.
        window_s: Seconds that are looked back.
        open_s: Seconds that nothing is sent once it is open; then one request is let through. If
            that succeeds it closes, else it stays open as long again.
        clock: Seconds, monotonic; for tests.

    Raises:
        BadRequestError: A value is out of its range.
    """

    def __init__(
        self,
        failure_rate: float = 0.5,
        min_calls: int = 10,
        window_s: float = 30.0,
        open_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < failure_rate <= 1:
            raise BadRequestError(f"failure_rate={failure_rate!r}: it must be above 0 and up to 1")
        if min_calls < 1 or window_s <= 0 or open_s <= 0:
            raise BadRequestError("min_calls must be 1 or more, window_s and open_s more than 0")
        self._failure_rate = failure_rate
        self._min_calls = min_calls
        self._window_s = window_s
        self._open_s = open_s
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}
        self._lock = Lock()

    def before(self, address: str) -> None:
        """Ask whether a request may be sent.

        Args:
            address: Base URL of the server.

        Raises:
            CircuitOpenError: It may not: the circuit is open, or is being tried right now.
        """
        with self._lock:
            circuit = self._circuits.get(address)
            if circuit is None or circuit.opened_at is None:
                return
            now = self._clock()
            # A probe that never came back (its task was cancelled) does not bar the next for ever.
            probing = circuit.probing_since
            since = circuit.opened_at if probing is None else probing
            left_s = since + self._open_s - now
            if left_s <= 0:
                circuit.probing_since = now
                return
        raise CircuitOpenError(
            f"nothing is sent to {urlsplit(address).hostname or address} for {left_s:.1f} more "
            f"seconds: {self._failure_rate:.0%} or more of the latest requests failed",
            retry_after_s=left_s,
        )

    def after(self, address: str, error: APIError | None) -> None:
        """Tell how a request ended.

        Args:
            address: Base URL of the server.
            error: What it failed with; None where it was answered.
        """
        failed = error is not None and _is_failure(error)
        with self._lock:
            circuit = self._circuit(address)
            now = self._clock()
            if circuit.opened_at is not None:
                # Requests that were under way when it opened say nothing new.
                if circuit.probing_since is not None:
                    circuit.probed(now, failed)
                return
            circuit.note(now, failed, now - self._window_s)
            calls = len(circuit.outcomes)
            if calls >= self._min_calls and circuit.failures >= self._failure_rate * calls:
                circuit.opened_at = now

    def _circuit(self, address: str) -> _Circuit:
        if address not in self._circuits and len(self._circuits) >= _MOST_ADDRESSES:
            self._circuits.pop(next(iter(self._circuits)))
        return self._circuits.setdefault(address, _Circuit())

    def __repr__(self) -> str:
        with self._lock:
            opened = [a for a, circuit in self._circuits.items() if circuit.opened_at is not None]
        return f"CircuitBreaker(open for {opened or 'none'})"


def _is_failure(error: APIError) -> bool:
    if isinstance(error, (APIConnectionError, Timeout)):
        return True
    return error.status_code is not None and error.status_code >= 500
