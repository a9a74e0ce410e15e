"""Fixtures of several folders of tests: a Meter that keeps its calls, and the bed of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from bed import Bed, Frames

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter

if TYPE_CHECKING:
    from tests.conftest import FrameServer


@pytest.fixture
def memory() -> InMemoryExporter:
    """Where the test's calls go."""
    return InMemoryExporter()


@pytest.fixture
def meter(memory: InMemoryExporter) -> Meter:
    """A Meter with no other exporter."""
    return Meter(exporters=[memory])


@pytest.fixture(scope="module")
def bed(shared_frame_server: FrameServer) -> Iterator[Bed]:
    """A bed whose server plays the frames of each surface."""
    with Bed(Frames(shared_frame_server)) as bed:
        yield bed


@pytest.fixture
def server(bed: Bed, shared_frame_server: FrameServer) -> FrameServer:
    """The server of the bed, with nothing scripted, and nothing recorded yet."""
    shared_frame_server.reset()
    bed.memory.clear()
    return shared_frame_server
