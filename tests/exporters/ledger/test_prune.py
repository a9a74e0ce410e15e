"""Old calls are removed for good, and the file shrinks; those of open budget windows stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.budgets import BudgetWindow, register
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.prune import Prunable, prunable, prune
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ErrorFacts
from costspan.pricing.types import Cost

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]
Query = Callable[[str], list[tuple[Any, ...]]]

OLD = datetime(2025, 1, 1, tzinfo=UTC)
LIMIT = datetime(2025, 6, 1, tzinfo=UTC)


def look(home: Home, before: datetime) -> Prunable:
    with open_ledger(home) as reader:
        return prunable(reader, home, before)


def at(make_call: MakeCall, number: int, start: datetime, **changes: Any) -> bytes:
    """A call of $0.0026 that started at an instant."""
    ended = start + timedelta(seconds=1)
    return encode(make_call(0, number, started_at=start, ended_at=ended, **changes))


@pytest.fixture
def writer(home: Home, make_call: MakeCall, make_request: Any, open_writer: OpenWriter) -> Writer:
    """A running writer with four old calls, one at the limit and one after it.

    Of the old ones two cost $0.0026 each, one is unpriced, and one was refused.
    """
    running = open_writer(home)
    unpriced = make_request(cost=Cost(None, "unpriced"))
    refused = ErrorFacts("openai.RateLimitError", 429)
    nothing = make_request(cost=None, usage=None, error=refused)
    running.put(at(make_call, 0, OLD))
    running.put(at(make_call, 1, LIMIT - timedelta(microseconds=1)))
    running.put(at(make_call, 2, OLD + timedelta(days=1), requests=(unpriced,)))
    running.put(at(make_call, 3, OLD, requests=(nothing,), status="error", error=refused))
    running.put(at(make_call, 4, LIMIT))
    running.put(at(make_call, 5, LIMIT + timedelta(days=1)))
    return running


def test_it_says_before_what_would_go(home: Home, writer: Writer) -> None:
    found = look(home, LIMIT)

    size = (home.path / "ledger.duckdb").stat().st_size
    assert found == Prunable(
        LIMIT,
        4,
        Decimal("0.0052"),
        1,
        OLD,
        LIMIT - timedelta(microseconds=1),
        size,
        size * 4 // 6,
        0,
    )


def test_the_old_ones_go_and_come_not_back(
    home: Home, writer: Writer, make_call: MakeCall, query: Query
) -> None:
    done = prune(home, LIMIT)

    assert (done.kept, done.removed) == (2, 4)
    writer.put(at(make_call, 6, LIMIT + timedelta(days=2)))
    assert query("SELECT unit_id FROM calls ORDER BY 1") == [("4",), ("5",), ("6",)]
    assert look(home, LIMIT) == Prunable(
        LIMIT, 0, None, 0, None, None, (home.path / "ledger.duckdb").stat().st_size, 0, 0
    )


def test_what_waits_in_the_spool_is_pruned_too(
    home: Home, writer: Writer, make_call: MakeCall, query: Query
) -> None:
    merge(home)
    writer.put(at(make_call, 7, OLD))

    assert prune(home, LIMIT).removed == 5
    assert query("SELECT count(*) FROM calls") == [(2,)]


def test_repricings_go_with_their_calls(home: Home, writer: Writer, query: Query) -> None:
    merge(home)
    with duckdb.connect(str(home.path / "ledger.duckdb")) as connection:
        connection.execute(
            "INSERT INTO repricings SELECT call_id, now()::TIMESTAMP, 1, 'priced', NULL, NULL, "
            "NULL, 2, 'priced', NULL FROM calls WHERE unit_id IN ('0', '4')"
        )

    prune(home, LIMIT)

    assert query("SELECT unit_id FROM repricings JOIN calls USING (call_id)") == [("4",)]
    assert query("SELECT count(*) FROM repricings") == [(1,)]


def test_the_file_shrinks(home: Home, writer: Writer, query: Query) -> None:
    """duckdb/duckdb#12286, #14124: a DELETE gives nothing back."""
    merge(home)
    database = home.path / "ledger.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "INSERT INTO calls SELECT c.* REPLACE (uuid() AS call_id, uuid()::TEXT AS session_id) "
            "FROM calls c, range(150000) WHERE unit_id = '0'"
        )
    before = database.stat().st_size
    found = look(home, LIMIT)

    done = prune(home, LIMIT)

    assert done.before_bytes == before
    assert done.after_bytes == database.stat().st_size < before / 3
    freed = before - done.after_bytes
    assert 0.8 * freed < found.freed_bytes < 1.2 * before
    assert query("SELECT count(*) FROM calls") == [(2,)]


def test_calls_of_an_open_budget_window_stay(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    writer = open_writer(home)
    now = datetime.now(UTC)
    for number, days in enumerate((1, 20, 40, 50)):
        writer.put(at(make_call, number, now - timedelta(days=days)))
    register(home.path, BudgetWindow("team", per=timedelta(days=30)))
    register(home.path, BudgetWindow("daily", per=timedelta(days=1)))

    found = look(home, now - timedelta(days=10))
    assert (found.calls, found.kept_for_budgets) == (2, 1)
    assert now - timedelta(days=30) <= found.before <= datetime.now(UTC) - timedelta(days=30)

    assert prune(home, now - timedelta(days=10)).removed == 2
    assert query("SELECT unit_id FROM calls ORDER BY 1") == [("0",), ("1",)]
