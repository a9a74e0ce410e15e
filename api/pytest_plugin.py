"""A pytest fixture for users' tests: calls are kept in memory and never reach the real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from costspan.exporters.memory import InMemoryExporter


@pytest.fixture
def costspan_calls() -> Iterator[InMemoryExporter]:
    """Replace the default meter for one test by one that keeps its calls in memory.

    `costspan.last_call` knows of no call at the beginning of the test.

    Yields:
        The exporter: ``calls``, ``last``, ``total_usd`` and ``clear()``.
    """
    # Here and not above: pytest imports every installed plugin at each start.
    from costspan.exporters.memory import InMemoryExporter
    from costspan.meter import Meter, set_default_meter
    from costspan.middleware.last import forget

    exporter = InMemoryExporter()
    meter = Meter(exporters=[exporter])
    previous = set_default_meter(meter)
    forget()
    try:
        yield exporter
    finally:
        set_default_meter(previous)
        meter.close()
