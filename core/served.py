"""Reading how a request was served, where price depends on it: model, tier, place, amount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from costspan.core.accounting import Profile
from costspan.core.naming import canonical_tier
from costspan.core.paths import quantity
from costspan.core.types import JSON, Served

_NOTHING_SERVED = Served()
_USD_PER_TICK = Decimal("1e-10")  # x-ai: 1 USD = 1e10 ticks, docs.x.ai, 2026
_NO_PLACE = ("", "not_available", "default")


def read_served(profile: Profile, payload: JSON, response: JSON | None, flags: list[str]) -> Served:
    """Read what the response says about how the request was served.

    Args:
        profile: The rules of the wire format.
        payload: The usage object.
        response: The rest of the response.
        flags: Takes the names of values that could not be read.
    """
    said: list[object] = []
    for of_response, key, paths in profile.selects:
        if key is None:
            found = (f[0] for path in paths if (f := path.find(payload, response)))
            said.append(next(found, None))
        elif of_response:
            said.append(response.get(key) if response is not None else None)
        else:
            said.append(payload.get(key))
    for value in said:
        if value is not None and type(value) is not str:
            return _interpret(profile.select_names, said, flags)
    return _of_texts(profile.select_names, tuple(said))


@lru_cache(maxsize=1024)
def _of_texts(names: tuple[str, ...], said: tuple[object, ...]) -> Served:
    """Interpret plain texts, of which there are few: one model and tier for many calls."""
    return _interpret(names, said, [])


def _interpret(names: Sequence[str], values: Sequence[object], flags: list[str]) -> Served:
    said = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    if not said:
        return _NOTHING_SERVED
    tier, place = said.get("tier"), _text(said.get("region"))
    upstream = said.get("upstream") if said.get("byok") is True else None
    return Served(
        model=_text(said.get("model")),
        tier=canonical_tier(tier) if isinstance(tier, str) else None,
        region=None if place is None or place.lower() in _NO_PLACE else place.lower(),
        speed=_text(said.get("speed")),
        reported_usd=_reported_usd(said, flags),
        upstream_usd=_amount(upstream, flags) if upstream is not None else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _reported_usd(said: Mapping[str, object], flags: list[str]) -> Decimal | None:
    if "usd" in said:
        return _amount(said["usd"], flags)
    if "ticks" in said:
        ticks = _amount(said["ticks"], flags)
        return None if ticks is None else ticks * _USD_PER_TICK
    return None


def _amount(value: object, flags: list[str]) -> Decimal | None:
    number = quantity(value)
    if number is None:
        flags.append("invalid:reported")
        return None
    return Decimal(number)
