"""No room: the user's calls go on, what was accepted stays, and recording mends itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_disk import can_mount, small_disk

import costspan
from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import LedgerWriteError
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.ledger.merge import merge

Query = Callable[[str], list[tuple[Any, ...]]]
COUNT = "SELECT count(*) FROM calls"


def test_calls_go_on_without_room(
    answer: Any, stored: Callable[[], dict[str, list[int]]], query: Query
) -> None:
    """The limit of the process stands in for the disk, for users who cannot mount a small one."""
    said = answer("cut_off", 100)

    assert said["last_error"] == "OSError(EFBIG)"
    assert said["seconds"] < 10  # 2,000 calls; a single one that waited would be seen
    found = stored()
    assert found["before"] == found["after"] == list(range(100))
    assert 0 < said["lost"] == 2000 - len(found["during"])


if can_mount():

    def test_calls_go_on_while_a_small_disk_is_full(tmp_path: Path) -> None:
        """duckdb/duckdb#9667, spiceai/spiceai#13985: the disk fills up under the application."""
        with small_disk(tmp_path / "disk") as make_room:
            home = Home(tmp_path / "disk" / "home", named=True, fallback=False, reason="test")
            exporter = LedgerExporter(home)
            reply: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 1}}

            def answer(model: str, messages: list[object]) -> dict[str, Any]:
                return reply

            ask = costspan.wrap(answer, meter=costspan.Meter(exporters=[exporter]))

            assert ask("gpt-4o", []) is reply
            (tmp_path / "disk" / "other").write_bytes(bytes(22 << 20))
            for _ in range(4000):
                assert ask("gpt-4o", []) is reply
            lost = exporter.health().lost
            assert lost > 0
            assert exporter.health().last_error == "OSError(ENOSPC)"
            with pytest.raises(LedgerWriteError, match=r"cannot be written: .*Make room"):
                merge(home)

            make_room()
            room_since, calls, before = time.monotonic(), 4001, -1
            while before != exporter.health().lost:
                time.sleep(0.02)
                before = exporter.health().lost
                assert ask("gpt-4o", []) is reply
                calls += 1
            assert time.monotonic() < room_since + 2  # one second of refusals, and a busy machine
            exporter.close()

            assert merge(home).rows == calls - before
