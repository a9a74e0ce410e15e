"""How the cost of one recorded call came about, from the ledger and the catalogue in force."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from costspan.core.types import Usage
from costspan.exporters.ledger.facts import UPSTREAM
from costspan.exporters.ledger.limits import COST_OVERFLOW
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.fees import is_optional
from costspan.pricing.rates import EXACT
from costspan.pricing.rows import Provenance
from costspan.reports.errors import ReportError
from costspan.reports.query import Reader, fetch
from costspan.reports.recorded import (
    RecordedLine,
    recorded_lines,
    recorded_sum,
    recorded_usage,
    usage_flags,
)

_END_OF_ID = re.compile(r"[0-9a-f]+")
_SHOWN = 5
_GROUNDING = "fee.ground"
_PARTS = ("input", "output", "cache_read", "cache_write", "other")
_FIND = """\
SELECT call_id::VARCHAR AS id FROM calls
WHERE ends_with(call_id::VARCHAR, $end) ORDER BY started_at DESC LIMIT $most"""
_FIND_WHOLE = "SELECT call_id::VARCHAR AS id FROM calls WHERE call_id = $end::UUID"
_GROUPS = (12, 4, 4, 4, 8)
"""Hexadecimal digits between the dashes of a UUID, from its end."""
_CALL = "SELECT * FROM calls WHERE call_id = $id::UUID LIMIT 1"
_REQUESTS = "SELECT * FROM call_requests WHERE call_id = $id::UUID ORDER BY request_number"
_REPRICINGS = "SELECT * FROM repricings WHERE call_id = $id::UUID ORDER BY repriced_at"


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One line of a cost, and what vouches for it.

    Attributes:
        line: As recorded.
        source: Of its rate; None where the catalogue in force does not know the row.
        factor_sources: Of its factors, in their order.
    """

    line: RecordedLine
    source: Provenance | None
    factor_sources: tuple[Provenance | None, ...]


@dataclass(frozen=True, slots=True)
class ExplainedRequest:
    """How one provider request was priced.

    Attributes:
        facts: Its row of ``call_requests``.
        usage: What it used; None when nothing is known.
        lines: The arithmetic; empty when it has no price.
        computed_usd: What the lines come to; None without lines.
        stored_usd: What the ledger says that they come to.
        unpriced_meters: Meters that it used and no line prices.
        model_known: Whether the catalogue in force has prices for the model.
        near: Names of models like it, where it has none.
    """

    facts: Mapping[str, Any]
    usage: Usage | None
    lines: tuple[ExplainedLine, ...]
    computed_usd: Decimal | None
    stored_usd: Decimal | None
    unpriced_meters: tuple[str, ...]
    model_known: bool
    near: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the lines come to what the ledger holds, as far as that can be told."""
        unknown = self.computed_usd is None or COST_OVERFLOW in usage_flags(self.facts)
        return unknown or self.computed_usd == self.stored_usd

    @property
    def difference_usd(self) -> Decimal | None:
        """What the provider reported, less what was computed."""
        reported: Decimal | None = self.facts["reported_usd"]
        if reported is None or self.computed_usd is None or self.unpriced_meters:
            return None
        return EXACT.subtract(reported, self.computed_usd)


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the cost of a call came about.

    Attributes:
        call: Its row of ``calls``.
        requests: The provider requests in it, in order.
        repricings: Rows of ``repricings``, oldest first.
        catalogue_version: Of the catalogue in force, from which the sources are.
    """

    call: Mapping[str, Any]
    requests: tuple[ExplainedRequest, ...]
    repricings: tuple[Mapping[str, Any], ...]
    catalogue_version: str

    @property
    def agrees(self) -> bool:
        """Whether all lines, and the sum of the requests, come to what the ledger holds."""
        known = [r.facts["cost_usd"] for r in self.requests if r.facts["cost_usd"] is not None]
        total = sum(known, Decimal(0)) if known else None
        sums = total == self.call["cost_usd"] or COST_OVERFLOW in usage_flags(self.call)
        return sums and all(request.agrees for request in self.requests)


def explain(reader: Reader, catalogue: Catalogue, call_id: str) -> Explanation:
    """Explain the cost of a recorded call.

    Args:
        reader: The open ledger.
        catalogue: The prices in force: sources are taken from it, amounts never.
        call_id: The call's id, or any end of it that no other call's id has.

    Raises:
        ReportError: There is no such call, or more than one.
    """
    found = _find(reader, call_id)
    (call,) = fetch(reader, _CALL, {"id": found})
    requests = fetch(reader, _REQUESTS, {"id": found})
    return Explanation(
        call,
        tuple(_request(catalogue, facts) for facts in requests),
        tuple(fetch(reader, _REPRICINGS, {"id": found})),
        catalogue.version,
    )


def _find(reader: Reader, said: str) -> str:
    """The full id of the one call that is meant."""
    end = said.strip().lower().replace("-", "")
    if not _END_OF_ID.fullmatch(end):
        raise ReportError(f"{said!r} is no call id: give one, or its end, as in: costspan calls")
    # Ids are made in the order of time, so that a whole one is looked for in few row groups.
    sql = _FIND_WHOLE if len(end) == sum(_GROUPS) else _FIND
    rows = fetch(reader, sql, {"end": _dashed(end), "most": _SHOWN + 1})
    ids = list(dict.fromkeys(row["id"] for row in rows))
    if not ids:
        raise ReportError(f"no call has the id {said}: find its id with costspan calls")
    if len(ids) > 1:
        more = ", ..." if len(ids) > _SHOWN else ""
        listed = ", ".join(ids[:_SHOWN]) + more
        raise ReportError(f"several calls have an id that ends in {said}: say more of {listed}")
    return str(ids[0])


def _dashed(end: str) -> str:
    """The end of an id with its dashes, as DuckDB writes it."""
    parts = []
    for size in _GROUPS:
        parts.append(end[-size:])
        end = end[:-size]
        if not end:
            break
    return "-".join([*([end] if end else []), *reversed(parts)])


def _request(catalogue: Catalogue, facts: Mapping[str, Any]) -> ExplainedRequest:
    lines, usage = recorded_lines(facts), recorded_usage(facts)
    provider = facts["priced_provider"] or facts["provider"] or ""
    names = [facts["priced_model"], facts["model"], facts["model_requested"]]
    at = facts["ended_at"].replace(tzinfo=UTC)
    known = any(catalogue.knows(provider=provider, model=name, at=at) for name in names if name)
    asked = facts["model"] or facts["model_requested"] or ""
    near = () if known or not asked else tuple(catalogue.near(provider, asked))
    return ExplainedRequest(
        facts,
        usage,
        tuple(_explained(catalogue, line) for line in lines),
        recorded_sum(lines) if lines else None,
        _stored(facts),
        _unpriced(facts, usage, lines),
        known,
        near,
    )


def _explained(catalogue: Catalogue, line: RecordedLine) -> ExplainedLine:
    factors = tuple(catalogue.provenance(name) for name, _ in line.factors)
    return ExplainedLine(line, catalogue.provenance(line.row), factors)


def _stored(facts: Mapping[str, Any]) -> Decimal | None:
    """What was computed, as the ledger holds it: an amount that was reported is no sum of ours."""
    if facts["cost_status"] != "reported":
        cost: Decimal | None = facts["cost_usd"]
        return cost
    parts = [facts[f"cost_{part}_usd"] for part in _PARTS]
    known = [part for part in parts if part is not None]
    return sum(known, Decimal(0)) if known else None


def _unpriced(
    facts: Mapping[str, Any], usage: Usage | None, lines: Sequence[RecordedLine]
) -> tuple[str, ...]:
    """Meters that were used and have no line; of a whole price, those that cost nothing."""
    status = facts["cost_status"]
    if usage is None or status in ("priced", "free") or (status == "reported" and not lines):
        return ()
    priced = {line.meter for line in lines}
    if UPSTREAM in priced:
        return ()
    used = [meter for meter, quantity in {**usage.buckets, **usage.fees}.items() if quantity]
    for side in ("in", "out"):
        if f"missing:{side}put" in usage.flags:
            used.append(f"tokens.{side}.text")
    if any(meter.startswith(_GROUNDING) for meter in priced):  # billed by the query or the prompt
        priced.update(meter for meter in used if meter.startswith(_GROUNDING))
    missing = dict.fromkeys(meter for meter in used if meter not in priced)
    return tuple(meter for meter in missing if not is_optional(meter))
