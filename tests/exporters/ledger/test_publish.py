"""What a merge leaves for application processes: budget sums with offsets, and learned priors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.budgets import (
    BudgetError,
    BudgetWindow,
    open_since,
    register,
    registered,
)
from costspan.exporters.ledger.errors import LedgerWriteError
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.published import Prior, Spent, read_priors, read_spend
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest
from costspan.pricing.types import Estimate, Interval

MakeCall = Callable[..., Call]
MakeRequest = Callable[..., ProviderRequest]
OpenWriter = Callable[..., Writer]


def instant(text: str) -> datetime:
    """An ISO 8601 instant."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("per", "tz", "now", "since"),
    [
        ("hour", "UTC", "2026-11-25T09:59:59.5+00:00", "2026-11-25T09:00:00+00:00"),
        ("hour", "Asia/Kolkata", "2026-11-25T09:59:59+00:00", "2026-11-25T09:30:00+00:00"),
        ("day", "UTC", "2026-11-25T00:00:00+00:00", "2026-11-25T00:00:00+00:00"),
        ("day", "Europe/Berlin", "2026-11-24T23:30:00+00:00", "2026-11-24T23:00:00+00:00"),
        # Clocks went back in this night: the day has 25 hours, and 02:30 comes twice.
        ("day", "Europe/Berlin", "2026-10-25T22:59:00+00:00", "2026-10-24T22:00:00+00:00"),
        ("hour", "Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-25T00:00:00+00:00"),
        ("hour", "Europe/Berlin", "2026-10-25T01:30:00+00:00", "2026-10-25T01:00:00+00:00"),
        ("month", "America/New_York", "2026-11-01T03:00:00+00:00", "2026-10-01T04:00:00+00:00"),
        (timedelta(minutes=1), "UTC", "2026-11-25T00:00:30+00:00", "2026-11-24T23:59:30+00:00"),
    ],
)
def test_when_a_window_began(per: str | timedelta, tz: str, now: str, since: str) -> None:
    assert BudgetWindow("b", per, tz).since(instant(now)) == instant(since)


def test_budgets_are_kept_in_files(home: Home) -> None:
    home.path.mkdir()
    team = BudgetWindow("team", "month", "Europe/Berlin", "openai", "gpt-x", {"t": "a/b"}, "user")
    burst = BudgetWindow("burst", timedelta(seconds=90))
    register(home.path, team)
    register(home.path, burst)
    (home.path / "budgets" / "broken.json").write_text("{")
    (home.path / "budgets" / "odd.json").write_text('{"per": "year"}')
    (home.path / "budgets" / "nowhere.json").write_text('{"per": "day", "tz": "Mars/Base"}')

    assert registered(home.path) == [burst, team]
    now = instant("2026-11-25T10:00:00+00:00")
    assert open_since(home.path, now) == instant("2026-10-31T23:00:00+00:00")


def test_a_ledger_without_budgets(home: Home) -> None:
    assert open_since(home.path, datetime.now(UTC)) is None


@pytest.mark.parametrize(("name", "per"), [("", "day"), ("a/b", "day"), (".a", "day"), ("a", "y")])
def test_a_budget_that_cannot_be_kept(name: str, per: str) -> None:
    with pytest.raises(BudgetError):
        BudgetWindow(name, per)


def test_sums_of_a_budget(
    home: Home, make_call: MakeCall, make_request: MakeRequest, open_writer: OpenWriter
) -> None:
    now = datetime.now(UTC)
    unpriced = make_request(cost=None)
    refused = make_request(cost=None, usage=None, error=ErrorFacts("openai.X", 429))
    calls = [
        make_call(0, 0, started_at=now, tags={"team": "a", "user/id": "u1"}),
        make_call(0, 1, started_at=now, tags={"team": "a", "user/id": "u2"}),
        make_call(0, 2, started_at=now, tags={"team": "b", "user/id": "u1"}),
        make_call(0, 3, started_at=now - timedelta(days=40), tags={"team": "a"}),
        make_call(0, 4, started_at=now, tags={"team": "a"}, requests=(unpriced,)),
        make_call(
            *(0, 5),
            started_at=now,
            tags={"team": "a"},
            requests=(refused,),
            status="error",
            error=ErrorFacts("openai.X", 429),
        ),
    ]
    writer = open_writer(home)
    for call in calls:
        writer.put(encode(call))
    register(home.path, BudgetWindow("all", timedelta(days=1)))
    register(home.path, BudgetWindow("a", timedelta(days=1), tags={"team": "a"}, each="user/id"))
    register(home.path, BudgetWindow("other", timedelta(days=1), model="gpt-y"))

    merge(home)

    spend = read_spend(home.path)
    assert spend is not None
    # $0.0026 each: three priced calls of today, and two of them of team a.
    assert spend.budgets["all"].total == Spent(Decimal("0.0078"), 5, 1)
    assert spend.budgets["a"].total == Spent(Decimal("0.0052"), 4, 1)
    one = Spent(Decimal("0.0026"), 1, 0)
    assert spend.budgets["a"].each == {"u1": one, "u2": one}
    assert spend.budgets["other"].total == Spent(Decimal(0), 0, 0)
    (segment,) = segment_paths(home.path)
    assert spend.merged == {segment.name: sum(len(encode(call)) for call in calls)}


def test_a_model_is_counted_by_its_requests(
    home: Home, make_call: MakeCall, make_request: MakeRequest, open_writer: OpenWriter
) -> None:
    now = datetime.now(UTC)
    both = (make_request(started_at=now), make_request(started_at=now, model="gpt-y"))
    open_writer(home).put(encode(make_call(0, 0, started_at=now, requests=both)))
    register(home.path, BudgetWindow("y", timedelta(days=1), model="gpt-y"))

    merge(home)

    spend = read_spend(home.path)
    assert spend is not None
    assert spend.budgets["y"].total == Spent(Decimal("0.0026"), 1, 0)


def test_published_sums_and_unmerged_bytes_are_all_there_is(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any
) -> None:
    """Killed after any step, what is published plus what it does not hold is the whole spend."""
    now = datetime.now(UTC)
    dead, live = open_writer(home), open_writer(home)
    for number in range(5):
        dead.put(encode(make_call(0, number, started_at=now)))
        live.put(encode(make_call(1, number, started_at=now)))
    register(home.path, BudgetWindow("all", timedelta(days=1)))
    dead.close()
    for number, point in enumerate(("collected", "committed", "published", "removed")):
        live.put(encode(make_call(1, 5 + number, started_at=now)))
        assert program("merge_and_die", point).wait(30) == -9
        spend = read_spend(home.path)
        published = spend.budgets["all"].total.calls if spend else 0
        merged = spend.merged if spend else {}
        waiting = sum(
            path.read_bytes()[merged.get(path.name, 0) :].count(b"\n")
            for path in segment_paths(home.path)
        )
        assert published + waiting == 11 + number, point


def test_what_cannot_be_published_is_not_removed(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    writer = open_writer(home)
    writer.put(encode(make_call()))
    writer.close()
    (home.path / "published").write_text("in the way")

    with pytest.raises(LedgerWriteError):
        merge(home)

    assert len(segment_paths(home.path)) == 1
    (home.path / "published").unlink()
    merge(home)
    assert segment_paths(home.path) == []
    assert read_spend(home.path) is not None


def test_what_was_learned(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    now = datetime.now(UTC)
    writer = open_writer(home)
    # The provider counted 1,000 tokens each time; 500, 800 and 1,000 were expected.
    for number, likely in enumerate((500, 800, 1000)):
        said = Estimate(Interval(1, likely, 9999), Interval(1, 50, 100), None, "o200k", "high")
        writer.put(encode(make_call(0, number, started_at=now, estimate=said)))
    writer.put(encode(make_call(0, 9, started_at=now - timedelta(days=31))))

    merge(home)

    # Ratios 2, 1.25 and 1: the median is 1.25, and p95 lies nine tenths of the way up to 2.
    assert read_priors(home.path) == {
        ("openai", "gpt-x-2026-10-01"): Prior(3, 1.25, 1.925, 100, 100)
    }


def test_priors_are_not_learned_at_each_merge(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0, started_at=datetime.now(UTC))))
    merge(home)
    path = home.path / "published" / "priors.json"
    first = path.read_bytes()

    writer.put(encode(make_call(0, 1, started_at=datetime.now(UTC))))
    merge(home)
    assert path.read_bytes() == first
    os.utime(path, (0, 0))
    merge(home)
    assert json.loads(path.read_bytes())["models"][0][2]["calls"] == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"at": 1}', "\xff", '{"models": [[1]]}'])
def test_files_that_cannot_be_understood_say_nothing(home: Home, text: str) -> None:
    folder: Path = home.path / "published"
    folder.mkdir(parents=True)
    for name in ("spend.json", "priors.json"):
        (folder / name).write_text(text, encoding="latin-1")

    assert read_spend(home.path) is None
    assert read_priors(home.path) == {}
