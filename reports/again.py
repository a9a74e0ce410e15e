"""Prices recorded calls again: from the stored facts to the columns as they would be today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from costspan.exporters.ledger.facts import UPSTREAM_USD, Row, add_request
from costspan.exporters.ledger.limits import keep_in_range, may_overflow
from costspan.exporters.ledger.reprice import REPRICED_COLUMNS
from costspan.exporters.ledger.row import COST_COLUMNS_OF_A_CALL, row
from costspan.middleware.aliases import Alias, parse_aliases
from costspan.middleware.record import Call, ProviderRequest
from costspan.middleware.request import unprefixed
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.told import TOLD_BY, with_told
from costspan.pricing.types import Cost
from costspan.reports.recorded import (
    Facts,
    is_incomplete,
    recorded_context,
    recorded_usage,
    same_lines,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AMOUNTS = tuple(name for name in COST_COLUMNS_OF_A_CALL if name.endswith("_usd"))


class IncompleteError(Exception):
    """Facts are missing from which the recorded cost was made."""


class Pricer:
    """Prices recorded calls by the catalogue and the aliases in force.

    Args:
        catalogue: The prices.
        aliases: The user's, as `parse_aliases` takes them; an alias that was in force when a call
            was made goes on to hold where they say nothing of its model.
    """

    def __init__(self, catalogue: Catalogue, aliases: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._aliases = parse_aliases(aliases)

    def new_columns(self, stored: Facts) -> Row | None:
        """Price a call again.

        Args:
            stored: Its row, as ``reprice.sql`` gives it.

        Returns:
            New values of `REPRICED_COLUMNS`, as the recorder would write them; None where they are
            what they were.

        Raises:
            IncompleteError: The row does not hold all that its cost was made from.
        """
        if stored["requests"] is not None:
            new = self._several(stored)
        elif (stored["request_count"] or 1) > 1:
            raise IncompleteError
        elif stored["usage_source"] is None:
            return None
        else:
            new = self._one(stored)
        changed = _differs(stored, new) or new["requests"] != stored["requests"]
        return new if changed else None

    def _one(self, stored: Facts) -> Row:
        request = self._request(stored, _aware(stored["started_at"]), _aware(stored["ended_at"]))
        facts: Row = {}
        add_request(request, facts)
        if may_overflow(facts):
            keep_in_range(facts)
        return {**dict.fromkeys(REPRICED_COLUMNS), **_kept(facts), "requests": None}

    def _several(self, stored: Facts) -> Row:
        parts: list[Row] = orjson.loads(stored["requests"])
        spans = [(_instant(p["started_at_us"]), _instant(p["ended_at_us"])) for p in parts]
        requests = [self._request(p, *span) for p, span in zip(parts, spans, strict=True)]
        call = Call(stored["call_id"], "", tuple(requests), *spans[0], 0, stored["status"], "value")
        columns = row(call)
        changed = False
        for part, new in zip(parts, columns["requests"], strict=True):
            if _differs(part, new):
                changed = True
                for name in (*COST_COLUMNS_OF_A_CALL, "usage_flags"):
                    part.pop(name, None)
                part.update(_kept(new))
        requests_now = orjson.dumps(parts, default=str).decode() if changed else stored["requests"]
        return {
            **dict.fromkeys(REPRICED_COLUMNS),
            **_kept(columns),
            "requests": requests_now,
        }

    def _request(self, facts: Facts, started_at: datetime, ended_at: datetime) -> ProviderRequest:
        """The request as it was recorded, but for its cost, which is today's."""
        if is_incomplete(facts):
            raise IncompleteError
        usage, context = recorded_usage(facts), recorded_context(facts)
        if usage is None:
            cost = _cost_as_it_is(facts)
        else:
            provider, requested, model = (
                facts.get(name) or "" for name in ("provider", "model_requested", "model")
            )
            priced_as = context.pop("priced_as", None)
            context.pop(UPSTREAM_USD, None)
            told_usd = usage.served.reported_usd if context.pop(TOLD_BY, None) else None
            if told_usd is not None:  # no provider told it, so it does not go before ours
                usage = usage._replace(served=replace(usage.served, reported_usd=None))
            asked = unprefixed(provider, requested)
            alias = (
                self._aliases.get(asked)
                or self._aliases.get(requested)
                or self._aliases.get(model)
                or (Alias(*priced_as.split("/", 1)) if priced_as else None)
            )
            cost = self._catalogue.cost(
                provider=alias.provider if alias else provider,
                model=alias.model if alias else asked,
                usage=usage,
                at=ended_at,
                started_at=started_at,
                response_model=None if alias else model,
                context=context,
            )
            if told_usd is not None:
                cost = with_told(cost, told_usd)
        return ProviderRequest("", "", "", "", started_at, ended_at, usage, cost)


def _cost_as_it_is(facts: Facts) -> Cost | None:
    """The cost of a request whose usage is not known: nothing, or not priced at all."""
    if not facts.get("catalogue_version"):
        return None
    return Cost(
        None,
        "unpriced",
        provider=facts.get("priced_provider") or "",
        model=facts.get("priced_model"),
        catalogue_version=facts["catalogue_version"],
    )


def _kept(columns: Row) -> Row:
    """The columns that pricing decides; lines as the ledger stores them."""
    found = {name: columns[name] for name in REPRICED_COLUMNS if name in columns}
    found.pop("requests", None)
    return found


def _differs(old: Facts, new: Row) -> bool:
    """Whether an amount, the status or a line is another than before."""
    if old.get("cost_status") != new.get("cost_status"):
        return True
    if any(_money(old.get(name)) != _money(new.get(name)) for name in _AMOUNTS):
        return True
    return not same_lines(old, new)


def _money(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) else value


def _aware(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
