"""The user's own prices: negotiated rates, discounts, self-hosted models, aliases, a currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from costspan.pricing.rows import OWN_MODEL, Alias, Multiplier, Price, Provenance, matches

ANY_PROVIDER = "*"
"""As the provider of a row: for calls to every provider that has no such model of its own."""


class OverlayError(ValueError):
    """A file of own prices that cannot be used.

    Attributes:
        problems: One line each: file, line, key, what is wrong and what is allowed. The error's
            own text is the first, and how many there are beside it.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = tuple(problems)


class OwnPrice(NamedTuple):
    """A rate, and whose it is.

    Attributes:
        provider: Canonical provider id, or `ANY_PROVIDER`.
        model: Model id or glob, in lower case.
        row: The price.
    """

    provider: str
    model: str
    row: Price


class Discount(NamedTuple):
    """A factor on list prices.

    Attributes:
        provider: Canonical provider id, or `ANY_PROVIDER` for all.
        model: Model id or glob, in lower case.
        factor: What list prices are multiplied by.
    """

    provider: str
    model: str
    factor: Multiplier


class OwnName(NamedTuple):
    """A name of the user's own.

    Attributes:
        provider: Canonical provider id, or `ANY_PROVIDER`.
        name: The name, in lower case.
        alias: What it stands for, and when.
    """

    provider: str
    name: str
    alias: Alias


class ExchangeRate(NamedTuple):
    """What one US dollar is in another currency, from an instant until the next rate begins."""

    start: datetime
    per_usd: Decimal
    source: str


class Currency(NamedTuple):
    """The currency that reports are shown in.

    Attributes:
        code: ISO 4217.
        rates: By their start.
    """

    code: str
    rates: tuple[ExchangeRate, ...]


class Called(NamedTuple):
    """A name that stood for a model over a period."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a file of own prices says.

    Attributes:
        name: The file, for messages.
        digest: The beginning of its text's hash; it is part of the catalogue's version.
        prices: Rates, each in the place of the catalogue's for the same meter and condition.
        discounts: Factors on list prices.
        names: Aliases.
        currency: What reports are shown in; None for US dollars.
        sources: Id of a rate or a discount -> what vouches for it.
    """

    name: str
    digest: str
    prices: tuple[OwnPrice, ...] = ()
    discounts: tuple[Discount, ...] = ()
    names: tuple[OwnName, ...] = ()
    currency: Currency | None = None
    sources: Mapping[str, Provenance] = field(default_factory=dict)

    def rates(self, provider: str, model: str, called: Sequence[Called] = ()) -> list[Price]:
        """Give the rates for a model of exactly this provider.

        Args:
            provider: Canonical provider id, or `ANY_PROVIDER`.
            model: Model id in lower case.
            called: Other names by which a rate may mean it, and when.
        """
        found = [p.row for p in self.prices if p.provider == provider and matches(p.model, model)]
        for name, since, until in called:
            for own in self.prices:
                start, end = max(own.row.start, since), min(own.row.end, until)
                if (own.provider, own.model) == (provider, name) and start < end:
                    rank = OWN_MODEL - 1  # a rate that names the model itself goes before it
                    found.append(replace(own.row, start=start, end=end, specificity=rank))
        return found

    def factors(self, provider: str, model: str, called: Sequence[Called] = ()) -> list[Multiplier]:
        """Give the discounts on a model; arguments as for `rates`."""
        found = []
        for one in self.discounts:
            if one.provider not in (provider, ANY_PROVIDER):
                continue
            if matches(one.model, model):
                found.append(one.factor)
            else:
                found += [
                    replace(one.factor, start=start, end=end)
                    for name, since, until in called
                    if one.model == name
                    and (start := max(one.factor.start, since))
                    < (end := min(one.factor.end, until))
                ]
        return found

    def named(self) -> set[tuple[str, str]]:
        """Give provider and model of every rate and discount, patterns aside."""
        owners = {one[:2] for one in self.prices} | {one[:2] for one in self.discounts}
        return {(provider, model) for provider, model in owners if "*" not in model}

    def aliases(self, provider: str, name: str) -> list[Alias]:
        """Give what a name stands for at exactly this provider, in lower case."""
        return [one.alias for one in self.names if (one.provider, one.name) == (provider, name)]

    def models(self, provider: str) -> set[str]:
        """Give the names that are priced, or stand for others, at exactly this provider."""
        priced = {p.model for p in self.prices if p.provider == provider and "*" not in p.model}
        return priced | {one.name for one in self.names if one.provider == provider}
