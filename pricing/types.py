"""The results of pricing: a cost with its lines, and an estimate with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from costspan.core.types import Quantity

CostStatus: TypeAlias = Literal["priced", "reported", "free", "partial", "unpriced"]
"""``priced`` every bucket has a rate; ``reported`` the amount is the provider's own; ``free`` the
rates are known to be zero; ``partial`` some meter has no rate, or the provider told one side of the
usage only, the total holds the rest;
``unpriced`` no rate is known or no usage was seen: the total is None, never 0."""

Number = TypeVar("Number")


class CostLine(NamedTuple):
    """One bucket times its price.

    Attributes:
        meter: The leaf meter that was billed (``tokens.in.cache_read``).
        quantity: How much of it, in tokens, seconds, pages or calls.
        rate_usd: US dollars per ``per`` units, before factors.
        per: How many units ``rate_usd`` buys (usually 1,000,000).
        factors: Multipliers that applied, as (id, factor).
        amount_usd: The product, quantised once, half-even, to 12 decimal places.
        row: Id of the price row in the catalogue; stable across catalogue versions.
    """

    meter: str
    quantity: Quantity
    rate_usd: Decimal
    per: int
    factors: tuple[tuple[str, Decimal], ...]
    amount_usd: Decimal
    row: str


class Cost(NamedTuple):
    """What one provider request costs, as it will be invoiced.

    Attributes:
        total: US dollars, the sum of the lines' quantised amounts, or the amount the provider
            reported. None when nothing is known: unknown is not zero.
        status: How far the total can be trusted, see `CostStatus`.
        lines: The itemisation; empty for ``unpriced``.
        reported: The amount in US dollars that the provider reported, if any.
        difference: Reported minus computed, when both exist.
        unpriced_meters: Meters that were used and have no rate, or whose quantity the provider
            did not tell.
        provider: The canonical provider whose rates applied.
        model: The catalogue's model id that was priced; None when it is unknown.
        catalogue_version: Which catalogue computed this.
    """

    total: Decimal | None
    status: CostStatus
    lines: tuple[CostLine, ...] = ()
    reported: Decimal | None = None
    difference: Decimal | None = None
    unpriced_meters: tuple[str, ...] = ()
    provider: str = ""
    model: str | None = None
    catalogue_version: str = ""


class Interval(NamedTuple, Generic[Number]):
    """Low, likely and high value of an estimated quantity."""

    low: Number
    likely: Number
    high: Number


class Estimate(NamedTuple):
    """What a call will use and cost, said before it runs.

    Attributes:
        input_tokens: Prompt tokens.
        output_tokens: Generated tokens.
        cost_usd: US dollars; None where the model has no known price.
        basis: What the token count stands on (``o200k``, ``cl100k``, ``o200k*1.10`` for a family
            factor, ``o200k~sampled`` where long texts were sampled, ``heuristic`` before the
            vocabulary is loaded).
        confidence: ``high``, ``medium`` or ``low``.
        assumptions: What was taken for granted (tier, region, cache), as short words.
    """

    input_tokens: Interval[int]
    output_tokens: Interval[int]
    cost_usd: Interval[Decimal] | None
    basis: str
    confidence: Literal["high", "medium", "low"]
    assumptions: Mapping[str, str] = MappingProxyType({})

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy it; a read-only mapping can be neither."""
        return Estimate, tuple(self._replace(assumptions=dict(self.assumptions)))
