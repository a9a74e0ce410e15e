"""From the TOML text of own prices to an overlay, or to all that is wrong with it."""

from __future__ import annotations

import hashlib
import tomllib
from base64 import b32encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from costspan.pricing.meters import meters
from costspan.pricing.overlay import (
    ANY_PROVIDER,
    Currency,
    Discount,
    ExchangeRate,
    Overlay,
    OverlayError,
    OwnName,
    OwnPrice,
)
from costspan.pricing.overlay_read import Reading, Table
from costspan.pricing.rates import EXACT
from costspan.pricing.rows import (
    OWN_MODEL,
    OWN_PATTERN,
    Alias,
    Multiplier,
    Price,
    Provenance,
)

_FREE = {"tokens.in.text": Decimal(0), "tokens.out.text": Decimal(0)}
_ALL_METERS = ("",)

_Span = tuple[datetime, datetime]


def parse_overlay(text: str, name: str) -> Overlay:
    """Read a file of own prices.

    Args:
        text: Its text, TOML.
        name: What to call it in messages.

    Returns:
        What it says; empty for an empty text.

    Raises:
        OverlayError: With every problem found: file, line, key, what is allowed.
    """
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise OverlayError([f"{name}: cannot be read as TOML: {error}"]) from error
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    reading = Reading(name, text)
    overlay = _overlay(reading, raw, name, digest)
    if reading.problems:
        raise OverlayError(reading.problems)
    return overlay


def _overlay(reading: Reading, raw: Mapping[str, Any], name: str, digest: str) -> Overlay:
    reading.top(raw)
    sources: dict[str, Provenance] = {}
    prices: list[OwnPrice] = []
    seen: dict[object, list[_Span]] = {}
    for table in reading.tables("prices", raw.get("prices", [])):
        for own in _prices(table):
            _refuse_overlap(reading, table, own.row.meter, _key(own), seen)
            sources[own.row.id] = table.provenance
            prices.append(own)
    discounts: list[Discount] = []
    for table in reading.tables("discounts", raw.get("discounts", [])):
        discount = _discount(table)
        if discount.factor.id in sources:
            reading.complain("discounts", table.position, "id", "two discounts are called so")
        sources[discount.factor.id] = table.provenance
        discounts.append(discount)
    names: list[OwnName] = []
    for table in reading.tables("aliases", raw.get("aliases", [])):
        renamed = _own_name(reading, table)
        _refuse_overlap(reading, table, "alias", (renamed.provider, renamed.name), seen)
        names.append(renamed)
    currency = _currency(reading, raw["currency"]) if "currency" in raw else None
    return Overlay(name, digest, tuple(prices), tuple(discounts), tuple(names), currency, sources)


def _prices(table: Table) -> Iterator[OwnPrice]:
    values = table.values
    provider, model = values["provider"], values["model"].lower()
    over = values["band_over"] - bool(values.get("band_inclusive")) if "band_over" in values else -1
    start, end = table.period
    for name, usd in (values.get("usd") or _FREE).items():
        row = Price(
            id="",
            meter=name,
            rate_usd=usd,
            per=values.get("per") or (meters()[name].per if name in meters() else 1),
            start=start,
            end=end,
            tier=values.get("tier", ""),
            region=values.get("region", "").lower(),
            schedule=values.get("schedule", ""),
            over=over,
            specificity=OWN_PATTERN + len(model) if "*" in model else OWN_MODEL,
            own=True,
            flat=bool(values.get("flat") or values.get("free")),
        )
        own = OwnPrice(provider, model, row)
        yield own._replace(row=replace(row, id=_row_id(own)))


def _discount(table: Table) -> Discount:
    values = table.values
    start, end = table.period
    factor = Multiplier(
        id=values.get("id", f"{values['percent']:f}% off"),
        factor=EXACT.subtract(Decimal(1), EXACT.divide(values["percent"], Decimal(100))),
        prefixes=values.get("meters", _ALL_METERS),
        attribute="",
        values=frozenset(),
        negated=False,
        start=start,
        end=end,
    )
    return Discount(values["provider"], values.get("model", "*").lower(), factor)


def _own_name(reading: Reading, table: Table) -> OwnName:
    values = table.values
    provider, name, target = values["provider"], values["alias"].lower(), values["target"]
    owner = values.get("target_provider", provider)
    if (provider, name) == (owner, target.lower()):
        reading.complain("aliases", table.position, "target", "is the alias itself")
    if owner == ANY_PROVIDER:
        key = "target_provider" if "target_provider" in values else "target"
        what = "whose model is it? give target_provider: openai, azure ..."
        reading.complain("aliases", table.position, key, what)
    return OwnName(provider, name, Alias(target, *table.period, provider=owner))


def _currency(reading: Reading, said: object) -> Currency | None:
    if not isinstance(said, dict):
        reading.complain("", 0, "currency", "write a table: [currency]")
        return None
    table = reading.table("currency", 0, said)
    rates: list[ExchangeRate] = []
    for one in reading.tables("currency.rates", said.get("rates", [])):
        start = one.period[0]
        if rates and start <= rates[-1].start:
            what = "each rate must begin after the one before it"
            reading.complain("currency.rates", one.position, "valid_from", what)
        rates.append(ExchangeRate(start, one.values["per_usd"], one.values.get("source", "")))
    return Currency(table.values["code"], tuple(rates)) if table is not None else None


def _key(own: OwnPrice) -> tuple[object, ...]:
    row = own.row
    return own.provider, own.model, row.meter, row.tier, row.region, row.over, row.schedule


def _row_id(own: OwnPrice) -> str:
    """Name a row by what it prices, not by the amount, as the catalogue's are."""
    identity = "\x1f".join(map(str, (*_key(own), own.row.start.isoformat())))
    short = b32encode(hashlib.sha256(identity.encode()).digest()[:5]).decode().lower()
    return f"own.{short}"


def _refuse_overlap(
    reading: Reading, table: Table, key: str, identity: object, seen: dict[object, list[_Span]]
) -> None:
    start, end = table.period
    others = seen.setdefault((table.name, identity), [])
    if any(start < until and since < end for since, until in others):
        what = "is said twice for one time: end the first by valid_to where the second begins"
        reading.complain(table.name, table.position, key, what)
    others.append((start, end))
