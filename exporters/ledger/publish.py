"""After a merge: adds up what application processes may need and must not query, and publishes it.

The order is what makes it exact: rows are committed, then the sums that hold them are published
with the offsets up to which they reach, and only then are merged segments removed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.ledger.budgets import BudgetWindow, registered
from costspan.exporters.ledger.facts import NOT_BILLED_SQL
from costspan.exporters.ledger.layout import PUBLISHED, segment_paths
from costspan.exporters.ledger.published import PRIORS, SPEND, write

if TYPE_CHECKING:
    import duckdb

PRIORS_EVERY_S = 600
"""Learned from all calls of 30 days, so an hour more or less changes little."""

_MOST_MODELS = 500
_PRIORS_SQL = f"""\
SELECT provider, model, count(*) AS calls,
    quantile_cont(input_tokens / nullif(estimate_input_tokens, 0), [0.5, 0.95]) AS input_ratio,
    quantile_cont(output_tokens, [0.5, 0.95]) AS output_tokens
FROM calls
WHERE started_at >= ? AND status = 'ok' AND usage_source = 'provider' AND request_count = 1
    AND provider IS NOT NULL AND model IS NOT NULL
GROUP BY ALL ORDER BY calls DESC LIMIT {_MOST_MODELS}"""


def publish(connection: duckdb.DuckDBPyConnection, home: Path, merged: Mapping[str, int]) -> None:
    """Replace the published files; the merge lock is held and everything is committed.

    Args:
        connection: The ledger.
        home: Its folder.
        merged: Segment name to the number of its bytes that are in the database.

    Raises:
        OSError: The folder cannot be written.
        duckdb.Error: The ledger cannot be read.
    """
    now = datetime.now(UTC)
    present = {path.name for path in segment_paths(home)}
    write(
        home,
        SPEND,
        {
            "at": now.isoformat(),
            "merged": {name: end for name, end in merged.items() if name in present},
            "budgets": {
                window.name: _budget(connection, window, now) for window in registered(home)
            },
        },
    )
    if _age_s(home / PUBLISHED / PRIORS) >= PRIORS_EVERY_S:
        write(home, PRIORS, {"at": now.isoformat(), "models": _priors(connection, now)})


def _budget(
    connection: duckdb.DuckDBPyConnection, window: BudgetWindow, now: datetime
) -> dict[str, object]:
    since = window.since(now)
    conditions, values = _scope(window, since)
    by_request = window.provider is not None or window.model is not None
    table = "call_requests" if by_request else "calls"
    key = "NULL" if window.each is None else "json_extract_string(tags, $each)"
    if window.each is not None:
        values["each"] = pointer(window.each)
    rows = connection.execute(
        f"SELECT {key} AS each, sum(cost_usd), count(*), count(*) FILTER (cost_usd IS NULL AND NOT "
        f"({NOT_BILLED_SQL})) FROM {table} WHERE {' AND '.join(conditions)} GROUP BY ALL",
        values,
    ).fetchall()
    found = [(value, usd or Decimal(0), calls, unpriced) for value, usd, calls, unpriced in rows]
    total = (
        sum((usd for _, usd, _, _ in found), Decimal(0)),
        sum(calls for _, _, calls, _ in found),
        sum(unpriced for *_, unpriced in found),
    )
    each = {value: _spent(*rest) for value, *rest in found if value is not None}
    return {"since": since.isoformat(), "total": _spent(*total), "each": each}


def _scope(window: BudgetWindow, since: datetime) -> tuple[list[str], dict[str, object]]:
    conditions = ["started_at >= $since"]
    values: dict[str, object] = {"since": since.replace(tzinfo=None)}
    for column, wanted in (("provider", window.provider), ("model", window.model)):
        if wanted is not None:
            conditions.append(f"{column} = ${column}")
            values[column] = wanted
    for number, (name, value) in enumerate(window.tags.items()):
        conditions.append(f"json_extract_string(tags, $tag{number}) = $value{number}")
        values |= {f"tag{number}": pointer(name), f"value{number}": value}
    return conditions, values


def pointer(tag: str) -> str:
    """A tag's place in ``tags``, as a JSON pointer: the one path syntax that takes every name."""
    return "/" + tag.replace("~", "~0").replace("/", "~1")


def _spent(usd: Decimal, calls: int, unpriced: int) -> dict[str, object]:
    return {"usd": str(usd), "calls": calls, "unpriced": unpriced}


def _priors(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[object]:
    since = (now - timedelta(days=30)).replace(tzinfo=None)
    rows = connection.execute(_PRIORS_SQL, [since]).fetchall()
    return [
        [
            provider,
            model,
            {
                "calls": calls,
                "input_ratio_p50": ratio and round(ratio[0], 4),
                "input_ratio_p95": ratio and round(ratio[1], 4),
                "output_tokens_p50": output and round(output[0]),
                "output_tokens_p95": output and round(output[1]),
            },
        ]
        for provider, model, calls, ratio, output in rows
    ]


def _age_s(path: Path) -> float:
    try:
        return abs(time.time() - os.stat(path).st_mtime)  # a clock may have been set back
    except OSError:
        return float("inf")
