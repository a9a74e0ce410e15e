"""The ends of a period, as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from costspan.reports.errors import ReportError
from costspan.reports.period import ALL_TIME, parse_instant, parse_period, parse_zone

NOW = datetime(2026, 11, 8, 12, 0, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", datetime(2026, 11, 1, 12, 0, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 7, 12, 0, tzinfo=UTC)),
        ("30m", datetime(2026, 11, 8, 11, 30, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 1, 12, 0, tzinfo=UTC)),
        (" 0m ", NOW),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01 08:30:05", datetime(2026, 11, 1, 8, 30, 5, tzinfo=UTC)),
        ("2026-11-01T08:30Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30+02:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_instants(text: str, expected: datetime) -> None:
    assert parse_instant("since", text, now=NOW, zone=UTC) == expected


def test_a_day_begins_at_local_midnight() -> None:
    # Berlin is at +01:00 on 1 November.
    found = parse_instant("since", "2026-11-01", now=NOW, zone=BERLIN)

    assert found == datetime(2026, 10, 31, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "7", "7x", "-7d", "7 d", "\u0667d", "yesterday", "2026-13-01", "999999999d", "99999d"],
)
def test_what_is_not_understood_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ReportError) as caught:
        parse_instant("since", text, now=datetime(200, 1, 1, tzinfo=UTC), zone=UTC)

    assert f"since {text!r} is not understood" in str(caught.value)
    assert "7d" in str(caught.value)
    assert "2026-11-01" in str(caught.value)


def test_a_period_must_hold_time() -> None:
    with pytest.raises(ReportError) as caught:
        parse_period("1h", "2h", now=NOW, zone=UTC)

    assert str(caught.value) == (
        "the period is empty: since '1h' is 2026-11-08 11:00:00 UTC and until '2h' is "
        "2026-11-08 10:00:00 UTC: give a since that is earlier"
    )
    with pytest.raises(ReportError, match="the period is empty"):
        parse_period("2026-11-02", "2026-11-02", now=NOW, zone=UTC)


def test_open_ends_are_all_the_time_there_is() -> None:
    assert parse_period(None, None, now=NOW, zone=UTC) == ALL_TIME
    assert ALL_TIME.bounds() == {"since": datetime.min, "until": datetime.max}


def test_bounds_are_naive_utc() -> None:
    period = parse_period("2026-11-01T08:30+02:00", None, now=NOW, zone=UTC)

    assert period.bounds()["since"] == datetime(2026, 11, 1, 6, 30)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_time_zone_that_is_none(name: str) -> None:
    with pytest.raises(ReportError, match="is not known: give an IANA name"):
        parse_zone(name)


@pytest.mark.parametrize("name", ["UTC", "utc"])
def test_utc_is_utc(name: str) -> None:
    assert parse_zone(name) is UTC
