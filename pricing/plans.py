"""What is settled for a kind of call over a period: model, rates, and how long they hold."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime

from costspan.core.types import Quantity
from costspan.pricing.rates import Book, Circumstance, RateSet
from costspan.pricing.rows import BEGINNING, END
from costspan.pricing.situation import Situation

_NO_SCHEDULE: frozenset[str] = frozenset()


class Plan:
    """What is settled for a kind of call over a period, so that it is settled once.

    Attributes:
        provider: Canonical provider id of the call.
        book: The model's rows; None when the model is unknown.
        situation: Tier, place, deployment, speed.
        alias_start, alias_end: Within it the names mean the same.
        start, end: Within it no price and no factor of the model changes.
        rates: Rate sets by what still varies: bands passed, thought, open schedules.
        only: The rate set when none of that can matter: the common case.
    """

    __slots__ = (
        "alias_end",
        "alias_start",
        "book",
        "end",
        "only",
        "provider",
        "rates",
        "situation",
        "start",
    )

    def __init__(
        self,
        provider: str,
        book: Book | None,
        situation: Situation,
        names: tuple[datetime, datetime],
        at: datetime,
    ) -> None:
        self.provider = provider
        self.book = book
        self.situation = situation
        self.alias_start, self.alias_end = names
        self.start, self.end = book.period(at) if book is not None else (BEGINNING, END)
        self.rates: dict[tuple[int, bool, frozenset[str]], RateSet] = {}
        self.only: RateSet | None = None

    def holds_at(self, at: datetime) -> bool:
        """Say whether the model has a price at an instant."""
        return self.book is not None and self.book.holds_at(at)

    def rate_set(
        self, buckets: Mapping[str, Quantity], at: datetime, started_at: datetime
    ) -> RateSet:
        """Choose the rates for one call."""
        book = self.book
        assert book is not None
        if self.only is not None:
            return self.only
        prompt = sum([q for meter, q in buckets.items() if meter[:10] == "tokens.in."])
        thought = book.by_thought and bool(buckets.get("tokens.out.reasoning"))
        open_now = _NO_SCHEDULE
        if book.schedules:
            open_now = frozenset(
                name
                for name, schedule in book.schedules.items()
                if schedule.contains(started_at if schedule.by_start else at)
            )
        key = (bisect_left(book.thresholds, prompt), thought, open_now)
        found = self.rates.get(key)
        if found is None:
            when = Circumstance(at, self.situation, prompt, thought, open_now)
            found = self.rates[key] = RateSet(book, when)
            if not (book.thresholds or book.by_thought or book.schedules):
                self.only = found
        return found
