"""The store of rows: looks up models, follows aliases, and builds the book of one model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path

from costspan.pricing.matching import forms, undated
from costspan.pricing.rates import Book
from costspan.pricing.rows import (
    BEGINNING,
    END,
    FOLDER,
    Alias,
    Multiplier,
    Price,
    Provenance,
    Table,
    matches,
    multiplier,
    period,
    price,
    read_all,
)
from costspan.pricing.schedules import Schedule

_LONGEST_CHAIN = 8
_MOST_REMEMBERED = 4096


class Shelf:
    """The catalogue's files, each read when first needed.

    Args:
        folder: Where the data files are; the package's own by default.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._aliases: dict[tuple[str, str], tuple[Alias, ...]] = {}
        self._books: dict[tuple[str, str], Book | None] = {}
        self._facts: dict[tuple[str, str], Mapping[str, str]] = {}

    @cached_property
    def version(self) -> str:
        """Day on which the facts were collected, and a hash of them."""
        return (self._folder / "version.txt").read_text(encoding="utf-8").strip()

    def resolve(
        self, provider: str, name: str, at: datetime
    ) -> tuple[Book | None, datetime, datetime]:
        """Find the book of a model at an instant.

        Args:
            provider: Canonical provider id.
            name: The model, in any exact spelling.
            at: When the request was made: aliases move.

        Returns:
            The book, or None, and the period over which this answer holds.
        """
        start, end = BEGINNING, END
        for form in forms(provider, name):
            book, since, until = self._follow(provider, form, at)
            start, end = max(start, since), min(end, until)
            if book is not None:
                return book, start, end
        for form in forms(provider, name):
            base = undated(form)
            if base and not self.aliases(provider, base):
                book = self.book(provider, base)
                if book is not None:
                    return book, start, end
        for row in self._families:
            if row["provider"] == provider and matches(row["model"], name.rpartition("/")[2]):
                book, since, until = self.resolve(row["priced_by"], name.rpartition("/")[2], at)
                return book, max(start, since), min(end, until)
        return None, start, end

    def _follow(
        self, provider: str, name: str, at: datetime
    ) -> tuple[Book | None, datetime, datetime]:
        """Follow aliases until the name no longer moves."""
        start, end = BEGINNING, END
        for _ in range(_LONGEST_CHAIN):
            target = None
            for alias in self.aliases(provider, name):
                if at < alias.start:
                    end = min(end, alias.start)
                elif at >= alias.end:
                    start = max(start, alias.end)
                else:
                    start, end = max(start, alias.start), min(end, alias.end)
                    target = alias.target
            if target is None:
                break
            name = target
        return self.book(provider, name), start, end

    def aliases(self, provider: str, name: str) -> tuple[Alias, ...]:
        """Give what a name has stood for."""
        key = (provider, name.lower())
        if key not in self._aliases:
            if len(self._aliases) > _MOST_REMEMBERED:
                self._aliases.clear()
            self._aliases[key] = tuple(
                Alias(row["target"], *period(row)) for row in self._alias_table.rows(*key)
            )
        return self._aliases[key]

    def book(self, provider: str, name: str) -> Book | None:
        """Give the book of an exact model id; None when the catalogue has no price for it."""
        key = (provider, name.lower())
        if key not in self._books:
            if len(self._books) > _MOST_REMEMBERED:
                self._books.clear()
            self._books[key] = self._build(*key)
        return self._books[key]

    def _build(self, provider: str, name: str) -> Book | None:
        rows = self._prices.rows(provider, name)
        patterns = _of_model(self._patterns, provider, name)
        if not rows and not any(row["meter"].startswith("tokens.in.text") for row in patterns):
            return None  # fees alone do not make a model known
        prices: dict[str, list[Price]] = {}
        for row in (*rows, *patterns):
            prices.setdefault(row["meter"], []).append(price(row))
        named = {row.schedule for some in prices.values() for row in some} - {""}
        fixed = _of_model(self._fixed, provider, name)
        fees = _of_model(self._request_fees, provider, name)
        return Book(
            provider=provider,
            model=rows[0]["model"] if rows else name,
            prices=prices,
            multipliers=tuple(
                one
                for owner, pattern, one in self._multipliers
                if owner == provider and matches(pattern, name)
            ),
            fixed_tokens={
                row["fee"]: (row["meter"], int(row["quantity"]), *period(row)) for row in fixed
            },
            minimums={
                row["meter"]: int(row["quantity"])
                for row in _of_model(self._minimums, provider, name)
            },
            schedules={schedule: self._schedules[schedule] for schedule in named},
            request_fee=fees[0]["fee"] if fees else "",
        )

    def provenance(self, row_id: str) -> Provenance | None:
        """Find what vouches for a price row; reads the sources only now."""
        for row in read_all(self._folder / "provenance.csv"):
            if row_id in row["ids"].split(" "):
                return Provenance(row["evidence"], row["source"], row["note"])
        return None

    def facts(self, provider: str, model: str) -> Mapping[str, str]:
        """Give what is known of a model beside its prices; empty when nothing is."""
        key = (provider, model)
        if key not in self._facts:
            if len(self._facts) > _MOST_REMEMBERED:
                self._facts.clear()
            rows = self._models.rows(provider, model)
            self._facts[key] = rows[0] if rows else {}
        return self._facts[key]

    def names(self, provider: str) -> set[str]:
        """Give every id and alias of a provider."""
        return self._prices.names(provider) | self._alias_table.names(provider)

    def factors(self, provider: str, meter: str, at: datetime) -> list[Multiplier]:
        """Give the multipliers on a meter that hold for every model of a provider."""
        return [
            one
            for owner, pattern, one in self._multipliers
            if owner == provider
            and pattern == "*"
            and meter in one.prefixes
            and one.start <= at < one.end
        ]

    @cached_property
    def _prices(self) -> Table:
        return Table(self._folder / "prices.csv")

    @cached_property
    def _alias_table(self) -> Table:
        return Table(self._folder / "aliases.csv")

    @cached_property
    def _models(self) -> Table:
        return Table(self._folder / "models.csv")

    @cached_property
    def _patterns(self) -> list[dict[str, str]]:
        return read_all(self._folder / "patterns.csv")

    @cached_property
    def _families(self) -> list[dict[str, str]]:
        return read_all(self._folder / "families.csv")

    @cached_property
    def _fixed(self) -> list[dict[str, str]]:
        return read_all(self._folder / "fixed_tokens.csv")

    @cached_property
    def _minimums(self) -> list[dict[str, str]]:
        return read_all(self._folder / "minimums.csv")

    @cached_property
    def _request_fees(self) -> list[dict[str, str]]:
        return read_all(self._folder / "request_fees.csv")

    @cached_property
    def _multipliers(self) -> list[tuple[str, str, Multiplier]]:
        rows = read_all(self._folder / "multipliers.csv")
        return [(row["provider"], row["model"], multiplier(row)) for row in rows]

    @cached_property
    def _schedules(self) -> dict[str, Schedule]:
        rows = read_all(self._folder / "schedules.csv")
        return {row["schedule"]: Schedule.parse(row) for row in rows}


def _of_model(rows: list[dict[str, str]], provider: str, name: str) -> list[dict[str, str]]:
    """Take the rows whose pattern a model fits."""
    return [r for r in rows if r["provider"] == provider and matches(r["model"], name)]
