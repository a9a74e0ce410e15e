"""Every surface of the anthropic SDK 0.125, on every way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bed import Bed
from claude import SURFACES, check_count_tokens, check_tool_runner
from stainless import check_attempts
from surfaces import Surface, Way, check, rows

if TYPE_CHECKING:
    from tests.conftest import FrameServer

# What `parse` of the SDK says of its own argument.
pytestmark = pytest.mark.filterwarnings("ignore:The 'output_format' parameter is deprecated")


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


@pytest.mark.parametrize("surface", SURFACES[:4], ids=lambda s: s.name)
def test_attempts_of_the_sdk_are_one_call(bed: Bed, surface: Surface) -> None:
    check_attempts(surface, bed)


def test_each_turn_of_a_tool_runner_is_a_call(bed: Bed, shared_frame_server: FrameServer) -> None:
    check_tool_runner(bed, shared_frame_server)


def test_count_tokens_passes_unrecorded(bed: Bed, shared_frame_server: FrameServer) -> None:
    check_count_tokens(bed, shared_frame_server)
