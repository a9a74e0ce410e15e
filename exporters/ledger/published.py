"""What the merger leaves for application processes, which never open the database.

``spend.json`` holds the spend of each registered budget and how far each segment is in it: who
adds what stands in the spool beyond that has the spend of now. ``priors.json`` holds what calls
used compared with what was estimated. Both are replaced as a whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from costspan.exporters.ledger.layout import PUBLISHED
from costspan.exporters.ledger.locks import replace
from costspan.exporters.sharing import make_folder, opener

SPEND = "spend.json"
PRIORS = "priors.json"


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls of one budget window cost, as far as they are merged.

    Attributes:
        usd: US dollars of those with a known cost.
        calls: How many calls, or requests where the budget is for a model or a provider.
        unpriced: How many of them without a known cost; the refused ones, which are not billed,
            left out.
    """

    usd: Decimal
    calls: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class BudgetSpend:
    """The published spend of one budget.

    Attributes:
        since: When the window began.
        total: Over all calls of the window.
        each: By value of the budget's tag, if it has one.
    """

    since: datetime
    total: Spent
    each: Mapping[str, Spent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spend:
    """What a merge published.

    Attributes:
        at: When, in UTC.
        merged: Segment name to the bytes of it that are in the database; of segments that exist.
        budgets: By name.
    """

    at: datetime
    merged: Mapping[str, int]
    budgets: Mapping[str, BudgetSpend]


@dataclass(frozen=True, slots=True)
class Prior:
    """What the calls of one model used, beside what was estimated; over the last 30 days.

    Attributes:
        calls: How many calls stand behind it.
        input_ratio_p50, input_ratio_p95: Input tokens that the provider counted, divided by the
            likely estimate; None where nothing was estimated.
        output_tokens_p50, output_tokens_p95: Tokens of the answers.
    """

    calls: int
    input_ratio_p50: float | None
    input_ratio_p95: float | None
    output_tokens_p50: int | None
    output_tokens_p95: int | None


def read_spend(home: Path) -> Spend | None:
    """What the last merge published; None where there has been none, or it cannot be read."""
    said = _read(home / PUBLISHED / SPEND)
    try:
        return None if said is None else _spend(said)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None


def read_priors(home: Path) -> dict[tuple[str, str], Prior]:
    """What has been learned, by provider and model; empty where nothing has."""
    said = _read(home / PUBLISHED / PRIORS)
    try:
        return {(p, m): Prior(**facts) for p, m, facts in said["models"]} if said else {}
    except (ValueError, KeyError, TypeError):
        return {}


def write(home: Path, name: str, said: Mapping[str, object]) -> None:
    """Replace one of the files, whole.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = home / PUBLISHED
    make_folder(folder)
    unready = folder / f"{name}.{os.getpid()}.new"
    try:
        with open(unready, "w", encoding="utf-8", opener=opener(home)) as file:
            json.dump(said, file)
        replace(unready, folder / name)
    finally:
        unready.unlink(missing_ok=True)


def published_at(home: Path) -> float | None:
    """When the last merge published, in seconds since 1970 by the file's time; None if never."""
    try:
        return os.stat(home / PUBLISHED / SPEND).st_mtime
    except OSError:
        return None


def _spend(said: Mapping[str, Any]) -> Spend:
    budgets = {
        name: BudgetSpend(
            datetime.fromisoformat(one["since"]),
            _spent(one["total"]),
            {value: _spent(part) for value, part in one.get("each", {}).items()},
        )
        for name, one in said["budgets"].items()
    }
    merged = {str(segment): int(end) for segment, end in said["merged"].items()}
    return Spend(datetime.fromisoformat(said["at"]), merged, budgets)


def _spent(said: Mapping[str, Any]) -> Spent:
    return Spent(Decimal(said["usd"]), int(said["calls"]), int(said["unpriced"]))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
