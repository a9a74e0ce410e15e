"""No room: the user's calls go on, what was accepted stays, and recording mends itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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


@contextmanager
def small_disk(path: Path) -> Iterator[Callable[[], None]]:
    """Mount a file system of 24 MB; yields what makes it larger."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path], check=True)

    def make_room() -> None:
        subprocess.run(["mount", "-o", "remount,size=96m", path], check=True)

    try:
        yield make_room
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def can_mount() -> bool:
    """Whether this process may mount: root may, where its container lets it."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


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
