"""From what was seen to the frozen record: usage, cost, status."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Literal, cast

from costspan.core.errors import APIError
from costspan.middleware.aliases import Alias
from costspan.middleware.answered import Answer, request_of
from costspan.middleware.attempts import answers_of, repeated
from costspan.middleware.cancellation import is_cancellation
from costspan.middleware.errors import error_facts
from costspan.middleware.live import Ending, LiveCall
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest, Status
from costspan.middleware.seeing import see_error
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Estimate


def settle(
    call: LiveCall,
    ending: Ending,
    *,
    catalogue: Catalogue,
    aliases: Mapping[str, Alias],
    billing_mode: str,
) -> Call:
    """Make the record of an ended call.

    Args:
        call: The call, ended.
        ending: How and when it ended.
        catalogue: The prices.
        aliases: Model names priced as other models.
        billing_mode: ``metered`` or ``plan``.
    """
    if ending.error is not None:
        see_error(call, ending.error)
    asked, error = call.asked, _error(call, ending)
    requests, estimate = _requests(call, ending, error, catalogue, aliases)
    # By position and in the order of the fields: by keyword, it would take 4 us longer.
    return Call(
        call.call_id,
        asked.operation,
        requests,
        call.started_at,
        ending.at,
        ending.latency_us,
        status_of(call, ending),
        ending.ended_by,
        call.ttft_us,
        call.streaming,
        call.chunks,
        error,
        call.retries,
        call.tags,
        estimate,
        call.tags.get("session_id"),
        call.tags.get("unit_id"),
        call.trace_id,
        call.span_id,
        call.root_span_id,
        cast('Literal["metered", "plan"]', billing_mode),
        "tokens",
        asked.params,
        repeated(call.attempts) if call.retries else (),
    )


def _requests(
    call: LiveCall,
    ending: Ending,
    error: ErrorFacts | None,
    catalogue: Catalogue,
    aliases: Mapping[str, Alias],
) -> tuple[tuple[ProviderRequest, ...], Estimate | None]:
    """The provider requests of a call, and the estimate that holds for all of it."""
    parts = call.take_parts()
    call.retries += sum(part.retries for part in parts)
    if call.attempts:
        answers = answers_of(call, ending, error)
        own = [request_of(each, catalogue, aliases) for each in answers]
        # What a tool asked of another model, that an SDK called between two of its requests.
        others = [request for part in parts for request in part.requests]
        if others:
            own = sorted([*own, *others], key=attrgetter("started_at"))
        return tuple(own), call.estimate
    if parts:
        requests = _joined(parts, call, ending, error, catalogue, aliases)
        return requests, parts[0].estimate if len(parts) == 1 else None
    return (request_of(_answer(call, ending, error), catalogue, aliases),), call.estimate


def _error(call: LiveCall, ending: Ending) -> ErrorFacts | None:
    """What was raised, or else what the stream said to be wrong."""
    seen = call.seen
    if ending.error is None and seen.error_type:
        return ErrorFacts(seen.error_type, code=seen.error_code)
    return error_facts(ending.error)


def _joined(
    parts: list[Call],
    call: LiveCall,
    ending: Ending,
    error: ErrorFacts | None,
    catalogue: Catalogue,
    aliases: Mapping[str, Alias],
) -> tuple[ProviderRequest, ...]:
    """The requests of the calls within, and the call's own unless it is one of them.

    A wrapped function that calls a wrapped client returns what the client returned, or something
    made of it; one that was interrupted by a signal handler's call has an answer of its own.
    """
    requests = tuple(request for part in parts for request in part.requests)
    if call.seen.usage is None and call.usage is None:
        return requests
    own = request_of(_answer(call, ending, error), catalogue, aliases)
    return requests if any(_same(own, other) for other in requests) else (*requests, own)


def _same(one: ProviderRequest, other: ProviderRequest) -> bool:
    if one.response_id is not None and other.response_id is not None:
        return one.response_id == other.response_id
    mine, theirs = one.usage, other.usage
    return mine is not None and theirs is not None and dict(mine.buckets) == dict(theirs.buckets)


def _answer(call: LiveCall, ending: Ending, error: ErrorFacts | None) -> Answer:
    """What is known of the one request of a call that has no calls within."""
    return Answer(
        call.asked,
        call.seen,
        call.usage,
        call.started_at,
        ending.at,
        ending.error is not None,
        call.recognised,
        call.streaming,
        call.estimate,
        error,
        # An error of our own core without an attempt: it was raised before anything was sent.
        call.asked.unbilled or call.seen.unbilled or isinstance(ending.error, APIError),
    )


def status_of(call: LiveCall, ending: Ending) -> Status:
    """How the call ended, in one word."""
    if ending.ended_by == "cancelled" or (ending.error and is_cancellation(ending.error)):
        return "cancelled"
    if ending.error is not None or call.seen.error_type:
        return "error"
    if ending.ended_by in ("value", "exhausted") or call.seen.complete:
        return "ok"
    return "interrupted"
