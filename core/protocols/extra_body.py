"""What the caller adds to a body in the provider's own words."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def add_extra_body(
    body: dict[str, object], extra: Mapping[str, object], joined: Collection[str]
) -> None:
    """Add the caller's own fields, which win.

    Args:
        body: The body so far; it is changed.
        extra: The caller's ``extra_body``.
        joined: Objects of which a caller may say one part there and another part by parameters:
            theirs join ours, field by field. All others are replaced.
    """
    for name, value in extra.items():
        ours = body.get(name) if name in joined else None
        if isinstance(ours, Mapping) and isinstance(value, Mapping):
            value = {**ours, **value}
        body[name] = value
