"""The circuit breaker: opens on a rate, lets one request through, and shuts again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from costspan.core import errors
from costspan.core.breaker import CircuitBreaker

URL = "https://api.example.com/v1"
BROKEN = errors.InternalServerError("broken")


class Clock:
    """Time that stands still until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def is_open(breaker: CircuitBreaker, address: str = URL) -> bool:
    try:
        breaker.before(address)
    except errors.CircuitOpenError:
        return True
    return False


def breaker_at(clock: Clock, *outcomes: errors.APIError | None) -> CircuitBreaker:
    breaker = CircuitBreaker(min_calls=4, window_s=10, open_s=5, clock=clock)
    for outcome in outcomes:
        breaker.after(URL, outcome)
    return breaker


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (BROKEN, True),
        (errors.InternalServerError("bad gateway", status_code=502), True),
        (errors.ServiceUnavailableError("down"), True),
        (errors.OverloadedError("busy"), True),
        (errors.Timeout("late"), True),
        (errors.APIConnectionError("gone"), True),
        (errors.RateLimitError("slow"), False),
        (errors.QuotaExceededError("empty"), False),
        (errors.BadRequestError("wrong"), False),
        (errors.AuthenticationError("no"), False),
        (errors.NotFoundError("what"), False),
    ],
    ids=str,
)
def test_what_counts_as_a_failure(error: errors.APIError, counts: bool) -> None:
    assert is_open(breaker_at(Clock(), *[error] * 4)) is counts


@pytest.mark.parametrize(
    ("outcomes", "opens"),
    [
        ([BROKEN] * 3, False),
        ([BROKEN] * 4, True),
        ([None, None, BROKEN, BROKEN], True),
        ([BROKEN, BROKEN, BROKEN, None], True),
        ([None, None, None, BROKEN, BROKEN], False),
        ([None, None, None, BROKEN, BROKEN, BROKEN], True),
    ],
)
def test_it_opens_on_a_rate(outcomes: list[errors.APIError | None], opens: bool) -> None:
    assert is_open(breaker_at(Clock(), *outcomes)) is opens


def test_what_is_older_than_the_window_is_forgotten() -> None:
    clock = Clock()
    breaker = breaker_at(clock, BROKEN, BROKEN, BROKEN)
    clock.now_s = 10.01
    breaker.after(URL, BROKEN)
    assert not is_open(breaker)


def test_it_says_who_is_not_asked_for_how_long_and_why() -> None:
    clock = Clock()
    breaker = breaker_at(clock, *[BROKEN] * 4)
    clock.now_s = 2
    said = r"nothing is sent to api\.example\.com for 3\.0 more seconds: 50% or more"
    with pytest.raises(errors.CircuitOpenError, match=said) as caught:
        breaker.before(URL)
    assert isinstance(caught.value, errors.ServiceUnavailableError)
    assert caught.value.retry_after_s == 3
    assert repr(breaker) == f"CircuitBreaker(open for ['{URL}'])"


def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = breaker_at(clock, *[BROKEN] * 4)
    clock.now_s = 5
    assert [is_open(breaker) for _ in range(3)] == [False, True, True]
    breaker.after(URL, None)
    breaker.after(URL, BROKEN)  # The past is forgotten: one failure is not enough.
    assert not is_open(breaker)


def test_a_probe_that_fails_opens_it_again() -> None:
    clock = Clock()
    breaker = breaker_at(clock, *[BROKEN] * 4)
    clock.now_s = 5
    breaker.before(URL)
    breaker.after(URL, BROKEN)
    clock.now_s = 9.99
    assert is_open(breaker)
    clock.now_s = 10
    assert not is_open(breaker)


def test_a_probe_that_never_reports_bars_nobody_for_ever() -> None:
    clock = Clock()
    breaker = breaker_at(clock, *[BROKEN] * 4)
    clock.now_s = 5
    breaker.before(URL)
    clock.now_s = 9.99
    assert is_open(breaker)
    clock.now_s = 10
    assert not is_open(breaker)


def test_requests_from_before_say_nothing_of_now() -> None:
    clock = Clock()
    breaker = breaker_at(clock, *[BROKEN] * 4)
    clock.now_s = 4
    breaker.after(URL, BROKEN)
    breaker.after(URL, None)
    assert is_open(breaker)
    clock.now_s = 5
    assert not is_open(breaker)


def test_servers_are_apart() -> None:
    assert not is_open(breaker_at(Clock(), *[BROKEN] * 4), "https://other.example.com")


def test_memory_is_bounded() -> None:
    breaker = CircuitBreaker(failure_rate=1, window_s=1e9)
    for number in range(12_000):
        breaker.after(URL, None)
        if number % 10 == 0:
            breaker.after(f"https://{number}.example.com", None)
    assert len(breaker._circuits) == 1000
    assert max(len(each.outcomes) for each in breaker._circuits.values()) <= 10_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("failure_rate", 0),
        ("failure_rate", 1.1),
        ("min_calls", 0),
        ("window_s", 0),
        ("open_s", -1),
    ],
)
def test_values_out_of_range(name: str, value: float) -> None:
    given: dict[str, float] = {name: value}
    with pytest.raises(errors.BadRequestError, match=f"{name}"):
        CircuitBreaker(**given)  # type: ignore[arg-type]  # a name of any parameter


def test_one_probe_of_many_threads() -> None:
    clock = Clock()
    breaker = breaker_at(clock, *[BROKEN] * 4)
    clock.now_s = 5
    start = threading.Barrier(16)

    def one(_: int) -> bool:
        start.wait(5)
        return is_open(breaker)

    with ThreadPoolExecutor(16) as pool:
        assert sum(not refused for refused in pool.map(one, range(16))) == 1


class Machine(RuleBasedStateMachine):
    """Against a model that keeps all outcomes and counts them anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker(0.5, 3, window_s=10, open_s=5, clock=self.clock)
        self.outcomes: list[tuple[float, bool]] = []
        self.opened_at: float | None = None
        self.probe_at: float | None = None

    @rule(seconds=st.integers(0, 6))
    def wait(self, seconds: int) -> None:
        self.clock.now_s += seconds

    @rule()
    def ask(self) -> None:
        now = self.clock()
        if self.opened_at is None:
            assert not is_open(self.breaker)
            return
        due = (self.opened_at if self.probe_at is None else self.probe_at) + 5
        assert is_open(self.breaker) is (now < due)
        if now >= due:
            self.probe_at = now

    @rule(failed=st.booleans())
    def end(self, failed: bool) -> None:
        now = self.clock()
        self.breaker.after(URL, BROKEN if failed else None)
        if self.opened_at is None:
            self.outcomes.append((now, failed))
            recent = [each for at, each in self.outcomes if at >= now - 10]
            if len(recent) >= 3 and sum(recent) / len(recent) >= 0.5:
                self.opened_at = now
        elif self.probe_at is not None:
            self.opened_at, self.probe_at = (now if failed else None), None
            if not failed:
                self.outcomes.clear()

    @precondition(lambda self: self.opened_at is None)
    @invariant()
    def closed_lets_all_through(self) -> None:
        assert repr(self.breaker) == "CircuitBreaker(open for none)"


TestMachine = Machine.TestCase
