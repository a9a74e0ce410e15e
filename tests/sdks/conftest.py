"""The test bed that the tables of all SDKs share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from bed import Bed, Frames

if TYPE_CHECKING:
    from tests.conftest import FrameServer


@pytest.fixture(scope="module")
def bed(shared_frame_server: FrameServer) -> Iterator[Bed]:
    """A bed whose server plays the frames of each surface."""
    with Bed(Frames(shared_frame_server)) as bed:
        yield bed
