"""The explanation of a call's cost, as one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from costspan.pricing.rows import Provenance
from costspan.reports.explain import ExplainedLine, ExplainedRequest, Explanation
from costspan.reports.recorded import recorded_context, usage_flags
from costspan.reports.text import plain_decimal

_CALL = (
    *("call_id", "started_at", "ended_at", "operation", "status", "error_type", "latency_us"),
    *("cost_usd", "cost_status", "reported_usd", "input_tokens", "output_tokens"),
    *(f"estimate_input_tokens{end}" for end in ("", "_low", "_high")),
    *(f"estimate_output_tokens{end}" for end in ("", "_low", "_high")),
    *(f"estimate_cost{end}_usd" for end in ("", "_low", "_high")),
    "estimate_basis",
)
_REQUEST = (
    *("provider", "api", "model_requested", "model", "priced_provider", "priced_model"),
    *("started_at", "ended_at", "tier", "region", "deployment", "speed", "usage_source"),
    *("cost_usd", "cost_status", "reported_usd", "catalogue_version"),
)


def explanation_json(explained: Explanation) -> str:
    """Write an explanation as a JSON object; money and quantities are exact decimals as text."""
    call = explained.call
    record = {
        **{name: _plain(call[name]) for name in _CALL},
        "adds_up": explained.agrees,
        "requests": [_request(request) for request in explained.requests],
        "repricings": [
            {name: _plain(row[name]) for name in row if name not in ("call_id", "old_requests")}
            for row in explained.repricings
        ],
        "catalogue_in_force": explained.catalogue_version,
    }
    return json.dumps(record, indent=2) + "\n"


def _request(request: ExplainedRequest) -> dict[str, Any]:
    facts = request.facts
    return {
        **{name: _plain(facts[name]) for name in _REQUEST},
        "context": recorded_context(facts),
        "usage_flags": usage_flags(facts),
        "lines": [_line(one) for one in request.lines],
        "computed_usd": _plain(request.computed_usd),
        "difference_usd": _plain(request.difference_usd),
        "adds_up": request.agrees,
        "unpriced_meters": list(request.unpriced_meters),
        "near_models": list(request.near),
    }


def _line(one: ExplainedLine) -> dict[str, Any]:
    line = one.line
    return {
        "meter": line.meter,
        "quantity": _plain(line.quantity if line.quantity is None else Decimal(line.quantity)),
        "rate_usd": _plain(line.rate_usd),
        "per": line.per,
        "factors": [
            {"factor_id": name, "factor": _plain(factor), **_source(source)}
            for (name, factor), source in zip(line.factors, one.factor_sources, strict=True)
        ],
        "amount_usd": _plain(line.amount_usd),
        "row": line.row,
        **_source(one.source),
    }


def _source(source: Provenance | None) -> dict[str, str | None]:
    found = source or Provenance("", "", "")
    return {
        "evidence": found.evidence or None,
        "source": found.source or None,
        "note": found.note or None,
    }


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, UUID):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value
