"""The arithmetic of a recorded call, from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
import repricing
from repricing import CHAT, NOON, OLDER, call, older_catalogue, record, request

from costspan.core.types import Served, Usage
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.middleware.record import Call, ErrorFacts
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Estimate, Interval
from costspan.reports.errors import ReportError
from costspan.reports.explain import Explanation, explain
from costspan.reports.explain_record import explanation_json
from costspan.reports.explain_text import explanation_text
from costspan.reports.explain_words import flag_words
from costspan.reports.screen import Screen

NOW = Catalogue.default()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for a ledger."""
    return tmp_path / "home"


@pytest.fixture
def explained(home: Path) -> Callable[..., Explanation]:
    """Records calls, and explains the first of them."""

    def run(*calls: Call, catalogue: Catalogue = NOW) -> Explanation:
        record(home, *calls)
        with open_ledger(home) as reader:
            return explain(reader, catalogue, str(calls[0].call_id))

    return run


def text(explanation: Explanation, width: int = 80) -> str:
    return explanation_text(explanation, Screen(width))


def test_the_whole_page(explained: Callable[..., Explanation]) -> None:
    estimate = Estimate(
        Interval(1100, 1188, 1300),
        Interval(100, 300, 500),
        Interval(Decimal("0.001"), Decimal("0.005275"), Decimal("0.01")),
        "tokenizer",
        "high",
    )
    page = text(
        explained(call(0xABC, request(NOW, usage=CHAT, requested="gpt-4o"), estimate=estimate))
    )

    assert page.startswith(
        """\
Call 00000000-0000-0000-0000-000000000abc
chat, ok, 2026-11-01 12:00:00 UTC, 2,000 ms

openai/gpt-4o-2024-08-06 (asked for as gpt-4o)
sent 2026-11-01 12:00:00 UTC, done 2026-11-01 12:00:02 UTC

meter              quantity  x USD  per    = USD  source
────────────────────────────────────────────────────────
input                   176   2.50  1M   0.00044  [1]
input, from cache     1,024   1.25  1M   0.00128  [2]
output                  250  10.00  1M   0.00250  [1]
────────────────────────────────────────────────────────
total                                    0.00422

priced: every meter that was used has a rate, and they come to $0.00422.
The provider counted what was used.
"""
    )
    assert (
        """
               estimate    actual  off by
─────────────────────────────────────────
input tokens      1,188     1,200   -1.0%
output tokens       300       250  +20.0%
USD            0.005275  0.004220  +25.0%
"""
        in page
    )
    assert "[2] an announcement: https://openai.com/index/api-prompt-caching/" in page


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_screen(
    explained: Callable[..., Explanation], width: int
) -> None:
    usage = {"input_tokens": 1200, "output_tokens": 250, "cache_creation_input_tokens": 5000}
    one = request(
        NOW, "anthropic", "claude-opus-4-6", usage, api="messages", context={"batch": True}
    )

    lines = text(explained(call(1, one)), width).splitlines()

    assert max(len(line) for line in lines if "https://" not in line) <= width


def test_factors_are_named_with_their_source(explained: Callable[..., Explanation]) -> None:
    """Anthropic's batches cost half: 1200 x 5 + 250 x 25 dollars per million, halved."""
    usage = {"input_tokens": 1200, "output_tokens": 250}
    one = request(
        NOW, "anthropic", "claude-opus-4-6", usage, api="messages", context={"batch": True}
    )

    found = explained(call(1, one))

    assert found.requests[0].computed_usd == Decimal("0.006125")
    assert "0.5 (anthropic-batch)" in text(found, 120)
    assert "x 0.5 is anthropic-batch [2].\n" in text(found)
    assert "told by the caller: batch\n" in text(found)


def test_each_of_several_requests_has_its_own_arithmetic(
    explained: Callable[..., Explanation],
) -> None:
    failed = request(NOW, usage=None, error=ErrorFacts("openai.InternalServerError", 500))
    found = explained(call(1, failed, request(NOW), request(NOW)))

    page = text(found)

    assert [one.computed_usd for one in found.requests] == [
        None,
        Decimal("0.00422"),
        Decimal("0.00422"),
    ]
    assert "Request 1 of 3: openai/gpt-4o-2024-08-06" in page
    assert "unpriced: it failed, and nothing is known of what it used." in page
    assert "The call: priced, $0.00844." in page
    assert found.agrees


def test_an_unknown_model_is_said_with_near_names(explained: Callable[..., Explanation]) -> None:
    page = text(explained(call(1, request(NOW, model="gpt-4o-minii"))))

    assert "unpriced: no price is known for openai/gpt-4o-minii. Did you mean gpt-4o-mini" in page


def test_a_meter_without_a_rate_is_named(explained: Callable[..., Explanation]) -> None:
    usage = Usage({"tokens.in.text": 100, "tokens.out.text": 10}, {"fee.moon_landing": 2})
    found = explained(call(1, request(NOW, usage=usage)))

    assert found.call["cost_status"] == "partial"
    assert found.requests[0].unpriced_meters == ("fee.moon_landing",)
    assert "partial: $0.00035 is a lower bound." in text(found)
    assert "Without a rate, or not told: moon landing (fee.moon_landing)." in text(found)


def test_what_the_provider_did_not_tell_is_named(explained: Callable[..., Explanation]) -> None:
    found = explained(call(1, request(NOW, usage={"prompt_tokens": 100})))

    assert found.requests[0].unpriced_meters == ("tokens.out.text",)
    assert "Mended: the provider did not tell the output." in text(found)


def test_a_reported_amount_stands_beside_ours(explained: Callable[..., Explanation]) -> None:
    """1200 x 2.50 + 250 x 10 dollars per million is 0.0055."""
    usage = {"prompt_tokens": 1200, "completion_tokens": 250, "cost": 0.0061}
    found = explained(call(1, request(NOW, "openrouter", "openai/gpt-4o", usage)))

    assert found.agrees
    assert found.requests[0].difference_usd == Decimal("0.0006")
    page = text(found)
    assert "reported: $0.0061 is the provider's own amount, which goes before ours." in page
    assert "The provider reported $0.0061: $0.0006 more than the rates come to." in page


def test_a_gateways_share_is_explained(explained: Callable[..., Explanation]) -> None:
    """OpenRouter takes 5 % of what the vendor bills to the caller's own key."""
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": 250,
        "cost": 0.000275,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.0055},
    }
    found = explained(call(1, request(NOW, "openrouter", "openai/gpt-4o", usage)))

    assert found.agrees
    assert found.requests[0].computed_usd == Decimal("0.000275")
    assert found.requests[0].unpriced_meters == ()
    assert "The provider reported the same amount as the rates come to." in text(found)


def test_seconds_finer_than_the_columns_add_up(explained: Callable[..., Explanation]) -> None:
    """whisper-1 costs 0.006 dollars a minute: 12.345678 s are 0.0012345678."""
    usage = Usage({"seconds.audio.in": Decimal("12.345678")})
    found = explained(call(1, request(NOW, model="whisper-1", usage=usage)))

    assert found.agrees
    assert found.requests[0].computed_usd == Decimal("0.0012345678")


def test_a_row_of_another_catalogue_is_said_to_be_its(
    explained: Callable[..., Explanation], tmp_path: Path
) -> None:
    older = older_catalogue(tmp_path / "older", tokens__in__text="3.50")
    found = explained(call(1, request(older)))

    assert found.agrees
    page = text(found, 200)
    assert f"Catalogue {OLDER}; in force is {NOW.version}." in page
    assert f"older-tokens.in.text of version {OLDER}: not known to the catalogue" in page
    assert "0.000616" in page  # 176 x 3.50 per million


def test_a_row_that_was_tampered_with_is_said(home: Path) -> None:
    record(home, call(1, request(NOW)))
    merge(home)
    with duckdb.connect(str(home / "ledger.duckdb")) as connection:
        connection.execute("UPDATE calls SET cost_usd = 1")

    with open_ledger(home) as reader:
        found = explain(reader, NOW, "01")

    assert not found.agrees
    assert "! This does not add up: the lines come to $0.00422 and the ledger says $1." in text(
        found
    )


def test_json(explained: Callable[..., Explanation]) -> None:
    record = json.loads(explanation_json(explained(call(1, request(NOW)))))

    (only,) = record["requests"]
    line = only["lines"][0]
    assert record["cost_usd"] == only["computed_usd"] == "0.00422"
    assert record["adds_up"] is True
    assert (line["meter"], line["quantity"], line["rate_usd"], line["amount_usd"]) == (
        "tokens.in.text",
        "176",
        "2.5",
        "0.00044",
    )
    assert line["source"].startswith("https://openai.com/")
    assert record["started_at"] == "2026-11-01T12:00:00Z"


class TestWhichCall:
    """By its whole id, or by any end that is its alone."""

    @pytest.mark.parametrize(
        "said",
        [
            "12345678-0000-0000-0000-00000000beef",
            "1234567800000000000000000000BEEF",
            "5678-0000-0000-0000-00000000beef",
            "00000000beef",
            "000000000beef",
            "beef",
            "eef",
        ],
    )
    def test_found(self, home: Path, said: str) -> None:
        number = UUID("12345678-0000-0000-0000-00000000beef").int
        record(home, call(number, request(NOW)), call(1, request(NOW)))

        with open_ledger(home) as reader:
            assert explain(reader, NOW, said).call["call_id"] == UUID(int=number)

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ("0a", "no call has the id 0a: find its id with costspan calls"),
            ("1", r"several calls have an id that ends in 1: say more of .*011, .*001$"),
            ("0" * 33, "no call has the id 0"),
            ("xyz", "'xyz' is no call id"),
            ("", "'' is no call id"),
        ],
    )
    def test_not_found(self, home: Path, said: str, error: str) -> None:
        later = request(NOW, at=NOON + repricing.TOOK)
        record(home, call(1, request(NOW)), call(0x11, later))

        with open_ledger(home) as reader, pytest.raises(ReportError, match=error):
            explain(reader, NOW, said)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("clamped:tokens.in.cache_read", "input, from cache was larger than what it is a part"),
        ("identity:reasoning_outside", "by the provider's total, reasoning is outside"),
        ("invalid:prompt_tokens", "prompt_tokens was no number"),
        ("something:new", "something:new"),
    ],
)
def test_flags_in_words(flag: str, words: str) -> None:
    assert words in flag_words(flag)


def test_unpriced_for_want_of_usage_without_an_error(
    explained: Callable[..., Explanation],
) -> None:
    page = text(explained(call(1, request(NOW, usage=None))))

    assert "unpriced: nothing is known of what it used." in page


def test_the_vendors_bill_is_kept_where_no_line_holds_it(home: Path) -> None:
    usage = Usage({"tokens.in.text": 100}, served=Served(upstream_usd=Decimal("0.25")))
    record(home, call(1, request(NOW, usage=usage)))

    with open_ledger(home) as reader:
        (row,) = reader.execute("SELECT context ->> 'upstream_usd' FROM calls").rows

    assert row == ("0.25",)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("buckets = NULL", "! A quantity is not in the ledger: the sum of the lines cannot"),
        (
            "cost_usd = NULL, cost_status = 'unpriced', usage_flags = 'cost_overflow'",
            "unpriced: its cost did not fit into the ledger",
        ),
    ],
)
def test_what_the_ledger_could_not_hold(home: Path, damage: str, said: str) -> None:
    record(home, call(1, request(NOW)))
    merge(home)
    with duckdb.connect(str(home / "ledger.duckdb")) as connection:
        connection.execute(f"UPDATE calls SET {damage}")

    with open_ledger(home) as reader:
        found = explain(reader, NOW, "01")

    assert found.agrees
    assert said in text(found)
