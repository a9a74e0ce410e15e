"""The way of a completion: what is sent, when it is sent again, and who is asked next.

A generator that does no I/O: it yields what is to be done and is sent what came of it, so that
the synchronous and the asynchronous driver (`costspan.core.driver`) share all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from costspan.core import transport
from costspan.core.assembly import Exchange, no_completion, reply_from_body
from costspan.core.attempt import Attempt
from costspan.core.decoders import Event
from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import api_key_for
from costspan.core.errors import APIError
from costspan.core.failures import error_from_response
from costspan.core.fan_out import joined
from costspan.core.keyring import Key, ring_of
from costspan.core.observation import Observation
from costspan.core.plan import Candidate, Plan
from costspan.core.reply import Reply
from costspan.core.retrying import Retries

if TYPE_CHECKING:
    from costspan.core.breaker import CircuitBreaker
    from costspan.core.timeouts import Limits


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together:
    """Take several ways at once; what comes back is a list of results and errors."""

    ways: Sequence[Way]


@dataclass(frozen=True, slots=True)
class Opened:
    """The head of a streamed answer: the driver makes the stream of it.

    Attributes:
        response: The response, its body unread.
        exchange: What was asked.
        attempts: All attempts so far; the last one is this.
        limits: What the policy limits of the reading; None where it does not.
        secret: The API key that was sent, so that no echo of it survives in an error.
        breaker: Is told if the stream breaks.
    """

    response: transport.Response
    exchange: Exchange
    attempts: Sequence[Attempt]
    limits: Limits | None = None
    secret: str | None = field(default=None, repr=False)
    breaker: CircuitBreaker | None = None


Step: TypeAlias = transport.Call | Wait | Together
Way: TypeAlias = "Generator[Step, Any, Any]"
"""Yields steps. A call is answered by its response, read unless it is a stream's."""


Reading: TypeAlias = Callable[[transport.Response, transport.Call, Exchange, list[Attempt]], Any]
"""Makes the reply of a response to the last of some attempts, or raises the error that it means."""


def way(plan: Plan, first: Candidate, read: Reading | None = None) -> Way:
    """Ask the models of a plan one after the other, until one answers.

    Args:
        plan: The plan.
        first: The first candidate, which is made outside so that what is wrong with the request
            itself is raised at once.
        read: What makes the reply, if it is not a completion's.

    Raises:
        APIError: The last model's error. ``failures`` holds those of the models before it, and
            ``history`` all attempts.
    """
    history: list[Attempt] = []
    failures: list[APIError] = []
    deadline = _deadline(plan)
    for position, target in enumerate(plan.targets):
        try:
            candidate = plan.candidate(target) if position else first
            if candidate.repeats > 1:
                return (yield from _fan_out(plan, candidate, history, deadline))
            return (yield from _ask(plan, candidate, history, deadline, read or _read))
        except APIError as error:
            if position + 1 == len(plan.targets) or _is_over(deadline):
                raise _told(error, failures, history) from error.__cause__
            failures.append(error)
    raise AssertionError("a plan has a target")  # pragma: no cover


def _deadline(plan: Plan) -> float | None:
    """The instant of the monotonic clock at which all is given up."""
    limit_s = plan.policy.deadline_s
    return None if limit_s is None else time.monotonic() + limit_s


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _told(error: APIError, failures: list[APIError], history: list[Attempt]) -> APIError:
    """The error that reaches the caller, with all that was tried."""
    error.history = tuple(history)
    error.attempts = len(history)
    error.failures = tuple(failures)
    for each in failures:
        error.add_note(f"before that, {each.model or 'a model'}: {type(each).__name__}: {each}")
    return error


def _ask(
    plan: Plan,
    candidate: Candidate,
    history: list[Attempt],
    deadline: float | None,
    read: Reading,
) -> Way:
    """Ask one model, again where that is safe."""
    exchange, breaker = candidate.exchange, plan.policy.breaker
    endpoint = exchange.endpoint
    address = endpoint.base_url or ""
    keys = ring_of(candidate.target.api_key)
    retries: Retries | None = None
    while True:
        key = keys.take()
        call = candidate.call(_key(plan, endpoint, key), plan, deadline)
        if breaker:
            breaker.before(address)
        attempt = Attempt.begin(endpoint, candidate.target.model, exchange.request.model)
        attempt.mocked = plan.mocked
        history.append(attempt)
        try:
            found = read((yield call), call, exchange, history)
        except APIError as error:
            _end(attempt, breaker, address, error)
            if keys.refused(key, error):
                attempt.wait_s = 0.0
                continue
            retries = retries or Retries(plan.policy, deadline)
            attempt.wait_s = retries.wait_s(error)
            if attempt.wait_s is None:
                raise
            yield Wait(attempt.wait_s)
        else:
            _end(attempt, breaker, address)
            return replace(found, breaker=breaker) if isinstance(found, Opened) else found


def _end(
    attempt: Attempt, breaker: CircuitBreaker | None, address: str, error: APIError | None = None
) -> None:
    """Note the end of an attempt, and tell the breaker of it."""
    attempt.end(error)
    if breaker is not None:
        breaker.after(address, error)


def _key(plan: Plan, endpoint: Endpoint, given: Key | None) -> str | None:
    """The key as a text; None where none is needed."""
    if plan.mocked:
        return None
    return api_key_for(endpoint, given() if callable(given) else given)


def _read(
    response: transport.Response, call: transport.Call, exchange: Exchange, history: list[Attempt]
) -> Reply | Opened:
    """The reply in a response, or the error that it means."""
    raise_if_failed(response, call, exchange)
    if exchange.request.stream:
        return Opened(response, exchange, history, call.limits, call.key)
    body = Event("", response.content).json()
    if body is None:
        raise no_completion(exchange)
    history[-1].seen = seen = Observation(exchange.endpoint.protocol)
    reply = reply_from_body(body, exchange, seen, call.key)
    reply.attempts = history
    return reply


def raise_if_failed(response: transport.Response, call: transport.Call, exchange: Exchange) -> None:
    """Raise the error that a response means, if it is a refusal."""
    if response.status_code >= 300:
        raise error_from_response(
            response.status_code,
            response.headers,
            response.content,
            provider=exchange.endpoint.provider,
            model=exchange.request.model,
            key_variables=exchange.endpoint.key,
            secret=call.key,
        )


def _fan_out(
    plan: Plan, candidate: Candidate, history: list[Attempt], deadline: float | None
) -> Way:
    """Ask one model several times at once, and make one reply of the answers."""
    histories: list[list[Attempt]] = [[] for _ in range(candidate.repeats)]
    results = yield Together([_ask(plan, candidate, each, deadline, _read) for each in histories])
    for each in histories:
        history += each
    for result in results:
        if isinstance(result, APIError):
            raise result
    return joined(results, history)
