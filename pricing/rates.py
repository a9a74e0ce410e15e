"""From rows to rates: which price and which factors hold for a meter of one call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costspan.core.types import Quantity
from costspan.pricing.rows import BEGINNING, END, Multiplier, Price
from costspan.pricing.schedules import Schedule
from costspan.pricing.situation import Situation

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Our own arithmetic: the user's decimal context must not change an amount."""
PICODOLLAR = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of a meter costs in one situation.

    Attributes:
        row: The price row.
        factors: Multipliers that apply, as (id, factor).
        unit_usd: Rate times factors per unit, exact; per ``row.per`` units where a unit's share
            has no finite decimal (60 seconds).
        divisor: What remains to divide by, or 1.
    """

    row: Price
    factors: tuple[tuple[str, Decimal], ...]
    unit_usd: Decimal
    divisor: int

    def amount(self, quantity: Quantity) -> Decimal:
        """Give US dollars, quantised once, half-even, to 12 places."""
        product = EXACT.multiply(self.unit_usd, quantity)
        if self.divisor != 1:
            product = EXACT.divide(product, self.divisor)
        return EXACT.quantize(product, PICODOLLAR)


@dataclass(slots=True)
class Book:
    """All rows of one model: its own and those of the patterns that it fits.

    Attributes:
        provider: The canonical provider whose rows these are.
        model: The model id as the catalogue spells it.
        prices: Rows by meter.
        multipliers: Multipliers for the model, in the order of the file.
        fixed_tokens: Tokens that a fee brings along: fee meter to (meter, tokens, start, end).
        minimums: The least that a request is billed of a meter, once it uses any.
        schedules: The time-of-day schedules its rows name.
        request_fee: The fee that each response bears, or empty.
        thresholds: Prompt sizes at which a band begins, ascending.
        by_thought: Whether a row depends on the model having thought.
    """

    provider: str
    model: str
    prices: dict[str, list[Price]]
    multipliers: tuple[Multiplier, ...]
    fixed_tokens: dict[str, tuple[str, int, datetime, datetime]]
    minimums: dict[str, int]
    schedules: dict[str, Schedule]
    request_fee: str
    thresholds: tuple[int, ...] = field(init=False)
    by_thought: bool = field(init=False)

    def __post_init__(self) -> None:
        rows = [row for some in self.prices.values() for row in some]
        self.thresholds = tuple(sorted({row.over for row in rows} - {-1}))
        self.by_thought = any(row.tier == "thinking" for row in rows)

    def holds_at(self, at: datetime) -> bool:
        """Say whether the model had any price of its own at an instant."""
        return any(
            row.start <= at < row.end
            for meter, rows in self.prices.items()
            if not meter.startswith("fee.")
            for row in rows
        )

    def paid_meters(self, at: datetime) -> set[str]:
        """Give the meters that cost something at an instant."""
        return {
            meter
            for meter, rows in self.prices.items()
            if any(row.start <= at < row.end and row.rate_usd for row in rows)
        }

    def period(self, at: datetime) -> tuple[datetime, datetime]:
        """Give the period around an instant within which no rate and no factor changes."""
        edges = list(self.boundaries())
        before = max((edge for edge in edges if edge <= at), default=BEGINNING)
        return before, min((edge for edge in edges if edge > at), default=END)

    def boundaries(self) -> Iterable[datetime]:
        """Give every instant at which a rate or a factor of the model begins or ends."""
        for rows in self.prices.values():
            for row in rows:
                yield row.start
                yield row.end
        for multiplier in self.multipliers:
            yield multiplier.start
            yield multiplier.end


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What selects among a model's rows at one instant.

    Attributes:
        at: The instant.
        situation: Tier, place, deployment and speed.
        prompt_tokens: The whole prompt; bands compare it.
        thought: Whether the answer used reasoning tokens.
        open_schedules: Names of the schedules whose windows are open.
    """

    at: datetime
    situation: Situation
    prompt_tokens: Quantity
    thought: bool
    open_schedules: frozenset[str]


FALLBACKS = {
    "tokens.out.reasoning": ("tokens.out.text",),
    "tokens.out.audio": ("tokens.out.text",),
    "tokens.out.image": ("tokens.out.text",),
    "tokens.out.video": ("tokens.out.text",),
    "tokens.in.audio": ("tokens.in.text",),
    "tokens.in.image": ("tokens.in.text",),
    "tokens.in.video": ("tokens.in.text",),
    "tokens.in.cache_read": ("tokens.in.text",),
    "tokens.in.cache_read.audio": ("tokens.in.cache_read", "tokens.in.audio", "tokens.in.text"),
    "tokens.in.cache_read.image": ("tokens.in.cache_read", "tokens.in.image", "tokens.in.text"),
    "tokens.in.cache_read.video": ("tokens.in.cache_read", "tokens.in.video", "tokens.in.text"),
    "tokens.in.cache_write": ("tokens.in.cache_write.5m", "tokens.in.text"),
    "tokens.in.cache_write.5m": ("tokens.in.cache_write", "tokens.in.text"),
    "tokens.in.cache_write.1h": ("tokens.in.cache_write", "tokens.in.text"),
    "tokens.in.cache_write.12h": ("tokens.in.cache_write", "tokens.in.text"),
    "fee.web_search.preview": ("fee.web_search.preview.medium",),
    "fee.web_search.preview.low": ("fee.web_search.preview",),
    "fee.web_search.preview.medium": ("fee.web_search.preview",),
    "fee.web_search.preview.high": ("fee.web_search.preview",),
    "fee.request.low": ("fee.request",),
    "fee.request.medium": ("fee.request",),
    "fee.request.high": ("fee.request",),
}
"""Which meter's rate stands in where a model lists none of its own."""


class RateSet:
    """The rates of one model under one circumstance, each found when first asked for."""

    __slots__ = ("_book", "_found", "_when")

    def __init__(self, book: Book, when: Circumstance) -> None:
        self._book = book
        self._when = when
        self._found: dict[str, Rate | None] = {}

    def rate(self, meter: str) -> Rate | None:
        """Give the rate of a meter; None when nothing prices it."""
        if meter not in self._found:
            self._found[meter] = find_rate(self._book, meter, self._when)
        return self._found[meter]


def find_rate(book: Book, meter: str, when: Circumstance) -> Rate | None:
    """Find the rate of a meter, by its own rows or those of the meters that stand in for it."""
    for candidate in (meter, *FALLBACKS.get(meter, ())):
        row = _select(book.prices.get(candidate, ()), when)
        if row is not None:
            return _rate(row, _factors(book.multipliers, row, meter, when))
    return None


def _select(rows: Iterable[Price], when: Circumstance) -> Price | None:
    """Take the most specific row that holds: by tier, region, band, schedule, then model."""
    best: Price | None = None
    tier, region, deployment = when.situation[:3]
    for row in rows:
        if not (
            row.start <= when.at < row.end
            and (not row.tier or row.tier == tier or (row.tier == "thinking" and when.thought))
            and (not row.region or row.region in (deployment, region))
            and when.prompt_tokens > row.over
            and (not row.schedule or row.schedule in when.open_schedules)
        ):
            continue
        if best is None or row.rank > best.rank:
            best = row
    return best


def _factors(
    multipliers: Iterable[Multiplier], row: Price, meter: str, when: Circumstance
) -> tuple[tuple[str, Decimal], ...]:
    """Collect the factors on a meter; a row made for the tier already holds the tier's factor.

    The user's own rate is net: no discount comes off it, and of a flat one nothing at all.
    """
    found: list[tuple[str, Decimal]] = []
    if row.flat:
        return ()
    for one in multipliers:
        value = getattr(when.situation, one.attribute, None)
        if (
            one.start <= when.at < one.end
            and one.holds(value)
            and meter.startswith(one.prefixes)
            and not (one.attribute == "tier" and row.tier == value)
            and not (row.own and not one.attribute)
        ):
            found.append((one.id, one.factor))
    return tuple(found)


def _rate(row: Price, factors: tuple[tuple[str, Decimal], ...]) -> Rate:
    unit = row.rate_usd
    for _, factor in factors:
        unit = EXACT.multiply(unit, factor)
    digits = str(row.per)
    if digits == "1" + "0" * (len(digits) - 1):
        return Rate(row, factors, EXACT.scaleb(unit, 1 - len(digits)), 1)
    return Rate(row, factors, unit, row.per)
