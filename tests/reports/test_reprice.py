"""Recorded calls priced again: what changes, what is kept, and that nothing else does."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from repricing import (
    CHAT,
    NOON,
    OLDER,
    TOOK,
    call,
    costs,
    older_catalogue,
    record,
    reprice_all,
    request,
    rows,
)

from costspan.core.types import Served, Usage
from costspan.exporters.ledger.errors import LedgerHeldError, NoLedgerError
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.reprice import rewriting
from costspan.middleware.record import ErrorFacts
from costspan.pricing.catalogue import Catalogue
from costspan.reports import reprice as module
from costspan.reports.again import Pricer
from costspan.reports.period import ALL_TIME, Period
from costspan.reports.reprice import RepricedModel, RepriceReport, reprice
from costspan.reports.reprice_table import reprice_table
from costspan.reports.screen import Screen

NOW = Catalogue.default()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for a ledger."""
    return tmp_path / "home"


@pytest.fixture
def older(tmp_path: Path) -> Catalogue:
    """A catalogue in which fresh input costs 3.50 instead of 2.50."""
    return older_catalogue(tmp_path / "older", tokens__in__text="3.50")


def test_a_changed_rate(home: Path, older: Catalogue) -> None:
    """176 fresh tokens: at 3.50 per million 0.000616, at 2.50 0.00044; the rest is 0.00378."""
    record(home, call(1, request(older)), call(2, request(older, model="gpt-4o-mini")))

    report = reprice_all(home)

    assert report.models[0] == RepricedModel(
        "openai", "gpt-4o-2024-08-06", 1, 1, Decimal("0.004396"), Decimal("0.00422")
    )
    assert report.models[0].difference_usd == Decimal("-0.000176")
    assert (report.total.calls, report.total.changed) == (2, 1)
    assert rows(
        home,
        "SELECT cost_usd, cost_input_usd, cost_cache_read_usd, cost_output_usd, cost_other_usd, "
        "cost_status, catalogue_version FROM calls WHERE call_id::VARCHAR LIKE '%01'",
    ) == [
        (
            *map(Decimal, ("0.00422", "0.00044", "0.00128", "0.0025")),
            None,
            "priced",
            NOW.version,
        )
    ]
    # The other call costs what it did, and is not touched.
    assert rows(home, "SELECT catalogue_version FROM calls WHERE model = 'gpt-4o-mini'") == [
        (OLDER,)
    ]


def test_what_it_cost_before_is_kept(home: Path, older: Catalogue) -> None:
    record(home, call(1, request(older)))
    before = rows(home, "SELECT cost_lines FROM calls")

    reprice_all(home)

    kept = rows(home, "SELECT * EXCLUDE (call_id, repriced_at) FROM repricings")
    assert kept == [
        (
            Decimal("0.004396"),
            "priced",
            OLDER,
            before[0][0],
            None,
            Decimal("0.00422"),
            "priced",
            NOW.version,
        )
    ]


def test_there_and_back_is_what_was_recorded(home: Path, older: Catalogue) -> None:
    record(home, call(1, request(NOW)), call(2, request(NOW), request(NOW)))
    before = costs(home)

    assert reprice_all(home, older).total.changed == 2
    assert reprice_all(home).total.changed == 2
    assert costs(home) == before
    assert rows(home, "SELECT count(*) FROM repricings") == [(4,)]


def test_each_of_several_requests_is_priced_alone(home: Path, older: Catalogue) -> None:
    failed = request(older, usage=None, error=ErrorFacts("openai.APIError", 500))
    mini = request(older, model="gpt-4o-mini")
    record(home, call(1, failed, request(older), mini))
    (was,) = rows(home, "SELECT requests FROM calls")

    report = reprice_all(home)

    # gpt-4o-mini: 0.15, 0.075 and 0.60 per million: 0.0000264 + 0.0000768 + 0.00015.
    assert report.total.new_usd == Decimal("0.00422") + Decimal("0.0002532")
    (now,) = rows(home, "SELECT requests, cost_usd, cost_lines, cost_status FROM calls")
    assert now[1:] == (Decimal("0.0044732"), None, "priced")
    old, new = json.loads(was[0]), json.loads(now[0])
    assert [new[0], new[2]] == [old[0], old[2]]
    assert Decimal(new[1]["cost_usd"]) == Decimal("0.00422")
    assert {k: v for k, v in new[1].items() if "cost" not in k and k != "catalogue_version"} == {
        k: v for k, v in old[1].items() if "cost" not in k and k != "catalogue_version"
    }
    assert rows(home, "SELECT old_requests FROM repricings") == [was]
    assert rows(home, "SELECT sum(cost_usd) FROM call_requests") == [(Decimal("0.0044732"),)]


def test_an_alias_prices_what_was_unknown(home: Path) -> None:
    record(home, call(1, request(NOW, "azure", "my-deployment")))

    report = reprice_all(home, aliases={"my-deployment": "openai/gpt-4o-2024-08-06"})

    assert report.total.newly_priced == 1
    assert rows(home, "SELECT cost_usd, cost_status, priced_provider, priced_model FROM calls") == [
        (Decimal("0.00422"), "priced", "openai", "gpt-4o-2024-08-06")
    ]


def test_an_alias_of_then_goes_on_to_hold(home: Path, older: Catalogue) -> None:
    asked = request(older)._replace(
        model="house-model",
        model_requested="house-model",
        context={"priced_as": "openai/gpt-4o-2024-08-06"},
    )
    record(home, call(1, asked))

    assert reprice_all(home).total.new_usd == Decimal("0.00422")
    assert rows(home, "SELECT context ->> 'priced_as' FROM calls") == [
        ("openai/gpt-4o-2024-08-06",)
    ]


def test_a_price_can_go(home: Path) -> None:
    asked = request(NOW)._replace(model="gone", model_requested="gone")
    record(home, call(1, asked))

    report = reprice_all(home)

    assert (report.total.no_longer_priced, report.total.new_usd) == (1, None)
    assert rows(home, "SELECT cost_usd, cost_status, cost_lines FROM calls") == [
        (None, "unpriced", None)
    ]


def test_a_reported_amount_stays_the_total(home: Path, older: Catalogue) -> None:
    usage = Usage({"tokens.in.text": 1000}, served=Served(reported_usd=Decimal("0.5")))
    record(home, call(1, request(older, usage=usage)))

    report = reprice_all(home)

    assert (report.total.changed, report.total.new_usd) == (1, Decimal("0.5"))
    assert rows(home, "SELECT cost_usd, cost_input_usd, cost_status FROM calls") == [
        (Decimal("0.5"), Decimal("0.0025"), "reported")
    ]


@pytest.mark.parametrize(
    "seconds", ["9.9995", "9.9994", "0.0005", "0.0001", "12.3455", "10.0005", "10", "0"]
)
@pytest.mark.parametrize("parts", [1, 2])
def test_seconds_near_a_minimum_and_finer_than_the_columns(
    home: Path, seconds: str, parts: int
) -> None:
    """Groq bills ten seconds at the least: what was used must not be taken for what is billed."""
    usage = Usage({"seconds.audio.in": Decimal(seconds)})
    record(home, call(1, *[request(NOW, "groq", "whisper-large-v3", usage)] * parts))
    before = costs(home)

    assert reprice_all(home).total.changed == 0
    assert costs(home) == before


def test_calls_without_usage_stay_as_they_are(home: Path, older: Catalogue) -> None:
    failed = request(older, usage=None, error=ErrorFacts("openai.APIError", 500))
    record(home, call(1, failed), call(2, request(older, usage=None)))
    before = costs(home)

    assert reprice_all(home).total == RepricedModel(calls=2)
    assert costs(home) == before


@pytest.mark.parametrize(
    "damage",
    [
        "buckets = NULL",
        "usage_flags = 'quantity_overflow'",
        "request_count = 2",
    ],
)
def test_calls_whose_facts_are_not_whole_are_counted(
    home: Path, older: Catalogue, damage: str
) -> None:
    record(home, call(1, request(older)))
    merge(home)
    with duckdb.connect(str(home / "ledger.duckdb")) as connection:
        connection.execute(f"UPDATE calls SET {damage}")
    before = costs(home)

    report = reprice_all(home)

    assert (report.total.incomplete, report.total.changed) == (1, 0)
    assert report.total.new_usd == Decimal("0.004396")
    assert costs(home) == before
    assert "could not be repriced" in reprice_table(report, Screen(200))


@pytest.mark.parametrize(
    ("period", "model", "changed"),
    [
        (Period(since=NOON), None, 1),
        (Period(until=NOON), None, 2),
        (Period(since=NOON + TOOK), None, 0),
        (ALL_TIME, "gpt-4o-2024-08-06", 3),
        (ALL_TIME, "openai/gpt-4o-2024-08-06", 3),
        (ALL_TIME, "gpt-4o", 1),
        (ALL_TIME, "gpt", 0),
    ],
)
def test_only_some(
    home: Path, older: Catalogue, period: Period, model: str | None, changed: int
) -> None:
    from repricing import TOOK

    record(
        home,
        call(1, request(older, at=NOON - TOOK)),
        call(2, request(older, at=NOON - TOOK, requested="gpt-4o")),
        call(3, request(older)),
    )

    assert reprice_all(home, period=period, model=model).total.changed == changed


def test_batches_hold_every_call_once(
    home: Path, older: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    record(home, *(call(n + 1, request(older, at=NOON.replace(second=n // 2))) for n in range(11)))
    told: list[tuple[int, int]] = []
    report = RepriceReport(ALL_TIME, NOW.version, dry_run=True)

    with open_ledger(home) as reader:
        reprice(reader, Pricer(NOW, {}), report, progress=lambda *done: told.append(done))

    assert (report.total.calls, report.total.changed) == (11, 11)
    assert told == [(0, 11), (3, 11), (6, 11), (9, 11)]
    assert rows(home, "SELECT count(*) FROM repricings") == [(0,)]


KILL = """\
import os, signal, sys
from costspan.exporters.ledger.reprice import rewriting
from costspan.pricing.catalogue import Catalogue
from costspan.reports.again import Pricer
from costspan.reports.period import ALL_TIME
from costspan.reports.reprice import RepriceReport, reprice

def hook(point):
    if point == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

with rewriting(sys.argv[1], hook=hook) as ledger:
    report = RepriceReport(ALL_TIME, "", False)
    reprice(ledger, Pricer(Catalogue.default(), {}), report, None, ledger.keep)
    ledger.commit()
"""


@pytest.mark.parametrize(
    ("point", "written"), [("kept", 0), ("noted", 0), ("updated", 0), ("committed", 30)]
)
def test_a_kill_leaves_all_or_nothing(
    home: Path, older: Catalogue, point: str, written: int
) -> None:
    record(home, *(call(n, request(older)) for n in range(1, 31)))

    done = subprocess.run([sys.executable, "-c", KILL, str(home), point], timeout=60)

    assert done.returncode == -signal.SIGKILL
    assert rows(
        home,
        f"SELECT count(*) FILTER (catalogue_version = '{NOW.version}'), count(*) FROM calls",
    ) == [(written, 30)]
    assert rows(home, "SELECT count(*) FROM repricings") == [(written,)]
    assert reprice_all(home).total.changed == 30 - written


def test_an_error_inside_writes_nothing(
    home: Path, older: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(home, call(1, request(older)), call(2, request(older, at=NOON + TOOK)))
    report = RepriceReport(ALL_TIME, NOW.version, dry_run=False)

    def broken(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    def all_but_the_last() -> None:
        with rewriting(home) as ledger:
            reprice(ledger, Pricer(NOW, {}), report, None, ledger.keep, broken)

    monkeypatch.setattr(module, "BATCH", 1)
    with pytest.raises(KeyboardInterrupt):
        all_but_the_last()

    assert report.total.changed == 1
    assert rows(home, "SELECT DISTINCT catalogue_version FROM calls") == [(OLDER,)]


@pytest.fixture
def holder() -> Any:
    """Opens the database in another process, for reading or writing; ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def hold(home: Path, read_only: bool) -> int:
        code = (
            "import duckdb, sys\n"
            f"connection = duckdb.connect(sys.argv[1], read_only={read_only})\n"
            "print('open', flush=True)\nsys.stdin.read()\n"
        )
        words = [sys.executable, "-c", code, str(home / "ledger.duckdb")]
        started.append(
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "open\n"
        return started[-1].pid

    yield hold
    for process in started:
        process.communicate()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_ledger_that_is_open_elsewhere(
    home: Path, holder: Callable[[Path, bool], int], read_only: bool
) -> None:
    record(home, call(1, request(NOW)))
    merge(home)
    pid = holder(home, read_only)

    with (
        pytest.raises(LedgerHeldError, match=rf"is open in process {pid} .*Close the ledger there"),
        rewriting(home, wait_s=0.1),
    ):
        pass


def test_no_ledger(home: Path) -> None:
    with pytest.raises(NoLedgerError), rewriting(home):
        pass
    assert not home.exists()


def test_the_table(home: Path, older: Catalogue) -> None:
    record(home, call(1, request(older)), call(2, request(NOW, model="gpt-4o-mini")))
    page = reprice_table(reprice_all(home), Screen(120))

    assert page.splitlines()[0] == f"Repriced by catalogue {NOW.version}, all time"
    assert page.splitlines()[4].split()[:7] == (
        ["gpt-4o-2024-08-06", "openai", "1", "1", "$0.004396", "$0.004220", "-0.000176"]
    )
    assert "1 call written; what they cost before is kept in the table repricings." in page
    assert "Nothing to write: every call costs what it did." in reprice_table(
        reprice_all(home), Screen(120)
    )
    for width in (40, 80):
        assert max(map(len, reprice_table(reprice_all(home), Screen(width)).splitlines())) <= width


def test_a_call_recorded_meanwhile_is_merged_later(home: Path, older: Catalogue) -> None:
    record(home, call(1, request(older)))
    with rewriting(home) as ledger:
        record(home, call(2, request(NOW, usage=CHAT)))
        reprice(ledger, Pricer(NOW, {}), RepriceReport(ALL_TIME, "", False), None, ledger.keep)
        ledger.commit()

    assert rows(home, "SELECT count(*), min(cost_usd), max(cost_usd) FROM calls") == [
        (2, Decimal("0.00422"), Decimal("0.00422"))
    ]


def test_a_call_of_several_is_incomplete_if_a_part_is(home: Path, older: Catalogue) -> None:
    record(home, call(1, request(older), request(older)))
    merge(home)
    with duckdb.connect(str(home / "ledger.duckdb")) as connection:
        connection.execute("UPDATE calls SET requests = replace(requests, '\"buckets\"', '\"b\"')")

    assert reprice_all(home).total.incomplete == 1


PAGE = Path(__file__).parents[2] / "docs" / "repricing.md"


def test_the_queries_of_the_docs(home: Path, older: Catalogue) -> None:
    """A call that was 0.004396 and is 0.00422, and one that was unknown and is 0.00422."""
    unknown = request(NOW, "azure", "mine")
    record(home, call(1, request(older)), call(2, unknown), call(3, request(NOW)))
    reprice_all(home)
    reprice_all(home, aliases={"mine": "openai/gpt-4o-2024-08-06"})
    history, changes, first = re.findall(r"```sql\n(.*?);\n```", PAGE.read_text("utf-8"), re.DOTALL)

    history = re.sub("'[0-9a-f-]{36}'", "'00000000-0000-0000-0000-000000000001'", history)
    assert [row[1:3] for row in rows(home, history)] == [(Decimal("0.004396"), Decimal("0.00422"))]
    assert [row[1:] for row in rows(home, changes)] == [
        ("gpt-4o-2024-08-06", 1, Decimal("-0.000176")),
        ("mine", 1, None),
    ]
    assert rows(home, first) == [(Decimal("0.008616"), Decimal("0.01266"))]
