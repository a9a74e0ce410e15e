"""Amounts that somebody else computed for a request: they stand beside our cost, not before it."""

from __future__ import annotations

from decimal import Decimal

from costspan.pricing.rates import EXACT, PICODOLLAR
from costspan.pricing.types import Cost

TOLD_BY = "reported_by"
"""Key in the context of a request: which program told the reported amount, if not the provider."""


def with_told(cost: Cost, told_usd: Decimal) -> Cost:
    """Keep an amount that a program, and not the provider, took a request to cost.

    Args:
        cost: What we computed.
        told_usd: US dollars, by that program's own price list.

    Returns:
        Our cost with that amount as ``reported``; where not all of it could be priced, that amount
        is the total, and the status ``reported``.
    """
    told = EXACT.quantize(told_usd, PICODOLLAR)
    if cost.total is None or cost.status == "partial":
        return cost._replace(total=told, status="reported", reported=told)
    return cost._replace(reported=told, difference=EXACT.subtract(told, cost.total))
