"""The store of rows: looks up models, follows aliases, and builds the book of one model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

from costspan.pricing.called import called
from costspan.pricing.matching import forms, undated
from costspan.pricing.overlay import ANY_PROVIDER, Called, Overlay
from costspan.pricing.rates import Book
from costspan.pricing.rows import (
    BEGINNING,
    END,
    FOLDER,
    LONGEST_CHAIN,
    MODEL,
    OWN_MODEL,
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

_MOST_REMEMBERED = 4096


class Shelf:
    """The catalogue's files, each read when first needed.

    Args:
        folder: Where the data files are; the package's own by default.
        overlay: The user's own prices, which go before them.

    Attributes:
        folder, overlay: As given.
    """

    def __init__(self, folder: Path = FOLDER, overlay: Overlay | None = None) -> None:
        self.folder = folder
        self.overlay = overlay
        self._aliases: dict[tuple[str, str], tuple[Alias, ...]] = {}
        self._books: dict[tuple[str, str], Book | None] = {}
        self._facts: dict[tuple[str, str], Mapping[str, str]] = {}

    @cached_property
    def version(self) -> str:
        """Day on which the facts were collected, and a hash of them and of the user's own."""
        version = (self.folder / "version.txt").read_text(encoding="utf-8").strip()
        return f"{version}+own.{self.overlay.digest}" if self.overlay else version

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
        ended: Book | None = None
        for form in forms(provider, name):
            book, since, until = self._follow(provider, form, at)
            start, end = max(start, since), min(end, until)
            if book is not None:
                if book.holds_at(at):
                    return book, start, end
                # Perplexity sells perplexity/sonar since it no longer sells sonar.
                ended = ended or book
                since, until = book.period(at)
                start, end = max(start, since), min(end, until)
        if ended is not None:
            return ended, start, end
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
        if self.overlay and provider != ANY_PROVIDER:
            book, since, until = self.resolve(ANY_PROVIDER, name, at)
            return book, max(start, since), min(end, until)
        return None, start, end

    def _follow(
        self, provider: str, name: str, at: datetime
    ) -> tuple[Book | None, datetime, datetime]:
        """Follow aliases until the name no longer moves."""
        start, end = BEGINNING, END
        for _ in range(LONGEST_CHAIN):
            target: Alias | None = None
            for alias in self.aliases(provider, name):
                if at < alias.start:
                    end = min(end, alias.start)
                elif at >= alias.end:
                    start = max(start, alias.end)
                else:
                    start, end = max(start, alias.start), min(end, alias.end)
                    target = alias
            if target is None:
                break
            provider, name = target.provider or provider, target.target
        return self.book(provider, name), start, end

    def aliases(self, provider: str, name: str) -> tuple[Alias, ...]:
        """Give what a name has stood for; the user's own names come last and win."""
        key = (provider, name.lower())
        if key not in self._aliases:
            if len(self._aliases) > _MOST_REMEMBERED:
                self._aliases.clear()
            listed = [Alias(row["target"], *period(row)) for row in self._alias_table.rows(*key)]
            own = self.overlay.aliases(*key) if self.overlay else []
            self._aliases[key] = (*listed, *own)
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
        names = self._called.get((provider, name), ())
        own = self.overlay.rates(provider, name, names) if self.overlay else []
        if any(row.meter[:4] != "fee." for row in own):  # not free, as others of its kind are
            patterns = [row for row in patterns if row["meter"][:4] == "fee."]
        listed = [*map(price, rows), *map(price, patterns), *own]
        if not any(map(_makes_known, listed)):
            return None  # the provider's fees alone do not make a model known
        prices: dict[str, list[Price]] = {}
        for row in listed:
            prices.setdefault(row.meter, []).append(row)
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
            )
            + tuple(self.overlay.factors(provider, name, names) if self.overlay else ()),
            fixed_tokens={
                row["fee"]: (row["meter"], int(row["quantity"]), *period(row)) for row in fixed
            },
            minimums={
                row["meter"]: int(row["quantity"])
                for row in _of_model(self._minimums, provider, name)
            },
            schedules={schedule: self._schedules[schedule] for schedule in named},
            request_fee=fees[0]["fee"] if fees else _own_request_fee(own),
        )

    def provenance(self, row_id: str) -> Provenance | None:
        """Find what vouches for a price row or a factor."""
        own = self.overlay.sources.get(row_id) if self.overlay else None
        return own or self._sources.get(row_id)

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
        listed = self._prices.names(provider) | self._alias_table.names(provider)
        return listed | self.overlay.models(provider) if self.overlay else listed

    def all_names(self) -> Iterator[tuple[str, str]]:
        """Give provider and id of every model and of every alias, in their order."""
        own = {one[:2] for one in self.overlay.names} | self.overlay.named() if self.overlay else ()
        yield from sorted({*self._prices.keys(), *self._alias_table.keys(), *own})

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
    def _called(self) -> Mapping[tuple[str, str], Sequence[Called]]:
        return called(self.overlay.named(), self.aliases) if self.overlay else {}

    @cached_property
    def _sources(self) -> dict[str, Provenance]:
        """By the id of a row or factor; large, and read only when somebody asks for sources."""
        rows = [
            *((row["id"], row) for row in read_all(self.folder / "multipliers.csv")),
            *(
                (one, r)
                for r in read_all(self.folder / "provenance.csv")
                for one in r["ids"].split()
            ),
        ]
        return {one: Provenance(r["evidence"], r["source"], r["note"]) for one, r in rows}

    @cached_property
    def _prices(self) -> Table:
        return Table(self.folder / "prices.csv")

    @cached_property
    def _alias_table(self) -> Table:
        return Table(self.folder / "aliases.csv")

    @cached_property
    def _models(self) -> Table:
        return Table(self.folder / "models.csv")

    @cached_property
    def _patterns(self) -> list[dict[str, str]]:
        return read_all(self.folder / "patterns.csv")

    @cached_property
    def _families(self) -> list[dict[str, str]]:
        return read_all(self.folder / "families.csv")

    @cached_property
    def _fixed(self) -> list[dict[str, str]]:
        return read_all(self.folder / "fixed_tokens.csv")

    @cached_property
    def _minimums(self) -> list[dict[str, str]]:
        return read_all(self.folder / "minimums.csv")

    @cached_property
    def _request_fees(self) -> list[dict[str, str]]:
        return read_all(self.folder / "request_fees.csv")

    @cached_property
    def _multipliers(self) -> list[tuple[str, str, Multiplier]]:
        rows = read_all(self.folder / "multipliers.csv")
        return [(row["provider"], row["model"], multiplier(row)) for row in rows]

    @cached_property
    def _schedules(self) -> dict[str, Schedule]:
        rows = read_all(self.folder / "schedules.csv")
        return {row["schedule"]: Schedule.parse(row) for row in rows}


def _makes_known(row: Price) -> bool:
    """Whether a row makes a model known; the fees of a provider alone do not."""
    named = row.specificity in (MODEL, OWN_MODEL)
    return named or row.meter.startswith("tokens.in.text") or (row.own and row.meter[:4] != "fee.")


def _own_request_fee(own: Iterable[Price]) -> str:
    """What a user says to be paid for each request is paid though no response tells it."""
    return next((row.meter for row in own if row.meter == "fee.request"), "")


def _of_model(rows: list[dict[str, str]], provider: str, name: str) -> list[dict[str, str]]:
    """Take the rows whose pattern a model fits."""
    return [r for r in rows if r["provider"] == provider and matches(r["model"], name)]
