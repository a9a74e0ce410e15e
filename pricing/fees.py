"""What is charged by the piece: tool calls, searches, requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from costspan.core.paths import measured
from costspan.core.types import Quantity
from costspan.pricing.rates import Book
from costspan.pricing.situation import Context

_TOOL_FEES = {
    "web_search_preview": "fee.web_search.preview",
    "code_interpreter": "fee.code_session",
    "google_maps": "fee.maps_grounding",
    "google_search": "fee.grounding_query",
    "google_search_queries": "fee.grounding_query",
    "grounding_queries": "fee.grounding_query",
    "grounded_prompts": "fee.grounded_prompt",
    "live_search_sources": "fee.live_search_source",
    "num_sources_used": "fee.live_search_source",
    "search_queries": "fee.search_query",
    "search_units": "fee.search_unit",
}
"""Names of tools whose fee is called otherwise; for the others it is ``fee.`` and the name."""


def billed(
    book: Book,
    buckets: Mapping[str, Quantity],
    reported: Mapping[str, Quantity],
    at: datetime,
    context: Context | None,
) -> Mapping[str, Quantity]:
    """Give the quantity of every meter that a request is billed for.

    Args:
        book: The model's rows.
        buckets: What it used.
        reported: The fees that the response reported.
        at: When it completed.
        context: What only the caller knows.
    """
    if not reported and not context and not book.request_fee and not book.minimums:
        return buckets
    fees = _reported_and_told(book, reported, context)
    _implied(book, fees, context)
    _grounding(book, fees, at)
    quantities = dict(buckets)
    for fee, (meter, tokens, start, end) in book.fixed_tokens.items():
        if fees.get(fee) and start <= at < end:
            quantities[meter] = quantities.get(meter, 0) + fees[fee] * tokens
    for meter, least in book.minimums.items():
        if quantities.get(meter):
            quantities[meter] = max(quantities[meter], least)
    return {**quantities, **fees}


def is_optional(meter: str) -> bool:
    """Say whether a meter that no row prices is simply not charged by that model.

    Perplexity tells searches and citations of every answer and charges for them in deep research
    only: docs.perplexity.ai/guides/pricing, read 2026-11.
    """
    return meter.startswith(_OPTIONAL)


_OPTIONAL = ("fee.request", "fee.search_query", "tokens.in.citation")


def _reported_and_told(
    book: Book, reported: Mapping[str, Quantity], context: Context | None
) -> dict[str, Quantity]:
    """Take the response's fees; what it does not list, take from the caller."""
    fees = {meter: count for meter, count in reported.items() if count}
    told = context.get("tool_calls") if context else None
    if context is None or not isinstance(told, Mapping):
        return fees
    listed = {_family(meter) for meter in fees}
    for tool, value in told.items():
        count = measured(value)
        meter = _meter_of(tool, book, context) if isinstance(tool, str) else ""
        if count and meter and _family(meter) not in listed and _is_priced(book, meter):
            fees[meter] = fees.get(meter, 0) + count
    return fees


def _meter_of(tool: str, book: Book, context: Context) -> str:
    said = context.get("tool")
    preview = isinstance(said, str) and said.startswith("web_search_preview")
    if tool == "web_search" and (preview or book.request_fee == "fee.web_search.preview"):
        tool = "web_search_preview"
    meter = _TOOL_FEES.get(tool, f"fee.{tool}")
    size = context.get("search_context_size")
    if meter == "fee.web_search.preview" and size in ("low", "medium", "high"):
        return f"{meter}.{size}"
    return meter


def _family(meter: str) -> str:
    if meter in ("fee.grounding_query", "fee.grounded_prompt"):
        return "fee.grounding"
    return ".".join(meter.split(".")[:2])


def _is_priced(book: Book, meter: str) -> bool:
    family = _family(meter)
    return any(_family(known) == family for known in book.prices)


def _implied(book: Book, fees: dict[str, Quantity], context: Context | None) -> None:
    """Add the fee that every response of the model bears, unless it is there already."""
    meter = book.request_fee
    if not meter or any(_family(known) == _family(meter) for known in fees):
        return
    size = context.get("search_context_size") if context else None
    if size in ("low", "medium", "high"):
        meter = f"{meter.removesuffix('.low')}.{size}"
    fees[meter] = 1


def _grounding(book: Book, fees: dict[str, Quantity], at: datetime) -> None:
    """Bill Google Search by the query where the model has that price, else by the prompt."""
    queries = fees.pop("fee.grounding_query", 0)
    prompts = fees.pop("fee.grounded_prompt", 0)
    if not queries and not prompts:
        return
    by_query = any(p.start <= at < p.end for p in book.prices.get("fee.grounding_query", ()))
    by_prompt = any(p.start <= at < p.end for p in book.prices.get("fee.grounded_prompt", ()))
    if queries and (by_query or not by_prompt):
        fees["fee.grounding_query"] = queries
    else:
        fees["fee.grounded_prompt"] = prompts or 1
