"""Which wire format a usage object is of, told by its fields."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.accounting import Profile, profiles
from costspan.core.types import JSON


def recognise(payload: JSON, provider: str) -> Profile | None:
    """Find the profile that knows most of the fields: the provider's own, or else any.

    One of another provider goes first where it knows both sides and the own ones do not: a
    gateway's usage. A grand total tells no format: `costspan.core.sides` guesses what it is of.

    Args:
        payload: The usage object.
        provider: Canonical provider id.

    Returns:
        The profile; None when no profile knows any field.
    """
    shape = _shape(payload)
    if shape is None:
        return _recognised(payload, provider)
    key = (provider, shape)
    if key not in _known_shapes:
        if len(_known_shapes) >= _MOST_SHAPES:
            _known_shapes.clear()
        _known_shapes[key] = _recognised(payload, provider)
    return _known_shapes[key]


_MOST_SHAPES = 1024
_known_shapes: dict[tuple[str, tuple[object, ...]], Profile | None] = {}
"""What usage objects with the same fields were recognised as: it takes 50 us to find out."""


def _shape(payload: JSON) -> tuple[object, ...] | None:
    """Give the fields of a usage object; None where more than these may matter, in lists."""
    parts: list[object] = []
    for name, value in payload.items():
        if isinstance(value, (list, tuple)):
            return None
        if isinstance(value, Mapping):
            inner = _shape(value)
            if inner is None:
                return None
            parts.append((name, inner))
        elif value is not None:
            parts.append(name)
    return tuple(parts)


def _recognised(payload: JSON, provider: str) -> Profile | None:
    table = profiles()
    own = [profile for name, profile in table.items() if name.startswith(provider + "/")]
    likely = []
    for group in (own, table.values()):
        best = max(group, key=lambda profile: len(_known(profile, payload)), default=None)
        if best is not None and (known := _known(best, payload)):
            if all(not known.isdisjoint(places) for _, places in best.sides):
                return best
            likely.append(best)
    totals = (one for one in (*own, *table.values()) if _tells_total(one, payload))
    return likely[0] if likely else next(totals, None)


def _tells_total(profile: Profile, payload: JSON) -> bool:
    if profile.total < 0:
        return False
    if profile.camel_case:
        payload = camelised(payload)
    return any(path.find(payload, None) for path in profile.paths[profile.total])


def _known(profile: Profile, payload: JSON) -> set[int]:
    """Give the places of the values that a usage object tells, but for its grand total."""
    if profile.camel_case:
        payload = camelised(payload)
    total = profile.paths[profile.total] if profile.total >= 0 else ()
    return {
        index
        for index, _ in profile.meters
        if any(path not in total and path.find(payload, None) for path in profile.paths[index])
    }


def camelised(value: JSON) -> dict[str, object]:
    """Spell the keys of an SDK's dict (``prompt_token_count``) as the wire does."""

    def convert(node: object) -> object:
        if isinstance(node, Mapping):
            return camelised(node)
        return [convert(item) for item in node] if isinstance(node, (list, tuple)) else node

    camel: dict[str, object] = {}
    for key, node in value.items():
        head, *rest = key.split("_")
        camel[head + "".join(word.capitalize() for word in rest)] = convert(node)
    return camel
