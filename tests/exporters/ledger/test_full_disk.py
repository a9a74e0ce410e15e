"""A full disk: accepted records stay, new ones are refused and counted, and it mends itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import LedgerWriteError
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call


def test_a_limit_of_file_size(home: Home, answer: Any) -> None:
    """The limit of the process stands in for the disk, for users who cannot mount a small one."""
    said = answer("file_size_limit")

    assert said["lost"] > 0
    assert said["refused"]
    assert said["refused_s"] < 0.01
    assert said["after"]
    assert said["last_error"] == "OSError(EFBIG)"
    with open_ledger(home) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(said["stored"],)]


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

    @pytest.mark.parametrize("mapped", [True, False])
    def test_a_small_disk(
        tmp_path: Path,
        make_call: Callable[..., Call],
        open_writer: Callable[..., Writer],
        mapped: bool,
    ) -> None:
        """duckdb/duckdb#9667, spiceai/spiceai#13985: a full disk leaves a database unreadable."""
        with small_disk(tmp_path / "disk") as make_room:
            home = Home(tmp_path / "disk" / "home", named=True, fallback=False, reason="test")
            writer = open_writer(home, mapped=mapped)
            line = encode(make_call())
            accepted = sum(writer.put(line) for _ in range(40_000))
            assert 0 < writer.lost == 40_000 - accepted
            assert writer.last_error == "OSError(ENOSPC)"
            with pytest.raises(LedgerWriteError, match="Make room"):
                merge(home)

            make_room()
            time.sleep(1.05)
            assert writer.put(line)
            writer.close()

            assert merge(home).rows == accepted + 1
            with open_ledger(home) as reader:
                assert reader.execute("SELECT count(*) FROM calls").rows == [(accepted + 1,)]
