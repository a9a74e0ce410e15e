"""Spend by a key: figures worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from costspan.reports.errors import ReportError
from costspan.reports.period import Period
from costspan.reports.spend import SpendReport, SpendRow, spend

if TYPE_CHECKING:
    from tests.reports.conftest import Ledger

NOON = "2026-11-01 12:00:00"
NANO = Decimal("0.000000000001")


def by_key(report: SpendReport) -> dict[str | None, SpendRow]:
    return {row.key: row for row in report.rows}


def test_an_empty_ledger_has_no_rows_and_knows_no_cost(ledger: Ledger) -> None:
    report = spend(ledger)

    assert report.rows == ()
    assert report.total == SpendRow(None)
    assert report.total.cost_usd is None


def test_sums_are_exact(ledger: Ledger) -> None:
    # 0.1 + 0.2 and a millionth of a millionth of a dollar: 0.300000000001, which no float holds.
    for cost in (Decimal("0.1"), Decimal("0.2"), NANO):
        ledger.call(cost_usd=cost, input_tokens=3, output_tokens=2)

    report = spend(ledger)

    assert report.rows[0].cost_usd == Decimal("0.300000000001")
    assert report.total.cost_usd == Decimal("0.300000000001")
    assert (report.total.input_tokens, report.total.output_tokens) == (9, 6)


def test_the_largest_amounts_keep_their_last_digit(ledger: Ledger) -> None:
    # The ledger's largest call, 999,999.999999999999, ten times.
    for _ in range(10):
        ledger.call(cost_usd=Decimal("999999.999999999999"))

    assert spend(ledger).total.cost_usd == Decimal("9999999.99999999999")


def test_a_free_call_costs_nothing_and_an_unpriced_one_is_unknown(ledger: Ledger) -> None:
    ledger.call(model="free", cost_usd=Decimal(0), cost_status="free")
    ledger.call(model="unknown", cost_status="unpriced")

    rows = by_key(spend(ledger))

    assert rows["free"].cost_usd == Decimal(0)
    assert rows["free"].unpriced_calls == 0
    assert rows["unknown"].cost_usd is None
    assert rows["unknown"].unpriced_calls == 1


def test_tokens_not_reported_stay_unknown_beside_reported_ones(ledger: Ledger) -> None:
    ledger.call(model="a", input_tokens=None, cache_read_tokens=0)
    ledger.call(model="b", input_tokens=5)
    ledger.call(model="b", input_tokens=None)

    rows = by_key(spend(ledger))

    assert rows["a"].input_tokens is None
    assert rows["a"].cache_read_tokens == 0
    assert rows["b"].input_tokens == 5
    assert rows["b"].cache_read_tokens is None


def test_every_column(ledger: Ledger) -> None:
    ledger.call(
        input_tokens=100,
        output_tokens=50,
        cache_read_tokens=40,
        cache_write_tokens=10,
        reasoning_tokens=20,
        cost_usd=Decimal("1.5"),
        cost_status="partial",
        usage_source="estimated",
    )
    ledger.call(status="error", cost_status="unpriced", usage_source=None)
    ledger.call(status="cancelled", usage_source="partial", cost_usd=Decimal("0.5"))

    assert spend(ledger).rows == (
        SpendRow(
            key="gpt-x",
            calls=3,
            errors=1,
            input_tokens=100,
            output_tokens=50,
            cache_read_tokens=40,
            cache_write_tokens=10,
            reasoning_tokens=20,
            cost_usd=Decimal(2),
            unpriced_calls=1,
            unpriced_errors=1,
            partial_calls=1,
            estimated_calls=2,
        ),
    )


class TestRefusedCalls:
    """What the provider turned down it does not bill: such calls are not unpriced."""

    @pytest.mark.parametrize(
        ("facts", "unpriced", "errors"),
        [
            ({"http_status": 400}, 0, 0),
            ({"http_status": 429}, 0, 0),
            ({"http_status": 499}, 0, 0),
            ({"http_status": 399}, 1, 1),
            ({"http_status": 500}, 1, 1),
            ({"http_status": None, "error_type": "openai.APITimeoutError"}, 1, 1),
            ({"http_status": 429, "usage_source": "partial"}, 1, 1),
            ({"http_status": 429, "status": "interrupted"}, 1, 0),
        ],
    )
    def test_only_4xx_without_usage(
        self, ledger: Ledger, facts: dict[str, object], unpriced: int, errors: int
    ) -> None:
        ledger.call(**{"status": "error", "cost_status": "unpriced", "usage_source": None, **facts})

        for by in ("model", "day"):
            report = spend(ledger, by)
            for row in (*report.rows, report.total):
                assert (row.calls, row.cost_usd) == (1, None)
                assert (row.unpriced_calls, row.unpriced_errors) == (unpriced, errors)

    def test_a_refused_attempt_before_one_that_answered(self, ledger: Ledger) -> None:
        refused = {"model": "a", "error_type": "x", "http_status": 429, "usage_source": None}
        ledger.many({**refused, "cost_status": "unpriced"}, {"model": "b", "cost_usd": "0.4"})

        report = spend(ledger)

        assert {row.key: row.unpriced_calls for row in report.rows} == {"a": 0, "b": 0}
        assert report.total.unpriced_calls == 0

    @pytest.mark.parametrize(("first", "unpriced"), [(404, 0), (500, 1), (None, 1)])
    def test_a_call_of_several_is_refused_if_all_were(
        self, ledger: Ledger, first: int | None, unpriced: int
    ) -> None:
        failed = {"error_type": "x", "usage_source": None, "cost_status": "unpriced"}
        ledger.many(
            {**failed, "http_status": first, "status": "error"},
            {**failed, "http_status": 429, "status": "error"},
        )

        for by in ("model", "session"):
            report = spend(ledger, by)
            assert [row.unpriced_calls for row in (*report.rows, report.total)] == [unpriced] * 2


def test_unpriced_models_by_the_name_they_were_called_by(ledger: Ledger) -> None:
    unknown = {"cost_status": "unpriced", "input_tokens": 5}
    ledger.call(NOON, 2, model="m-2026", model_requested="m", **unknown)
    ledger.call(model="known", cost_usd=Decimal(1))
    ledger.many({"model": "a", "cost_usd": "1"}, {"model": "part", **unknown})
    december = Period(since=datetime(2026, 12, 1, tzinfo=UTC))

    assert spend(ledger).unpriced_models == ("m", "part")
    assert spend(ledger, period=december).unpriced_models == ()


class TestCallsOfSeveralRequests:
    """Money goes to the model that earned it; the call is one call."""

    def test_a_fallback_splits_by_model_and_counts_once_in_the_total(self, ledger: Ledger) -> None:
        ledger.call(model="small", cost_usd=Decimal("0.01"), input_tokens=10)
        ledger.many(
            {"model": "big", "cost_usd": "0.7", "input_tokens": 100, "error_type": "Broken"},
            {"model": "small", "cost_usd": "0.2", "input_tokens": 110},
        )

        report = spend(ledger, "model")
        rows = by_key(report)

        assert (rows["big"].calls, rows["big"].cost_usd) == (1, Decimal("0.7"))
        assert (rows["big"].errors, rows["big"].input_tokens) == (1, 100)
        assert (rows["small"].calls, rows["small"].cost_usd) == (2, Decimal("0.21"))
        assert (rows["small"].errors, rows["small"].input_tokens) == (0, 120)
        assert (report.total.calls, report.total.cost_usd) == (2, Decimal("0.91"))

    def test_two_requests_to_one_model_are_one_call(self, ledger: Ledger) -> None:
        ledger.many({"cost_usd": "0.3"}, {"cost_usd": "0.4"})

        row = spend(ledger).rows[0]

        assert (row.calls, row.cost_usd) == (1, Decimal("0.7"))

    def test_by_provider(self, ledger: Ledger) -> None:
        ledger.many(
            {"provider": "anthropic", "model": "c", "cost_usd": "0.3"},
            {"provider": "openai", "model": "g", "cost_usd": "0.4"},
        )

        rows = by_key(spend(ledger, "provider"))

        assert rows["anthropic"].cost_usd == Decimal("0.3")
        assert rows["openai"].cost_usd == Decimal("0.4")

    def test_by_a_key_of_the_call_it_stays_whole(self, ledger: Ledger) -> None:
        ledger.many(
            {"model": "c", "cost_usd": "0.3", "tags": {"team": "a"}},
            {"model": "g", "cost_usd": "0.4", "tags": {"team": "a"}},
        )

        (row,) = spend(ledger, "tag:team").rows

        assert (row.key, row.calls, row.cost_usd) == ("a", 1, Decimal("0.7"))

    @pytest.mark.parametrize(("error_type", "partial"), [("RateLimitError", 0), (None, 1)])
    def test_a_failed_attempt_of_unknown_cost_weakens_nothing(
        self, ledger: Ledger, error_type: str | None, partial: int
    ) -> None:
        unknown = {"cost_usd": None, "cost_status": "unpriced", "error_type": error_type}
        ledger.many(unknown, {"cost_usd": "0.4"})

        row = spend(ledger).rows[0]

        assert (row.unpriced_calls, row.partial_calls, row.cost_usd) == (0, partial, Decimal("0.4"))

    def test_a_call_belongs_to_the_period_in_which_it_started(self, ledger: Ledger) -> None:
        late = {"cost_usd": "0.4", "started_at_us": 1_793_491_201_000_000}
        ledger.many({"cost_usd": "0.3"}, late, at="2026-10-31 23:59:59")
        # 1,793,491,200 seconds are 2026-11-01 00:00:00 UTC.
        october = Period(until=datetime(2026, 11, 1, tzinfo=UTC))
        november = Period(since=datetime(2026, 11, 1, tzinfo=UTC))

        assert spend(ledger, "model", october).rows[0].cost_usd == Decimal("0.7")
        assert spend(ledger, "model", november).rows == ()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("model", {"m1": 2, "m2": 1}),
        ("provider", {"p1": 2, "p2": 1}),
        ("status", {"ok": 2, "error": 1}),
        ("cost_status", {"priced": 2, "unpriced": 1}),
        ("operation", {"chat": 2, "embeddings": 1}),
        ("session", {"s": 1, None: 2}),
        ("tag:team", {"a": 1, "b": 1, None: 1}),
        ("day", {"2026-11-01": 2, "2026-11-02": 1}),
        ("hour", {"2026-11-01T00:00Z": 1, "2026-11-01T23:00Z": 1, "2026-11-02T00:00Z": 1}),
    ],
)
def test_every_key(ledger: Ledger, by: str, expected: dict[str | None, int]) -> None:
    first = {"provider": "p1", "model": "m1"}
    ledger.call("2026-11-01 00:00:00", **first, session_id="s", tags={"team": "a"})
    ledger.call("2026-11-01 23:59:59.999999", **first, tags={"team": "b", "other": "c"})
    ledger.call(
        "2026-11-02 00:00:00",
        provider="p2",
        model="m2",
        status="error",
        cost_status="unpriced",
        operation="embeddings",
    )

    report = spend(ledger, by)

    assert {row.key: row.calls for row in report.rows} == expected
    assert report.key_name == by.partition(":")[0]
    assert report.total.calls == 3


def test_dearest_first_then_most_called_then_by_name(ledger: Ledger) -> None:
    ledger.call(model="cheap", cost_usd=Decimal("0.1"))
    ledger.call(model="b-unknown", cost_status="unpriced")
    ledger.call(model="a-unknown", cost_status="unpriced")
    ledger.call(model="often-unknown", cost_status="unpriced")
    ledger.call(model="often-unknown", cost_status="unpriced")
    ledger.call(model="free", cost_usd=Decimal(0), cost_status="free")
    ledger.call(model="dear", cost_usd=Decimal(2))

    assert [row.key for row in spend(ledger).rows] == [
        "dear",
        "cheap",
        "free",
        "often-unknown",
        "a-unknown",
        "b-unknown",
    ]


class TestPeriod:
    """A call belongs to a period by its start: the first instant is in, the last is not."""

    def test_half_open(self, ledger: Ledger) -> None:
        for at in ("2026-10-31 23:59:59.999999", "2026-11-01", "2026-11-01 12:00", "2026-11-02"):
            ledger.call(at)
        period = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))

        assert spend(ledger, period=period).total.calls == 2

    def test_days_add_up_to_the_range(self, ledger: Ledger) -> None:
        for hour in range(48):
            ledger.call(f"2026-11-0{1 + hour // 24} {hour % 24:02}:30:00", cost_usd=Decimal("0.01"))
        zone = ZoneInfo("Asia/Kathmandu")
        period = Period(datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 11, 2, 20, tzinfo=UTC))

        report = spend(ledger, "day", period, zone)

        # +05:45: 06:30 to 17:30 UTC are 12:15 to 23:15 of the 1st: 12 calls; then 18:30 of the 1st
        # to 17:30 of the 2nd: 24; then 18:30 and 19:30: 2.
        assert [(row.key, row.calls) for row in report.rows] == [
            ("2026-11-01", 12),
            ("2026-11-02", 24),
            ("2026-11-03", 2),
        ]
        assert report.total.cost_usd == Decimal("0.38")


class TestTimeZones:
    """Days and hours as the clock on the wall shows them."""

    def test_the_day_the_clocks_go_back_has_25_hours(self, ledger: Ledger) -> None:
        # Berlin left summer time on 25 October 2026 at 01:00 UTC: 25 October lasted from
        # 24 October 22:00 UTC to 25 October 23:00 UTC.
        for at in ("2026-10-24 21:59", "2026-10-24 22:00", "2026-10-25 22:59", "2026-10-25 23:00"):
            ledger.call(at)

        report = spend(ledger, "day", zone=ZoneInfo("Europe/Berlin"))

        assert [(row.key, row.calls) for row in report.rows] == [
            ("2026-10-24", 1),
            ("2026-10-25", 2),
            ("2026-10-26", 1),
        ]

    def test_the_two_hours_of_one_name_stay_apart(self, ledger: Ledger) -> None:
        for at in ("2026-10-25 00:30", "2026-10-25 00:59", "2026-10-25 01:30"):
            ledger.call(at)

        report = spend(ledger, "hour", zone=ZoneInfo("Europe/Berlin"))

        assert [(row.key, row.calls) for row in report.rows] == [
            ("2026-10-25T02:00+02:00", 2),
            ("2026-10-25T02:00+01:00", 1),
        ]

    def test_hours_of_a_zone_of_half_hours(self, ledger: Ledger) -> None:
        # 12:29 UTC is 17:59 in Kolkata, 12:30 is 18:00.
        for at in ("2026-11-01 12:29:59", "2026-11-01 12:30:00", "2026-11-01 13:29:00"):
            ledger.call(at)

        report = spend(ledger, "hour", zone=ZoneInfo("Asia/Kolkata"))

        assert [(row.key, row.calls) for row in report.rows] == [
            ("2026-11-01T17:00+05:30", 1),
            ("2026-11-01T18:00+05:30", 2),
        ]


@pytest.mark.parametrize("name", ["a.b", "a/b", "a~1b", '"', "$.x", "0", "ü ", "'; DROP TABLE c"])
def test_tag_names_of_any_kind(ledger: Ledger, name: str) -> None:
    ledger.call(tags={name: "v", "other": "w"}, cost_usd=Decimal("0.1"))
    ledger.call(tags={"other": "w"})

    assert {row.key: row.calls for row in spend(ledger, f"tag:{name}").rows} == {"v": 1, None: 1}


def test_many_calls_with_the_same_tags(ledger: Ledger) -> None:
    """Grouped by the whole tags first: those that differ in another tag are still one row."""
    for other, times in (("x", 40), ("y", 30)):
        ledger.call(NOON, times, tags={"a/b": "v", "other": other}, cost_usd=Decimal("0.1"))
    ledger.call(NOON, 20, tags={"other": "z"}, cost_usd=Decimal("0.01"))
    ledger.call(NOON, 10)

    rows = spend(ledger, "tag:a/b").rows

    assert [(row.key, row.calls, row.cost_usd) for row in rows] == [
        ("v", 70, Decimal("7.0")),
        (None, 30, Decimal("0.2")),
    ]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("tokens", "give one of model, provider, day, hour, tag:NAME"),
        ("", "give one of model"),
        ("tag", "a tag needs its name"),
        ("tag:", "a tag needs its name"),
        ("model; DROP TABLE calls", "give one of model"),
    ],
)
def test_a_key_that_is_none(ledger: Ledger, by: str, said: str) -> None:
    with pytest.raises(ReportError) as caught:
        spend(ledger, by)

    assert str(caught.value).startswith(f"cannot group by {by!r}: {said}")
