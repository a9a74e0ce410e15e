"""Long texts: bounded work, fixed places, near the exact count."""

from __future__ import annotations

import random

import pytest

from costspan.pricing import sampling, vocabulary
from costspan.pricing.sampling import IN_A_CALL, SampledCounter, bounded
from costspan.pricing.tokens import HEURISTIC, Counter, TiktokenCounter

WORDS = ("time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world")


class Watched:
    """A counter that adds up what it is asked to count."""

    basis = "watched"

    def __init__(self) -> None:
        self.bytes = 0
        self.seen: set[str] = set()

    def count(self, text: str) -> int:
        """One token a character."""
        self.bytes += len(text.encode())
        self.seen.add(text)
        return len(text)

    def known(self, text: str) -> int | None:
        """What was counted before."""
        return len(text) if text in self.seen else None


def prose(characters: int, seed: int) -> str:
    """Words in a random order, which no other test has counted."""
    source = random.Random(seed)
    words = source.choices(WORDS, k=characters // 4)
    return " ".join(words)[:characters]


@pytest.fixture
def counter() -> TiktokenCounter:
    return TiktokenCounter(vocabulary.load("o200k_base"), "o200k")


@pytest.mark.parametrize(
    ("texts", "wait"),
    [
        (["a" * 65_536], False),
        (["a" * 30_000, "b" * 30_000], False),
        (["\u4e00" * 21_000], False),
        (["a" * 1_000_000, "b" * 1_000_000], True),
    ],
)
def test_what_is_short_is_counted_whole(texts: list[str], wait: bool) -> None:
    counter = Watched()
    assert bounded(counter, texts, wait=wait) is counter


@pytest.mark.parametrize(
    "texts",
    [
        [prose(5_000_000, 1)],
        [prose(1_000, seed) for seed in range(2_000)],
        [prose(60_000, seed) for seed in range(80)],
        ["\u4e00\u4e8c\u4e09" * 1_700_000],
        ["\U0001f600 " * 600_000, "plain " * 300_000],
    ],
    ids=["one", "many short", "many long", "Han", "emoji and words"],
)
def test_at_most_64_kb_of_a_request_are_encoded(texts: list[str]) -> None:
    watched = Watched()
    counter = bounded(watched, texts, wait=False)
    tokens = sum(map(counter.count, texts))

    assert watched.bytes <= IN_A_CALL.whole_bytes
    # one token a character, so the rate is exact and each text is rounded up by less than one
    assert sum(map(len, texts)) <= tokens <= sum(map(len, texts)) + len(texts)
    assert counter.basis == "watched~sampled"


def test_a_text_is_sampled_once(counter: TiktokenCounter) -> None:
    text = prose(500_000, 2)
    first = bounded(counter, [text], wait=False).count(text)
    watched = Watched()
    watched.basis = counter.basis
    assert bounded(watched, [text], wait=False).count(text) == first
    assert watched.bytes == 0


def test_a_new_turn_after_a_sampled_history_is_counted_whole(counter: TiktokenCounter) -> None:
    history, turn = prose(500_000, 3), "hello world"
    bounded(counter, [history], wait=False)
    sampled = bounded(counter, [history, turn], wait=False)
    assert isinstance(sampled, SampledCounter)
    assert sampled.known(turn) is None
    assert sampled.count(turn) == 2


def test_what_was_counted_whole_before_is_not_sampled(counter: TiktokenCounter) -> None:
    text = prose(500_000, 4)
    counter.count(text)
    assert bounded(counter, [text], wait=False) is counter


def test_who_waits_gets_more_than_a_call_left_behind(counter: TiktokenCounter) -> None:
    text = prose(900_000, 5)
    bounded(counter, [text], wait=False)
    assert bounded(counter, [text], wait=True) is counter


@pytest.mark.parametrize("wait", [False, True])
def test_samples_are_near_the_truth(counter: TiktokenCounter, wait: bool) -> None:
    text = prose(1_200_000, 6)
    exact = len(vocabulary.load("o200k_base").encode_ordinary(text))
    assert bounded(counter, [text], wait=wait).count(text) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("text", ["a" * 5_000_000, "\n" * 5_000_000, " " * 5_000_000])
def test_the_same_letter_five_million_times(counter: TiktokenCounter, text: str) -> None:
    """A user's trial, 2026-11: 0.95 to 2.1 s in the user's call."""
    whole = len(vocabulary.load("o200k_base").encode_ordinary(text[:50_000]))
    assert bounded(counter, [text], wait=False).count(text) == pytest.approx(100 * whole, rel=0.1)


def test_the_heuristic_is_bounded_too() -> None:
    text = "\u4e00\u4e8c\u4e09" * 1_000_000
    counter: Counter = bounded(HEURISTIC, [text], wait=False)
    assert counter.basis == "heuristic~sampled"
    assert counter.count(text) == pytest.approx(3_000_000 / 0.95, rel=0.01)


def test_texts_are_not_kept(counter: TiktokenCounter) -> None:
    secret = prose(300_000, 7)
    bounded(counter, [secret], wait=False)
    kept = [part for key in sampling._remembered for part in key if isinstance(part, str)]
    assert all(len(part) < 20 for part in kept)
