"""From what was seen to the frozen record: usage, cost, status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from costspan.core.types import Usage
from costspan.middleware.aliases import Alias
from costspan.middleware.cancellation import is_cancellation
from costspan.middleware.counting import UNCOUNTED, usage_seen
from costspan.middleware.live import Ending, LiveCall
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest, Status
from costspan.middleware.request import UNKNOWN_PROVIDER, provider_of_reply
from costspan.middleware.seeing import see_error
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Cost

_MAX_CODE_LENGTH = 64


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
    asked, error = call.asked, _error(call, ending)
    if parts := call.take_parts():
        requests = _joined(parts, call, ending, error, catalogue, aliases)
        estimate = parts[0].estimate if len(parts) == 1 else None
    else:
        requests, estimate = (_request(call, ending, error, catalogue, aliases),), call.estimate
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
        cast(Literal["metered", "plan"], billing_mode),
        "tokens",
        asked.params,
    )


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
    own = _request(call, ending, error, catalogue, aliases)
    return requests if any(_same(own, other) for other in requests) else (*requests, own)


def _same(one: ProviderRequest, other: ProviderRequest) -> bool:
    if one.response_id is not None and other.response_id is not None:
        return one.response_id == other.response_id
    mine, theirs = one.usage, other.usage
    return mine is not None and theirs is not None and dict(mine.buckets) == dict(theirs.buckets)


def _request(
    call: LiveCall,
    ending: Ending,
    error: ErrorFacts | None,
    catalogue: Catalogue,
    aliases: Mapping[str, Alias],
) -> ProviderRequest:
    """The one provider request of a call that has no calls within."""
    if ending.error is not None:
        see_error(call, ending.error)
    asked, seen = call.asked, call.seen
    provider = asked.provider
    if provider == UNKNOWN_PROVIDER:
        provider = provider_of_reply(seen.api, seen.model) or provider
    alias = aliases.get(asked.model) or aliases.get(seen.model or "")
    priced_as = alias or Alias(provider, "")
    usage = call.usage or usage_seen(call, ending, provider)
    if usage is not None and UNCOUNTED in usage.flags:
        model = priced_as.model or asked.model
        if catalogue.reasons(provider=priced_as.provider, model=model, at=ending.at):
            usage = usage._replace(source="partial")  # its thoughts are billed, and unseen
    reasons = seen.finish_reasons
    return ProviderRequest(
        provider,
        seen.api or asked.api,
        asked.model_requested,
        seen.model or asked.model,
        call.started_at,
        ending.at,
        usage,
        _cost(call, ending, usage, priced_as, catalogue),
        asked.endpoint,
        asked.port,
        seen.response_id,
        tuple([reasons[index] for index in sorted(reasons)]),
        {**asked.context, "priced_as": str(alias)} if alias else asked.context,
        error,
    )


def _cost(
    call: LiveCall,
    ending: Ending,
    usage: Usage | None,
    alias: Alias,
    catalogue: Catalogue,
) -> Cost | None:
    """Price one request; None for a failed one that used nothing we know of.

    Args:
        alias: The catalogue's provider and model; an empty model means the one that was called.
    """
    if usage is None and ending.error is not None:
        return None
    return catalogue.cost(
        provider=alias.provider,
        model=alias.model or call.asked.model,
        usage=usage,
        at=ending.at,
        started_at=call.started_at,
        api=call.seen.api or call.asked.api,
        response_model=None if alias.model else call.seen.model,
        response=call.seen.response,
        context=call.asked.context,
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


def error_facts(error: BaseException | None) -> ErrorFacts | None:
    """Type, HTTP status and provider code of an error; never its message."""
    if error is None:
        return None
    kind = type(error)
    module = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    status = getattr(error, "status_code", None)
    code = getattr(error, "code", None)
    return ErrorFacts(
        type=name,
        http_status=status if isinstance(status, int) else None,
        code=_code(code),
    )


def _code(value: object) -> str | None:
    """A provider's error code; anything that reads like prose is not one and is not kept."""
    if isinstance(value, str) and len(value) <= _MAX_CODE_LENGTH and len(value.split()) == 1:
        return value
    return None
