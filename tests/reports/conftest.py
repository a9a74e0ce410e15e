"""A small DuckDB ledger in memory, to which a test adds the rows it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import pytest

from costspan.exporters.ledger.schema import call_requests_sql, calls_ddl

NOON = "2026-11-01 12:00:00"


class Ledger:
    """A ledger with the real tables, filled row by row."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        self.connection.execute(calls_ddl())
        self.connection.execute(f"CREATE VIEW call_requests AS {call_requests_sql()}")
        self.number = 0

    def execute(
        self, sql: str, params: Sequence[object] | Mapping[str, object] = ()
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a query as the ledger's reader does."""
        cursor = self.connection.execute(sql, params)
        return [column[0] for column in cursor.description], cursor.fetchall()

    def call(self, at: str = NOON, times: int = 1, /, **facts: object) -> UUID:
        """Add a call of one request, so many times; ``at`` is its start in UTC."""
        self.number += 1
        row: dict[str, object] = {
            "call_id": UUID(int=self.number),
            "record_version": 1,
            "started_at": at,
            "ended_at": at,
            "latency_us": 1_000_000,
            "operation": "chat",
            "provider": "openai",
            "model": "gpt-x",
            "request_count": 1,
            "status": "ok",
            "usage_source": "provider",
            "cost_status": "priced",
            **facts,
        }
        values = ", ".join("?" * len(row))
        self.connection.execute(
            f"INSERT INTO calls ({', '.join(row)}) SELECT {values} FROM range({times})",
            [_stored(value) for value in row.values()],
        )
        return UUID(int=self.number)

    def many(self, *requests: dict[str, Any], at: str = NOON) -> UUID:
        """Add a call of several requests, the last of which answered."""
        common = {
            "provider": "openai",
            "model": "gpt-x",
            "usage_source": "provider",
            "cost_status": "priced",
            "started_at_us": 1_793_534_400_000_000,  # 2026-11-01 12:00:00 UTC
        }
        full = [{**common, **request} for request in requests]
        tokens = [request["input_tokens"] for request in full if "input_tokens" in request]
        costs = [Decimal(request["cost_usd"]) for request in full if request.get("cost_usd")]
        tags = full[-1].pop("tags", None)
        last = {name: value for name, value in full[-1].items() if name != "started_at_us"}
        return self.call(
            at,
            **{
                **last,
                "tags": tags,
                "requests": full,
                "request_count": len(full),
                "input_tokens": sum(tokens) if tokens else None,
                "cost_usd": sum(costs, Decimal(0)) if costs else None,
            },
        )


def _stored(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value) if isinstance(value, Decimal) else value


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty ledger."""
    made = Ledger()
    yield made
    made.connection.close()
