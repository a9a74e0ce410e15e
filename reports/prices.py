"""What models cost and have cost, from the catalogue: rates, factors, sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from costspan.core.naming import canonical_provider
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.meters import Meter, meter, meters
from costspan.pricing.overlay import ANY_PROVIDER
from costspan.pricing.rates import Book
from costspan.pricing.rows import BEGINNING, END, Multiplier, Price, Provenance

MOST_FOUND = 40
"""Models that a search shows."""


@dataclass(frozen=True, slots=True)
class RateRow:
    """One rate of a model.

    Attributes:
        meter: What is billed.
        usd: US dollars per ``per`` units.
        per: How many units that buys.
        condition: What must hold for it (``batch``, ``over 200,000 tokens``); empty for none.
        valid_from, valid_to: UTC, the end excluded; None for an open end.
        row: Its id, as it stands in the lines of a cost.
        source: What vouches for it.
    """

    meter: Meter
    usd: Decimal
    per: int
    condition: str
    valid_from: datetime | None
    valid_to: datetime | None
    row: str
    source: Provenance | None


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One factor on the rates of a model.

    Attributes:
        id: Its name.
        factor: What amounts are multiplied by.
        meters: Beginnings of the meters it reaches.
        condition: When it applies (``tier batch``).
        valid_from, valid_to: UTC, the end excluded; None for an open end.
        source: What vouches for it.
    """

    id: str
    factor: Decimal
    meters: tuple[str, ...]
    condition: str
    valid_from: datetime | None
    valid_to: datetime | None
    source: Provenance | None


@dataclass(frozen=True, slots=True)
class PriceList:
    """What a model costs, or has cost.

    Attributes:
        asked: The model as it was asked for.
        provider, model: As the catalogue spells them.
        at: The instant; None for the whole history.
        rates, factors: In the order in which people read them.
        schedules: Name and windows of those that rates name.
        facts: What is known of the model beside its prices, as in ``models.csv``.
        catalogue_version: Which catalogue says so.
    """

    asked: str
    provider: str
    model: str
    at: datetime | None
    rates: tuple[RateRow, ...]
    factors: tuple[FactorRow, ...]
    schedules: tuple[tuple[str, str], ...]
    facts: Mapping[str, str]
    catalogue_version: str


def price_list(
    catalogue: Catalogue, provider: str, model: str, *, at: datetime, history: bool = False
) -> PriceList | None:
    """List the rates of a model.

    Args:
        catalogue: The prices.
        provider, model: In any spelling.
        at: The instant: of the rates, and of what the name means.
        history: All rates of what the name means at that instant, also past and future ones.

    Returns:
        None where the model has no prices.
    """
    book = catalogue.book(provider=provider, model=model, at=at)
    if book is None:
        return None
    rates = [_rate(catalogue, row) for row in _rows(book) if history or row.start <= at < row.end]
    named = {name: str(schedule) for name, schedule in sorted(book.schedules.items())}
    factors = [
        _factor(catalogue, one) for one in book.multipliers if history or one.start <= at < one.end
    ]
    return PriceList(
        asked=model,
        provider=book.provider if book.provider != ANY_PROVIDER else canonical_provider(provider),
        model=book.model,
        at=None if history else at,
        rates=tuple(rates),
        factors=tuple(factors),
        schedules=tuple(
            pair for pair in named.items() if any(pair[0] in r.condition for r in rates)
        ),
        facts=catalogue.facts(provider=provider, model=model, at=at),
        catalogue_version=catalogue.version,
    )


def _rows(book: Book) -> list[Price]:
    """The rows of a book in the order of the meters, without those that never hold."""
    order = {name: place for place, name in enumerate(meters())}

    def key(row: Price) -> tuple[object, ...]:
        place = order.get(row.meter, len(order))
        return place, row.meter, row.tier, row.region, row.over, row.schedule, row.start

    return sorted(
        (r for rows in book.prices.values() for r in rows if not any(_covers(o, r) for o in rows)),
        key=key,
    )


def _covers(other: Price, row: Price) -> bool:
    """Whether another row for the same condition holds whenever this one would."""
    same = (other.tier, other.region, other.over, other.schedule) == (
        row.tier, row.region, row.over, row.schedule,
    )  # fmt: skip
    whole = other.start <= row.start and row.end <= other.end
    return whole and (same or other.flat) and other.rank > row.rank


def _rate(catalogue: Catalogue, row: Price) -> RateRow:
    known = meter(row.meter)
    assert known is not None
    return RateRow(
        known,
        row.rate_usd,
        row.per,
        ", ".join(_conditions(row)),
        *_ends(row.start, row.end),
        row.id,
        catalogue.provenance(row.id),
    )


def _conditions(row: Price) -> Iterator[str]:
    if row.tier:
        yield row.tier
    if row.region:
        yield row.region
    if row.over >= 0:
        yield f"over {row.over:,} tokens"
    if row.schedule:
        yield row.schedule
    if row.own:
        yield "your price" if not row.flat else "your price, flat"


def _factor(catalogue: Catalogue, one: Multiplier) -> FactorRow:
    if not one.attribute:
        condition = "your discount"
    else:
        values = " or ".join(sorted(one.values))
        condition = f"{one.attribute} {'other than ' if one.negated else ''}{values}"
    return FactorRow(
        one.id,
        one.factor,
        one.prefixes,
        condition,
        *_ends(one.start, one.end),
        catalogue.provenance(one.id),
    )


def _ends(start: datetime, end: datetime) -> tuple[datetime | None, datetime | None]:
    return None if start == BEGINNING else start, None if end == END else end


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that a search found.

    Attributes:
        provider: Its provider.
        name: The id or alias that was found.
        model: What the name means now.
        input_usd, output_usd: Standard rates per million tokens today; None where there are none.
    """

    provider: str
    name: str
    model: str
    input_usd: Decimal | None
    output_usd: Decimal | None


def search(
    catalogue: Catalogue, words: Sequence[str], *, at: datetime, most: int = MOST_FOUND
) -> tuple[list[FoundModel], int]:
    """Find models by parts of their provider and name.

    Args:
        catalogue: The prices.
        words: Each must stand in ``provider/name``, whatever its case.
        at: The instant of the prices shown.
        most: How many to give.

    Returns:
        The models, and how many there are in all.
    """
    wanted = [word.lower() for word in words]
    found = [
        (provider, name)
        for provider, name in catalogue.names()
        if all(word in f"{provider}/{name}".lower() for word in wanted)
    ]
    return [_found(catalogue, provider, name, at) for provider, name in found[:most]], len(found)


def _found(catalogue: Catalogue, provider: str, name: str, at: datetime) -> FoundModel:
    book = catalogue.book(provider=provider, model=name, at=at)
    per_million = [_standard(book, meter, at) for meter in ("tokens.in.text", "tokens.out.text")]
    return FoundModel(provider, name, book.model if book else name, *per_million)


def _standard(book: Book | None, name: str, at: datetime) -> Decimal | None:
    rows = book.prices.get(name, ()) if book is not None else ()
    plain = [
        row
        for row in rows
        if row.start <= at < row.end
        and not (row.tier or row.region or row.schedule or row.over > 0)
    ]
    best = max(plain, key=lambda row: row.rank, default=None)
    return best.rate_usd * 1_000_000 / best.per if best is not None else None
