"""The short way of reading plain usage objects gives what all the rules give."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from costspan.core.accounting import profiles
from costspan.core.plain import read_plain
from costspan.core.usage import read_usage

STRANGE = {"field_that_no_format_has": None}
"""Beside it a usage object is read by all the rules."""
RESPONSE = {
    "model": "a-model",
    "service_tier": "flex",
    "output": [{"type": "web_search_call", "action": {"type": "search"}}],
    "usage": {"server_side_tool_usage_details": {"web_search_calls": 1}},
}


def objects(name: str) -> list[dict[str, object]]:
    """Usage objects of a format with up to four of its plain fields, and totals that fit or not."""
    fields = sorted({key for key, _ in profiles()[name].top})
    return [
        dict(zip(chosen, counts, strict=True))
        for size in range(1, 5)
        for chosen in combinations(fields, size)
        for counts in (
            [0] * size, [10] * size, range(1, size + 1),
            [size * (size - 1) // 2, *range(1, size)], [*range(1, size), size * (size - 1) // 2],
        )
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(profiles()))
def test_it_reads_as_all_the_rules_do(name: str) -> None:
    provider, _, api = name.partition("/")
    for usage in objects(name):
        short = read_usage(usage, provider=provider, api=api)
        assert short == read_usage({**usage, **STRANGE}, provider=provider, api=api), usage
        known: dict[str, Any] = {"provider": provider, "api": api, "response": RESPONSE}
        assert read_usage(usage, **known) == read_usage({**usage, **STRANGE}, **known), usage


@pytest.mark.parametrize("count", [True, 1.0, "5", -1, 10**16, None])
def test_odd_counts_are_left_to_the_rules(count: object) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 1, "total_tokens": 6}
    assert read_plain(profiles()["openai/chat"], usage) is None


def test_the_common_object_goes_the_short_way() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    read = read_plain(profiles()["openai/chat"], usage)
    assert read is not None
    assert dict(read.buckets) == {"tokens.in.text": 1000, "tokens.out.text": 500}
    assert read_plain(profiles()["openai/chat"], {**usage, "total_tokens": 1501}) is None
