"""The explanation of a call's cost, as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from costspan.core.types import Quantity
from costspan.exporters.ledger.words import instant
from costspan.pricing.meters import meter as meter_of
from costspan.reports.explain import ExplainedLine, ExplainedRequest, Explanation
from costspan.reports.explain_words import (
    difference_sentence,
    model_sentence,
    status_sentences,
    usage_sentences,
)
from costspan.reports.price_tables import Notes
from costspan.reports.recorded import recorded_context
from costspan.reports.screen import Screen
from costspan.reports.table import Column, draw_line, render_table
from costspan.reports.text import NOTHING, count, milliseconds, percent, plain_decimal

_FACTS = ("tier", "region", "deployment", "speed")


def explanation_text(explained: Explanation, screen: Screen) -> str:
    """Write an explanation for a screen: what was called, the arithmetic, its sources."""
    call, notes = explained.call, Notes()
    blocks = [_heading(call, screen)]
    several = len(explained.requests) > 1
    for number, request in enumerate(explained.requests, 1):
        of = f"Request {number} of {len(explained.requests)}: " if several else ""
        blocks.append(_request(request, of, explained.catalogue_version, notes, screen))
    if several:
        blocks.append(draw_line(f"The call: {_total(call)}.", screen, "bold"))
    if not explained.agrees:
        blocks.append(draw_line(_disagreement(explained), screen, "warning"))
    if estimate := _estimate(call):
        blocks.append(render_table(estimate, screen))
    if explained.repricings:
        title = draw_line("Repriced", screen, "bold")
        blocks.append(title + render_table(_repricings(explained.repricings), screen))
    if sources := notes.lines(screen):
        blocks.append(sources)
    return "\n".join(blocks)


def _heading(call: Mapping[str, Any], screen: Screen) -> str:
    took = f", {milliseconds(call['latency_us'])} ms" if call["latency_us"] is not None else ""
    failed = f" ({call['error_type']})" if call["error_type"] else ""
    said = f"{call['operation'] or 'call'}, {call['status']}{failed}, {_at(call['started_at'])}"
    return draw_line(f"Call {call['call_id']}", screen, "bold") + draw_line(said + took, screen)


def _request(
    request: ExplainedRequest, of: str, in_force: str, notes: Notes, screen: Screen
) -> str:
    facts = request.facts
    text = draw_line(f"{of}{model_sentence(facts)}", screen, "bold")
    text += "".join(draw_line(line, screen) for line in _circumstances(facts))
    if request.lines:
        columns = _line_columns(request.lines, request.computed_usd, notes)
        text += "\n" + render_table(columns, screen, total=True) + "\n"
        text += "".join(draw_line(one, screen) for one in _factor_sources(request.lines, notes))
    for sentence in _sentences(request, in_force):
        text += draw_line(sentence, screen)
    return text


def _circumstances(facts: Mapping[str, Any]) -> Iterator[str]:
    """The instants, and what else the price went by."""
    begun, ended = _at(facts["started_at"]), _at(facts["ended_at"])
    said = [f"sent {begun}, done {ended}"] if begun != ended else [f"done {ended}"]
    said += [f"{name} {facts[name]}" for name in _FACTS if facts[name]]
    yield ", ".join(said)
    context = recorded_context(facts)
    context.pop("priced_as", None)
    if context:
        yield "told by the caller: " + ", ".join(
            name if value is True else f"{name} {value}" for name, value in context.items()
        )


def _sentences(request: ExplainedRequest, in_force: str) -> Iterator[str]:
    facts = request.facts
    yield from status_sentences(request)
    if said := difference_sentence(request):
        yield said
    yield from usage_sentences(facts)
    version = facts["catalogue_version"]
    if version == in_force:
        yield f"Catalogue {version}, which is in force."
    elif version:
        yield f"Catalogue {version}; in force is {in_force}."
        gone = [one.line.row for one in request.lines if one.source is None]
        if gone:
            rows = f"{'row' if len(gone) == 1 else 'rows'} {', '.join(dict.fromkeys(gone))}"
            yield f"{rows} of version {version}: not known to the catalogue in force."


def _line_columns(
    lines: Sequence[ExplainedLine], total: Decimal | None, notes: Notes
) -> list[Column]:
    amounts = [one.line.amount_usd for one in lines]
    places = _places([*amounts, total])
    factors = [_factors(one) for one in lines]
    columns = [
        Column("meter", [*(_label(one.line.meter) for one in lines), "total"], "left", cut=True),
        Column("quantity", [*(_quantity(one.line.quantity) for one in lines), ""]),
        Column("x USD", [*(_rates(lines)), ""]),
        Column("per", [*(_per(one) for one in lines), ""], "left"),
    ]
    if any(factors):
        short = [_factors(one, names=False) for one in lines]
        columns.append(Column("x factor", [*factors, ""], "left", short=[*short, ""]))
    sources = [*(notes.refer(one.source) for one in lines), ""]
    return [
        *columns,
        Column("= USD", [_usd(amount, places) for amount in (*amounts, total)]),
        Column("source", sources, "left", short=sources, short_title="src", drop=1),
    ]


def _label(name: str) -> str:
    found = meter_of(name)
    return found.label if found else name


def _quantity(quantity: Quantity | None) -> str:
    if quantity is None:
        return NOTHING
    return f"{quantity:,}" if isinstance(quantity, int) else f"{Decimal(plain_decimal(quantity)):,}"


def _rates(lines: Sequence[ExplainedLine]) -> list[str]:
    places = _places([one.line.rate_usd for one in lines])
    return [_usd(one.line.rate_usd, places) for one in lines]


def _per(one: ExplainedLine) -> str:
    per = one.line.per
    return {1: "1", 1_000: "1k", 1_000_000: "1M"}.get(per, f"{per:,}")


def _factors(one: ExplainedLine, names: bool = True) -> str:
    factors = one.line.factors
    if not names:
        return " x ".join(plain_decimal(factor) for _, factor in factors)
    return " x ".join(f"{plain_decimal(factor)} ({name})" for name, factor in factors)


def _factor_sources(lines: Sequence[ExplainedLine], notes: Notes) -> Iterator[str]:
    """Each factor once, with its source."""
    found = {
        f"x {plain_decimal(factor)} is {name} {notes.refer(source)}.": None
        for one in lines
        for (name, factor), source in zip(one.line.factors, one.factor_sources, strict=True)
    }
    yield from found


def _places(amounts: Sequence[Decimal | None]) -> int:
    """So many decimals for all that none is rounded, and cents always."""
    shown = [plain_decimal(amount).partition(".")[2] for amount in amounts if amount is not None]
    return max([2, *map(len, shown)])


def _usd(amount: Decimal | None, places: int) -> str:
    return NOTHING if amount is None else f"{amount:,.{places}f}"


def _total(call: Mapping[str, Any]) -> str:
    cost = call["cost_usd"]
    return "unpriced" if cost is None else f"{call['cost_status']}, ${plain_decimal(cost)}"


def _disagreement(explained: Explanation) -> str:
    wrong = [
        f"the lines come to {_plain(request.computed_usd)} and the ledger says "
        f"{_plain(request.stored_usd)}"
        for request in explained.requests
        if not request.agrees
    ]
    if not wrong:
        wrong = [f"its requests do not come to {_plain(explained.call['cost_usd'])}"]
    return f"! This does not add up: {'; '.join(wrong)}. Its row was changed, or damaged."


def _plain(amount: Decimal | None) -> str:
    return "nothing known" if amount is None else f"${plain_decimal(amount)}"


def _estimate(call: Mapping[str, Any]) -> list[Column] | None:
    """What was said before the call beside what it was, and by how much it was off."""
    names = ("input_tokens", "output_tokens", "cost_usd")
    pairs = [(call[f"estimate_{name}"], call[name]) for name in names]
    if all(said is None for said, _ in pairs):
        return None
    places = _places([pair[2] for pair in zip(*pairs, strict=True)])
    cells = [
        [count(value) if number < 2 else _usd(value, places) for value in pair]
        for number, pair in enumerate(pairs)
    ]
    return [
        Column("", ["input tokens", "output tokens", "USD"], "left"),
        Column("estimate", [said for said, _ in cells]),
        Column("actual", [was for _, was in cells]),
        Column("off by", [_off(*pair) for pair in pairs]),
    ]


def _off(said: Decimal | int | None, was: Decimal | int | None) -> str:
    if said is None or not was:
        return NOTHING
    return percent(float((Decimal(said) - was) / was), signed=True)


def _repricings(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    return [
        Column("on", [_at(row["repriced_at"]) for row in rows], "left"),
        Column("old USD", [_amount(row["old_cost_usd"]) for row in rows]),
        Column("new USD", [_amount(row["new_cost_usd"]) for row in rows]),
        Column("old catalogue", [row["old_catalogue_version"] or NOTHING for row in rows], drop=2),
        Column("new catalogue", [row["new_catalogue_version"] or NOTHING for row in rows], drop=1),
    ]


def _amount(cost: Decimal | None) -> str:
    return "unpriced" if cost is None else plain_decimal(cost)


def _at(naive: datetime) -> str:
    return instant(naive.replace(tzinfo=UTC))
