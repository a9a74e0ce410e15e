"""What the fields of a LiteLLM price map mean here: meter, service tier, size of the prompt."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from costspan.pricing.rows import FOLDER, read_all

_PRICE = re.compile("cost|pric|uplift|multiplier|free_requests|specific_entry|alias_of")


class Condition(NamedTuple):
    """What must hold for rates: a service tier, and a prompt above so many tokens (-1: any)."""

    tier: str = ""
    over: int = -1


STANDARD = Condition()


class Rule(NamedTuple):
    """What a field means.

    Attributes:
        position: Its place in the file of keys: of two fields for one meter the first holds.
        meters: Those that it prices.
        per: How many units its amount buys.
        modes: Modes of models that it holds for; empty for all.
        providers: LiteLLM's names of the providers that it holds for; empty for all.
    """

    position: int
    meters: tuple[str, ...]
    per: int
    modes: frozenset[str]
    providers: frozenset[str]


@cache
def table(kind: str) -> list[dict[str, str]]:
    """Give the rows of a kind in the file of keys."""
    return [row for row in read_all(FOLDER / "litellm_keys.csv") if row["kind"] == kind]


@cache
def parsed(field: str) -> tuple[str, Condition]:
    """Take the suffixes off a field: ``_above_200k_tokens``, then ``_priority``."""
    pattern, tiers = _suffixes()
    found = pattern.fullmatch(field)
    if found is None:
        return field, STANDARD
    name, over, thousands, tier = found.groups()
    tokens = int(over) * (1000 if thousands else 1) if over else -1
    return name, Condition(tiers[tier] if tier else "", tokens)


@cache
def rule(name: str, mode: str, provider: str) -> Rule | None:
    """Find what a field means.

    Args:
        name: The field without suffixes; ``.low`` and the like name a field within it.
        mode: The mode of the model (``chat``).
        provider: LiteLLM's name of its provider.
    """
    for one in _rules().get(name, ()):
        in_mode = not one.modes or mode in one.modes
        if in_mode and (not one.providers or provider in one.providers):
            return one
    return None


def bears_on_money(field: str) -> bool:
    """Say whether a field is about prices; all others describe the model."""
    return _PRICE.search(field) is not None


@cache
def _rules() -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for position, row in enumerate(table("rate")):
        one = Rule(
            position,
            tuple(row["meaning"].split("|")),
            int(row["per"]),
            frozenset(filter(None, row["modes"].split("|"))),
            frozenset(filter(None, row["providers"].split("|"))),
        )
        found.setdefault(row["name"], []).append(one)
    return found


@cache
def _suffixes() -> tuple[re.Pattern[str], dict[str, str]]:
    tiers = {row["name"]: row["meaning"] for row in table("tier")}
    pattern = rf"(.+?)(?:_above_(\d{{1,9}})(k?)_tokens)?(?:_({'|'.join(tiers)}))?"
    return re.compile(pattern), tiers
