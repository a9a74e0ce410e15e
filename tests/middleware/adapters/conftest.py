"""A wrapped client of google-genai."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google import genai
from google_asking import new

from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer


@pytest.fixture
def client(frame_server: FrameServer, meter: Meter) -> genai.Client:
    """It asks the frame server."""
    return wrap(new(frame_server), lambda: meter)
