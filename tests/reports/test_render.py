"""The tables as people see them, character by character."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.reports.calls import newest_calls
from costspan.reports.estimates import estimate_errors
from costspan.reports.period import ALL_TIME, Period
from costspan.reports.render import calls_table, estimates_table, period_text, spend_table
from costspan.reports.screen import Screen
from costspan.reports.spend import spend

if TYPE_CHECKING:
    from tests.reports.conftest import Ledger

NOON = "2026-11-01 12:00:00"
NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture
def spent(ledger: Ledger) -> Ledger:
    """1,000 calls at $0.003, one at $1, one of an unknown model, one that failed."""
    ledger.call(
        NOON,
        1000,
        model="gpt-x-mini",
        input_tokens=1_234,
        cache_read_tokens=1_000,
        output_tokens=50,
        cost_usd=Decimal("0.003"),
    )
    ledger.call(model="claude-x", input_tokens=9_000, output_tokens=100, cost_usd=Decimal(1))
    ledger.call(
        model="our-finetune",
        input_tokens=10,
        output_tokens=3,
        cost_status="unpriced",
        usage_source="estimated",
    )
    ledger.call(
        model="claude-x",
        status="error",
        error_type="anthropic.RateLimitError",
        http_status=429,
        cost_status="unpriced",
        usage_source=None,
    )
    return ledger


WIDE = """\
Spend by model, 2026-11-01 00:00 to 2026-12-01 00:00 UTC

model         calls  errors      input     cached  output      cost  share          unpriced
────────────────────────────────────────────────────────────────────────────────────────────
gpt-x-mini    1,000       0  1,234,000  1,000,000  50,000   $3.0000   75% ███████▌         0
claude-x          2       1      9,000          -     100   $1.0000   25% ██▌              0
our-finetune      1       0         10          -       3  unpriced  -                   1 !
────────────────────────────────────────────────────────────────────────────────────────────
total         1,003       1  1,243,010  1,000,000  50,103   $4.0000                      1 !

! 1 call unpriced: cost unknown, not in the total.
! No price is known for our-finetune: add an alias or a price of your own, see docs/prices.md.
~ 1 call without usage from the provider: tokens counted.
"""

AT_80 = """\
model         calls  errors  input  output      cost  share      unpriced
─────────────────────────────────────────────────────────────────────────
gpt-x-mini    1,000       0  1.23M   50.0k   $3.0000   75% ███▊         0
claude-x          2       1  9,000     100   $1.0000   25% █▎           0
our-finetune      1       0     10       3  unpriced  -               1 !
─────────────────────────────────────────────────────────────────────────
total         1,003       1  1.24M   50.1k   $4.0000                  1 !
"""

AT_60 = """\
model         calls  output      cost  share      unpriced
──────────────────────────────────────────────────────────
gpt-x-mini    1,000   50.0k   $3.0000   75% ███▊         0
claude-x          2     100   $1.0000   25% █▎           0
our-finetune      1       3  unpriced  -               1 !
──────────────────────────────────────────────────────────
total         1,003   50.1k   $4.0000                  1 !
"""


def test_the_whole_table(spent: Ledger) -> None:
    assert spend_table(spend(spent, period=NOVEMBER), Screen(120)) == WIDE


AT_30 = """\
model           cost  unpriced
──────────────────────────────
gpt-x-mini   $3.0000         0
claude-x     $1.0000         0
our-fine..  unpriced       1 !
──────────────────────────────
total        $4.0000       1 !
"""

AT_20 = """\
model           cost
────────────────────
gpt-x-mini   $3.0000
claude-x     $1.0000
our-fine..  unpriced
────────────────────
total        $4.0000
"""


@pytest.mark.parametrize(("width", "table"), [(80, AT_80), (60, AT_60), (30, AT_30), (20, AT_20)])
def test_narrow_screens(spent: Ledger, width: int, table: str) -> None:
    shown = spend_table(spend(spent, period=NOVEMBER), Screen(width))

    assert table in shown
    assert max(map(len, shown.splitlines())) <= width


def test_in_ascii(spent: Ledger) -> None:
    shown = spend_table(spend(spent), Screen(100, ascii_only=True))

    assert shown.isascii()
    assert " 75% ########" in shown


def test_unpriced_calls_catch_the_eye(spent: Ledger) -> None:
    shown = spend_table(spend(spent), Screen(120, color=True))

    assert shown.count("\x1b[1;33munpriced") == 1
    assert shown.count("1 !\x1b[0m") == 2


def test_refused_calls_do_not(ledger: Ledger) -> None:
    """The provider billed nothing, so there is no cost that could be missing."""
    ledger.call(status="error", http_status=429, cost_status="unpriced", usage_source=None)

    shown = spend_table(spend(ledger), Screen(120, color=True))
    listed = calls_table(newest_calls(ledger), Screen(120, color=True))

    assert "\x1b[1;33m" not in shown
    assert "!" not in shown
    assert shown.splitlines()[4].split()[6] == "-"
    assert "unpriced" not in listed


def test_blank_names_are_shown_as_none(ledger: Ledger) -> None:
    ledger.call(model="", estimate_input_tokens=1, input_tokens=1)
    ledger.call(model=" ")
    ledger.call(model=None)

    for table in (
        spend_table(spend(ledger), Screen(120)).splitlines()[4:7],
        calls_table(newest_calls(ledger), Screen(120)).splitlines()[2:],
        estimates_table(estimate_errors(ledger), ALL_TIME, Screen(120)).splitlines()[4:5],
    ):
        assert all("(none)" in line for line in table)


def test_an_empty_tag_is_not_no_tag(ledger: Ledger) -> None:
    ledger.call(tags={"team": ""}, cost_usd=Decimal(2))
    ledger.call(cost_usd=Decimal(1))

    shown = spend_table(spend(ledger, "tag:team"), Screen(80)).splitlines()

    assert [line.split()[0] for line in shown[4:6]] == ['""', "(none)"]


def test_models_without_a_price_are_named_with_the_cure(ledger: Ledger) -> None:
    for number, model in enumerate(("d", "c", "b", "a")):
        facts = {"model": f"{model}-2026", "model_requested": model}
        ledger.call(NOON, 4 - number, **facts, cost_status="unpriced", input_tokens=5)
    ledger.call(NOON, 9, model="too-large", cost_status="unpriced", usage_flags="x,cost_overflow")
    ledger.call(NOON, 9, model="no-usage", cost_status="unpriced", usage_source=None)
    ledger.call(NOON, 9, model="", cost_status="unpriced")

    for by in ("model", "day"):
        shown = spend_table(spend(ledger, by), Screen(200)).splitlines()
        assert shown[-1] == (
            "! No price is known for d, c, b: "
            "add an alias or a price of your own, see docs/prices.md."
        )


@pytest.mark.parametrize("width", [10, 20, 30, 40])
def test_no_table_is_wider_than_the_screen(spent: Ledger, width: int) -> None:
    spent.call(estimate_input_tokens=9, input_tokens=10, model="gpt-x-mini-2026-11-01")
    screen = Screen(width)

    for shown in (
        spend_table(spend(spent), screen),
        spend_table(spend(spent, "cost_status"), screen),
        calls_table(newest_calls(spent), screen),
        estimates_table(estimate_errors(spent), ALL_TIME, screen),
    ):
        assert max(map(len, shown.splitlines())) <= width


def test_calls_without_the_tag(ledger: Ledger) -> None:
    ledger.call(tags={"team": "a"}, cost_usd=Decimal("0.00001"))
    ledger.call(cost_usd=Decimal("0.00003"), cost_status="partial")

    shown = spend_table(spend(ledger, "tag:team"), Screen(80)).splitlines()

    assert shown[0] == "Spend by tag:team, all time"
    assert shown[4].split()[:6] == ["(none)", "1", "0", "-", "-", "-"]
    assert "$0.00003000" in shown[4]
    assert shown[-1] == "~ 1 call priced in part: the cost is a lower bound."


def test_nothing_to_show(ledger: Ledger) -> None:
    assert spend_table(spend(ledger, period=NOVEMBER), Screen(80)) == (
        "Spend by model, 2026-11-01 00:00 to 2026-12-01 00:00 UTC: no calls.\n"
    )
    assert calls_table([], Screen(80)) == "No calls.\n"
    assert estimates_table([], ALL_TIME, Screen(80)) == (
        "Estimates against the truth, all time: no call to compare.\n"
    )


def test_free_calls_have_no_share_of_nothing(ledger: Ledger) -> None:
    ledger.call(cost_usd=Decimal(0), cost_status="free")

    assert "$0.0000  -" in spend_table(spend(ledger), Screen(80))


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (ALL_TIME, "all time"),
        (NOVEMBER, "2026-11-01 00:00 to 2026-12-01 00:00 UTC"),
        (Period(since=NOVEMBER.since), "since 2026-11-01 00:00 UTC"),
        (Period(until=NOVEMBER.until), "until 2026-12-01 00:00 UTC"),
    ],
)
def test_periods_in_words(period: Period, words: str) -> None:
    assert period_text(period) == words


@pytest.fixture
def two_calls(ledger: Ledger) -> Ledger:
    """A good call, and after it one that the provider refused."""
    ledger.call(
        "2026-11-01 12:00:00.5",
        model="gpt-x-mini",
        estimate_input_tokens=1_190,
        input_tokens=1_234,
        estimate_output_tokens=200,
        output_tokens=50,
        cost_usd=Decimal("0.0031"),
        latency_us=840_000,
        tags={"team": "a", "feature": "chat"},
    )
    ledger.call(
        "2026-11-01 12:00:07",
        model="claude-x",
        status="error",
        error_type="anthropic.RateLimitError",
        http_status=429,
        cost_status="unpriced",
        usage_source=None,
        latency_us=9_960,
    )
    return ledger


def test_the_newest_calls(two_calls: Ledger) -> None:
    heading, rule, *rows = calls_table(newest_calls(two_calls), Screen(160)).splitlines()

    ids = [f"00000000-0000-0000-0000-00000000000{number}" for number in (2, 1)]
    left = (
        "started (UTC)        model       status      input (est.)  output (est.)       cost    ms"
    )
    assert heading == f"{left}  tags                  id"
    assert set(rule) == {"─"}
    left = (
        "2026-11-01 12:00:07  claude-x    error 429              -              -          -  10.0"
    )
    assert rows[0] == f"{left}                        {ids[0]}"
    left = (
        "2026-11-01 12:00:00  gpt-x-mini  ok         1,234 (1,190)       50 (200)  $0.003100   840"
    )
    assert rows[1] == f"{left}  feature=chat, team=a  {ids[1]}"


def test_calls_on_a_narrow_screen(two_calls: Ledger) -> None:
    shown = calls_table(newest_calls(two_calls), Screen(60)).splitlines()

    assert shown[0].split() == ["started", "(UTC)", "model", "status", "input", "cost"]
    assert shown[3].split() == ["11-01", "12:00", "gpt-x-mini", "ok", "1,234", "$0.003100"]


def test_tokens_that_we_counted_are_marked(ledger: Ledger) -> None:
    ledger.call(input_tokens=10, usage_source="estimated", error_type=None)
    ledger.call(status="error", error_type="builtins.ValueError", cost_status="unpriced")

    shown = calls_table(newest_calls(ledger), Screen(160)).splitlines()

    assert " ~10 " in shown[3]
    assert " error ValueError " in shown[2]


def test_estimates(ledger: Ledger) -> None:
    for said, was in ((110, 100), (95, 100), (100, 100)):
        ledger.call(estimate_input_tokens=said, input_tokens=was)

    # Errors 10, 5 and 0 %: median 5; p95 lies 90 % of the way from the second to the third: 9.5;
    # 305 said against 300: +1.7 %.
    assert (
        estimates_table(estimate_errors(ledger), ALL_TIME, Screen(80))
        == """\
Estimates against the truth, all time

model  calls  input median   p95   bias  cost median  p95  bias
───────────────────────────────────────────────────────────────
gpt-x      3          5.0%  9.5%  +1.7%            -    -     -

Size of the error as a share of the real value; bias above 0: estimates are too
high.
"""
    )
