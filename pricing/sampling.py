"""Long texts are counted by samples, so that no request waits for its estimate."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from costspan.pricing.tokens import Counter

_WIDTH_BYTES = 2048
"""Of a sample. Many short ones tell more of a text than few long ones of the same cost."""


class Limit(NamedTuple):
    """How much is counted whole, and by how many samples the rest is counted.

    Attributes:
        whole_bytes: Most bytes that are counted whole.
        samples: Samples of what is longer.
    """

    whole_bytes: int
    samples: int


IN_A_CALL = Limit(65_536, 16)
"""For all new texts of one request, in the user's call or event loop. 5 MB whole took 0.2 to 2.1 s,
64 KiB take 1 to 14 ms, the samples 1 to 6 ms (2026-11)."""
WAITING = Limit(1_048_576, 256)
"""For each text, where somebody waits for the estimate."""

_WIDEST = 3  # bytes of a character, near enough: those of four have no letters of their own here
_MOST_REMEMBERED = 8192
_remembered: dict[tuple[str, int, int], tuple[int, int]] = {}


class SampledCounter:
    """A counter for the texts of one request, of which some were counted by samples.

    Args:
        counter: Counts the others.
        sampled: Tokens of the texts that were sampled.
    """

    def __init__(self, counter: Counter, sampled: dict[str, int]) -> None:
        self.basis = f"{counter.basis}~sampled"
        self._counter = counter
        self._sampled = sampled

    def count(self, text: str) -> int:
        """Give the number of tokens, near enough for a long text."""
        number = self._sampled.get(text)
        return self._counter.count(text) if number is None else number

    def known(self, text: str) -> int | None:
        """Give the number if it needs no counting; else None."""
        number = self._sampled.get(text)
        return self._counter.known(text) if number is None else number


def bounded(counter: Counter, texts: Sequence[str], *, wait: bool) -> Counter:
    """Give a counter that takes little time for the texts of a request, however long they are.

    Args:
        counter: Counts whole texts.
        texts: What will be counted; what the counter knows already costs nothing.
        wait: Whether somebody waits for the estimate: see `WAITING` and `IN_A_CALL`.

    Returns:
        The counter itself if all that is new is short; else a `SampledCounter`.
    """
    limit = WAITING if wait else IN_A_CALL
    if sum(map(len, texts)) * _WIDEST <= limit.whole_bytes:
        return counter
    new = [text for text in dict.fromkeys(texts) if counter.known(text) is None]
    sampled: dict[str, int] = {}
    for group in [[text] for text in new] if wait else [new]:
        sampled |= _sampled(counter, group, limit)
    return SampledCounter(counter, sampled) if sampled else counter


def _sampled(counter: Counter, texts: list[str], limit: Limit) -> dict[str, int]:
    """Count by samples what of some texts is beyond the limit; nothing if all is within it."""
    if _bytes(texts) <= limit.whole_bytes:
        return {}
    counts: dict[str, int] = {}
    for text in texts:
        samples, number = _remembered.get(_key(counter, text), (0, 0))
        if samples >= limit.samples:
            counts[text] = number
    fresh = [text for text in texts if text not in counts]
    if _bytes(fresh) > limit.whole_bytes:
        rate = _tokens_per_character(counter, fresh, limit.samples)
        if len(_remembered) + len(fresh) > _MOST_REMEMBERED:
            _remembered.clear()
        for text in fresh:
            counts[text] = math.ceil(len(text) * rate)
            _remembered[_key(counter, text)] = (limit.samples, counts[text])
    return counts


def _key(counter: Counter, text: str) -> tuple[str, int, int]:
    return counter.basis, hash(text), len(text)


def _bytes(texts: Iterable[str]) -> int:
    return sum([len(text) if text.isascii() else len(text) * _WIDEST for text in texts])


def _tokens_per_character(counter: Counter, texts: list[str], samples: int) -> float:
    """Count samples at fixed places, evenly spread over all texts as if they were one."""
    width = _WIDTH_BYTES if all(map(str.isascii, texts)) else _WIDTH_BYTES // _WIDEST
    ends = list(accumulate(map(len, texts)))
    tokens = 0
    for number in range(samples):
        start = (ends[-1] - width) * number // (samples - 1)
        stop = start + width
        index = bisect_right(ends, start)
        while start < stop:
            offset = ends[index] - len(texts[index])
            tokens += counter.count(texts[index][start - offset : stop - offset])
            start = ends[index]
            index += 1
    return tokens / (samples * width)
