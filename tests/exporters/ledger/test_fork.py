"""Forks, signals and finalisers: no hang, no loss, no shared segment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home

Query = Callable[[str], list[tuple[Any, ...]]]


def test_double_fork_beside_threads(home: Home, answer: Any, query: Query) -> None:
    """duckdb/duckdb-python#292, urban-toolkit/curio#316: a fork breaks what the parent opened."""
    done = answer("fork_beside_threads")

    assert done["children"] == [0] * 15
    counts = "SELECT session_id::INT >= 10, count(*), count(DISTINCT call_id) FROM calls GROUP BY 1"
    in_threads = done["threads"]
    # 15 children and 15 grandchildren put 5 calls each.
    assert sorted(query(counts)) == [(False, in_threads, in_threads), (True, 150, 150)]
    assert os.listdir(Path(home) / "spool") == []


def test_a_signal_handler_interrupts_puts(answer: Any, query: Query) -> None:
    done = answer("alarm")

    assert done["interrupts"] >= 1000
    assert done["lost"] == 0
    counts = "SELECT session_id, count(*) FROM calls GROUP BY 1 ORDER BY 1"
    assert query(counts) == [("0", done["puts"]), ("1", done["interrupts"])]


def test_finalisers_put_while_garbage_is_collected(answer: Any, query: Query) -> None:
    done = answer("garbage")

    assert done["finalised"] == 3000
    assert done["lost"] == 0
    counts = "SELECT session_id, count(*) FROM calls GROUP BY 1 ORDER BY 1"
    assert query(counts) == [("0", 3000), ("1", 3000)]


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_keyboard_interrupts_in_the_midst_of_puts(
    home: Home, answer: Any, query: Query, mode: str
) -> None:
    done = answer("interrupted", mode)

    assert done["lost"] == 0
    ((stored,),) = query("SELECT count(*) FROM calls")
    # An interrupt may come after a line is stored and before its put has returned.
    assert done["returned"] <= stored <= done["returned"] + done["hits"]
    assert not (Path(home) / "quarantine").exists()
