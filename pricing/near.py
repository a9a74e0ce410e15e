"""What a misspelt model may have been meant to be."""

from __future__ import annotations

from difflib import get_close_matches

from costspan.core.naming import canonical_provider
from costspan.pricing.books import Shelf

_MOST = 3
_LEAST_ALIKE = 0.7


def near(shelf: Shelf, provider: str, name: str) -> list[str]:
    """Give the known ids that are most like a name.

    Args:
        shelf: Holds the ids.
        provider: Canonical provider id.
        name: The model as requested, in lower case.
    """
    prefix, slash, rest = name.partition("/")
    owner = canonical_provider(prefix) if slash else provider
    if owner == provider:
        return _alike(shelf, provider, rest or name)
    if shelf.names(provider):
        return _alike(shelf, provider, name)
    return [f"{owner}/{one}" for one in _alike(shelf, owner, rest)]


def _alike(shelf: Shelf, provider: str, name: str) -> list[str]:
    return get_close_matches(name, shelf.names(provider), _MOST, _LEAST_ALIKE)
