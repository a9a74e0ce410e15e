"""The test bed that the tables of all SDKs share, and a Meter for single calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures import bed as bed
from fixtures import memory as memory
from fixtures import meter as meter
from fixtures import server as server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Do not mind sockets here: streams are abandoned on purpose, and an SDK leaves some open."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))
