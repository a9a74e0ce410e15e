"""Time-of-day rates: is an instant inside a schedule's windows?"""

from __future__ import annotations

from calendar import day_name
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of local time on some days of the week.

    Attributes:
        zone: The time zone of days and windows.
        days: ISO weekdays on which windows open (1 is Monday).
        windows: (opens, closes), the end excluded; a window may cross midnight and then belongs
            to the day on which it opened.
        holidays: First and last local day of each exception.
        by_start: Whether the start of the call counts instead of its completion.
    """

    zone: tzinfo
    days: frozenset[int]
    windows: tuple[tuple[time, time], ...]
    holidays: tuple[tuple[date, date], ...]
    by_start: bool

    @classmethod
    def parse(cls, row: Mapping[str, str]) -> Schedule:
        """Read a row of ``schedules.csv``."""
        first, _, last = row["days"].partition("-")
        windows = [span.split("-") for span in row["windows"].split(";")]
        spans = [span.split("/") for span in row["except_dates"].split(";") if span]
        return cls(
            zone=ZoneInfo(row["timezone"]),
            days=frozenset(range(int(first), int(last or first) + 1)),
            windows=tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in windows),
            holidays=tuple((date.fromisoformat(s[0]), date.fromisoformat(s[-1])) for s in spans),
            by_start=row["clock"] == "start",
        )

    def __str__(self) -> str:
        """The windows in words: ``09:00-12:00, 14:00-18:00 Asia/Shanghai, Monday to Friday``."""
        windows = ", ".join(f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in self.windows)
        first, last = min(self.days), max(self.days)
        days = "" if len(self.days) == 7 else f", {day_name[first - 1]} to {day_name[last - 1]}"
        but = " but for holidays" if self.holidays else ""
        clock = "starts" if self.by_start else "ends"
        return f"{windows} {self.zone}{days}{but}, by when a call {clock}"

    def contains(self, at: datetime) -> bool:
        """Say whether an aware instant lies in a window."""
        local = at.astimezone(self.zone)
        today, clock = local.date(), local.time()
        for opens, closes in self.windows:
            if opens <= closes:
                if opens <= clock < closes and self._open_on(today):
                    return True
            elif (clock >= opens and self._open_on(today)) or (
                clock < closes and self._open_on(today - timedelta(days=1))
            ):
                return True
        return False

    def _open_on(self, day: date) -> bool:
        if day.isoweekday() not in self.days:
            return False
        return not any(first <= day <= last for first, last in self.holidays)
