"""Aliases: models that are called by another name than the catalogue's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from costspan.pricing.catalogue import Catalogue

_log = logging.getLogger("costspan")


class Alias(NamedTuple):
    """The catalogue's name of a model that is called by another name."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


def parse_aliases(aliases: Mapping[str, str]) -> dict[str, Alias]:
    """Read ``name -> provider/model``.

    Raises:
        ValueError: A target that is no text, or without a provider.
    """
    parsed: dict[str, Alias] = {}
    for name, target in aliases.items():
        provider, slash, model = str(target).partition("/")
        if not slash or not provider or not model:
            raise ValueError(
                f"alias {name!r}: {str(target)!r} does not name provider/model, "
                "for instance 'openai/gpt-4o'"
            )
        parsed[name] = Alias(provider, model)
    return parsed


def check_aliases(aliases: Mapping[str, Alias], catalogue: Catalogue, at: datetime) -> None:
    """Say which aliases lead to a model without prices: its calls would stay unpriced."""
    for name, alias in aliases.items():
        if not catalogue.knows(provider=alias.provider, model=alias.model, at=at):
            _log.warning(
                "costspan: alias %r leads to %s, which has no price in the catalogue: "
                "its calls will be unpriced. Mend the alias.",
                name,
                alias,
            )
