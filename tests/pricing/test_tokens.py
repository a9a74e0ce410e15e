"""Counting the tokens of texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.pricing import vocabulary
from costspan.pricing.tokens import HEURISTIC, TiktokenCounter, counter_for


@pytest.fixture
def counter() -> TiktokenCounter:
    return TiktokenCounter(vocabulary.load("o200k_base"), "o200k")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello world", 2),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
    ],
)
def test_counts_as_published(text: str, tokens: int, counter: TiktokenCounter) -> None:
    """Figures of OpenAI's cookbook, "How to count tokens with tiktoken" (o200k_base)."""
    assert counter.count(text) == tokens
    assert counter.count(text) == tokens


@pytest.mark.parametrize("report", ["tiktoken-290", "curator-178", "kotaemon-311"])
def test_special_token_text_counts_as_text(report: str, counter: TiktokenCounter) -> None:
    # one token if it were special; < | endo ft ext | > or the like as text
    assert counter.count("<|endoftext|>") > 1


def test_tiktoken_15_a_million_blanks_do_not_panic(counter: TiktokenCounter) -> None:
    for blank in (" ", "\t", "\u00a0"):
        assert counter.count("a" + blank * 1_000_001 + "b") > 2


def test_lone_surrogates_are_repaired(counter: TiktokenCounter) -> None:
    assert counter.count("a\ud800b") == counter.count("a\ufffdb")
    assert HEURISTIC.count("a\ud800b") >= 1


def test_texts_are_not_kept(counter: TiktokenCounter) -> None:
    counter.count("a secret that nobody may keep")
    assert all(isinstance(part, int) for key in counter._memo for part in key)


def test_the_memo_is_bounded(counter: TiktokenCounter) -> None:
    for number in range(8192 + 10):
        counter.count(str(number))
    assert len(counter._memo) <= 8192


def test_counters_are_shared_and_say_what_they_stand_on() -> None:
    exact = counter_for("o200k_base", wait=True)
    assert counter_for("o200k_base", wait=False) is exact
    assert exact.basis == "o200k"
    assert HEURISTIC.basis == "heuristic"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("The quick brown fox jumps over the lazy dog.", 8, 12),
        ("Съешь же ещё этих мягких французских булок", 12, 24),
        ("我能吞下玻璃而不伤身体", 8, 14),
        ("나는 유리를 먹을 수 있어요", 8, 16),
        ("أنا قادر على أكل الزجاج و هذا لا يؤلمني", 10, 24),
        ("😀😀😀", 3, 9),
    ],
)
def test_the_heuristic_is_near(text: str, low: int, high: int) -> None:
    assert low <= HEURISTIC.count(text) <= high


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_is_counted(text: str) -> None:
    exact = counter_for("o200k_base", wait=True).count(text)
    assert (exact == 0) is (text == "")
    assert (HEURISTIC.count(text) == 0) is (text == "")
