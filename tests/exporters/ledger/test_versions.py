"""One ledger, written by both supported versions of DuckDB in turn.

The older one lies in a folder of its own in the environment: ``make setup`` installs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.schema import MIGRATIONS
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

PROGRAM = Path(__file__).with_name("migrating.py")
OLDER = Path(sys.prefix) / "duckdb-1.5"
PATHS = {"1.5": str(OLDER), "2.": ""}
COST_USD = Decimal("0.0026")  # of each call of ``make_call``


class Ledger:
    """A folder, and programs that work on it with a chosen DuckDB."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def run(self, version: str, *words: object, killed: bool = False) -> str:
        """Run a command of ``migrating.py`` to its end."""
        command, *arguments = map(str, words)
        done = subprocess.run(
            [sys.executable, str(PROGRAM), command, str(self._home), *arguments],
            env={**os.environ, "PYTHONPATH": PATHS[version]},
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        assert done.returncode == (-9 if killed else 0)
        return done.stdout

    def merge(self, version: str) -> tuple[int, int, int, Decimal]:
        """Merge; return schema version, calls, distinct calls and what they cost."""
        by, state, schema, calls, distinct, usd, tags = json.loads(
            self.run(version, "merge_at", "")
        )
        assert by.startswith(version)
        assert state == "merged"
        assert "v1.5.0" in tags
        return schema, calls, distinct, Decimal(usd)


@pytest.fixture
def ledger(home: Home) -> Ledger:
    """A folder without a database."""
    assert OLDER.is_dir(), f"{OLDER} is missing: run make setup"
    home.path.mkdir()
    return Ledger(home)


@pytest.fixture
def put(
    home: Home, make_call: Callable[..., Call], open_writer: Callable[..., Writer]
) -> Callable[[], int]:
    """Records seven calls, and returns how many there are now."""
    writer = open_writer(home)
    numbers = iter(range(10**6))

    def seven() -> int:
        last = 0
        for _ in range(7):
            last = next(numbers)
            assert writer.put(encode(make_call(0, last)))
        return last + 1

    return seven


@pytest.mark.parametrize(
    "order", [("1.5", "2."), ("2.", "1.5")], ids=["older first", "newer first"]
)
def test_ten_times_in_turn_with_kills_between(
    ledger: Ledger, put: Callable[[], int], order: tuple[str, str]
) -> None:
    newest = MIGRATIONS[-1].version
    kills = {3: "inserted", 4: "committed", 7: "noted", 8: "checkpointed"}
    for turn in range(10):
        calls = put()
        if point := kills.get(turn):
            # The one leaves a log behind that the other has to read.
            ledger.run(order[(turn + 1) % 2], "merge_at", point, killed=True)

        assert ledger.merge(order[turn % 2]) == (newest, calls, calls, calls * COST_USD)


@pytest.mark.parametrize("version", range(1, MIGRATIONS[-1].version))
@pytest.mark.parametrize(("maker", "migrator"), [("1.5", "2."), ("2.", "1.5")])
def test_an_older_schema_is_brought_up_by_the_other_version(
    ledger: Ledger, put: Callable[[], int], maker: str, migrator: str, version: int
) -> None:
    ledger.run(maker, "make", version)
    ledger.run(maker, "migrate_and_die", 2, killed=True)
    calls = put()

    merged = ledger.merge(migrator)

    assert merged == (MIGRATIONS[-1].version, calls, calls, calls * COST_USD)
    assert ledger.merge(maker) == merged


def test_money_and_meters_are_exact_by_either(
    ledger: Ledger,
    home: Home,
    make_call: Callable[..., Call],
    make_request: Callable[..., Any],
    open_writer: Callable[..., Writer],
) -> None:
    """DuckDB 1.5 takes JSON numbers to DECIMAL through a double, so amounts travel as text."""
    amount = Decimal("345678.123456789012")
    writer = open_writer(home)
    usd = Decimal(0)
    for number, version in enumerate(("1.5", "2.")):
        request = make_request()
        writer.put(
            encode(
                make_call(
                    0,
                    number,
                    requests=(request._replace(cost=request.cost._replace(total=amount)),),
                )
            )
        )
        usd += amount
        assert ledger.merge(version) == (MIGRATIONS[-1].version, number + 1, number + 1, usd)
