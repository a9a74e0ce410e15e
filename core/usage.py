"""Reading a provider's usage object into disjoint leaf buckets, once, by rules that are data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from costspan.core.accounting import Profile, profile_for
from costspan.core.fees import read_fees
from costspan.core.naming import canonical_api, canonical_provider
from costspan.core.paths import LARGEST_QUANTITY, Path, measured
from costspan.core.plain import read_plain
from costspan.core.recognition import camelised, recognise
from costspan.core.served import read_served
from costspan.core.sides import GUESSED, complete
from costspan.core.types import JSON, NO_FEES, Quantity, Usage


def read_usage(
    payload: JSON | None, *, provider: str, api: str | None, response: JSON | None = None
) -> Usage | None:
    """Read what one response says it used.

    Args:
        payload: The provider's usage object as it stood on the wire, or the dict of an SDK's
            object. Anything that is not a mapping counts as missing.
        provider: The provider, in any spelling.
        api: The wire format, in any spelling; None recognises it by its fields.
        response: The rest of the response, as far as price depends on it: ``model``,
            ``service_tier``, ``tools``, ``output`` items, ``groundingMetadata``, ``x_groq``.

    Returns:
        Disjoint buckets, fees and what was served; None when nothing was reported. Odd values
        are left out or clamped, and named in `Usage.flags`; nothing is ever counted twice.
    """
    if type(response) is not dict and not isinstance(response, Mapping):
        response = None
    if type(payload) is not dict and not isinstance(payload, Mapping):
        payload = _usage_elsewhere(response)
        if payload is None:
            return None
    named = _profile_named(provider, api) if api else None
    usage = _read(named, payload, response) if named is not None else None
    if usage is None or GUESSED in usage.flags:
        # No such format, or none of its fields but a total: go by the fields themselves.
        likely = recognise(payload, canonical_provider(provider))
        other = _read(likely, payload, response) if likely not in (None, named) else None
        if usage is None or (other is not None and other.output_tokens is not None):
            return other
    return usage


def _read(profile: Profile | None, payload: JSON, response: JSON | None) -> Usage | None:
    """Read a usage object by one profile; None when none of its fields is there."""
    if profile is None:
        return None
    plain = read_plain(profile, payload)
    if plain is None:
        return _read_by_rules(profile, payload, response)
    return plain if response is None else _with_response(plain, profile, payload, response)


def _with_response(plain: Usage, profile: Profile, payload: JSON, response: JSON) -> Usage:
    """Add to plain counts what the rest of the response says."""
    flags: list[str] = []
    fees = read_fees(profile, payload, response, flags) if profile.fees else NO_FEES
    served = read_served(profile, payload, response, flags)
    total = plain.total_tokens
    return Usage(plain.buckets, fees, "provider", tuple(flags), profile.name, total, served)


def _read_by_rules(profile: Profile, payload: JSON, response: JSON | None) -> Usage | None:
    """Read a usage object by all the rules of its format."""
    flags: list[str] = []
    values = _values(profile, payload, response, flags)
    if profile.camel_case and not any(v is not None for v in values):
        payload = camelised(payload)
        values = _values(profile, payload, response, flags)
    total = values[profile.total] if profile.total >= 0 else None
    whole = sum([v for i in profile.roots if (v := values[i]) is not None])
    apart: tuple[int, ...] = ()
    for _, places in profile.sides:
        if values[places[0]] is None and complete(profile, values, total, whole, flags):
            whole = total or 0
            break
    if total is not None and total != whole:
        apart = _identity(profile, values, total, whole, flags)
    _make_disjoint(profile, values, apart, flags)
    buckets: dict[str, Quantity] = {}
    for index, meter in profile.meters:
        value = values[index]
        if value is not None:
            buckets[meter] = buckets[meter] + value if meter in buckets else value
    fees = read_fees(profile, payload, response, flags) if profile.fees else {}
    served = read_served(profile, payload, response, flags)
    if not buckets and not fees and served.reported_usd is None:
        return None
    said = int(total) if total is not None else None
    return Usage(buckets, fees, "provider", tuple(flags), profile.name, said, served)


@lru_cache(maxsize=512)
def _profile_named(provider: str, api: str) -> Profile | None:
    return profile_for(canonical_provider(provider), canonical_api(api))


def _values(
    profile: Profile, payload: JSON, response: JSON | None, flags: list[str]
) -> list[Quantity | None]:
    """Read every value of the profile; plain ones by direct look-up, because this runs in calls.

    Dicts are told by their type first: to ask whether something is a ``Mapping`` takes 0.4 us.
    """
    values: list[Quantity | None] = [None] * len(profile.paths)
    for key, index in profile.top:
        value = payload.get(key)
        if value is not None:
            if type(value) is int and 0 <= value <= LARGEST_QUANTITY:
                values[index] = value
            else:
                values[index] = _lenient(value, key, flags)
    for container, keys in profile.nested:
        inner = payload.get(container)
        if inner is None:
            continue
        if type(inner) is not dict and not isinstance(inner, Mapping):
            flags.append(f"invalid:{container}")
            continue
        for key, index in keys:
            value = inner.get(key)
            if value is not None:
                if type(value) is int and 0 <= value <= LARGEST_QUANTITY:
                    values[index] = value
                else:
                    values[index] = _lenient(value, f"{container}.{key}", flags)
    if profile.deep:
        _read_deep(profile, payload, values, flags)
    for needed, indices in profile.searched:
        if not payload.keys().isdisjoint(needed):
            for index in indices:
                values[index] = _search(profile.paths[index], payload, response, flags)
    return values


def _read_deep(
    profile: Profile, payload: JSON, values: list[Quantity | None], flags: list[str]
) -> None:
    for container, within, keys in profile.deep:
        outer = payload.get(container)
        if outer is None or (type(outer) is not dict and not isinstance(outer, Mapping)):
            continue
        inner = outer.get(within)
        if inner is not None and isinstance(inner, Mapping):
            for key, index in keys:
                value = inner.get(key)
                if value is not None:
                    values[index] = _lenient(value, f"{container}.{within}.{key}", flags)


def _search(
    paths: tuple[Path, ...], payload: JSON, response: JSON | None, flags: list[str]
) -> Quantity | None:
    for path in paths:
        found = path.find(payload, response)
        if found:
            numbers = [_lenient(v, path.steps[-1].key, flags) for v in found]
            known = [n for n in numbers if n is not None]
            return sum(known[1:], known[0]) if known else None
    return None


def _lenient(value: object, name: str, flags: list[str]) -> Quantity | None:
    number = measured(value)
    if number is None or (not isinstance(number, int) and "seconds" not in name):
        flags.append(f"invalid:{name}")
        return None
    return number


def _identity(
    profile: Profile,
    values: list[Quantity | None],
    total: Quantity,
    whole: Quantity,
    flags: list[str],
) -> tuple[int, ...]:
    """Explain a grand total that is not the sum of the parts.

    Returns:
        The indices of the inner buckets that the total shows to stand outside their parents.
        A reasoning bucket that turns out to be inside is subtracted here; one that only the
        total knows of is filled in.
    """
    for meter in _MAY_STAND_OUTSIDE:
        for node in profile.inner:
            value = values[node.index]
            if value and node.meter == meter and total == whole + value:
                flags.append(f"identity:{meter.rpartition('.')[2]}_outside")
                return (node.index,)
    caches = [n for n in profile.inner if n.meter.startswith("tokens.in.cache")]
    outer = tuple(n.index for n in caches if len(n.ancestors) == 1 and values[n.index])
    if len(outer) > 1 and total == whole + sum([values[index] or 0 for index in outer]):
        flags.append("identity:cache_outside")
        return outer
    for index, output in profile.outside:
        value, text = values[index], values[output]
        if value and text is not None and total == whole - value and value <= text:
            flags.append("identity:reasoning_inside")
            values[output] = text - value
            return ()
        if not value and total > whole:  # the total holds thoughts that no field lists
            flags.append("identity:reasoning_hidden")
            values[index] = total - whole
            return ()
    cached = [values[i] or 0 for i, meter in profile.meters if meter.startswith("tokens.in.cache")]
    if total != whole - sum(cached):  # Bedrock's total leaves the cache out on some models
        flags.append("identity:total")
    return ()


_MAY_STAND_OUTSIDE = ("tokens.out.reasoning", "tokens.in.cache_read")


def _make_disjoint(
    profile: Profile, values: list[Quantity | None], apart: tuple[int, ...], flags: list[str]
) -> None:
    """Take each inner bucket out of the nearest bucket around it that was reported.

    A part that is larger than what is left of the whole is cut down to it, so that the buckets
    of a total always add up to that total.
    """
    for node in profile.shared:
        value, first = values[node.index], _nearest(values, node.ancestors[:1])
        second = _nearest(values, node.also[:1])
        if value and first >= 0 and second >= 0:  # inside both: leave it in the first one only
            values[second] = _less(values, second, value, node.meter, flags)[0]
    for node in profile.inner:
        value = values[node.index]
        if value and node.index not in apart:
            parent = _nearest(values, node.ancestors + node.also)
            if parent >= 0:
                values[parent], values[node.index] = _less(values, parent, value, node.meter, flags)


def _nearest(values: list[Quantity | None], places: tuple[int, ...]) -> int:
    for index in places:
        if values[index] is not None:
            return index
    return -1


def _less(
    values: list[Quantity | None], index: int, part: Quantity, meter: str, flags: list[str]
) -> tuple[Quantity, Quantity]:
    """Split a part off; return what is left and the part, which is no larger than the whole."""
    whole = values[index] or 0
    if part > whole:
        flags.append(f"clamped:{meter}")
        part = whole
    return whole - part, part


def _usage_elsewhere(response: JSON | None) -> JSON | None:
    """Find the usage object that Groq puts under ``x_groq`` at the end of older streams."""
    groq = response.get("x_groq") if response is not None else None
    usage = groq.get("usage") if isinstance(groq, Mapping) else None
    return usage if isinstance(usage, Mapping) else None
