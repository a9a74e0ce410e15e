"""What may stand in a file of own prices: tables, keys, kinds of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from costspan.core.naming import canonical_provider, canonical_tier, known_providers
from costspan.pricing.meters import FEE, meter, meters
from costspan.pricing.overlay import ANY_PROVIDER
from costspan.pricing.rows import FOLDER, read_all

TIERS = ("batch", "flex", "priority", "thinking", "ultrafast")
"""Service tiers that a rate can be for; the standard rate names none."""


def text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give a text")
    return value.strip()


def flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def count(value: object) -> int:
    """Read a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("give a whole number above 0")
    return value


def number(value: object) -> Decimal:
    """Read an exact number; a text is one too, so that no editor rounds it."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError("give a number, for instance 2.50")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError("give a number, for instance 2.50") from None
    if not found.is_finite():
        raise ValueError("give a number, for instance 2.50")
    return found


def amount(value: object) -> Decimal:
    """Read an amount of money: 0 or more."""
    found = number(value)
    if found < 0:
        raise ValueError("give 0 or more; a reduction is a table under [[discounts]]")
    return found


def exchange_rate(value: object) -> Decimal:
    """Read what one US dollar is in another currency."""
    found = number(value)
    if found <= 0:
        raise ValueError("give what one US dollar is in that currency, above 0: 0.92")
    return found


def percent(value: object) -> Decimal:
    """Read a percentage taken off; below 0 is a surcharge."""
    found = number(value)
    if not -1000 <= found <= 100 or not found:
        raise ValueError("give what is taken off in per cent, for instance 15; below 0 adds")
    return found


def when(value: object) -> datetime:
    """Read a day or an instant; what names no zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError("give a day or an instant: 2026-07-01 or 2026-07-01T16:00:00Z")


def provider(value: object) -> str:
    """Read a provider in any spelling; refuse what looks like a misspelt one."""
    said = canonical_provider(text(value))
    known = known_providers()
    near = get_close_matches(said, known, 1, 0.8)
    if said not in known and near:
        raise ValueError(
            f"did you mean {near[0]}? allowed: {', '.join(known)}, a name of your own that is "
            f"less like one of them, or {ANY_PROVIDER!r} for any"
        )
    return said


def tier(value: object) -> str:
    """Read a service tier, in any spelling."""
    said = canonical_tier(text(value))
    if said == "standard":
        raise ValueError("the standard rate names no tier: leave the key out")
    if said not in TIERS:
        raise ValueError(f"allowed: {', '.join(TIERS)}")
    return said


def schedule(value: object) -> str:
    """Read the name of a schedule of the catalogue."""
    known = [row["schedule"] for row in read_all(FOLDER / "schedules.csv")]
    if value not in known:
        raise ValueError(f"allowed: {', '.join(known)}")
    return str(value)


def currency(value: object) -> str:
    """Read a currency's code."""
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise ValueError("give the three capitals of ISO 4217, for instance EUR")
    return value


def amounts(value: object) -> dict[str, Decimal]:
    """Read amounts by meter."""
    if not isinstance(value, dict) or not value:
        raise ValueError('give amounts by meter: { "tokens.in.text" = 2.00 }')
    found = {}
    for name, one in _flat("", value).items():
        if meter(name) is None:
            raise ValueError(f"unknown meter {name!r}; {_meant(name, meters())}")
        try:
            found[name] = amount(one)
        except ValueError as error:
            raise ValueError(f"{name!r} = {one!r}: {error}") from error
    return found


def prefixes(value: object) -> tuple[str, ...]:
    """Read meters, or what they begin with."""
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ValueError('give a list of meters or of their beginnings: ["tokens.in.", "fee."]')
    for one in value:
        whole = one.endswith(".") and any(m.startswith(one) for m in (*meters(), FEE))
        if meter(one) is None and not whole:
            raise ValueError(f"{one!r} is no meter and no beginning; {_meant(one, meters())}")
    return tuple(value)


def _flat(prefix: str, table: Mapping[str, object]) -> dict[str, object]:
    """Undo what TOML makes of keys with dots that stand without quotes."""
    flat: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flat(f"{prefix}{key}.", value))
        else:
            flat[prefix + key] = value
    return flat


def _meant(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, 1, 0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed: {', '.join(known)}, fee.NAME"


Fields = Mapping[str, Callable[[object], object]]

VALIDITY: Fields = {"valid_from": when, "valid_to": when, "source": text, "note": text}
TABLES: Mapping[str, Fields] = {
    "prices": {
        "provider": provider,
        "model": text,
        "usd": amounts,
        "free": flag,
        "flat": flag,
        "per": count,
        "tier": tier,
        "region": text,
        "band_over": count,
        "band_inclusive": flag,
        "schedule": schedule,
        **VALIDITY,
    },
    "discounts": {
        "id": text,
        "provider": provider,
        "model": text,
        "percent": percent,
        "meters": prefixes,
        **VALIDITY,
    },
    "aliases": {
        "provider": provider,
        "alias": text,
        "target": text,
        "target_provider": provider,
        **VALIDITY,
    },
    "currency": {"code": currency, "rates": lambda value: value},
    "currency.rates": {"valid_from": when, "per_usd": exchange_rate, "source": text},
}
"""The keys of each table, and how their values are read."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "prices": ("provider", "model"),
    "discounts": ("provider", "percent"),
    "aliases": ("provider", "alias", "target"),
    "currency": ("code", "rates"),
    "currency.rates": ("per_usd",),
}
