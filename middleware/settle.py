"""From what was seen to the frozen record: usage, cost, status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from costspan.core.types import Usage
from costspan.middleware.cancellation import is_cancellation
from costspan.middleware.live import Ending, LiveCall
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest, Status
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.estimate import count_answer
from costspan.pricing.types import Cost

_MAX_CODE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Alias:
    """The catalogue's name of a model that is called by another name."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


def parse_aliases(aliases: Mapping[str, str]) -> dict[str, Alias]:
    """Read ``name -> provider/model``.

    Raises:
        ValueError: A target without a provider.
    """
    parsed: dict[str, Alias] = {}
    for name, target in aliases.items():
        provider, slash, model = target.partition("/")
        if not slash or not provider or not model:
            raise ValueError(
                f"alias {name!r}: {target!r} does not name provider/model, "
                "for instance 'openai/gpt-4o'"
            )
        parsed[name] = Alias(provider, model)
    return parsed


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
    asked, seen = call.asked, call.seen
    error = error_facts(ending.error)
    if error is None and seen.error_type:
        error = ErrorFacts(seen.error_type, code=seen.error_code)
    usage = call.usage or usage_seen(call, ending)
    alias = aliases.get(asked.model) or aliases.get(seen.model or "")
    context = {**asked.context, "priced_as": str(alias)} if alias else asked.context
    reasons = seen.finish_reasons
    # By position and in the order of the fields: by keyword, the two would take 4 us longer.
    request = ProviderRequest(
        asked.provider,
        seen.api or asked.api,
        asked.model_requested,
        seen.model or asked.model,
        call.started_at,
        ending.at,
        usage,
        _cost(call, ending, usage, alias, catalogue),
        asked.endpoint,
        asked.port,
        seen.response_id,
        tuple([reasons[index] for index in sorted(reasons)]),
        context,
        error,
    )
    return Call(
        call.call_id,
        asked.operation,
        (request,),
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
        call.estimate,
        call.tags.get("session_id"),
        call.tags.get("unit_id"),
        call.trace_id,
        call.span_id,
        call.root_span_id,
        cast(Literal["metered", "plan"], billing_mode),
        "tokens",
        asked.params,
    )


def _cost(
    call: LiveCall, ending: Ending, usage: Usage | None, alias: Alias | None, catalogue: Catalogue
) -> Cost | None:
    """Price one request; None for a failed one that used nothing we know of."""
    if usage is None and ending.error is not None:
        return None
    return catalogue.cost(
        provider=alias.provider if alias else call.asked.provider,
        model=alias.model if alias else call.asked.model,
        usage=usage,
        at=ending.at,
        started_at=call.started_at,
        api=call.seen.api or call.asked.api,
        response_model=None if alias else call.seen.model,
        response=call.seen.response,
        context=call.asked.context,
    )


def usage_seen(call: LiveCall, ending: Ending) -> Usage | None:
    """The provider's usage, or else a flagged count of what was seen.

    Of a request that failed before any answer, and of a result that is no reply of any wire
    format we know, nothing can be said: None.
    """
    seen = call.seen
    usage = seen.usage_of(call.asked.provider)
    if usage is not None and (seen.complete or not seen.output_text):
        return usage
    answered = call.recognised and seen.complete and ending.error is None
    if not seen.output_text and not answered:
        return usage
    output_tokens = count_answer("".join(seen.output_text), model=call.asked.model)
    if usage is not None:
        return _completed(usage, output_tokens)
    buckets = {"tokens.out.text": output_tokens}
    if call.estimate is not None:
        buckets["tokens.in.text"] = call.estimate.input_tokens.likely
    return Usage(
        buckets=buckets,
        source="estimated" if seen.complete else "partial",
        flags=("no_usage",),
        profile=f"{call.asked.provider}/{call.asked.api}",
    )


def _completed(usage: Usage, output_tokens: int) -> Usage:
    """A cut stream whose last report came before its last text: take the larger output."""
    reported = usage.output_tokens or 0
    if output_tokens <= reported:
        return usage._replace(source="partial")
    text = usage.buckets.get("tokens.out.text", 0) + output_tokens - reported
    return usage._replace(buckets={**usage.buckets, "tokens.out.text": text}, source="partial")


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
