"""LiteLLM's spend logs: priced by us, with LiteLLM's own amount beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from foreign import SPEND_LOG_USD, as_csv, json_lines, spend_log

from costspan.exporters.importers.reading import Tally

Imported = Callable[..., list[dict[str, Any]]]
FORMS: Mapping[str, Callable[[dict[str, Any]], bytes]] = {
    "lines": json_lines,
    "array": lambda row: json.dumps([row], indent=2).encode(),
    "array on one line": lambda row: json.dumps([row]).encode(),
    "page of the API": lambda row: json.dumps({"data": [row], "total": 1}, indent=1).encode(),
    "page on one line": lambda row: json.dumps({"data": [row], "total": 1}).encode(),
    "csv": lambda row: as_csv([row]),
    "csv with semicolons": lambda row: as_csv([row], ";"),
    "csv with a byte order mark": lambda row: b"\xef\xbb\xbf" + as_csv([row]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_row_is_a_call(imported: Imported, form: str) -> None:
    (call,) = imported(FORMS[form](spend_log()))

    assert call["started_at"] == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert (call["latency_us"], call["ttft_us"]) == (2_500_000, 700_000)
    assert (call["provider"], call["model"]) == ("openai", "gpt-4o")
    assert (call["model_requested"], call["endpoint"]) == ("smart", "api.openai.com")
    assert (call["input_tokens"], call["cache_read_tokens"]) == (1_000, 400)
    assert (call["output_tokens"], call["reasoning_tokens"]) == (50, 20)
    assert (call["cost_usd"], call["cost_status"]) == (Decimal(SPEND_LOG_USD), "priced")
    assert (call["reported_usd"], call["response_id"]) == (Decimal("0.0025"), "chatcmpl-1")
    assert (call["session_id"], call["sdk_version"]) == ("session-2", "import:litellm")
    assert call["tags"] == {
        **{"end_user": "customer-9", "user": "ann", "team": "search", "key_alias": "ci"},
        **{"feature": "summary", "request_tags": "nightly"},
    }


@pytest.mark.parametrize("form", FORMS)
def test_no_prompt_reply_key_or_address_is_kept(imported: Imported, form: str) -> None:
    kept = repr(imported(FORMS[form](spend_log())))

    assert "SECRET" not in kept
    assert "203.0.113.9" not in kept


@pytest.mark.parametrize(
    ("spend", "cost", "status"),
    [(0.3, Decimal("0.3"), "reported"), (0, None, "unpriced"), (None, None, "unpriced")],
)
def test_a_model_that_only_they_know(
    imported: Imported, spend: float | None, cost: Decimal | None, status: str
) -> None:
    """LiteLLM writes a spend of 0 where it knows no price: that is unknown, and not free."""
    (call,) = imported(json_lines(spend_log(model="in-house", model_group="x", spend=spend)))

    assert (call.get("cost_usd"), call["cost_status"]) == (cost, status)


def test_an_amount_beside_one_that_differs(imported: Imported) -> None:
    (call,) = imported(json_lines(spend_log(spend=0.9)))

    assert (call["cost_usd"], call["reported_usd"]) == (Decimal(SPEND_LOG_USD), Decimal("0.9"))
    assert (call["cost_status"], call["context"]) == ("priced", {"reported_by": "litellm"})


def test_an_answer_out_of_their_cache_cost_nothing(imported: Imported) -> None:
    (call,) = imported(json_lines(spend_log(cache_hit="True", spend=0)))

    assert (call["cost_usd"], call["cost_status"]) == (0, "free")
    assert "input_tokens" not in call


def test_counts_of_the_columns_where_there_is_no_usage_object(imported: Imported) -> None:
    metadata = {"additional_usage_values": {"cache_read_input_tokens": 400}}

    (call,) = imported(json_lines(spend_log(metadata=metadata)))

    assert (call["input_tokens"], call["cache_read_tokens"]) == (1_000, 400)
    assert call["cost_usd"] == Decimal(SPEND_LOG_USD)


def test_claude_with_its_caches(imported: Imported) -> None:
    """LiteLLM's prompt tokens hold what was read from the cache and what was written to it."""
    usage = {
        **{"prompt_tokens": 3_010, "completion_tokens": 100, "total_tokens": 3_110},
        **{"cache_read_input_tokens": 2_000, "cache_creation_input_tokens": 1_000},
    }
    row = spend_log(
        model="anthropic/claude-sonnet-4-5-20250929",
        model_group=None,
        custom_llm_provider="anthropic",
        metadata={"usage_object": usage},
    )

    (call,) = imported(json_lines(row))

    assert (call["provider"], call["model"]) == ("anthropic", "claude-sonnet-4-5-20250929")
    # 10 x 3 + 2,000 x 0.30 + 1,000 x 3.75 + 100 x 15
    assert call["cost_usd"] == Decimal("0.00588")


def test_a_failed_call_keeps_class_and_status_and_no_message(imported: Imported) -> None:
    said = {"error_class": "RateLimitError", "error_code": "429", "error_message": "SECRET"}
    row = spend_log(
        spend=0,
        prompt_tokens=0,
        completion_tokens=0,
        total_tokens=0,
        status="failure",
        metadata={"status": "failure", "error_information": said},
    )

    (call,) = imported(json_lines(row))

    assert (call["status"], call["error_type"]) == ("error", "litellm.RateLimitError")
    assert (call["http_status"], call["cost_status"]) == (429, "unpriced")
    assert "SECRET" not in repr(call)
    assert "usage_source" not in call


@pytest.mark.parametrize(
    ("at", "instant"),
    [
        ("2026-03-02 10:00:00.123", datetime(2026, 3, 2, 10, 0, 0, 123_000, UTC)),
        ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("2026-03-02T12:00:00+02:00", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        ("2026-03-02 10:00:00+00", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
    ],
)
def test_times_become_utc(imported: Imported, at: str, instant: datetime) -> None:
    (call,) = imported(json_lines(spend_log(startTime=at, endTime=at)))

    assert (call["started_at"], call["ended_at"]) == (instant, instant)


def test_an_answer_that_was_not_streamed_has_no_first_chunk(imported: Imported) -> None:
    row = spend_log()

    (call,) = imported(json_lines({**row, "completionStartTime": row["endTime"]}))

    assert "ttft_us" not in call


@pytest.mark.parametrize(
    ("call_type", "api", "operation"),
    [
        ("acompletion", "chat", "chat"),
        ("aembedding", "embeddings", "embeddings"),
        ("aresponses", "responses", "chat"),
        ("anthropic_messages", "messages", "chat"),
        ("atext_completion", "completions", "text_completion"),
    ],
)
def test_kinds_of_calls(imported: Imported, call_type: str, api: str, operation: str) -> None:
    (call,) = imported(json_lines(spend_log(call_type=call_type)))

    assert (call["api"], call["operation"]) == (api, operation)


def test_an_alias_prices_their_deployment(imported: Imported) -> None:
    row = spend_log(model="azure/eu-west-3", custom_llm_provider="azure")

    (call,) = imported(json_lines(row), aliases={"smart": "openai/gpt-4o"})

    assert (call["cost_usd"], call["cost_status"]) == (Decimal(SPEND_LOG_USD), "priced")
    assert call["context"]["priced_as"] == "openai/gpt-4o"


@pytest.mark.parametrize(
    "columns",
    [{"startTime": "yesterday"}, {"startTime": None}, {"request_id": ""}],
)
def test_a_row_that_cannot_be_used_is_counted(imported: Imported, columns: dict[str, Any]) -> None:
    tally = Tally()

    calls = imported(json_lines(spend_log(), spend_log("2", **columns)), tally=tally)

    assert len(calls) == 1
    assert tally.damaged == 1
    assert str(tally.first_damaged).endswith("calls.jsonl:2")


def test_a_torn_row_of_a_csv_is_counted(imported: Imported) -> None:
    tally = Tally()
    rows = as_csv([spend_log(), spend_log("2")])

    calls = imported(rows[:-40], tally=tally)

    assert (len(calls), tally.damaged) == (1, 1)
