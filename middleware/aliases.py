"""Aliases: models that are called by another name than the catalogue's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Alias(NamedTuple):
    """The catalogue's name of a model that is called by another name."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


def parse_aliases(aliases: Mapping[str, str]) -> dict[str, Alias]:
    """Read ``name -> provider/model``.

    Raises:
        ValueError: A target without a provider.
    """
    parsed: dict[str, Alias] = {}
    for name, target in aliases.items():
        provider, slash, model = target.partition("/")
        if not slash or not provider or not model:
            raise ValueError(
                f"alias {name!r}: {target!r} does not name provider/model, "
                "for instance 'openai/gpt-4o'"
            )
        parsed[name] = Alias(provider, model)
    return parsed
