"""The newest calls, one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from costspan.reports.period import ALL_TIME, Period
from costspan.reports.query import Reader, bundled_sql, fetch


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call, as the ledger holds it; None where nothing is known.

    Attributes:
        started_at: UTC.
        model: The model that answered.
        status: ``ok``, ``error``, ``cancelled`` or ``interrupted``.
        error_type, http_status: Of its error, if it failed.
        estimate_input_tokens, estimate_output_tokens, estimate_cost_usd: What was said before.
        input_tokens, output_tokens, cost_usd: What it was.
        usage_source: Who counted the tokens: ``provider``, or we (``estimated``, ``partial``).
        latency_us, ttft_us: Microseconds in all, and to the first chunk of a stream.
    """

    started_at: datetime
    provider: str | None
    model: str | None
    operation: str | None
    status: str
    error_type: str | None
    http_status: int | None
    estimate_input_tokens: int | None
    input_tokens: int | None
    estimate_output_tokens: int | None
    output_tokens: int | None
    usage_source: str | None
    estimate_cost_usd: Decimal | None
    cost_usd: Decimal | None
    cost_status: str
    latency_us: int | None
    ttft_us: int | None
    tags: Mapping[str, str]
    trace_id: str | None
    call_id: str

    @property
    def refused(self) -> bool:
        """Whether the provider turned it down, with an HTTP status of 400 to 499 and no usage.

        Such a call costs nothing, although its cost in the ledger is NULL.
        """
        http_status = self.http_status or 0
        return self.status == "error" and 400 <= http_status <= 499 and self.usage_source is None


def newest_calls(
    reader: Reader, count: int = 20, period: Period = ALL_TIME, status: str | None = None
) -> list[CallRow]:
    """The newest calls, newest first.

    Args:
        reader: The open ledger.
        count: At most so many.
        period: Which calls, by the instant they started.
        status: Only calls that ended so.
    """
    parameters = {**period.bounds(), "count": count, "status": status}
    return [_call(row) for row in fetch(reader, bundled_sql("calls"), parameters)]


def _call(row: dict[str, Any]) -> CallRow:
    return CallRow(
        **{
            **row,
            "started_at": row["started_at"].replace(tzinfo=UTC),
            "tags": json.loads(row["tags"]) if row["tags"] else {},
            "call_id": str(row["call_id"]),
        }
    )
