"""The price catalogue: what one provider request costs, as it will be invoiced."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache

from costspan.core.naming import canonical_provider
from costspan.core.types import JSON, Served, Usage
from costspan.core.usage import read_usage
from costspan.pricing.books import Shelf
from costspan.pricing.fees import billed, is_optional
from costspan.pricing.plans import Plan
from costspan.pricing.rates import EXACT, PICODOLLAR, Book
from costspan.pricing.rows import BEGINNING, END
from costspan.pricing.situation import Context, situation
from costspan.pricing.types import Cost, CostLine, CostStatus

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

    @property
    def version(self) -> str:
        """Day on which the facts were collected and a hash of them: ``2026-11-25+239fd191``."""
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
            return self._result(plan, provider, None, "unpriced")
        if served.upstream_usd is not None:
            return self._own_key(plan, provider, served, at)
        return self._itemise(plan, provider, usage, start, at, context)

    def output_limit(self, *, provider: str, model: str, at: datetime) -> int | None:
        """Give the most tokens that a model can generate; None when that is not known."""
        book = self._plan(provider, model, None, _NOTHING_SERVED, None, at, at).book
        return self._shelf.output_limit(book.provider, book.model) if book is not None else None

    def writes_caches(self, *, provider: str, model: str, at: datetime) -> bool:
        """Say whether a model bills what it writes to its cache without being asked to."""
        book = self._plan(provider, model, None, _NOTHING_SERVED, None, at, at).book
        rows = book.prices.get("tokens.in.cache_write", ()) if book is not None else ()
        return any(row.start <= at < row.end for row in rows)

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
        return Plan(chosen, here, (since, until), at)

    def _itemise(
        self,
        plan: Plan,
        provider: str,
        usage: Usage,
        started_at: datetime,
        at: datetime,
        context: Context | None,
    ) -> Cost:
        """Price every bucket and fee by the plan's rates."""
        book = plan.book
        reported = usage.served.reported_usd
        if book is None or plan.situation.tier == "provisioned":
            return self._result(plan, provider, None, "unpriced", reported=reported)
        if plan.situation.free:
            return self._result(plan, provider, Decimal(0), "free", reported=reported)
        rates = plan.only or plan.rate_set(usage, at, started_at)
        lines: list[CostLine] = []
        missing: list[str] = []
        total = Decimal(0)
        for meter, quantity in billed(book, usage, at, context).items():
            if not quantity:
                continue
            rate = rates.rate(meter)
            if rate is None:
                if not is_optional(meter):
                    missing.append(meter)
                continue
            row, amount = rate.row, rate.amount(quantity)
            total = EXACT.add(total, amount)
            lines.append(
                CostLine(meter, quantity, row.rate_usd, row.per, rate.factors, amount, row.id)
            )
        return self._judge(plan, provider, lines, missing, total, reported)

    def _judge(
        self,
        plan: Plan,
        provider: str,
        lines: list[CostLine],
        missing: list[str],
        total: Decimal,
        reported: Decimal | None,
    ) -> Cost:
        """Say how far the computed total can be trusted."""
        status: CostStatus = "priced"
        computed: Decimal | None = total
        if missing:
            status, computed = ("partial", total) if lines else ("unpriced", None)
        elif not total and lines and not any(line.rate_usd for line in lines):
            status = "free"
        return self._result(
            plan,
            provider,
            computed,
            status,
            lines=tuple(lines),
            reported=reported,
            unpriced_meters=tuple(missing),
        )

    def _own_key(self, plan: Plan, provider: str, served: Served, at: datetime) -> Cost:
        """Price a gateway's fee on what the vendor bills to the caller's own key."""
        upstream = served.upstream_usd
        assert upstream is not None
        owner = canonical_provider(provider)
        factors = self._shelf.factors(owner, "reported.upstream", at)
        if not factors:
            return self._result(plan, provider, None, "unpriced", reported=served.reported_usd)
        amount = upstream
        for one in factors:
            amount = EXACT.multiply(amount, one.factor)
        amount = EXACT.quantize(amount, PICODOLLAR)
        applied = tuple((one.id, one.factor) for one in factors)
        line = CostLine(
            "reported.upstream", upstream, Decimal(1), 1, applied, amount, factors[0].id
        )
        return self._judge(plan, provider, [line], [], amount, served.reported_usd)

    def _result(
        self,
        plan: Plan,
        provider: str,
        computed: Decimal | None,
        status: CostStatus,
        lines: tuple[CostLine, ...] = (),
        reported: Decimal | None = None,
        unpriced_meters: tuple[str, ...] = (),
    ) -> Cost:
        """Put the cost together; the provider's own amount goes before ours."""
        total, difference = computed, None
        if reported is not None:
            total = reported = EXACT.quantize(reported, PICODOLLAR)
            if computed is not None and status != "partial":
                difference = EXACT.subtract(reported, computed)
            status = "reported"
        book = plan.book
        return Cost(
            total,
            status,
            lines,
            reported,
            difference,
            unpriced_meters,
            book.provider if book is not None else canonical_provider(provider),
            book.model if book is not None else None,
            self.version,
        )


@cache
def _default() -> Catalogue:
    return Catalogue()
