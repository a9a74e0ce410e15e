"""Amounts that a program told stand beside our cost, and never before it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costspan.pricing.catalogue import Catalogue
from costspan.pricing.told import with_told
from costspan.pricing.types import Cost

AT = datetime(2026, 3, 2, tzinfo=UTC)


def test_beside_a_price_of_ours() -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100}
    ours = Catalogue.default().cost(provider="openai", model="gpt-4o", usage=usage, at=AT)

    told = with_told(ours, Decimal("0.004"))

    # 1,000 x 2.50 and 100 x 10 a million.
    assert (told.total, told.status) == (Decimal("0.0035"), "priced")
    assert (told.reported, told.difference) == (Decimal("0.004"), Decimal("0.0005"))
    assert told.lines == ours.lines


@pytest.mark.parametrize(
    "ours", [Cost(None, "unpriced"), Cost(Decimal("0.001"), "partial", unpriced_meters=("x",))]
)
def test_where_not_all_has_a_price(ours: Cost) -> None:
    told = with_told(ours, Decimal("0.0000000000005"))

    # Half-even to 12 places.
    assert (told.total, told.status, told.reported) == (Decimal(0), "reported", Decimal(0))
    assert told.difference is None


def test_a_free_call_stays_free() -> None:
    assert with_told(Cost(Decimal(0), "free"), Decimal("0.1")).status == "free"
