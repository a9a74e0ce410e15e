"""Which spend the merger is to add up for budgets: one small file a budget, in ``budgets/``.

Who enforces a budget writes its file, and reads the sum that the merger publishes (see publish.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from costspan.exporters.ledger.layout import BUDGETS
from costspan.exporters.ledger.locks import replace
from costspan.exporters.sharing import make_folder, opener

CALENDAR = ("hour", "day", "month")
_SUFFIX = ".json"


class BudgetError(ValueError):
    """A budget that cannot be added up; the text says what is allowed."""


@dataclass(frozen=True, slots=True)
class BudgetWindow:
    """The calls that count against one budget.

    Attributes:
        name: Of the budget; also of its file.
        per: ``hour``, ``day`` or ``month`` by the calendar of ``tz``, or the length of a window
            that ends now.
        tz: IANA name of the time zone in which hours, days and months begin.
        provider, model: Count the provider requests of these alone; None for all.
        tags: Count calls with all of these tags alone.
        each: A tag: the budget holds for each of its values.
    """

    name: str
    per: str | timedelta
    tz: str = "UTC"
    provider: str | None = None
    model: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    each: str | None = None

    def __post_init__(self) -> None:
        if not self.name or os.path.basename(self.name) != self.name or self.name[0] == ".":
            raise BudgetError(f"budget {self.name!r}: give a name that can be a file's")
        if isinstance(self.per, str) and self.per not in CALENDAR:
            raise BudgetError(f"budget {self.name}: per {self.per!r}: one of {', '.join(CALENDAR)}")

    def since(self, now: datetime) -> datetime:
        """When the window that is open now began, in UTC."""
        if isinstance(self.per, timedelta):
            return now.astimezone(UTC) - self.per
        zone = ZoneInfo(self.tz)
        local = now.astimezone(zone)
        if self.per == "hour":
            # By instants: of the two hours of one name, when clocks go back, it is the one of now.
            into = timedelta(minutes=local.minute, seconds=local.second)
            return now.astimezone(UTC) - into - timedelta(microseconds=local.microsecond)
        day = local.date() if self.per == "day" else local.date().replace(day=1)
        return datetime.combine(day, time(), zone).astimezone(UTC)


def register(home: Path, window: BudgetWindow) -> None:
    """Have the merger publish the spend of a budget from its next merge on.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = home / BUDGETS
    make_folder(folder)
    per = window.per.total_seconds() if isinstance(window.per, timedelta) else window.per
    said = {
        "per": per,
        "tz": window.tz,
        "provider": window.provider,
        "model": window.model,
        "tags": dict(window.tags),
        "each": window.each,
    }
    path = folder / f"{window.name}{_SUFFIX}"
    unready = path.with_suffix(f".{os.getpid()}.new")
    with open(unready, "w", encoding="utf-8", opener=opener(home)) as file:
        json.dump(said, file)
    replace(unready, path)


def registered(home: Path) -> list[BudgetWindow]:
    """The budgets of a ledger, by name; a file that cannot be understood is passed over."""
    try:
        names = sorted(os.listdir(home / BUDGETS))
    except OSError:
        return []
    found = [_read(home / BUDGETS / name) for name in names if name.endswith(_SUFFIX)]
    return [window for window in found if window is not None]


def open_since(home: Path, now: datetime) -> datetime | None:
    """When the longest budget window that is open now began; None where there is no budget."""
    return min((window.since(now) for window in registered(home)), default=None)


def _read(path: Path) -> BudgetWindow | None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        per = said["per"]
        window = BudgetWindow(
            path.name.removesuffix(_SUFFIX),
            per if isinstance(per, str) else timedelta(seconds=per),
            said.get("tz", "UTC"),
            said.get("provider"),
            said.get("model"),
            {str(name): str(value) for name, value in said.get("tags", {}).items()},
            said.get("each"),
        )
        ZoneInfo(window.tz)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return window
