"""Claude Code's session logs: one call an answer, with the fullest counts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from foreign import SESSION_LINE_USD, json_lines, prompt_line, session_line

Imported = Callable[..., list[dict[str, Any]]]


def test_an_answer_is_a_call(imported: Imported) -> None:
    (call,) = imported(json_lines(prompt_line(), session_line()))

    assert call["started_at"] == datetime(2026, 3, 2, 10, 0, 5, 250_000, UTC)
    assert (call["provider"], call["model"]) == ("anthropic", "claude-sonnet-4-5-20250929")
    assert (call["api"], call["operation"], call["status"]) == ("messages", "chat", "ok")
    assert (call["input_tokens"], call["output_tokens"]) == (3_010, 100)
    assert (call["cache_read_tokens"], call["cache_write_tokens"]) == (2_000, 1_000)
    assert call["buckets"]["tokens.in.cache_write.1h"] == 600
    assert (call["cost_usd"], call["cost_status"]) == (Decimal(SESSION_LINE_USD), "priced")
    assert call["tags"] == {"client": "claude-code", "project": "shop", "branch": "main"}
    assert (call["session_id"], call["response_id"]) == ("session-1", "msg_1")
    assert (call["sdk_version"], call["usage_source"]) == ("import:claude-code", "provider")


def test_what_the_log_does_not_tell_is_unknown(imported: Imported) -> None:
    (call,) = imported(json_lines(session_line()))

    assert {"latency_us", "ttft_us", "streaming", "retries", "host", "pid"}.isdisjoint(call)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_lines_of_an_answer_in_any_order(imported: Imported, order: tuple[int, ...]) -> None:
    """ClaudeCodeUsage#92: 23,516 lines with usage were 9,632 answers; their counts only grow."""
    lines = [
        session_line(output=1, stop=None, at="2026-03-02T10:00:03Z"),
        session_line(output=40, stop=None, at="2026-03-02T10:00:04Z"),
        session_line(output=100, at="2026-03-02T10:00:09Z"),
    ]

    (call,) = imported(json_lines(*(lines[place] for place in order)))

    assert (call["output_tokens"], call["cost_usd"]) == (100, Decimal(SESSION_LINE_USD))
    assert (call["usage_source"], call["finish_reasons"]) == ("provider", "end_turn")
    assert (call["started_at"].second, call["ended_at"].second) == (3, 9)


def test_counts_from_the_midst_of_the_stream_are_said_to_be_partial(imported: Imported) -> None:
    """anthropics/claude-code#22686, #27361: no line has a reason to stop; the output is short."""
    (call,) = imported(
        json_lines(session_line(output=1, stop=None), session_line(output=8, stop=None))
    )

    assert (call["output_tokens"], call["usage_source"]) == (8, "partial")


def test_messages_that_no_model_wrote_are_no_calls(imported: Imported) -> None:
    assert imported(json_lines(session_line(model="<synthetic>"), prompt_line())) == []


@pytest.mark.parametrize(
    ("message", "model", "provider"),
    [
        ("msg_01A", "claude-opus-4-1-20250805", "anthropic"),
        ("msg_bdrk_01A", "claude-sonnet-4-5-20250929", "aws"),
        ("msg_vrtx_01A", "claude-sonnet-4-5-20250929", "vertex"),
        ("msg_01A", "gpt-4o", "openai"),
        ("msg_01A", "no-such-model", "unknown"),
    ],
)
def test_provider(imported: Imported, message: str, model: str, provider: str) -> None:
    (call,) = imported(json_lines(session_line(message, model=model)))

    assert call["provider"] == provider


def test_a_model_without_a_price_is_unpriced_and_not_zero(imported: Imported) -> None:
    (call,) = imported(json_lines(session_line(model="no-such-model")))

    assert (call["cost_status"], call.get("cost_usd")) == ("unpriced", None)


def test_what_old_versions_took_it_to_cost_stands_beside_ours(imported: Imported) -> None:
    (call,) = imported(json_lines(session_line(costUSD=0.0081)))

    assert (call["cost_usd"], call["cost_status"]) == (Decimal(SESSION_LINE_USD), "priced")
    assert call["reported_usd"] == Decimal("0.0081")
    assert call["context"] == {"reported_by": "claude-code"}


def test_only_the_sum_of_what_was_written_to_the_cache(imported: Imported) -> None:
    """Older versions do not tell lifetimes; all of it was for five minutes then."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 1_000, "output_tokens": 100}

    (call,) = imported(json_lines(session_line(usage=usage)))

    # 10 x 3 + 1,000 x 3.75 + 100 x 15
    assert call["cost_usd"] == Decimal("0.00528")


@pytest.mark.parametrize(
    ("folder", "project"),
    [("/home/ann/shop", "shop"), ("C:\\Users\\ann\\shop", "shop"), ("/", None), ("", None)],
)
def test_project(imported: Imported, folder: str, project: str | None) -> None:
    (call,) = imported(json_lines(session_line(cwd=folder)))

    assert call["tags"].get("project") == project


def test_an_answer_without_an_id_goes_by_its_request(imported: Imported) -> None:
    one, other = session_line(), session_line()
    del one["message"]["id"], other["message"]["id"]

    assert len(imported(json_lines(one, other))) == 1


def test_no_word_of_prompt_and_reply_is_kept(imported: Imported) -> None:
    assert "SECRET" not in repr(imported(json_lines(prompt_line(), session_line())))
