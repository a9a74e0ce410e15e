"""The catalogue's data: no overlap, no gap, no orphan, no tie, and a source for every row."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import pytest

import costspan.pricing.rows

FOLDER = Path(costspan.pricing.rows.__file__).parent
END = datetime(9999, 1, 1, tzinfo=UTC)
METER = re.compile(
    r"tokens\.in\.(text|audio|image|video|citation)|tokens\.in\.cache_read(\.(audio|image|video))?"
    r"|tokens\.in\.cache_write(\.(5m|1h|12h))?|tokens\.out\.(text|audio|image|video|reasoning)"
    r"|tokens\.cache_storage_hour|seconds\.(audio\.in|session)|chars\.(in|out)"
    r"|pages\.ocr(_annotated)?|messages\.in\.text|fee\.[a-z_]+(\.[a-z_]+){0,2}"
)
EVIDENCE = {
    "billed", "provider-page", "announcement", "secondary",
    "imported-genai-prices", "imported-litellm",
}  # fmt: skip

Row = dict[str, str]
Span = tuple[datetime, datetime]


def read(name: str) -> list[Row]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def when(text: str, default: datetime = END) -> datetime:
    if not text:
        return default
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def span(row: Row) -> Span:
    return when(row["valid_from"]), when(row["valid_to"])


PRICES = read("prices.csv") + read("patterns.csv")
KEY = ("provider", "model", "meter", "tier", "region", "band_over", "schedule")


def covered(spans: list[Span], start: datetime, end: datetime) -> bool:
    """Say whether some spans cover a period without a gap."""
    at = start
    for since, until in sorted(spans):
        if since <= at < until:
            at = until
    return at >= end


def test_every_row_is_well_formed() -> None:
    schedules = {row["schedule"] for row in read("schedules.csv")} | {""}
    for row in PRICES:
        assert METER.fullmatch(row["meter"]), row
        assert re.fullmatch(r"\d+(\.\d+)?", row["amount_usd"]), row
        assert int(row["per"]) > 0, row
        assert row["schedule"] in schedules, row
        assert bool(row["band_over"]) == bool(row["band_inclusive"]), row
        start, end = span(row)
        assert start < end, row


def test_no_two_rows_price_the_same_at_once_and_none_has_a_gap() -> None:
    keyed: dict[tuple[str, ...], list[Span]] = defaultdict(list)
    for row in PRICES:
        keyed[tuple(row[column].lower() for column in KEY)].append(span(row))
    for key, spans in keyed.items():
        spans.sort()
        for (_, until), (since, _) in pairwise(spans):
            assert until == since, key


def test_ids_are_unique_and_every_row_has_a_source() -> None:
    vouched = Counter(one for row in read("provenance.csv") for one in row["ids"].split())
    assert max(vouched.values()) == 1
    assert {row["id"] for row in PRICES} == set(vouched)
    assert len(PRICES) == len(vouched)
    for row in read("provenance.csv"):
        assert row["source"].strip()
        assert row["evidence"] in EVIDENCE


def test_cache_band_and_tier_rows_have_a_row_to_stand_on() -> None:
    base: dict[tuple[str, str, str, str], list[Span]] = defaultdict(list)
    for row in PRICES:
        if not (row["tier"] or row["band_over"] or row["schedule"]):
            base[row["provider"], row["model"], row["meter"], row["region"]].append(span(row))

    def stands(row: Row, meters: tuple[str, ...]) -> bool:
        return any(
            covered(
                base[row["provider"], row["model"], meter, ""]
                + base[row["provider"], row["model"], meter, row["region"]],
                *span(row),
            )
            for meter in meters
        )

    for row in PRICES:
        meter = row["meter"]
        if meter.startswith("tokens.in.cache"):
            kind = meter.rpartition(".")[2]
            modality = kind if kind in ("audio", "image", "video") else "text"
            assert stands(row, (f"tokens.in.{modality}",)), row
        if row["tier"] or row["band_over"] or row["schedule"]:
            assert stands(row, (meter, "tokens.in.text")), row


def test_a_models_input_price_has_no_gap() -> None:
    life: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in PRICES:
        if row["meter"].startswith("tokens.") and "*" not in row["model"] and not row["tier"]:
            life[row["provider"], row["model"]].append(row)
    for key, rows in life.items():
        spans = [
            span(row)
            for row in rows
            if row["meter"] in ("tokens.in.text", "tokens.in.audio", "tokens.in.image")
            and not row["band_over"]
            and not row["schedule"]
        ]
        assert spans, key
        assert covered(spans, min(s for s, _ in spans), max(span(row)[1] for row in rows)), key


def test_patterns_never_tie() -> None:
    patterns: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in read("patterns.csv"):
        key = tuple(row[column] for column in ("provider", "meter", "tier", "region", "band_over"))
        patterns[key].add(row["model"])
    models = {(row["provider"], row["model"].lower()) for row in read("prices.csv")}
    for (provider, *_), globs in patterns.items():
        for owner, model in models:
            if owner == provider:
                lengths = [len(glob) for glob in globs if fnmatchcase(model, glob)]
                assert len(lengths) == len(set(lengths)), (provider, model, globs)


def test_aliases_lead_to_prices_without_overlap_or_gap() -> None:
    aliases = read("aliases.csv")
    priced = {(row["provider"], row["model"].lower()) for row in PRICES}
    named = {(row["provider"], row["alias"].lower()) for row in aliases}
    spans: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for row in aliases:
        target = (row["provider"], row["target"].lower())
        assert target in priced | named, row
        assert row["alias"].lower() != row["target"].lower(), row
        assert row["source"], row
        spans[row["provider"], row["alias"].lower()].append(span(row))
    for key, some in spans.items():
        some.sort()
        for (_, until), (since, _) in pairwise(some):
            assert until == since, key


def test_multipliers_are_whole_and_reach_a_model() -> None:
    attributes = {"tier", "region", "deployment", "speed", "byok"}
    priced = {(row["provider"], row["model"].lower()) for row in PRICES}
    rows = read("multipliers.csv")
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["attribute"] in attributes, row
        assert row["operator"] in ("in", "not"), row
        assert row["values"], row
        assert row["source"], row
        assert Decimal(row["factor"]) > 0, row
        globs = row["model"].split("|")
        assert any(
            owner == row["provider"] and any(fnmatchcase(model, glob) for glob in globs)
            for owner, model in priced
        ), row


@pytest.mark.parametrize(
    "name", ["families.csv", "fixed_tokens.csv", "hosts.csv", "minimums.csv", "request_fees.csv"]
)
def test_rules_kept_by_hand_have_sources(name: str) -> None:
    rows = read(name)
    assert rows
    for row in rows:
        assert row["source"].startswith("https://"), row


def test_every_provider_of_the_data_is_canonical() -> None:
    from costspan.core.naming import canonical_provider

    for name in ("prices.csv", "patterns.csv", "aliases.csv", "models.csv"):
        for provider in {row["provider"] for row in read(name)}:
            assert canonical_provider(provider) == provider


def test_no_model_is_listed_twice() -> None:
    listed = Counter((row["provider"], row["model"].lower()) for row in read("models.csv"))
    assert max(listed.values()) == 1


def test_the_files_are_searchable_as_text() -> None:
    for name in ("prices.csv", "aliases.csv", "models.csv"):
        rows = [(r["provider"], list(r.values())[1].lower()) for r in read(name)]
        assert rows == sorted(rows), name
        assert not any(mark in model for _, model in rows for mark in ',"\n'), name
