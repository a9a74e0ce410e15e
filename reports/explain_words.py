"""What a recorded cost's status, flags and model mean, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from costspan.exporters.ledger.limits import COST_OVERFLOW
from costspan.pricing.meters import meter as meter_of
from costspan.pricing.told import TOLD_BY
from costspan.reports.explain import ExplainedRequest
from costspan.reports.recorded import recorded_context, usage_flags
from costspan.reports.text import plain_decimal

_SOURCES = {
    "provider": "The provider counted what was used.",
    "estimated": "The provider told no usage: what was used was counted here.",
    "partial": "The answer was cut short, or its usage not told whole: what was seen was counted.",
}
_FLAGS = {
    "no_usage": "the provider told no usage",
    "missing:input": "the provider did not tell the input",
    "missing:output": "the provider did not tell the output",
    "missing:input:from_total": "the input was taken from the total",
    "missing:output:from_total": "the output was taken from the total",
    "missing:input:guessed": "there was only a total, which was all taken for input",
    "cost_overflow": "an amount was too large for the ledger",
    "quantity_overflow": "a quantity was too large for the ledger",
    "identity:total": "the parts do not add up to the provider's total",
}
_KINDS = {
    "clamped": "{} was larger than what it is a part of, and was cut to that",
    "identity": "by the provider's total, {}",
    "invalid": "{} was no number, and was left out",
}


def model_sentence(facts: Mapping[str, Any]) -> str:
    """The provider and model that answered, were asked for and gave the rates."""
    answered = f"{facts['provider'] or 'unknown'}/{facts['model'] or 'unknown'}"
    said = []
    asked = facts["model_requested"]
    if asked and asked not in (facts["model"], answered):
        said.append(f"asked for as {asked}")
    priced = f"{facts['priced_provider'] or facts['provider']}/{facts['priced_model']}"
    if facts["priced_model"] and priced != answered:
        said.append(f"priced as {priced}")
    return answered + (f" ({', '.join(said)})" if said else "")


def status_sentences(request: ExplainedRequest) -> Iterator[str]:
    """How far the total can be trusted; and what is unpriced, and why."""
    facts = request.facts
    status, cost = facts["cost_status"], facts["cost_usd"]
    amount = "" if cost is None else f"${plain_decimal(cost)}"
    if status == "priced":
        yield f"priced: every meter that was used has a rate, and they come to {amount}."
    elif status == "free":
        yield "free: its rates are known to be zero."
    elif status == "reported":
        if told := recorded_context(request.facts).get(TOLD_BY):
            yield f"reported: {amount} is what {told} noted, as not all of it has a price here."
        else:
            yield f"reported: {amount} is the provider's own amount, which goes before ours."
    elif status == "partial":
        yield f"partial: {amount} is a lower bound."
    else:
        yield f"unpriced: {_reason(request)}"
        return
    if request.lines and request.computed_usd is None:
        yield "! A quantity is not in the ledger: the sum of the lines cannot be checked."
    if request.unpriced_meters:
        yield f"Without a rate, or not told: {_meters(request)}."


def _reason(request: ExplainedRequest) -> str:
    """Why there is no amount."""
    facts = request.facts
    if COST_OVERFLOW in usage_flags(facts):
        return "its cost did not fit into the ledger, which holds amounts up to $999,999."
    if request.usage is None:
        failed = "it failed, and " if facts["error_type"] else ""
        return f"{failed}nothing is known of what it used."
    if not request.model_known:
        name = f"{facts['provider']}/{facts['model']}"
        near = f" Did you mean {', '.join(request.near)}?" if request.near else ""
        return f"no price is known for {name}.{near} An alias maps it: see docs/configuration.md."
    if facts["tier"] == "provisioned":
        return "provisioned capacity is paid by the hour, not by the call."
    meters = _meters(request)
    if not facts["priced_model"]:
        return "its model was not known then; it is now, so costspan reprice will price it."
    return f"no rate held then for {meters}." if meters else "no rate held for it then."


def _meters(request: ExplainedRequest) -> str:
    return ", ".join(_labelled(name) for name in request.unpriced_meters)


def _labelled(name: str) -> str:
    found = meter_of(name)
    return f"{found.label} ({name})" if found else name


def difference_sentence(request: ExplainedRequest) -> str | None:
    """What the provider reported, beside what the rates come to."""
    reported: Decimal | None = request.facts["reported_usd"]
    if reported is None:
        return None
    who = recorded_context(request.facts).get(TOLD_BY, "The provider")
    difference = request.difference_usd
    if difference is None or request.computed_usd is None:
        return f"{who} reported ${plain_decimal(reported)}; there is no sum to compare."
    if not difference:
        return f"{who} reported the same amount as the rates come to."
    side = "more" if difference > 0 else "less"
    return (
        f"{who} reported ${plain_decimal(reported)}: ${plain_decimal(abs(difference))} "
        f"{side} than the rates come to."
    )


def usage_sentences(facts: Mapping[str, Any]) -> Iterator[str]:
    """Who counted, and what had to be mended."""
    if source := facts["usage_source"]:
        yield _SOURCES.get(source, source)
    said = [flag_words(flag) for flag in usage_flags(facts) if flag != "no_usage"]
    if said:
        yield f"Mended: {'; '.join(said)}."


def flag_words(flag: str) -> str:
    """A flag of `Usage.flags` in words; as it stands where there are none for it."""
    if flag in _FLAGS:
        return _FLAGS[flag]
    kind, _, what = flag.partition(":")
    if kind not in _KINDS:
        return flag
    if kind == "identity":
        what = what.replace("_", " is ")
    found = meter_of(what)
    return _KINDS[kind].format(found.label if found else what)
