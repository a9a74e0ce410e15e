"""The catalogue's rows as values, and the CSV files they are read from."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

FOLDER = Path(__file__).parent
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

LONGEST_CHAIN = 8
"""Aliases that are followed one after the other."""
MODEL, OWN_PATTERN, OWN_MODEL = 1000, 2000, 3000
"""Specificity of a row of a model itself, and of the user's own rows for a pattern (and its
length) and for a model: of two rows for one condition, the own one holds."""


@dataclass(frozen=True, slots=True)
class Price:
    """One rate over a period.

    Attributes:
        id: Stable id of the row.
        meter: What is billed.
        rate_usd: US dollars per ``per`` units.
        per: How many units the rate buys.
        start, end: UTC instants, the end is excluded.
        tier, region, schedule: What must hold for it; empty means anything.
        over: It holds for prompts above so many tokens; -1 for all. The row's own comparison is
            folded in: an inclusive band of 200,000 is stored as 199,999.
        specificity: Letters of the pattern it came from, or `MODEL`, `OWN_PATTERN` ...
        own: Whether it is the user's own rate, a net one, and not a list price.
        flat: Whether it holds whatever the tier, place, prompt size and hour, without factors.
    """

    id: str
    meter: str
    rate_usd: Decimal
    per: int
    start: datetime
    end: datetime
    tier: str
    region: str
    schedule: str
    over: int
    specificity: int
    own: bool = False
    flat: bool = False

    @property
    def rank(self) -> tuple[bool, bool, bool, int, bool, int]:
        """Which of several rows that hold is taken: the one for the narrowest condition."""
        return (
            self.flat,
            bool(self.tier),
            bool(self.region),
            self.over,
            bool(self.schedule),
            self.specificity,
        )


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that stood for another one over a period.

    Attributes:
        target: The other name.
        start, end: UTC instants, the end is excluded.
        provider: Whose model that is; empty where it is the provider's own.
    """

    target: str
    start: datetime
    end: datetime
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor on meters, under one condition.

    Attributes:
        id: Its name in the catalogue.
        factor: What amounts are multiplied by.
        prefixes: Beginnings of the meters it reaches.
        attribute: What of the call it looks at: ``tier``, ``region``, ``deployment``, ``speed``;
            empty for a discount, which holds for every list price.
        values: The values it holds for, or does not hold for.
        negated: Whether it holds for any other known value.
        start, end: UTC instants, the end is excluded.
    """

    id: str
    factor: Decimal
    prefixes: tuple[str, ...]
    attribute: str
    values: frozenset[str]
    negated: bool
    start: datetime
    end: datetime

    def holds(self, value: str | None) -> bool:
        """Say whether it applies to a call whose attribute has this value."""
        if not self.attribute:
            return True
        return value is not None and (value in self.values) is not self.negated


@dataclass(frozen=True, slots=True)
class Provenance:
    """What vouches for a price.

    Attributes:
        evidence: ``billed``, ``provider-page``, ``announcement``, ``secondary`` or the map that it
            was imported from (``imported-litellm``, ``imported-genai-prices``); ``own`` for what
            the user says.
        source: The page or repository that says so.
        note: What to know about it.
    """

    evidence: str
    source: str
    note: str


class Table:
    """A sorted CSV file that is searched as text and parsed row by row.

    Loading parses nothing, so a process that prices one model reads one model.

    Args:
        path: The file; its first two columns are the provider and a name.
    """

    def __init__(self, path: Path) -> None:
        self._text = path.read_text(encoding="utf-8")
        self._lower = self._text.lower()
        header, _, _ = self._text.partition("\n")
        self.columns = header.split(",")

    def rows(self, provider: str, name: str) -> list[dict[str, str]]:
        """Give the rows of a provider and a name, compared without case."""
        key = f"\n{provider},{name},".lower()
        start = self._lower.find(key)
        if start < 0 or "\n" in name or "," in name:
            return []
        end = start
        while self._lower.startswith(key, end):
            end = self._lower.find("\n", end + 1)
        lines = self._text[start + 1 : end].split("\n")
        return [dict(zip(self.columns, cells, strict=True)) for cells in csv.reader(lines)]

    def names(self, provider: str) -> set[str]:
        """Give the names of all rows of a provider."""
        return {name for owner, name in self.keys() if owner == provider}

    def keys(self) -> Iterator[tuple[str, str]]:
        """Give the provider and the name of each row."""
        for line in self._text.split("\n")[1:]:
            if line:
                provider, name, _ = line.split(",", 2)
                yield provider, name


def read_all(path: Path) -> list[dict[str, str]]:
    """Read a small CSV file whole."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def matches(pattern: str, name: str) -> bool:
    """Say whether a name fits one of the globs that ``|`` separates, compared without case."""
    name = name.lower()
    return any(fnmatchcase(name, one) for one in pattern.lower().split("|"))


def instant(text: str, default: datetime) -> datetime:
    """Read a day or an instant as UTC; empty text is the default."""
    if not text:
        return default
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def period(row: Mapping[str, str]) -> tuple[datetime, datetime]:
    """Read the validity of a row."""
    return instant(row["valid_from"], BEGINNING), instant(row["valid_to"], END)


def price(row: Mapping[str, str]) -> Price:
    """Read a price row."""
    start, end = period(row)
    over = int(row["band_over"]) if row["band_over"] else -1
    return Price(
        id=row["id"],
        meter=row["meter"],
        rate_usd=Decimal(row["amount_usd"]),
        per=int(row["per"]),
        start=start,
        end=end,
        tier=row["tier"],
        region=row["region"],
        schedule=row["schedule"],
        over=over - 1 if row["band_inclusive"] == "true" else over,
        specificity=len(row["model"]) if "*" in row["model"] else MODEL,
    )


def multiplier(row: Mapping[str, str]) -> Multiplier:
    """Read a multiplier row."""
    start, end = period(row)
    return Multiplier(
        id=row["id"],
        factor=Decimal(row["factor"]),
        prefixes=tuple(row["applies_to"].split("|")),
        attribute=row["attribute"],
        values=frozenset(row["values"].split("|")),
        negated=row["operator"] == "not",
        start=start,
        end=end,
    )
