"""The stretch of time that a report covers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from costspan.exporters.ledger.words import instant
from costspan.reports.errors import ReportError

ALLOWED = (
    "a length back from now (30m, 24h, 7d, 2w), a day (2026-11-01) "
    "or an instant (2026-11-01T08:30, 2026-11-01T08:30:00Z)"
)
_LENGTH = re.compile(r"([0-9]{1,9})([mhdw])")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch of time: a call belongs to it by the instant it started.

    Attributes:
        since: The first instant inside, aware, UTC; None for "from the beginning".
        until: The first instant outside, aware, UTC; None for "until now and beyond".
    """

    since: datetime | None = None
    until: datetime | None = None

    def bounds(self) -> dict[str, datetime]:
        """The query parameters ``since`` and ``until``: naive UTC, as the ledger stores instants.

        An open end becomes the first or last instant there is, so that the plain comparison lets
        DuckDB skip whole row groups.
        """
        return {
            "since": _naive(self.since) if self.since else datetime.min,
            "until": _naive(self.until) if self.until else datetime.max,
        }


ALL_TIME = Period()


def parse_period(
    since: str | None,
    until: str | None,
    *,
    now: datetime,
    zone: tzinfo,
    names: tuple[str, str] = ("since", "until"),
) -> Period:
    """Read both ends of a period as people type them.

    Args:
        since: First end, see `parse_instant`; None for the beginning.
        until: Last end (exclusive); None for no end.
        now: The current instant, aware.
        zone: The time zone of days and instants that name none.
        names: What the ends are called, for errors.

    Raises:
        ReportError: An end is not understood, or the period ends before it begins.
    """
    period = Period(
        parse_instant(names[0], since, now=now, zone=zone) if since is not None else None,
        parse_instant(names[1], until, now=now, zone=zone) if until is not None else None,
    )
    if period.since and period.until and period.since >= period.until:
        raise ReportError(
            f"the period is empty: {names[0]} {since!r} is {instant(period.since)} and {names[1]} "
            f"{until!r} is {instant(period.until)}: give a {names[0]} that is earlier"
        )
    return period


def parse_instant(name: str, text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Read one end of a period: ``1w``, ``7d``, ``24h``, ``30m``, ``2026-11-01`` or ISO 8601.

    Args:
        name: What the text is for (``since``), named in the error.
        text: As typed. A day means its first instant in ``zone``.
        now: The current instant, aware; lengths count back from it.
        zone: The time zone of days and instants that name none.

    Returns:
        An aware UTC instant.

    Raises:
        ReportError: It is none of these; the text says what is allowed.
    """
    try:
        if length := _LENGTH.fullmatch(text.strip()):
            return (now - int(length[1]) * _UNITS[length[2]]).astimezone(UTC)
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReportError(f"{name} {text!r} is not understood: give {ALLOWED}") from error


def parse_zone(name: str) -> tzinfo:
    """The time zone of that IANA name.

    Raises:
        ReportError: There is no such zone.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ReportError(
            f"time zone {name!r} is not known: give an IANA name, for instance Europe/Berlin"
        ) from error


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
