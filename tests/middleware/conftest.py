"""A Meter that keeps its calls in memory, and replies in the wire formats' shapes."""

from __future__ import annotations

import pytest

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter


@pytest.fixture
def memory() -> InMemoryExporter:
    """Where the test's calls go."""
    return InMemoryExporter()


@pytest.fixture
def meter(memory: InMemoryExporter) -> Meter:
    """A Meter with no other exporter."""
    return Meter(exporters=[memory])
