"""Every current rate against the installed genai-prices: each difference is known and explained.

After a change of prices, here or there: ``python tests/support/genai_rates.py`` writes the table
anew, and the reason of each new row is written by hand.
"""

from __future__ import annotations

from collections import Counter

import pytest
from genai_rates import COLUMNS, PROVIDERS, TABLE, Compared, Comparison, differences

from costspan.pricing.catalogue import Catalogue
from costspan.pricing.rows import read_all

REASONS = ("alias", "band", "match", "tier", "unit")


@pytest.fixture(scope="module")
def comparison(catalogue: Catalogue) -> Comparison:
    return Comparison(catalogue)


@pytest.fixture(scope="module")
def rates(comparison: Comparison) -> list[Compared]:
    return list(comparison.rates())


def test_the_two_differ_only_where_the_table_says_so(
    rates: list[Compared], catalogue: Catalogue
) -> None:
    facts = COLUMNS[:-1]
    found = {tuple(row[c] for c in facts) for row in differences(rates, catalogue)}
    known = {tuple(row[c] for c in facts) for row in read_all(TABLE)}
    assert found - known == set(), "new differences: find out who is right"
    assert known - found == set(), "no longer different: take them off the table"


def test_each_difference_has_a_source_and_a_reason() -> None:
    rows = read_all(TABLE)
    assert len({tuple(row[c] for c in COLUMNS[:5]) for row in rows}) == len(rows)
    for row in rows:
        assert "https://" in row["source"], row
        assert row["why"].startswith(tuple(f"{reason}: " for reason in REASONS)), row


def test_most_models_of_every_vendor_are_compared(
    comparison: Comparison, rates: list[Compared]
) -> None:
    models = Counter(provider for provider, _ in {(one.provider, one.model) for one in rates})
    assert set(models) == set(PROVIDERS)
    assert models.total() == comparison.models
    assert comparison.models > 3 * (comparison.mismatched + comparison.unknown)


def test_every_kind_of_rate_is_compared(rates: list[Compared]) -> None:
    assert {one.tier for one in rates} == {"", "batch", "flex", "priority", "fast"}
    assert {"tokens.in.text", "tokens.in.cache_read", "tokens.in.cache_write.1h"} <= {
        one.meter for one in rates
    }
    assert {"tokens.out.audio", "tokens.out.image", "seconds.audio.in", "pages.ocr"} <= {
        one.meter for one in rates
    }
    assert any(one.prompt_tokens > 100_000 for one in rates)
