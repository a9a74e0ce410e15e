"""Only what is safe is sent again; the wait is never too short, too long, or past the deadline."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core import errors
from costspan.core.failures import error_from_response
from costspan.core.policy import Policy
from costspan.core.retrying import Retries, is_safe


def answered(status: int, **headers: str) -> errors.APIError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_from_response(status, named, b"", provider="p")


def broken(kind: type[errors.APIConnectionError], *, sent: bool) -> errors.APIError:
    error = kind("broken")
    error.answered, error.sent = False, sent
    return error


ONCE = [400, 401, 402, 403, 404, 410, 413, 418, 422, 424, 499, 501, 505]
AGAIN = [408, 409, 425, 429, 500, 502, 503, 504, 529]


@pytest.mark.parametrize(
    ("error", "safe", "safe_if_billed"),
    [
        *((answered(status), False, False) for status in ONCE),
        *((answered(status), True, True) for status in AGAIN),
        (answered(429, x_should_retry="false"), False, False),
        (answered(400, x_should_retry="true"), True, True),
        (answered(500, x_should_retry="perhaps"), True, True),
        (errors.QuotaExceededError("empty"), False, False),
        (errors.QuotaExceededError("empty", status_code=429), False, False),
        (errors.CircuitOpenError("open"), False, False),
        (errors.APIResponseValidationError("no completion"), False, False),
        (broken(errors.APIConnectionError, sent=False), True, True),
        (broken(errors.APIConnectionError, sent=True), False, True),
        (broken(errors.Timeout, sent=False), True, True),
        (broken(errors.Timeout, sent=True), False, True),
    ],
    ids=str,
)
def test_what_is_safe(error: errors.APIError, safe: bool, safe_if_billed: bool) -> None:
    assert is_safe(error, Policy()) is safe
    assert is_safe(error, Policy(retry_timeouts=True)) is safe_if_billed


class Clock:
    """Time that stands still until it is moved."""

    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def test_the_waits_double_up_to_the_longest() -> None:
    policy = Policy(max_retries=6, first_wait_s=1, max_wait_s=8)
    bounds = [1, 2, 4, 8, 8, 8]
    seen = [0.0] * 6
    for _ in range(300):
        retries = Retries(policy)
        for position, bound in enumerate(bounds):
            wait_s = retries.wait_s(answered(500))
            assert wait_s is not None
            assert 0 <= wait_s <= bound
            seen[position] = max(seen[position], wait_s)
        assert retries.wait_s(answered(500)) is None
    # Full jitter: of 300 draws the longest is within a tenth of the bound, but for 1 in 10**13.
    assert all(longest > 0.9 * bound for longest, bound in zip(seen, bounds, strict=True))


def test_no_retries() -> None:
    assert Retries(Policy(max_retries=0)).wait_s(answered(500)) is None


POLICIES = st.builds(
    Policy,
    max_retries=st.integers(0, 5),
    first_wait_s=st.floats(0.001, 100),
    max_wait_s=st.floats(0.001, 100),
    max_retry_after_s=st.floats(0.001, 100),
)


@given(
    POLICIES,
    st.none() | st.floats(-10, 500),
    st.lists(st.tuples(st.none() | st.floats(0, 200), st.floats(0, 50)), min_size=1, max_size=7),
)
def test_laws_of_waiting(
    policy: Policy, left_s: float | None, failures: list[tuple[float | None, float]]
) -> None:
    """Never before Retry-After, never past the deadline, never longer than either allows."""
    clock = Clock()
    deadline = None if left_s is None else clock() + left_s
    retries = Retries(policy, deadline, clock)
    waits = 0
    for retry_after_s, took_s in failures:
        clock.now_s += took_s
        error = errors.RateLimitError("slow", retry_after_s=retry_after_s)
        wait_s = retries.wait_s(error)
        if wait_s is None:
            break
        waits += 1
        asked_s = retry_after_s or 0.0
        assert asked_s <= wait_s <= max(asked_s, policy.max_wait_s)
        assert asked_s <= policy.max_retry_after_s
        assert deadline is None or clock() + wait_s < deadline
        clock.now_s += wait_s
    assert waits <= policy.max_retries


@pytest.mark.parametrize(
    ("retry_after_s", "policy", "left_s"),
    [(61.0, Policy(), None), (5.0, Policy(max_retry_after_s=4), None), (5.0, Policy(), 5.0)],
)
def test_a_provider_that_asks_for_too_much_gets_no_second_request(
    retry_after_s: float, policy: Policy, left_s: float | None
) -> None:
    clock = Clock()
    deadline = None if left_s is None else clock() + left_s
    error = errors.RateLimitError("slow", retry_after_s=retry_after_s)
    assert Retries(policy, deadline, clock).wait_s(error) is None
    assert error.retry_after_s == retry_after_s


def test_errors_of_other_kinds_are_asked_about_first() -> None:
    retries: Any = Retries(Policy(max_retries=1))
    assert retries.wait_s(answered(400)) is None
    assert retries.wait_s(answered(503, retry_after="7")) == 7
    assert retries.wait_s(answered(503)) is None
