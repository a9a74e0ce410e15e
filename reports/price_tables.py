"""Price lists and what a search found, as tables for people and as records for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from costspan.pricing.rows import Provenance
from costspan.reports.export import Records
from costspan.reports.prices import FactorRow, FoundModel, PriceList, RateRow
from costspan.reports.screen import Screen
from costspan.reports.table import Column, draw_line, render_table
from costspan.reports.text import NOTHING, plain_decimal

GRADES = {
    "billed": "seen on an invoice",
    "provider-page": "the provider's page",
    "announcement": "an announcement",
    "secondary": "a third party",
    "imported-litellm": "LiteLLM's price map",
    "imported-genai-prices": "genai-prices",
    "own": "your own prices",
}
"""What an evidence grade means, in words."""


def price_table(prices: PriceList, screen: Screen) -> str:
    """What a model costs: a line per rate, the factors, and the sources."""
    name = f"{prices.provider}/{prices.model}"
    meant = "" if prices.asked in (name, prices.model) else f" ({prices.asked})"
    when = "its whole history" if prices.at is None else f"on {day(prices.at)}"
    text = draw_line(f"{name}{meant}, {when}", screen, "bold")
    text += "".join(draw_line(line, screen) for line in _facts(prices.facts)) + "\n"
    if not prices.rates:
        return text + draw_line("No price holds then: see it with --history.", screen)
    notes = Notes()
    text += render_table(_rate_columns(prices, notes), screen)
    if prices.factors:
        text += "\n" + render_table(_factor_columns(prices.factors, notes), screen)
    windows = [f"{name}: {windows}" for name, windows in prices.schedules]
    return text + "\n" + "".join(draw_line(w, screen) for w in windows) + notes.lines(screen)


def _facts(facts: Mapping[str, str]) -> Iterator[str]:
    said = []
    if size := facts.get("context_window"):
        said.append(f"context {int(size):,} tokens")
    if size := facts.get("max_output"):
        said.append(f"output up to {int(size):,}")
    if text := facts.get("released"):
        said.append(f"released {text}")
    if text := facts.get("deprecated_on"):
        said.append(f"shut down on {text}")
    if said:
        yield ", ".join(said)


class Notes:
    """Sources, numbered as they are first referred to."""

    def __init__(self) -> None:
        self._numbers: dict[Provenance, int] = {}

    def refer(self, source: Provenance | None) -> str:
        """Give the number of a source."""
        if source is None:
            return NOTHING
        return f"[{self._numbers.setdefault(source, len(self._numbers) + 1)}]"

    def lines(self, screen: Screen) -> str:
        """Write the sources that were referred to."""
        return "".join(
            draw_line(f"[{number}] {_source(source)}", screen)
            for source, number in self._numbers.items()
        )


def _source(source: Provenance) -> str:
    grade = GRADES.get(source.evidence, source.evidence)
    said = ": ".join(part for part in (grade, source.source) if part)
    return f"{said} ({source.note})" if source.note else said


def _rate_columns(prices: PriceList, notes: Notes) -> list[Column]:
    rates = prices.rates
    dollars = [_aligned(rate.usd, rates) for rate in rates]
    ends = [
        Column("since", [day(rate.valid_from) for rate in rates], "left", drop=2),
        Column("until", [day(rate.valid_to) for rate in rates], "left", drop=1),
    ]
    return [
        Column("meter", [_label(rates, place) for place in range(len(rates))], "left", cut=True),
        Column("when", [rate.condition for rate in rates], "left"),
        Column("USD", dollars),
        Column("per", [_per(rate) for rate in rates], "left"),
        *ends[: 2 if any(rate.valid_to for rate in rates) else 1],
        Column("source", [notes.refer(rate.source) for rate in rates], drop=3),
    ]


def _label(rates: Sequence[RateRow], place: int) -> str:
    """A meter is named once for all its rates."""
    rate = rates[place]
    return "" if place and rates[place - 1].meter == rate.meter else rate.meter.label


def _aligned(usd: Decimal, rates: Sequence[RateRow]) -> str:
    """So many decimals for all that no amount is rounded, and cents always."""
    longest = max(len(plain_decimal(rate.usd).partition(".")[2]) for rate in rates)
    return f"{usd:,.{max(2, longest)}f}"


def _per(rate: RateRow) -> str:
    if rate.per == 1:
        return rate.meter.unit.removesuffix("s")
    number = {1_000_000: "1M", 1_000: "1k"}.get(rate.per, f"{rate.per:,}")
    return f"{number} {rate.meter.unit}"


def _factor_columns(factors: Sequence[FactorRow], notes: Notes) -> list[Column]:
    return [
        Column("factor", [f"x {plain_decimal(one.factor)}" for one in factors], "left"),
        Column("when", [one.condition for one in factors], "left", cut=True),
        Column("on", [_reach(one.meters) for one in factors], "left", drop=2),
        Column("since", [day(one.valid_from) for one in factors], "left", drop=3),
        Column("until", [day(one.valid_to) for one in factors], "left", drop=1),
        Column("source", [notes.refer(one.source) for one in factors], drop=4),
    ]


def _reach(prefixes: Sequence[str]) -> str:
    return ", ".join(prefix.rstrip(".") or "everything" for prefix in prefixes)


def day(instant: datetime | None) -> str:
    """An instant, as a day where it is the day's first: ``2026-11-01``, ``2026-11-01T16:00Z``."""
    if instant is None:
        return NOTHING
    whole = not (instant.hour or instant.minute)
    return f"{instant:%Y-%m-%d}" if whole else f"{instant:%Y-%m-%dT%H:%MZ}"


def price_records(prices: PriceList) -> Records:
    """The rates of a price list for programs; factors are records of their own."""
    names = ["provider", "model", "meter", "usd", "per", "factor", "factor_id", "condition"]
    names += ["valid_from", "valid_to", "row", "evidence", "source", "note"]
    shared = {"provider": prices.provider, "model": prices.model}
    rows: list[dict[str, Any]] = []
    for rate in prices.rates:
        its = {"meter": rate.meter.id, "usd": plain_decimal(rate.usd), "per": rate.per}
        rows.append({**shared, **its, "row": rate.row, **_shared(rate)})
    for one in prices.factors:
        its = {"meter": "|".join(one.meters), "factor": plain_decimal(one.factor)}
        rows.append({**shared, **its, "factor_id": one.id, **_shared(one)})
    return names, [{name: row.get(name) for name in names} for row in rows]


def _shared(one: RateRow | FactorRow) -> dict[str, Any]:
    source = one.source or Provenance("", "", "")
    return {
        "condition": one.condition or None,
        "valid_from": None if one.valid_from is None else _iso(one.valid_from),
        "valid_to": None if one.valid_to is None else _iso(one.valid_to),
        "evidence": source.evidence or None,
        "source": source.source or None,
        "note": source.note or None,
    }


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def found_table(found: Sequence[FoundModel], count: int, screen: Screen) -> str:
    """Models that a search found, with their standard rates."""
    dollars = [
        [NOTHING if usd is None else plain_decimal(usd) for usd in column]
        for column in ([m.input_usd for m in found], [m.output_usd for m in found])
    ]
    columns = [
        Column("model", [f"{one.provider}/{one.name}" for one in found], "left", cut=True),
        Column("means", ["" if o.model == o.name else o.model for o in found], "left", drop=1),
        Column("input", dollars[0]),
        Column("output", dollars[1]),
    ]
    text = render_table(columns, screen) + "\n"
    text += draw_line("US dollars per million tokens, standard rates of today.", screen)
    if count > len(found):
        more = f"{count - len(found):,} more: say more words to narrow the search."
        text += draw_line(more, screen)
    return text


def found_records(found: Sequence[FoundModel]) -> Records:
    """What a search found, for programs; amounts per million tokens."""
    names = ["provider", "name", "model", "input_usd", "output_usd"]
    rows = [
        {
            **{name: getattr(one, name) for name in names[:3]},
            **{
                name: None if usd is None else plain_decimal(usd)
                for name, usd in zip(names[3:], (one.input_usd, one.output_usd), strict=True)
            },
        }
        for one in found
    ]
    return names, rows
