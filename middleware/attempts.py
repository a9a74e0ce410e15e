"""The attempts of our own core, which sends the requests itself and knows each of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from costspan.core.attempt import Attempt
from costspan.core.observation import Observation
from costspan.middleware.answered import Answer
from costspan.middleware.errors import error_facts
from costspan.middleware.live import Ending, LiveCall
from costspan.middleware.record import ErrorFacts, Repeated
from costspan.middleware.request import context_of


def answers_of(call: LiveCall, ending: Ending, error: ErrorFacts | None) -> list[Answer]:
    """What is known of each request that counts, oldest first.

    An attempt that was made again counts as a request of its own only if it used something:
    else the one after it stands for it.

    Args:
        call: The call, ended, with its attempts.
        ending: How it ended.
        error: What is kept of the error that reached the user.
    """
    attempts = call.attempts
    last = attempts[-1]
    counted = [a for a in attempts if a is last or a.wait_s is None or a.seen is not None]
    return [_answer(a, call, ending, error if a is last else None) for a in counted]


def _answer(attempt: Attempt, call: LiveCall, ending: Ending, error: ErrorFacts | None) -> Answer:
    is_last = attempt is call.attempts[-1]
    single = len(call.attempts) == 1
    return Answer(
        call.asked._replace(
            provider=attempt.provider,
            api=attempt.api,
            endpoint=attempt.endpoint,
            port=attempt.port,
            model_requested=attempt.model_requested,
            model=attempt.model,
            context=context_of(call.asked.body, attempt.provider, attempt.endpoint),
        ),
        attempt.seen or Observation(attempt.api),
        call.usage if single else None,
        call.started_at if single else _instant(attempt.started_ns),
        ending.at if is_last else _instant(attempt.ended_ns),
        attempt.error is not None or (is_last and ending.error is not None),
        attempt.seen is not None,
        call.streaming,
        call.estimate,
        error or error_facts(attempt.error),
        attempt.mocked or _never_left(attempt),
    )


def _never_left(attempt: Attempt) -> bool:
    """Whether it is known that nothing reached the server: a refused connection costs nothing."""
    return attempt.error is not None and not attempt.error.sent


def _instant(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns / 1e9, UTC)


def repeated(attempts: Sequence[Attempt]) -> tuple[Repeated, ...]:
    """The attempts after which another one was made, as events of the call."""
    return tuple(
        Repeated(
            _instant(attempt.ended_ns),
            attempt.provider,
            attempt.model,
            error_facts(attempt.error),
            attempt.wait_s,
        )
        for attempt in attempts[:-1]
        if attempt.error is not None
    )
