"""A full disk: accepted records stay, new ones are refused and counted, and it mends itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_disk import can_mount, small_disk

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
