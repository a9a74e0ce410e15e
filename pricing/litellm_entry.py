"""The prices in one entry of a LiteLLM price map, as rates of the meters here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from costspan.pricing.litellm_keys import (
    STANDARD,
    Condition,
    Rule,
    bears_on_money,
    parsed,
    rule,
)
from costspan.pricing.overlay_schema import number
from costspan.pricing.rates import EXACT

Rates = dict[Condition, dict[str, Decimal]]
"""US dollars for one unit, by condition and meter."""

_SEARCH = "search_context_cost_per_query"
_SIZES = ("low", "medium", "high")
_PER_QUERY = "per_query"
_RANGES = "tiered_pricing"
_SPECIFIC = "provider_specific_entry"
_FACTORS = ("us", "eu", "fast")
_INPUT, _OUTPUT = "input_cost_per_token", "output_cost_per_token"

_TEXT_IN, _TEXT_OUT, _THOUGHT = "tokens.in.text", "tokens.out.text", "tokens.out.reasoning"
_CACHE_READ, _CACHE_WRITE = "tokens.in.cache_read", "tokens.in.cache_write"
_BANDED = (_TEXT_IN, _TEXT_OUT, _CACHE_READ, _CACHE_WRITE, f"{_CACHE_WRITE}.5m")
_RANGED_IN = (_TEXT_IN, _CACHE_READ, _CACHE_WRITE)

_DEAREST_TOKEN_USD = Decimal("0.01")
_DEAREST_USD = Decimal(100_000)
_CHEAPEST_USD = Decimal("1e-18")
_LONGEST_SHOWN = 40


class Entry:
    """One entry, read.

    Args:
        fields: The entry as the map has it; numbers are Decimals.
        provider: LiteLLM's name of the provider.

    Attributes:
        rates: What the model costs.
        skipped: Fields that say a price, and have no meter here.
        problems: Fields that say no price where one should be, and what is allowed.
    """

    def __init__(self, fields: Mapping[str, object], provider: str) -> None:
        self.rates: Rates = {}
        self.skipped: list[str] = []
        self.problems: list[str] = []
        self._provider = provider
        self._mode = str(fields.get("mode"))
        self._has_other_costs = False
        flat = dict(_flat(fields))
        ranges = flat.pop(_RANGES, None)
        self._read(flat)
        if ranges is not None:
            self._read_ranges(ranges)
        self._inherit_bands()
        self._drop_plain_reasoning()
        if not any(usd for some in self.rates.values() for usd in some.values()):
            self._doubt_free(flat)

    def _read(self, flat: Mapping[str, object], within: str = "", over: int = -1) -> None:
        """Take the rates of fields, those that the file of keys names first before the others."""
        found: list[tuple[Rule, Condition, str]] = []
        for field, value in flat.items():
            name, condition = parsed(field)
            meant = rule(name, self._mode, self._provider)
            if meant is not None:
                found.append((meant, Condition(condition.tier, max(condition.over, over)), field))
            elif bears_on_money(field):
                self.skipped.append(within + field)
                self._has_other_costs |= "cost" in field and not _is_zero(value)
        for meant, condition, field in sorted(found):
            try:
                usd = EXACT.divide(_amount(flat[field], meant), meant.per)
            except ValueError as error:
                self.problems.append(f"{within}{field}: {_shown(flat[field])}: {error}")
                continue
            known = self.rates.setdefault(condition, {})
            for meter in meant.meters:
                if known.get(meter) and usd not in (0, known[meter]):
                    self.skipped.append(within + field)
                known[meter] = known.get(meter) or usd

    def _read_ranges(self, ranges: object) -> None:
        """Take rates by the size of the prompt, each for more than where its range begins.

        In LiteLLM 1.110 a range holds for ``start < prompt <= end``, the last for all above, and
        prices a request whole, whatever stands outside the ranges: cached input that it does not
        name as input, thoughts as output.
        """
        if not isinstance(ranges, list) or not all(
            isinstance(one, dict) and "range" in one and _INPUT in one for one in ranges
        ):
            self.skipped.append(_RANGES)
            return
        starts = [_start(one["range"]) for one in ranges]
        if None in starts:
            said = _shown(ranges[starts.index(None)]["range"])
            self.problems.append(
                f"{_RANGES}: range: {said}: give two numbers of tokens: [0, 256000]"
            )
            return
        standard = self.rates.get(STANDARD, {})
        by_output = any(_OUTPUT in one for one in ranges)
        for meter in list(standard):
            if meter.startswith(_RANGED_IN) or (by_output and meter in (_TEXT_OUT, _THOUGHT)):
                del standard[meter]
        overs = [start or -1 for start in starts]
        for one, over in zip(ranges, overs, strict=True):
            self._read({k: v for k, v in one.items() if k != "range"}, f"{_RANGES}.", over)
        _complete([self.rates.get(Condition("", over), {}) for over in overs])

    def _inherit_bands(self) -> None:
        """Give a tier the standard rates for long prompts where it has none of its own.

        So LiteLLM 1.110 bills it, except for batches: what a provider does not serve at a tier
        it serves at the standard one. Here, the tier's rate would hold for prompts of any size.
        """
        bands = [one for one in self.rates if not one.tier and one.over >= 0]
        for tier in {one.tier for one in self.rates} - {"", "batch"}:
            base = self.rates.get(Condition(tier), {})
            for band in bands:
                for meter, usd in self.rates[band].items():
                    if meter in base and meter in _BANDED:
                        condition = Condition(tier, band.over)
                        self.rates.setdefault(condition, {}).setdefault(meter, usd)

    def _drop_plain_reasoning(self) -> None:
        """Leave out a rate for thoughts that is the answer's, where only that one varies.

        Tiers and long prompts change what thoughts cost too; without the rate, they are output.
        """
        standard = self.rates.get(STANDARD, {})
        others = [rates for one, rates in self.rates.items() if one != STANDARD]
        varies = any(_TEXT_OUT in one for one in others) and not any(_THOUGHT in o for o in others)
        if varies and standard.get(_THOUGHT) == standard.get(_TEXT_OUT):
            standard.pop(_THOUGHT, None)

    def _doubt_free(self, flat: Mapping[str, object]) -> None:
        """Believe that a model is free only where both sides say so and nothing else is paid."""
        if {_INPUT, _OUTPUT} <= flat.keys() and not self._has_other_costs:
            return
        self.rates = {}
        for field, value in flat.items():
            if rule(parsed(field)[0], self._mode, self._provider) and _is_zero(value):
                self.skipped.append(f"{field} = 0")


def _flat(fields: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Give the fields that say something; what stands within one, with its name before it."""
    for field, value in fields.items():
        if field == _SEARCH and isinstance(value, dict):
            yield from _searches(value, fields.get("web_search_billing_unit"))
        elif field == _SPECIFIC and isinstance(value, dict):
            yield from ((f"{field}.{key}", value[key]) for key in _FACTORS if key in value)
        elif value is not None:
            yield field, value


def _searches(sizes: Mapping[str, object], unit: object) -> Iterator[tuple[str, object]]:
    """Give the price of a search by the size of its context, or one where all are the same."""
    said = {size: sizes.get(f"search_context_size_{size}") for size in _SIZES}
    amounts = [usd for usd in said.values() if usd is not None]
    if amounts and all(usd == amounts[0] for usd in amounts):
        yield _SEARCH + (f".{_PER_QUERY}" if unit == _PER_QUERY else ""), amounts[0]
    else:
        yield from ((f"{_SEARCH}.{size}", usd) for size, usd in said.items() if usd is not None)


def _start(said: object) -> int | None:
    """Read where a range of prompt sizes begins; None when it is no range."""
    if not isinstance(said, list) or len(said) != 2:
        return None
    sizes = [one for one in said if isinstance(one, Decimal) and 0 <= one <= 10**9]
    return int(sizes[0]) if len(sizes) == 2 else None


def _complete(ranges: Sequence[dict[str, Decimal]]) -> None:
    """Add to each range what others name: it must not fall back to the rate of a smaller one."""
    for meter in {meter for one in ranges for meter in one}:
        instead = _TEXT_OUT if meter == _THOUGHT else _TEXT_IN
        for one in ranges:
            if (meter == _THOUGHT or meter.startswith(_RANGED_IN)) and instead in one:
                one.setdefault(meter, one[instead])


def _amount(value: object, meant: Rule) -> Decimal:
    """Read an amount: a number, or a text that is one."""
    usd = number(value)
    if usd < 0:
        raise ValueError("give 0 or more")
    if usd and not _CHEAPEST_USD <= usd <= _DEAREST_USD:
        raise ValueError(f"give US dollars: 0, or {_CHEAPEST_USD} to {_DEAREST_USD}")
    if meant.meters[0].startswith("tokens.") and usd > _DEAREST_TOKEN_USD:
        raise ValueError("give US dollars for one token, at most 0.01: 0.000003 for 3 per million")
    return usd


def _is_zero(value: object) -> bool:
    return value in (0, "0", "0.0")


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
