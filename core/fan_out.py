"""Several answers from a provider that gives one a request: one reply is made of the replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from costspan.core.attempt import Attempt
from costspan.core.reply import Reply, TokenUsage
from costspan.core.types import Quantity, Served, Usage


def joined(replies: Sequence[Reply], attempts: Sequence[Attempt]) -> Reply:
    """One reply with the answers of all: choices numbered on, usage summed, the first one's id."""
    choices = [choice for reply in replies for choice in reply.choices]
    meters = summed([reply.meters for reply in replies])
    return replace(
        replies[0],
        choices=[replace(choice, index=index) for index, choice in enumerate(choices)],
        usage=TokenUsage.of(meters),
        meters=meters,
        raw=None,
        attempts=tuple(attempts),
    )


def summed(usages: Sequence[Usage | None]) -> Usage | None:
    """The sum of usages of one provider and api; None where one of them is unknown.

    For showing only: a price is worked out of each request alone, because a price band must never
    see a sum.
    """
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    totals = [usage.total_tokens for usage in known if usage.total_tokens is not None]
    return known[0]._replace(
        buckets=_added(usage.buckets for usage in known),
        fees=_added(usage.fees for usage in known),
        flags=tuple(dict.fromkeys(flag for usage in known for flag in usage.flags)),
        total_tokens=sum(totals) if len(totals) == len(known) else None,
        served=Served(known[0].served.model),
    )


def _added(parts: Iterable[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for part in parts:
        for meter, quantity in part.items():
            total[meter] = total.get(meter, 0) + quantity
    return total
