"""By which names the user's own prices mean the models of the catalogue.

A contract says ``gpt-4o``; the catalogue prices ``gpt-4o-2024-08-06``, and that is what answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from costspan.pricing.matching import forms
from costspan.pricing.overlay import Called
from costspan.pricing.rows import BEGINNING, END, LONGEST_CHAIN, Alias

Aliases = Callable[[str, str], Iterable[Alias]]
"""What a name has stood for at a provider."""


def called(
    named: Iterable[tuple[str, str]], aliases: Aliases
) -> Mapping[tuple[str, str], Sequence[Called]]:
    """Give the names that stood for each model.

    Args:
        named: Provider and model as the user's prices spell them.
        aliases: The catalogue's.

    Returns:
        Provider and model of the catalogue -> the names other than its own.
    """
    found: dict[tuple[str, str], list[Called]] = {}
    for provider, name in named:
        for model, start, end in _meant(provider, name, aliases):
            if model != name:
                found.setdefault((provider, model), []).append(Called(name, start, end))
    return found


def _meant(provider: str, name: str, aliases: Aliases) -> Iterator[tuple[str, datetime, datetime]]:
    """Give every name that one leads to, and when it does."""
    reached = [(form, BEGINNING, END) for form in forms(provider, name)]
    for _ in range(LONGEST_CHAIN):
        yield from reached
        reached = [
            (alias.target.lower(), max(start, alias.start), min(end, alias.end))
            for one, start, end in reached
            for alias in aliases(provider, one)
            if not alias.provider
        ]
