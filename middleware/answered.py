"""From one answer, or what became of it, to the frozen record of one provider request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from costspan.core.observation import Observation
from costspan.core.types import Usage
from costspan.middleware.aliases import Alias
from costspan.middleware.counting import UNCOUNTED, usage_seen
from costspan.middleware.record import ErrorFacts, ProviderRequest
from costspan.middleware.request import UNKNOWN_PROVIDER, AskedCall, provider_of_reply
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Cost, Estimate

_NOTHING_BOUGHT = Cost(Decimal(0), "free")


class Answer(NamedTuple):
    """What is known of one request when it has ended.

    Attributes:
        asked: What was asked of whom.
        seen: What the response has said.
        usage: Leaf usage, where the callee is our own core and has it ready.
        started_at, ended_at: UTC instants.
        failed: Whether it ended in an exception.
        recognised: Whether the wire format was told by what came back.
        streaming: Whether it was streamed.
        estimate: What was said of it before.
        error: What is kept of its error.
        unsent: Whether nothing was sent: a mock, no connection, an argument that is wrong.
    """

    asked: AskedCall
    seen: Observation
    usage: Usage | None
    started_at: datetime
    ended_at: datetime
    failed: bool
    recognised: bool
    streaming: bool
    estimate: Estimate | None
    error: ErrorFacts | None
    unsent: bool = False


def request_of(
    answer: Answer, catalogue: Catalogue, aliases: Mapping[str, Alias]
) -> ProviderRequest:
    """The record of one request: usage, or a flagged count of what was seen, and cost."""
    asked, seen = answer.asked, answer.seen
    provider = asked.provider
    if provider == UNKNOWN_PROVIDER:
        provider = provider_of_reply(seen.api, seen.model) or provider
    alias = aliases.get(asked.model) or aliases.get(seen.model or "")
    priced_as = alias or Alias(provider, "")
    usage = answer.usage or usage_seen(
        seen,
        provider,
        asked.model,
        answer.recognised and not answer.failed,
        answer.streaming,
        answer.estimate,
    )
    if usage is not None and UNCOUNTED in usage.flags:
        model = priced_as.model or asked.model
        if catalogue.reasons(provider=priced_as.provider, model=model, at=answer.ended_at):
            usage = usage._replace(source="partial")  # its thoughts are billed, and unseen
    reasons, context = seen.finish_reasons, asked.context
    return ProviderRequest(
        provider,
        seen.api or asked.api,
        asked.model_requested,
        seen.model or asked.model,
        answer.started_at,
        answer.ended_at,
        usage,
        _NOTHING_BOUGHT if answer.unsent else _cost(answer, usage, priced_as, catalogue),
        asked.endpoint,
        asked.port,
        seen.response_id,
        tuple([reasons[index] for index in sorted(reasons)]),
        {**context, "priced_as": str(alias)} if alias else context,
        answer.error,
    )


def _cost(answer: Answer, usage: Usage | None, alias: Alias, catalogue: Catalogue) -> Cost | None:
    """Price one request; None for a failed one that used nothing we know of.

    Args:
        alias: The catalogue's provider and model; an empty model means the one that was called.
    """
    if usage is None and answer.failed:
        return None
    asked, seen = answer.asked, answer.seen
    return catalogue.cost(
        provider=alias.provider,
        model=alias.model or asked.model,
        usage=usage,
        at=answer.ended_at,
        started_at=answer.started_at,
        api=seen.api or asked.api,
        response_model=None if alias.model else seen.model,
        response=seen.response,
        context=asked.context,
    )
