"""What programs and spreadsheets get."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.reports.calls import newest_calls
from costspan.reports.estimates import estimate_errors
from costspan.reports.export import (
    call_records,
    estimate_records,
    spend_records,
    to_csv,
    to_json,
)
from costspan.reports.spend import spend

if TYPE_CHECKING:
    from tests.reports.conftest import Ledger


def test_json_by_model_is_what_others_rely_on(ledger: Ledger) -> None:
    ledger.call(model="m", input_tokens=5, output_tokens=2, cost_usd=Decimal("0.00362"))
    ledger.call(model="unknown", cost_status="unpriced")

    rows = json.loads(to_json(spend_records(spend(ledger))))

    assert rows == [
        {
            "model": "m",
            "calls": 1,
            "errors": 0,
            "input_tokens": 5,
            "output_tokens": 2,
            "cache_read_tokens": None,
            "cache_write_tokens": None,
            "reasoning_tokens": None,
            "cost_usd": "0.00362",
            "unpriced_calls": 0,
            "unpriced_errors": 0,
            "partial_calls": 0,
            "estimated_calls": 0,
        },
        {
            "model": "unknown",
            "calls": 1,
            "errors": 0,
            "input_tokens": None,
            "output_tokens": None,
            "cache_read_tokens": None,
            "cache_write_tokens": None,
            "reasoning_tokens": None,
            "cost_usd": None,
            "unpriced_calls": 1,
            "unpriced_errors": 0,
            "partial_calls": 0,
            "estimated_calls": 0,
        },
    ]


@pytest.mark.parametrize(
    ("by", "name", "value"),
    [
        ("model", "model", "gpt-x"),
        ("provider", "provider", "openai"),
        ("day", "day", "2026-11-01"),
        ("hour", "hour", "2026-11-01T12:00Z"),
        ("tag:team", "tag", "a"),
        ("tag:calls", "tag", None),
        ("status", "status", "ok"),
    ],
)
def test_the_first_key_is_named_after_the_grouping(
    ledger: Ledger, by: str, name: str, value: str | None
) -> None:
    ledger.call(tags={"team": "a"})

    (row,) = json.loads(to_json(spend_records(spend(ledger, by))))

    assert next(iter(row.items())) == (name, value)


def test_nothing_is_an_empty_list_and_a_header(ledger: Ledger) -> None:
    records = spend_records(spend(ledger))

    assert to_json(records) == "[]\n"
    assert to_csv(records).startswith("model,calls,errors,input_tokens,")
    assert to_csv(records).count("\n") == 1


def test_json_cannot_steer_a_terminal(ledger: Ledger) -> None:
    ledger.call(model="\x1b[31m\x9b\u202e")

    text = to_json(spend_records(spend(ledger)))

    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)[0]["model"] == "\x1b[31m\x9b\u202e"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("http://x.example","y")', '\'=HYPERLINK("http://x.example","y")'),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-1", "-1"),
        ("-0.000176", "-0.000176"),
        ("-1\n", r"'-1\n"),
        ("a;=1+1", "a;=1+1"),
        ("\t=1", r"'\t=1"),
        ("\r=1", r"'\r=1"),
        ("a,b\n", r"a,b\n"),
        ("gpt-4o", "gpt-4o"),
    ],
)
def test_csv_runs_nothing_in_a_spreadsheet(ledger: Ledger, name: str, cell: str) -> None:
    ledger.call(model=name, cost_usd=Decimal("0.5"))

    (row,) = csv.DictReader(io.StringIO(to_csv(spend_records(spend(ledger)))))

    assert row["model"] == cell
    assert (row["calls"], row["cost_usd"], row["input_tokens"]) == ("1", "0.5", "")


def test_an_empty_tag_is_not_no_tag(ledger: Ledger) -> None:
    ledger.call(tags={"team": ""}, cost_usd=Decimal(2))
    ledger.call(tags={"team": 'a "b", c'}, cost_usd=Decimal(1))
    ledger.call()

    records = spend_records(spend(ledger, "tag:team"))

    assert [row["tag"] for row in json.loads(to_json(records))] == ["", 'a "b", c', None]
    text = to_csv(records)
    lines = text.splitlines()[1:]
    assert [line.split(",1,0,")[0] for line in lines] == ['""', '"a ""b"", c"', ""]
    assert [row["tag"] for row in csv.DictReader(io.StringIO(text))] == ["", 'a "b", c', ""]


def test_calls(ledger: Ledger) -> None:
    ledger.call(
        "2026-11-01 12:00:00.25",
        tags={"team": "=1+1"},
        input_tokens=5,
        estimate_input_tokens=6,
        estimate_cost_usd=Decimal("0.02"),
        cost_usd=Decimal("0.01"),
        trace_id="ab" * 16,
    )
    records = call_records(newest_calls(ledger))

    assert json.loads(to_json(records)) == [
        {
            "started_at": "2026-11-01T12:00:00.250000Z",
            "provider": "openai",
            "model": "gpt-x",
            "operation": "chat",
            "status": "ok",
            "error_type": None,
            "http_status": None,
            "estimate_input_tokens": 6,
            "input_tokens": 5,
            "estimate_output_tokens": None,
            "output_tokens": None,
            "usage_source": "provider",
            "estimate_cost_usd": "0.02",
            "cost_usd": "0.01",
            "cost_status": "priced",
            "latency_us": 1_000_000,
            "ttft_us": None,
            "tags": {"team": "=1+1"},
            "trace_id": "ab" * 16,
            "call_id": "00000000-0000-0000-0000-000000000001",
        }
    ]
    (row,) = csv.DictReader(io.StringIO(to_csv(records)))
    assert row["tags"] == '{"team": "=1+1"}'


def test_estimates(ledger: Ledger) -> None:
    ledger.call(estimate_input_tokens=90, input_tokens=100)

    (row,) = json.loads(to_json(estimate_records(estimate_errors(ledger))))

    assert row["model"] == "gpt-x"
    assert row["input_bias"] == pytest.approx(-0.1)
    assert row["cost_bias"] is None
