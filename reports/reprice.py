"""Recorded calls priced again by the catalogue in force, and what that changes per model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from costspan.exporters.ledger.facts import Row
from costspan.pricing.rates import EXACT
from costspan.reports.again import IncompleteError, Pricer
from costspan.reports.period import Period
from costspan.reports.query import Reader, bundled_sql, fetch

BATCH = 20_000
"""Calls that are in memory at a time."""


@dataclass(slots=True)
class RepricedModel:
    """What pricing again makes of the calls of one model.

    Attributes:
        provider, model: That answered.
        calls: How many were looked at.
        changed: How many have another amount, status or line now.
        old_usd, new_usd: What they cost before and now; None when none has a price.
        newly_priced, no_longer_priced: Calls that had no amount and have one, and the reverse.
        incomplete: Calls that stay as they are because their facts are not whole.
    """

    provider: str | None = None
    model: str | None = None
    calls: int = 0
    changed: int = 0
    old_usd: Decimal | None = None
    new_usd: Decimal | None = None
    newly_priced: int = 0
    no_longer_priced: int = 0
    incomplete: int = 0

    @property
    def difference_usd(self) -> Decimal | None:
        """New less old; None when there is neither."""
        if self.old_usd is None and self.new_usd is None:
            return None
        return EXACT.subtract(self.new_usd or Decimal(0), self.old_usd or Decimal(0))

    def add(self, old_usd: Decimal | None, new_usd: Decimal | None) -> None:
        """Count the amounts of a call."""
        self.old_usd, self.new_usd = _sum(self.old_usd, old_usd), _sum(self.new_usd, new_usd)
        self.newly_priced += old_usd is None and new_usd is not None
        self.no_longer_priced += old_usd is not None and new_usd is None


@dataclass(slots=True)
class RepriceReport:
    """What pricing again makes of all calls that were looked at.

    Attributes:
        period: Which calls, by the instant they started.
        catalogue_version: Of the prices.
        dry_run: Whether nothing was written.
        models: By provider and model, those that change most first.
        total: Of all of them.
    """

    period: Period
    catalogue_version: str
    dry_run: bool
    models: list[RepricedModel] = field(default_factory=list)
    total: RepricedModel = field(default_factory=RepricedModel)


def reprice(
    reader: Reader,
    pricer: Pricer,
    report: RepriceReport,
    model: str | None = None,
    keep: Callable[[Sequence[Row]], None] = lambda changes: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Price calls again, a batch at a time.

    Args:
        reader: The open ledger.
        pricer: The prices.
        report: Says which period, and takes what comes of it.
        model: Only calls of that model, by the name that answered or that was asked for.
        keep: Takes the changes of each batch: ``call_id`` and `REPRICED_COLUMNS`.
        progress: Told how many calls are done, and of how many.
    """
    models: dict[tuple[str | None, str | None], RepricedModel] = {}
    for batch, done, total in _batches(reader, report.period):
        progress(done, total)
        rows = fetch(reader, bundled_sql("reprice"), {**batch, "model": model})
        keep([new for row in rows if (new := _repriced(pricer, row, models, report.total))])
    report.models = sorted(models.values(), key=_importance)


def _repriced(
    pricer: Pricer,
    row: dict[str, Any],
    models: dict[tuple[str | None, str | None], RepricedModel],
    total: RepricedModel,
) -> Row | None:
    """Price one call and count it; return its new columns where they differ."""
    key = row["provider"], row["model"]
    counts = models.get(key) or models.setdefault(key, RepricedModel(*key))
    new, incomplete = None, False
    try:
        new = pricer.new_columns(row)
    except IncompleteError:
        incomplete = True
    old_usd = row["cost_usd"]
    for one in (counts, total):
        one.calls += 1
        one.incomplete += incomplete
        one.changed += new is not None
        one.add(old_usd, old_usd if new is None else new["cost_usd"])
    return None if new is None else {"call_id": row["call_id"], **new}


def _batches(reader: Reader, period: Period) -> Iterator[tuple[dict[str, datetime], int, int]]:
    """The parts of a period that hold so many calls each, the calls before, and all calls.

    Calls that start in the same microsecond are in one part.
    """
    bounds = period.bounds()
    starts = fetch(reader, bundled_sql("reprice_batches"), {**bounds, "size": BATCH})
    ends = [*(start["since"] for start in starts[1:]), bounds["until"]]
    for start, until in zip(starts, ends, strict=False):  # without calls there is an end alone
        yield {"since": start["since"], "until": until}, start["before"], start["total"]


def _sum(total: Decimal | None, amount: Decimal | None) -> Decimal | None:
    if amount is None:
        return total
    return amount if total is None else EXACT.add(total, amount)


def _importance(one: RepricedModel) -> tuple[Decimal, int, str, str]:
    return (
        -abs(one.difference_usd or Decimal(0)),
        -one.changed,
        one.provider or "",
        one.model or "",
    )
