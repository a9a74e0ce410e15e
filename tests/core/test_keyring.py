"""Several keys of one provider: the refused one rests, and none is ever shown."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from costspan.core import errors
from costspan.core.keyring import KeyRing, ring_of

SLOW = errors.RateLimitError("slow")
REFUSED = errors.AuthenticationError("no")


class Clock:
    """Time that stands still until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("error", "rests_s"),
    [
        (SLOW, 60),
        (errors.RateLimitError("slow", retry_after_s=7), 7),
        (errors.QuotaExceededError("empty", retry_after_s=7), 3600),
        (REFUSED, 3600),
        (errors.PermissionDeniedError("no"), 3600),
    ],
    ids=str,
)
def test_a_refused_key_rests(error: errors.APIError, rests_s: float) -> None:
    clock = Clock()
    ring = KeyRing(["a", "b"], clock=clock)
    assert ring.take() == "a"
    assert ring.refused("a", error)
    assert ring.take() == "b"
    clock.now_s = rests_s - 0.01
    assert ring.take() == "b"
    clock.now_s = rests_s
    assert ring.take() == "a"


@pytest.mark.parametrize(
    "error",
    [
        errors.InternalServerError("broken"),
        errors.BadRequestError("wrong"),
        errors.APIConnectionError("gone"),
        errors.Timeout("late"),
    ],
    ids=str,
)
def test_what_is_not_the_keys_fault(error: errors.APIError) -> None:
    ring = KeyRing(["a", "b"])
    assert not ring.refused("a", error)
    assert ring.take() == "a"


def test_when_all_rest_the_one_that_is_due_first_is_taken() -> None:
    clock = Clock()
    ring = KeyRing(["a", "b"], rest_s=30, clock=clock)
    assert ring.refused("a", SLOW)
    clock.now_s = 10
    assert not ring.refused("b", SLOW)
    assert ring.take() == "a"


def test_a_call_does_not_go_round_in_circles() -> None:
    """Two keys that each ask for a moment only: after both comes the retry's own wait."""
    clock = Clock()
    soon = errors.RateLimitError("slow", retry_after_s=0.001)
    keys = ring_of(KeyRing(["a", "b"], clock=clock))
    asked = []
    for _ in range(4):
        key = keys.take()
        clock.now_s += 1
        asked.append((key, keys.refused(key, soon)))
    assert asked == [("a", True), ("b", False), ("a", True), ("b", False)]


def test_calls_and_threads_know_of_each_others_refusals() -> None:
    """Every thread lets keys rest until none is ready, and no key is asked by all of them."""
    ring = KeyRing([f"key-{number}" for number in range(64)])
    asked: list[object] = []
    start = threading.Barrier(8)

    def one(_: int) -> None:
        start.wait(5)
        keys = ring_of(ring)
        another = True
        while another:
            key = keys.take()
            asked.append(key)
            another = keys.refused(key, REFUSED)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert len(set(asked)) == 64
    assert len(asked) <= 64 * 8
    assert not ring.refused("key-0", REFUSED)


def test_keys_may_be_functions() -> None:
    def first() -> str:
        return "a"

    def second() -> str:
        return "b"

    keys = ring_of([first, second])
    assert keys.take() is first
    assert keys.refused(first, REFUSED)
    assert keys.take() is second


@pytest.mark.parametrize("given", ["one", None, lambda: "one"])
def test_a_single_key_has_no_other(given: Any) -> None:
    keys = ring_of(given)
    assert keys.take() is given
    assert not keys.refused(given, REFUSED)
    assert keys.take() is given


def test_a_ring_shows_how_many_keys_and_none_of_them() -> None:
    ring = KeyRing(["secret-one", "secret-two"])
    assert repr(ring) == "KeyRing(2 keys)"
    assert len(ring) == 2


@pytest.mark.parametrize("keys", [[], ()])
def test_a_ring_of_nothing(keys: Any) -> None:
    with pytest.raises(errors.BadRequestError, match="at least one key"):
        ring_of(keys)
