"""How good the estimates were: what was said before each call against what it was."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from costspan.reports.period import ALL_TIME, Period
from costspan.reports.query import Reader, bundled_sql, fetch

EXACT_CALLS = 5_000_000
"""Of more calls, quantiles are of a sample: to hold all values takes seconds and gigabytes."""
SAMPLE = 2_500_000
RARE = 100_000
"""A model with fewer calls is not sampled."""
_COUNT = "SELECT count(*) AS calls FROM calls WHERE started_at >= $since AND started_at < $until"
_RARE_ONES = "coalesce(model, '') IN (SELECT unnest($rare::VARCHAR[]))"


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """The error of one model's estimates. Errors are relative to the truth: 0.05 is 5 %.

    Attributes:
        model: The model that answered.
        calls: Calls compared: one request, ended well, tokens counted by the provider.
        input_error_median, input_error_p95: Size of the error of input tokens.
        input_bias: All estimated against all real input tokens; above 0 means too high.
        priced_calls: Those of the calls that have an estimated and a real cost above 0.
        cost_error_median, cost_error_p95, cost_bias: The same of US dollars; None without such.
        sampled: Whether medians and 95th percentiles are of a sample.
    """

    model: str | None
    calls: int
    input_error_median: float
    input_error_p95: float
    input_bias: float
    priced_calls: int
    cost_error_median: float | None
    cost_error_p95: float | None
    cost_bias: float | None
    sampled: bool = False


def estimate_errors(reader: Reader, period: Period = ALL_TIME) -> list[EstimateRow]:
    """The error of the estimates per model, most called first.

    Args:
        reader: The open ledger.
        period: Which calls, by the instant they started.

    Returns:
        Exact, but for medians and 95th percentiles where there are more than `EXACT_CALLS`: those
        of models with `RARE` calls or more are then of a sample of about `SAMPLE`.
    """
    calls = fetch(reader, _COUNT, period.bounds())[0]["calls"]
    if calls <= EXACT_CALLS:
        return _errors(reader, period)
    found = _errors(reader, period, step=max(1, calls // SAMPLE))
    rare = {row.model for row in found if row.calls < RARE}
    if not rare:
        return found
    exact = {row.model: row for row in _errors(reader, period, rare=rare)}
    return [exact.get(row.model, row) for row in found]


def _errors(
    reader: Reader, period: Period, step: int = 1, rare: Collection[str | None] | None = None
) -> list[EstimateRow]:
    """The errors of all models or of those named, with the quantiles of one in so many calls."""
    sql = bundled_sql("estimates").format(which="true" if rare is None else _RARE_ONES)
    names = [model or "" for model in rare or ()]
    rows = fetch(reader, sql, {**period.bounds(), "step": step, "rare": names})
    return [EstimateRow(**row, sampled=step > 1) for row in rows]
