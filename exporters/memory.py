"""Keeps finished calls in memory, for tests and notebooks."""

from __future__ import annotations

from decimal import Decimal

from costspan.middleware.lifecycle import drain_all
from costspan.middleware.record import Call, OpenCall


class InMemoryExporter:
    """A list of finished calls; threads only ever append to it."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._closed = False

    @property
    def calls(self) -> tuple[Call, ...]:
        """The finished calls, oldest first; also of streams that were left just now."""
        drain_all()
        return tuple(self._calls)

    @property
    def last(self) -> Call | None:
        """The call that finished last; None when none has."""
        calls = self.calls
        return calls[-1] if calls else None

    @property
    def total_usd(self) -> Decimal | None:
        """US dollars over all calls with a known cost; None when there is none."""
        known = [cost for call in self.calls if (cost := call.cost_usd) is not None]
        return sum(known, Decimal(0)) if known else None

    def clear(self) -> None:
        """Forget all calls."""
        drain_all()
        self._calls = []

    def start(self, call: OpenCall) -> None:
        """Do nothing: only finished calls are kept."""

    def finish(self, record: Call) -> None:
        """Keep the finished call."""
        if not self._closed:
            self._calls.append(record)

    def flush(self, timeout_s: float) -> bool:
        """Return True: nothing is buffered."""
        return True

    def close(self) -> None:
        """Keep no further calls; those that are there stay readable."""
        self._closed = True
