"""Removes calls that are older than an instant from the ledger, for good."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from costspan.exporters.ledger.budgets import open_since
from costspan.exporters.ledger.copying import Replaced, replacing
from costspan.exporters.ledger.facts import NOT_BILLED_SQL
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.read import Reader

_OLD = f"""\
SELECT count(*), sum(cost_usd), count(*) FILTER (cost_usd IS NULL AND NOT ({NOT_BILLED_SQL})),
    min(started_at), max(started_at)
FROM calls WHERE started_at < $until"""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What there is to remove.

    Attributes:
        before: Calls that started before this instant are to go; UTC.
        calls: How many.
        cost_usd: Their cost, as far as it is known; None where no cost is.
        unpriced: How many of them have an unknown cost.
        first, last: When the first and the last of them started, UTC; None if there are none.
        ledger_bytes: Size of the database file.
        freed_bytes: How much of it they take, about.
        kept_for_budgets: Calls that are older than was asked for, but stay because they count
            against a budget whose window is still open.
    """

    before: datetime
    calls: int
    cost_usd: Decimal | None
    unpriced: int
    first: datetime | None
    last: datetime | None
    ledger_bytes: int
    freed_bytes: int
    kept_for_budgets: int


def prunable(reader: Reader, home: str | os.PathLike[str], before: datetime) -> Prunable:
    """Say what `prune` would remove.

    Args:
        reader: The open ledger.
        home: Its folder.
        before: Calls that started before this instant, aware, are to go.

    Raises:
        duckdb.Error: The query was interrupted.
    """
    limit = _limit(home, before)
    calls, cost, unpriced, first, last = _older(reader, limit)
    asked = _older(reader, before)[0]
    total = _older(reader, datetime.max.replace(tzinfo=UTC))[0]
    path = Path(home) / DATABASE
    ledger_bytes = path.stat().st_size if path.exists() else 0
    return Prunable(
        limit,
        calls,
        cost,
        unpriced,
        first and first.replace(tzinfo=UTC),
        last and last.replace(tzinfo=UTC),
        ledger_bytes,
        ledger_bytes * calls // max(total, 1),
        asked - calls,
    )


def prune(
    home: str | os.PathLike[str],
    before: datetime,
    hook: Callable[[str], None] = lambda point: None,
) -> Replaced:
    """Remove calls that started before an instant; those of open budget windows stay.

    Args:
        home: The ledger's folder.
        before: The instant, aware.
        hook: Called with the name of each point at which it may be killed, as it passes it.

    Returns:
        What was removed.

    Raises:
        LedgerError: See `replacing`.
    """
    limit = _naive(_limit(home, before))
    with replacing(home, "started_at >= $before", {"before": limit}, hook=hook) as replaced:
        return replaced


def _older(reader: Reader, until: datetime) -> tuple[Any, ...]:
    """Of the calls before an instant: how many, cost, how many without one, first and last."""
    rows: list[tuple[Any, ...]] = reader.execute(_OLD, {"until": _naive(until)}).rows
    return rows[0]


def _limit(home: str | os.PathLike[str], before: datetime) -> datetime:
    since = open_since(Path(home), datetime.now(UTC))
    return min(before, since) if since else before


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
