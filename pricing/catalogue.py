"""The price catalogue: what one provider request costs, as it will be invoiced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache

from costspan.core.naming import canonical_provider
from costspan.core.types import JSON, Quantity, Served, Usage
from costspan.core.usage import read_usage
from costspan.pricing.books import Shelf
from costspan.pricing.itemise import itemise, own_key, quoted, result
from costspan.pricing.near import near
from costspan.pricing.overlay import Overlay
from costspan.pricing.plans import Plan
from costspan.pricing.rates import Book
from costspan.pricing.rows import BEGINNING, END, Provenance
from costspan.pricing.situation import Context, situation
from costspan.pricing.types import Cost

_NOTHING_SERVED = Served()
_MOST_PLANS = 4096
_PERIODS_KEPT = 8


class Catalogue:
    """Dated prices of every provider, and the rules by which they are applied.

    Args:
        shelf: Where the rows come from; the package's own data by default.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._shelf = shelf or Shelf()
        self._plans: dict[tuple[object, ...], list[Plan]] = {}

    @classmethod
    def default(cls) -> Catalogue:
        """Give the catalogue that comes with the package; the same object each time."""
        return _default()

    def with_overlay(self, overlay: Overlay) -> Catalogue:
        """Give a catalogue in which the user's own prices go before these.

        Args:
            overlay: What `costspan.pricing.overlay_parse.parse_overlay` read.
        """
        return Catalogue(Shelf(self._shelf.folder, overlay))

    @property
    def overlay(self) -> Overlay | None:
        """The user's own prices, if there are any."""
        return self._shelf.overlay

    @property
    def version(self) -> str:
        """Day on which the facts were collected and a hash of them: ``2026-11-25+239fd191``.

        With prices of the user's own, ``+own.`` and a hash of these.
        """
        return self._shelf.version

    def cost(
        self,
        *,
        provider: str,
        model: str,
        usage: Usage | JSON | None,
        at: datetime,
        started_at: datetime | None = None,
        api: str | None = None,
        response_model: str | None = None,
        response: JSON | None = None,
        context: Context | None = None,
    ) -> Cost:
        """Price one provider request.

        Args:
            provider: The provider, in any spelling.
            model: The model as requested.
            usage: What it used: the provider's own usage object or a `Usage`; None when unknown.
            at: When it completed, an aware instant; prices and schedules go by it.
            started_at: When it was sent; aliases go by it. The same as ``at`` by default.
            api: The wire format of a usage object; recognised by its fields when absent.
            response_model: The model that answered; it goes before ``model``.
            response: The rest of the response, for `read_usage`.
            context: What only the caller knows, see `situation`; also ``tool_calls`` (count per
                tool) where the response does not list its tool calls, ``tool`` and
                ``search_context_size``.

        Returns:
            The cost with its lines. An unknown model, or unknown usage, is ``unpriced`` with no
            total; a meter without a rate is named and the status ``partial``.

        Raises:
            ValueError: An instant without a time zone.
        """
        if at.tzinfo is None or (started_at is not None and started_at.tzinfo is None):
            raise ValueError("at and started_at must be aware: pass datetime.now(UTC), for example")
        if usage is not None and not isinstance(usage, Usage):
            usage = read_usage(usage, provider=provider, api=api, response=response)
        served = usage.served if usage is not None else _NOTHING_SERVED
        start = started_at or at
        plan = self._plan(provider, model, response_model, served, context, start, at)
        if usage is None:
            return result(plan, self.version, None, "unpriced")
        if served.upstream_usd is not None:
            factors = self._shelf.factors(plan.provider, "reported.upstream", at)
            return own_key(plan, self.version, served, factors)
        return itemise(plan, self.version, usage, start, at, context)

    def quote(
        self,
        cases: Iterable[Mapping[str, Quantity]],
        *,
        provider: str,
        model: str,
        at: datetime,
        context: Context | None = None,
    ) -> list[Decimal] | None:
        """Price several sets of buckets of one call that has not run yet.

        Args:
            cases: Quantity per meter.
            provider, model, at, context: As for `cost`.

        Returns:
            US dollars of each case; None when the model, or a meter of a case, has no price.
        """
        plan = self._plan(provider, model, None, _NOTHING_SERVED, context, at, at)
        book = plan.book
        if book is None or plan.situation.tier == "provisioned":
            return None
        known: dict[tuple[str, Quantity], Decimal] = {}
        totals: list[Decimal] = []
        for buckets in cases:
            total = quoted(plan, book, buckets, at, context, known if plan.only else {})
            if total is None:
                return None
            totals.append(_FREE if plan.situation.free else total)
        return totals

    def provenance(self, row_id: str) -> Provenance | None:
        """Give the source of a price row or of a factor, by the id that stands in a cost's line.

        Args:
            row_id: `CostLine.row`, or the first of one of its ``factors``.

        Returns:
            Evidence grade, source and note; None for an id that this catalogue does not have.
        """
        return self._shelf.provenance(row_id)

    def book(self, *, provider: str, model: str, at: datetime) -> Book | None:
        """Give all rates of a model, of whatever day; None when there are none.

        Args:
            provider, model: In any spelling.
            at: When the name was used: aliases move.
        """
        return self._plan(provider, model, None, _NOTHING_SERVED, None, at, at).book

    def names(self) -> Iterator[tuple[str, str]]:
        """Give the provider and the id of every model, and of every alias."""
        return self._shelf.all_names()

    def knows(self, *, provider: str, model: str, at: datetime) -> bool:
        """Say whether there are prices for a model, of whatever day."""
        return self.book(provider=provider, model=model, at=at) is not None

    def output_limit(self, *, provider: str, model: str, at: datetime) -> int | None:
        """Give the most tokens that a model can generate; None when that is not known."""
        said = self.facts(provider=provider, model=model, at=at).get("max_output")
        return int(said) if said else None

    def reasons(self, *, provider: str, model: str, at: datetime) -> bool:
        """Say whether a model is known to think before it answers, always or on request."""
        supported = self.facts(provider=provider, model=model, at=at).get("supports", "")
        return "reasoning" in supported.split(";")

    def generates(self, *, provider: str, model: str, at: datetime) -> bool:
        """Say whether a model bills an answer; False where only the input is: embeddings, rerank.

        True for models of which nothing is known, and for those that cost nothing.
        """
        book = self.book(provider=provider, model=model, at=at)
        paid = book.paid_meters(at) if book is not None else ()
        return "tokens.in.text" not in paid or any(m.startswith("tokens.out.") for m in paid)

    def near(self, provider: str, model: str) -> list[str]:
        """Suggest ids for a model that the catalogue does not know.

        Args:
            provider: The provider, in any spelling.
            model: The model as requested, perhaps misspelt.

        Returns:
            Up to three ids of the provider, the likeliest first. A name that starts with a
            provider (``openai/gpt-4o``, at a gateway without prices) gives that one's ids, with
            the prefix.
        """
        return near(self._shelf, canonical_provider(provider), model.strip().lower())

    def facts(self, *, provider: str, model: str, at: datetime) -> Mapping[str, str]:
        """The row of ``models.csv``; empty when there is none."""
        book = self.book(provider=provider, model=model, at=at)
        return self._shelf.facts(book.provider, book.model) if book is not None else {}

    def writes_caches(self, *, provider: str, model: str, at: datetime) -> bool:
        """Say whether a model bills what it writes to its cache without being asked to."""
        book = self.book(provider=provider, model=model, at=at)
        rows = book.prices.get("tokens.in.cache_write", ()) if book is not None else ()
        return any(row.start <= at < row.end for row in rows)

    def steady(
        self, *, provider: str, model: str, at: datetime
    ) -> tuple[datetime, datetime] | None:
        """Give the period around an instant in which no price of a model changes.

        Returns:
            Its first instant and the first one after it; None for models whose price depends on
            the time of day.
        """
        plan = self._plan(provider, model, None, _NOTHING_SERVED, None, at, at)
        if plan.book is not None and plan.book.schedules:
            return None
        return max(plan.start, plan.alias_start), min(plan.end, plan.alias_end)

    def _plan(
        self,
        provider: str,
        model: str,
        response_model: str | None,
        served: Served,
        context: Context | None,
        started_at: datetime,
        at: datetime,
    ) -> Plan:
        """Find the plan of a kind of call, or make it."""
        answered = response_model or served.model
        where: object = (served.tier, served.region, served.deployment, served.speed)
        if context:
            where = situation(canonical_provider(provider), model, served, context)
        key = (provider, model, answered, where)
        plans = self._plans.get(key)
        if plans is not None:
            for plan in plans:
                if plan.start <= at < plan.end and plan.alias_start <= started_at < plan.alias_end:
                    return plan
        elif len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        plan = self._make_plan(provider, model, answered, served, context, started_at, at)
        if at != started_at and not plan.holds_at(at):
            later = self._make_plan(provider, model, answered, served, context, at, at)
            if later.holds_at(at):  # the name moved on, and its old price ended, during the call
                return later
        self._plans[key] = [plan, *(plans or ())][:_PERIODS_KEPT]
        return plan

    def _make_plan(
        self,
        provider: str,
        model: str,
        answered: str | None,
        served: Served,
        context: Context | None,
        started_at: datetime,
        at: datetime,
    ) -> Plan:
        """Resolve the model that answered, or else the one that was asked for."""
        provider = canonical_provider(provider)
        chosen: Book | None = None
        since, until = BEGINNING, END
        for name in (answered, model):
            if not name:
                continue
            book, start, end = self._shelf.resolve(provider, name, started_at)
            since, until = max(since, start), min(until, end)
            if book is not None:
                chosen = chosen or book
                if book.holds_at(at):
                    chosen = book
                    break
        here = situation(provider, model, served, context)
        return Plan(provider, chosen, here, (since, until), at)


_FREE = Decimal(0)


@cache
def _default() -> Catalogue:
    return Catalogue()
