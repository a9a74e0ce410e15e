"""Our rates beside those of the installed genai-prices, and the table of where the two differ.

``python tests/support/genai_rates.py`` writes the table anew. It keeps the reason of each
difference that is still there; the reason of a new one has to be written by hand.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from math import prod
from pathlib import Path
from typing import NamedTuple

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    TieredPrices,
)

from costspan.core.types import Usage
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.rows import FOLDER, read_all

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
TABLE = Path(__file__).parents[1] / "data" / "genai_prices_differences.csv"
# Both know these vendors; genai-prices has none of Alibaba's own prices.
PROVIDERS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "perplexity": "perplexity",
    "together": "together",
    "x-ai": "x-ai",
    "zhipu": "zai",
    "zhipu-cn": "zhipuai",
}
_PATHS = {"fireworks": "accounts/fireworks/models/"}
# Their price keys, the first that the model has, and for how many of our units the price is.
METERS = {
    "tokens.in.text": (("input_text_mtok", "input_mtok"), 1_000_000),
    "tokens.in.cache_read": (("cache_text_read_mtok", "cache_read_mtok"), 1_000_000),
    "tokens.in.cache_write": (("cache_write_mtok",), 1_000_000),
    "tokens.in.cache_write.5m": (("cache_write_5m_mtok", "cache_write_mtok"), 1_000_000),
    "tokens.in.cache_write.1h": (("cache_write_1h_mtok",), 1_000_000),
    "tokens.in.audio": (("input_audio_mtok",), 1_000_000),
    "tokens.in.image": (("input_image_mtok",), 1_000_000),
    "tokens.in.video": (("input_video_mtok",), 1_000_000),
    "tokens.in.cache_read.audio": (("cache_audio_read_mtok",), 1_000_000),
    "tokens.in.cache_read.image": (("cache_image_read_mtok",), 1_000_000),
    "tokens.out.text": (("output_text_mtok", "output_mtok"), 1_000_000),
    "tokens.out.reasoning": (("output_reasoning_mtok",), 1_000_000),
    "tokens.out.audio": (("output_audio_mtok",), 1_000_000),
    "tokens.out.image": (("output_image_mtok",), 1_000_000),
    "tokens.out.video": (("output_video_mtok",), 1_000_000),
    "seconds.audio.in": (("input_audio_hours", "audio_hours"), 3600),
    "chars.in": (("input_mchars",), 1_000_000),
    "pages.ocr": (("input_document_kpages",), 1000),
    "pages.ocr_annotated": (("input_annotated_document_kpages",), 1000),
}
# What each side is told of a tier, or of Anthropic's fast mode.
TIERS: dict[str, tuple[dict[str, object], dict[str, str]]] = {
    "batch": ({"batch": True}, {"processing": "batch"}),
    "flex": ({"requested_service_tier": "flex"}, {"service_tier": "flex"}),
    "priority": ({"requested_service_tier": "priority"}, {"service_tier": "priority"}),
    "fast": ({"speed": "fast"}, {"speed": "fast"}),
}
COLUMNS = (
    *("provider", "model", "meter", "tier", "prompt_tokens"),
    *("ours_usd", "theirs_usd", "per", "source", "why"),
)


class Compared(NamedTuple):
    """One rate that both list.

    Attributes:
        provider: Canonical provider id.
        model: Our id of the model.
        meter: What is billed.
        tier: Service tier; empty for the standard one.
        prompt_tokens: The size of the prompt: one token, or the first that a band reprices.
        ours_usd: Our rate, factors included, in US dollars per ``per`` units.
        theirs_usd: That of genai-prices.
        per: How many units the rates buy.
        row: Id of our price row.
    """

    provider: str
    model: str
    meter: str
    tier: str
    prompt_tokens: int
    ours_usd: Decimal
    theirs_usd: Decimal
    per: int
    row: str

    @property
    def facts(self) -> tuple[str, ...]:
        """The first eight columns of its row."""
        rates = plain(self.ours_usd), plain(self.theirs_usd), str(self.per)
        return *self[:4], str(self.prompt_tokens), *rates


class Comparison:
    """Compares every current rate of the vendors that both know.

    Attributes:
        models: How many models of ours were compared.
        unknown: How many they do not have.
        mismatched: How many were left out, because their match finds another model.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._theirs: DataSnapshot = get_snapshot()
        prices = read_all(FOLDER / "prices.csv")
        self._meters = {row["id"]: row["meter"] for row in prices}
        self._bands: dict[tuple[str, str], set[int]] = {}
        for row in prices:
            sizes = self._bands.setdefault((row["provider"], row["model"]), {1})
            if row["band_over"]:
                sizes.add(int(row["band_over"]) + (row["band_inclusive"] != "true"))
        self.models = self.unknown = self.mismatched = 0

    def rates(self) -> Iterator[Compared]:
        """Give every rate that both list, sorted as our catalogue is."""
        for provider, model in self._bands:
            if provider not in PROVIDERS:
                continue
            name = _PATHS.get(provider, "") + model
            match = self._match(provider, name)
            target = self._priced_as(provider, model)
            if match is None or target is None:
                self.unknown += 1
            elif not _names(match.match, name) and self._priced_as(provider, match.id) != target:
                self.mismatched += 1
            else:
                sizes = self._bands[provider, target]
                found = list(self._of_model(provider, model, sizes, match))
                self.models += bool(found)
                yield from found

    def _match(self, provider: str, name: str) -> ModelInfo | None:
        """Find the model that genai-prices takes ours for, among the vendor's own."""
        try:
            owner, match = self._theirs.find_provider_model(name, None, PROVIDERS[provider], None)
        except LookupError:
            return None
        return match if any(match is one for one in owner.models) else None

    def _priced_as(self, provider: str, name: str) -> str | None:
        """Give the model whose current prices a name stands for with us."""
        return self._catalogue.cost(provider=provider, model=name, usage=None, at=AT).model

    def _of_model(
        self, provider: str, model: str, sizes: set[int], match: ModelInfo
    ) -> Iterator[Compared]:
        for tier in ("", *TIERS):
            theirs = _their_prices(match, tier)
            starts = {start + 1 for price in theirs.values() for start in _starts(price)}
            for meter, (names, per) in METERS.items():
                price = next((theirs[name] for name in names if name in theirs), None)
                if price is None:
                    continue
                for size in sorted(sizes | starts):
                    found = self._our_rate(provider, model, meter, tier, size)
                    if found is not None:
                        rate, units, row = found
                        rates = (rate * per / units, _at_size(price, size), per)
                        yield Compared(provider, model, meter, tier, size, *rates, row)

    def _our_rate(
        self, provider: str, model: str, meter: str, tier: str, size: int
    ) -> tuple[Decimal, int, str] | None:
        """Give our rate, for how many units, and its row; None when no row is for the meter."""
        prompt = meter if meter.startswith("tokens.in.") else "tokens.in.text"
        cost = self._catalogue.cost(
            provider=provider,
            model=model,
            usage=Usage({meter: 1, prompt: size}),
            at=AT,
            context=TIERS[tier][0] if tier else None,
        )
        for line in cost.lines:
            if line.meter == meter and self._meters.get(line.row) == meter:
                return prod((f for _, f in line.factors), start=line.rate_usd), line.per, line.row
        return None


def _names(clause: MatchLogic, name: str) -> bool:
    """Say whether a rule of theirs names a model exactly, rather than by a part of its id."""
    if isinstance(clause, ClauseEquals):
        return clause.equals.lower() == name.lower()
    return isinstance(clause, ClauseOr) and any(_names(one, name) for one in clause.or_)


def _their_prices(match: ModelInfo, tier: str) -> dict[str, Decimal | TieredPrices]:
    """Give what they list, by price key; of a tier only what it has a price of its own for."""
    if not tier:
        return _listed(match.get_prices(AT))
    said = TIERS[tier][1]
    own = {
        key
        for variant in match.price_variants or ()
        if variant.when == said and (variant.constraint is None or variant.constraint.active(AT))
        for key in _listed(variant.prices)
    }
    return {k: price for k, price in _listed(match.get_prices(AT, said)).items() if k in own}


def _listed(prices: ModelPrice) -> dict[str, Decimal | TieredPrices]:
    return {key: price for key, price in vars(prices).items() if price is not None}


def _starts(price: Decimal | TieredPrices) -> list[int]:
    return [tier.start for tier in price.tiers] if isinstance(price, TieredPrices) else []


def _at_size(price: Decimal | TieredPrices, prompt_tokens: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    passed = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    return passed[-1] if passed else price.base


def differences(rates: Iterable[Compared], catalogue: Catalogue) -> list[dict[str, str]]:
    """Give a row of the table for each rate that differs, with our source and no reason yet."""
    return [
        dict(zip(COLUMNS, (*one.facts, _source(catalogue, one.row), ""), strict=True))
        for one in rates
        if one.ours_usd != one.theirs_usd
    ]


def _source(catalogue: Catalogue, row: str) -> str:
    found = catalogue.provenance(row)
    assert found is not None
    return f"{found.evidence}: {found.source}"


def plain(amount: Decimal) -> str:
    """Write an amount without exponent and trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def main() -> None:
    """Write the table, with the reasons that it had."""
    reasons = {tuple(row[c] for c in COLUMNS[:8]): row["why"] for row in read_all(TABLE)}
    catalogue = Catalogue.default()
    comparison = Comparison(catalogue)
    rows = differences(comparison.rates(), catalogue)
    for row in rows:
        row["why"] = reasons.get(tuple(row[c] for c in COLUMNS[:8]), "")
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(
        f"{comparison.models} models compared, {comparison.mismatched} matched to another model, "
        f"{comparison.unknown} unknown to genai-prices; {len(rows)} rates differ"
    )


if __name__ == "__main__":
    main()
