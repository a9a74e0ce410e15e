"""Reads the tables of a file of own prices by the schema, gathering what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from costspan.pricing.overlay_lines import Lines
from costspan.pricing.overlay_schema import REQUIRED, TABLES
from costspan.pricing.rows import BEGINNING, END, Provenance

EVIDENCE = "own"
"""The evidence grade of what the user says."""

_LONGEST_SHOWN = 40


class Table(NamedTuple):
    """A table that has been read and is right in itself.

    Attributes:
        name: ``prices``, ``discounts`` ...
        position: Its place among those of its name, from 0.
        values: By key.
    """

    name: str
    position: int
    values: dict[str, Any]

    @property
    def period(self) -> tuple[datetime, datetime]:
        """From when until when it holds."""
        return self.values.get("valid_from", BEGINNING), self.values.get("valid_to", END)

    @property
    def provenance(self) -> Provenance:
        """What vouches for it."""
        return Provenance(EVIDENCE, self.values.get("source", ""), self.values.get("note", ""))


class Reading:
    """One pass over a file.

    Args:
        name: What to call the file in messages.
        text: Its text.

    """

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = Lines(text)
        self._problems: list[tuple[int, str]] = []

    @property
    def problems(self) -> list[str]:
        """What is wrong, one line each, in the order of the file."""
        return [text for _, text in sorted(self._problems, key=lambda problem: problem[0])]

    def complain(self, table: str, index: int, key: str, what: str) -> None:
        """Note a problem with the line on which its key, or else its table, stands."""
        line = self._lines.find(table, index, key)
        place = ".".join(part for part in (table, key) if part)
        self._problems.append((line, f"{self._name}, line {line}: {place}: {what}"))

    def top(self, raw: Mapping[str, Any]) -> None:
        """Check the names of the tables."""
        known = [name for name in TABLES if "." not in name]
        for key in raw:
            if key not in known:
                self.complain("", 0, key, f"unknown key; {_meant(key, known)}")

    def tables(self, name: str, found: object) -> Iterator[Table]:
        """Read the tables of a name; one that has a problem is told and left out."""
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.complain("", 0, name, f"write [[{name}]] before each of them")
            return
        for index, values in enumerate(found):
            table = self.table(name, index, values)
            if table is not None:
                yield table

    def table(self, name: str, index: int, values: Mapping[str, Any]) -> Table | None:
        """Read one table; None when it has a problem, which is told."""
        before = len(self._problems)
        table = Table(name, index, self._values(name, index, values))
        if len(self._problems) == before:
            self._check(table)
        return table if len(self._problems) == before else None

    def _values(self, name: str, index: int, values: Mapping[str, Any]) -> dict[str, Any]:
        fields, found = TABLES[name], {}
        for key, value in values.items():
            if key not in fields:
                self.complain(name, index, key, f"unknown key; {_meant(key, list(fields))}")
                continue
            try:
                found[key] = fields[key](value)
            except ValueError as error:
                self.complain(name, index, key, f"{_shown(value)}: {error}")
        for key in REQUIRED[name]:
            if key not in values:
                self.complain(name, index, key, "is missing")
        return found

    def _check(self, table: Table) -> None:
        """What must hold between the values of a table."""
        name, index, values = table
        start, end = table.period
        if start >= end:
            self.complain(name, index, "valid_to", "must be after valid_from")
        if name == "prices":
            self._check_price(index, values)

    def _check_price(self, index: int, values: Mapping[str, Any]) -> None:
        free = values.get("free") is True
        if ("usd" in values) == free:
            self.complain("prices", index, "usd", "give amounts here, or else free = true")
        if "band_inclusive" in values and "band_over" not in values:
            self.complain("prices", index, "band_inclusive", "needs band_over")
        conditions = [k for k in ("tier", "region", "band_over", "schedule") if k in values]
        if (free or values.get("flat")) and conditions:
            key = "free" if free else "flat"
            self.complain("prices", index, key, f"holds always: leave out {', '.join(conditions)}")


def _meant(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed: {', '.join(known)}"


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
