"""How good the estimates were: what was said before each call against what it was."""

from __future__ import annotations

from dataclasses import dataclass

from costspan.reports.period import ALL_TIME, Period
from costspan.reports.query import Reader, bundled_sql, fetch


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


def estimate_errors(reader: Reader, period: Period = ALL_TIME) -> list[EstimateRow]:
    """The error of the estimates per model, most called first.

    Args:
        reader: The open ledger.
        period: Which calls, by the instant they started.
    """
    rows = fetch(reader, bundled_sql("estimates"), period.bounds())
    return [EstimateRow(**row) for row in rows]
