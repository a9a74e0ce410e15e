"""What a file of own prices changes, and what in it may not be meant so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from costspan.exporters.ledger.words import counted
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.meters import meter
from costspan.pricing.overlay import ANY_PROVIDER, Overlay, OwnPrice
from costspan.pricing.rows import BEGINNING, END, Price
from costspan.reports.price_tables import day
from costspan.reports.screen import Screen
from costspan.reports.table import Column, draw_line, render_table
from costspan.reports.text import NOTHING, percent, plain_decimal

MOST_DOUBTS = 20
"""New models that are named one by one: a file with more of them was imported."""


@dataclass(frozen=True, slots=True)
class Change:
    """One own rate beside the list price that it takes the place of.

    Attributes:
        own: The rate.
        list_usd: The list price per as many units; None where the catalogue has none.
    """

    own: OwnPrice
    list_usd: Decimal | None

    @property
    def share(self) -> float | None:
        """How much more it is, as a share of the list price; None where there is none."""
        if not self.list_usd:
            return None
        return float(self.own.row.rate_usd / self.list_usd - 1)


def changes(overlay: Overlay, catalogue: Catalogue, at: datetime) -> list[Change]:
    """Set each own rate beside the list price on the day that it begins, today at the earliest.

    Args:
        overlay: The own prices.
        catalogue: The prices without them.
        at: Today.
    """
    return [
        Change(own, _list_price(own, catalogue, max(at, own.row.start))) for own in overlay.prices
    ]


def _list_price(own: OwnPrice, catalogue: Catalogue, at: datetime) -> Decimal | None:
    book = catalogue.book(provider=own.provider, model=own.model, at=at)
    rows = book.prices.get(own.row.meter, ()) if book is not None else ()
    same = [r for r in rows if r.start <= at < r.end and _condition(r) == _condition(own.row)]
    best = max(same, key=lambda row: row.rank, default=None)
    return best.rate_usd * own.row.per / best.per if best is not None else None


def _condition(row: Price) -> tuple[object, ...]:
    return row.tier, row.region, row.over, row.schedule


def doubts(overlay: Overlay, catalogue: Catalogue, at: datetime) -> Iterator[str]:
    """Name what the catalogue does not know: new, or misspelt?

    Args:
        overlay: The own prices.
        catalogue: The prices without them.
        at: Today.
    """
    new = [
        (provider, model)
        for provider, model in sorted(overlay.named())
        if provider != ANY_PROVIDER and not catalogue.knows(provider=provider, model=model, at=at)
    ]
    if len(new) > MOST_DOUBTS:
        yield f"~ {len(new):,} models are new: the catalogue has none of their names."
        new = []
    for provider, model in new:
        near = _near(catalogue, provider, model)
        yield f"~ {provider}/{model} is new: the catalogue has no such model.{near}"
    both = catalogue.with_overlay(overlay)
    for one in overlay.names:
        owner, target = one.alias.provider, one.alias.target
        if not both.knows(provider=owner, model=target, at=max(at, one.alias.start)):
            yield (
                f"! {one.name} leads to {owner}/{target}, which has no price: its calls will be "
                f"unpriced.{_near(both, owner, target)}"
            )


def _near(catalogue: Catalogue, provider: str, model: str) -> str:
    near = catalogue.near(provider, model)
    return f" Did you mean {', '.join(near)}?" if near else ""


def own_prices_table(overlay: Overlay, catalogue: Catalogue, at: datetime, screen: Screen) -> str:
    """What a file of own prices says, for people."""
    parts = [
        counted(len(overlay.prices), "rate"),
        counted(len(overlay.discounts), "discount"),
        f"{len(overlay.names)} {'alias' if len(overlay.names) == 1 else 'aliases'}",
    ]
    if overlay.currency:
        parts.append(f"reports in {overlay.currency.code}")
    text = draw_line(f"{overlay.name}: {', '.join(parts)}", screen, "bold")
    if overlay.prices:
        text += "\n" + render_table(_columns(changes(overlay, catalogue, at)), screen)
    notes = [*_discounts(overlay), *doubts(overlay, catalogue, at)]
    return text + ("\n" if notes else "") + "".join(draw_line(note, screen) for note in notes)


def _columns(found: list[Change]) -> list[Column]:
    rows = [one.own.row for one in found]
    lists = [NOTHING if o.list_usd is None else plain_decimal(o.list_usd) for o in found]
    return [
        Column("model", [f"{o.own.provider}/{o.own.model}" for o in found], "left", cut=True),
        Column("meter", [_label(row) for row in rows], "left"),
        Column("when", [_when(row) for row in rows], "left", drop=2),
        Column("list", lists),
        Column("yours", [plain_decimal(row.rate_usd) for row in rows]),
        Column("change", [percent(one.share, signed=True) for one in found], drop=3),
        Column("since", [NOTHING if r.start == BEGINNING else day(r.start) for r in rows], "left"),
        Column("until", [NOTHING if r.end == END else day(r.end) for r in rows], "left", drop=1),
    ]


def _label(row: Price) -> str:
    known = meter(row.meter)
    return known.label if known else row.meter


def _when(row: Price) -> str:
    band = f"over {row.over:,} tokens" if row.over >= 0 else ""
    said = (row.tier, row.region, band, row.schedule, "always" if row.flat else "")
    return ", ".join(part for part in said if part)


def _discounts(overlay: Overlay) -> Iterator[str]:
    for one in overlay.discounts:
        factor = one.factor
        reach = (
            ", ".join(prefix.rstrip(".") for prefix in factor.prefixes if prefix) or "everything"
        )
        since = "" if factor.start == BEGINNING else f" since {day(factor.start)}"
        until = "" if factor.end == END else f" until {day(factor.end)}"
        share = plain_decimal((factor.factor - 1) * 100)
        yield f"{factor.id}: {share}% on {one.provider}/{one.model}, {reach}{since}{until}"
