"""The meters there are, what people call them, and the unit that each is priced by."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from costspan.pricing.rows import FOLDER, read_all

FEE = "fee."
"""Meters that count events begin so; there are as many as providers invent."""


class Meter(NamedTuple):
    """What is billed.

    Attributes:
        id: Its name in the catalogue (``tokens.in.cache_read``).
        label: What people call it (``input, from cache``).
        unit: What is counted.
        per: How many units its price is usually given for.
    """

    id: str
    label: str
    unit: str
    per: int


@cache
def meters() -> dict[str, Meter]:
    """Give every meter but the fees, in the order in which people read them."""
    rows = read_all(FOLDER / "meters.csv")
    return {r["meter"]: Meter(r["meter"], r["label"], r["unit"], int(r["per"])) for r in rows}


def meter(name: str) -> Meter | None:
    """Give a meter by its id; None for one that does not exist."""
    found = meters().get(name)
    if found is None and name.startswith(FEE) and len(name) > len(FEE):
        return Meter(name, name.removeprefix(FEE).replace("_", " ").replace(".", ", "), "calls", 1)
    return found
