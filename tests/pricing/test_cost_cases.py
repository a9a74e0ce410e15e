"""Usage payloads as providers send them, with the amount that was or would be invoiced."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costspan.pricing.catalogue import Catalogue

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "cost_cases.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_costs_what_is_invoiced(case: dict[str, Any], catalogue: Catalogue) -> None:
    cost = catalogue.cost(
        provider=case["provider"],
        model=case["model"],
        usage=case["usage"],
        at=datetime.fromisoformat(case["timestamp"]),
        api=case["api"],
        response_model=case["response_model"],
        response=case["response_extra"],
        context=case["context"],
    )
    assert cost.total is not None
    assert abs(cost.total - Decimal(case["expected_usd"])) <= Decimal("1e-9")
    assert cost.status in ("priced", "reported")
    if cost.status == "priced":
        assert cost.unpriced_meters == ()
        assert cost.total == sum(line.amount_usd for line in cost.lines)


def test_the_table_is_complete() -> None:
    assert len(CASES) == 98
