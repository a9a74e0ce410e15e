"""Paths into decoded JSON: the little language in which the accounting rules name their fields.

``a.b`` goes into objects and, where it meets a list, into each of its items.
``list[key=VALUE]`` keeps the items whose key has that value, without regard to case;
``[key?=VALUE]`` also keeps the items that lack the key. ``'a.b'`` in quotes is one literal key.
A leading ``@`` starts at the response instead of the usage object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

LARGEST_QUANTITY = 10**15
"""A count above it is junk: no request moves that many tokens."""

_STEP = re.compile(r"([^.\[]+)((?:\[[^\]]*\])*)(?:\.|$)")
_FILTER = re.compile(r"\[([^=?]+)(\??)=([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class _Step:
    key: str
    filters: tuple[tuple[tuple[str, ...], bool, str], ...]


@dataclass(frozen=True, slots=True)
class Path:
    """One way to a field.

    Attributes:
        steps: The steps, outermost first.
        of_response: Whether it starts at the response.
    """

    steps: tuple[_Step, ...]
    of_response: bool

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path as it stands in ``accounting.csv``."""
        of_response = text.startswith("@")
        text = text.removeprefix("@")
        if text.startswith("'"):
            return cls((_Step(text.strip("'"), ()),), of_response)
        steps = []
        for key, filters in _STEP.findall(text):
            conditions = tuple(
                (tuple(field.split(".")), bool(optional), value.upper())
                for field, optional, value in _FILTER.findall(filters)
            )
            steps.append(_Step(key, conditions))
        return cls(tuple(steps), of_response)

    @property
    def plain_keys(self) -> tuple[str, ...] | None:
        """The keys, when the path is one to three plain keys into the usage object."""
        if self.of_response or len(self.steps) > 3 or any(s.filters for s in self.steps):
            return None
        return tuple(step.key for step in self.steps)

    def find(
        self, usage: Mapping[str, object], response: Mapping[str, object] | None
    ) -> list[object]:
        """Collect what the path leads to; empty when there is nothing."""
        start = response if self.of_response else usage
        nodes: list[object] = [start] if start is not None else []
        for step in self.steps:
            nodes = [value for node in nodes for value in _enter(node, step)]
        return nodes


def _enter(node: object, step: _Step) -> list[object]:
    """Take one step from a node, or from each item of a list."""
    if isinstance(node, (list, tuple)):
        return [value for item in node for value in _enter(item, step)]
    if not isinstance(node, Mapping):
        return []
    value = node.get(step.key)
    if value is None:
        return []
    if not step.filters:
        return [value]
    items = value if isinstance(value, (list, tuple)) else ()
    return [item for item in items if all(_holds(item, *f) for f in step.filters)]


def _holds(item: object, keys: tuple[str, ...], absent_too: bool, wanted: str) -> bool:
    for key in keys:
        item = item.get(key) if isinstance(item, Mapping) else None
    if item is None:
        return absent_too
    return isinstance(item, str) and item.upper() == wanted


def measured(value: object) -> int | Decimal | None:
    """Read how much of a meter was used; see `quantity`.

    Returns:
        At most three decimal places, half-even: milliseconds of sound. Nobody bills finer, and the
        ledger keeps no more, so that a price can be worked out again from what it keeps.
    """
    number = quantity(value)
    if not isinstance(number, Decimal):
        return number
    rounded = number.quantize(_THOUSANDTH, context=_EXACT)
    whole = int(rounded)
    return whole if whole == rounded else rounded


_THOUSANDTH = Decimal("0.001")
_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)  # whatever the user's own context is


def quantity(value: object) -> int | Decimal | None:
    """Read a count or an amount leniently.

    Args:
        value: An int, a finite float, a Decimal, or a string that holds one.

    Returns:
        An int where the value is whole, else a Decimal; None for anything else: bools, NaN,
        negatives, junk and counts that cannot be.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= LARGEST_QUANTITY else None
    if not isinstance(value, (str, float, Decimal)):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or not 0 <= number <= LARGEST_QUANTITY:
        return None
    whole = int(number)
    return whole if whole == number else number


def count(found: list[object]) -> int | Decimal | None:
    """Count fees: numbers add up, objects count one each, and texts once each, empty ones never.

    Args:
        found: What a path leads to. A list there counts its items; a text in it is one, whatever
            it says (a search for ``2024``), and a text on its own may be a number.
    """
    total: int | Decimal = 0
    names: set[str] = set()
    for value in found:
        if isinstance(value, (list, tuple)):
            names.update(item for item in value if isinstance(item, str))
            total += sum(item is not None and not isinstance(item, str) for item in value)
        elif isinstance(value, Mapping):
            total += 1
        elif isinstance(value, str) and quantity(value) is None:
            names.add(value)
        else:
            number = measured(value)
            if number is None:
                return None
            total += number
    return total + len(names - {""})
