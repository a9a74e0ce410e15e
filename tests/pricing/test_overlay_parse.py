"""What may stand in a file of own prices, and what is said of what may not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from costspan.pricing.overlay import OverlayError
from costspan.pricing.overlay_parse import parse_overlay

GOOD = """\
[[prices]]
provider = "openai"
model = "m"
usd = { "tokens.in.text" = 2.50 }
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(OverlayError) as caught:
        parse_overlay(text, "prices.toml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "line 1: colour: unknown key; allowed: prices, discounts, aliases, "),
        ("[[price]]\nmodel = 1", "line 1: price: unknown key; did you mean prices? allowed: "),
        ("[prices]\nmodel = 1", "line 1: prices: write [[prices]] before each of them"),
        ("prices = [1]", "line 1: prices: write [[prices]] before each of them"),
        ("currency = 1", "line 1: currency: write a table: [currency]"),
        (GOOD.replace("model", "modle"), "line 3: prices.modle: unknown key; did you mean model?"),
        (GOOD.replace('model = "m"\n', ""), "line 1: prices.model: is missing"),
        (GOOD.replace('"m"', "7"), "line 3: prices.model: 7: give a text"),
        (GOOD.replace('"m"', '" "'), "line 3: prices.model: ' ': give a text"),
        (GOOD.replace("openai", "opnai"), "line 2: prices.provider: 'opnai': did you mean openai?"),
        (GOOD.replace("in.text", "input"), "line 4: prices.usd: {'tokens.input': Decimal('2.50')}: "
         "unknown meter 'tokens.input'; did you mean tokens.in.text? allowed: tokens.in.text, "),
        (GOOD.replace("2.50", "-1"), "line 4: prices.usd: {'tokens.in.text': -1}: "
         "'tokens.in.text' = -1: give 0 or more; a reduction is a table under [[discounts]]"),
        (GOOD.replace("2.50", "inf"), "give a number, for instance 2.50"),
        (GOOD.replace("2.50", '"cheap"'), "give a number, for instance 2.50"),
        (GOOD.replace("2.50", "true"), "give a number, for instance 2.50"),
        (GOOD + "free = true", "line 4: prices.usd: give amounts here, or else free = true"),
        (GOOD[: GOOD.index("usd")], "line 1: prices.usd: give amounts here, or else free = true"),
        (GOOD + 'tier = "gold"', "line 5: prices.tier: 'gold': allowed: batch, flex, priority, "),
        (GOOD + 'tier = "default"', "line 5: prices.tier: 'default': the standard rate names no "),
        (GOOD + 'schedule = "noon"', "line 5: prices.schedule: 'noon': allowed: off-peak-2025, "),
        (GOOD + "per = 0", "line 5: prices.per: 0: give a whole number above 0"),
        (GOOD + "band_over = 1.5", "line 5: prices.band_over: 1.5: give a whole number above 0"),
        (GOOD + "band_inclusive = true", "line 5: prices.band_inclusive: needs band_over"),
        (GOOD + "band_inclusive = 1", "line 5: prices.band_inclusive: 1: give true or false"),
        (GOOD + 'flat = true\nregion = "eu"', "line 5: prices.flat: holds always: leave out "),
        (GOOD + 'valid_from = "soon"', "line 5: prices.valid_from: 'soon': give a day or an "),
        (GOOD + "valid_from = 12:00:00", "line 5: prices.valid_from: datetime.time(12, 0): give "),
        (GOOD + "valid_from = 2026-02-01\nvalid_to = 2026-02-01",
         "line 6: prices.valid_to: must be after valid_from"),
        (GOOD + GOOD, "line 8: prices.tokens.in.text: is said twice for one time"),
        ('[[discounts]]\nprovider = "openai"\npercent = 101', "line 3: discounts.percent: 101: "),
        ('[[discounts]]\nprovider = "openai"\npercent = 0', "line 3: discounts.percent: 0: "),
        ('[[discounts]]\nprovider = "openai"\npercent = 1\nmeters = ["token"]\n',
         "line 4: discounts.meters: ['token']: 'token' is no meter and no "),
        ('[[discounts]]\nid = "a"\nprovider = "openai"\npercent = 1\n' * 2,
         "line 6: discounts.id: two discounts are called so"),
        ('[[aliases]]\nprovider = "azure"\nalias = "A"\ntarget = "a"', "line 4: aliases.target: "),
        ('[[aliases]]\nprovider = "*"\nalias = "a"\ntarget = "b"', "whose model is it? give "),
        ('[[aliases]]\nprovider = "azure"\nalias = "a"\ntarget = "b"\n' * 2,
         "line 7: aliases.alias: is said twice for one time: end the first by valid_to where "),
        ('[currency]\ncode = "euro"\nrates = []', "line 2: currency.code: 'euro': give the three "),
        ('[currency]\ncode = "EUR"\n', "line 1: currency.rates: is missing"),
        ('[currency]\ncode = "EUR"\n[[currency.rates]]\nper_usd = 0', "line 4: currency.rates.per"),
        ('[currency]\ncode = "EUR"\n' + "[[currency.rates]]\nvalid_from = 2026-01-01\nper_usd = 1\n"
         * 2, "line 7: currency.rates.valid_from: each rate must begin after the one before it"),
        ("prices = [", "cannot be read as TOML: "),
    ],
)  # fmt: skip
def test_an_error_names_file_line_key_and_what_is_allowed(text: str, said: str) -> None:
    found = problems(text)
    assert found[0].startswith("prices.toml")
    assert any(said in one for one in found), found


def test_every_problem_is_told_in_the_order_of_the_file() -> None:
    text = GOOD.replace("openai", "opnai") + "per = 0\n" + GOOD.replace("2.50", "-2")
    lines = [one.split(":")[0] for one in problems(text)]
    assert lines == [f"prices.toml, line {number}" for number in (2, 5, 9)]
    with pytest.raises(OverlayError, match=r"did you mean openai.* \(and 2 more\)$"):
        parse_overlay(text, "prices.toml")


def test_amounts_are_exact_however_they_are_written() -> None:
    text = GOOD.replace("2.50", "0.1000000000000000055511151231257827")
    (own,) = parse_overlay(text, "f").prices
    assert own.row.rate_usd == Decimal("0.1000000000000000055511151231257827")
    assert parse_overlay(GOOD.replace("2.50", '"1e-7"'), "f").prices[0].row.rate_usd == Decimal(
        "0.0000001"
    )


def test_meters_may_be_written_without_quotes_or_as_a_table() -> None:
    """TOML makes tables of dots that stand without quotes."""
    dotted = '[[prices]]\nprovider = "openai"\nmodel = "m"\nusd.tokens.in.text = 2\n'
    table = '[[prices]]\nprovider = "openai"\nmodel = "m"\n[prices.usd]\n"tokens.in.text" = 2\n'
    for text in (dotted, table):
        (own,) = parse_overlay(text, "f").prices
        assert (own.row.meter, own.row.rate_usd, own.row.per) == (
            "tokens.in.text",
            Decimal(2),
            1_000_000,
        )
    assert problems(table.replace("= 2", "= -2"))[0].startswith("prices.toml, line 4: prices.usd")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ('"2026-07-01"', datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T16:00:00", datetime(2026, 7, 1, 16, tzinfo=UTC)),
        ("2026-07-01T16:00:00+02:00", datetime(2026, 7, 1, 14, tzinfo=UTC)),
    ],
)
def test_days_and_instants_are_utc(written: str, instant: datetime) -> None:
    (own,) = parse_overlay(GOOD + f"valid_from = {written}", "f").prices
    assert own.row.start == instant


def test_fees_are_counted_by_the_piece_and_tokens_by_the_million() -> None:
    text = GOOD.replace("2.50", '2.50, "fee.web_search" = 0.01, "seconds.audio.in" = 0.0001')
    pers = {own.row.meter: own.row.per for own in parse_overlay(text, "f").prices}
    assert pers == {"tokens.in.text": 1_000_000, "fee.web_search": 1, "seconds.audio.in": 1}
    (own,) = parse_overlay(GOOD + "per = 1000", "f").prices
    assert own.row.per == 1000


def test_row_ids_go_by_what_is_priced_and_not_by_the_amount() -> None:
    (first,) = parse_overlay(GOOD, "f").prices
    (second,) = parse_overlay(GOOD.replace("2.50", "3"), "g").prices
    (third,) = parse_overlay(GOOD + 'tier = "batch"', "f").prices
    assert first.row.id == second.row.id != third.row.id


def test_a_currency_with_dated_rates() -> None:
    text = """
    [currency]
    code = "EUR"
    [[currency.rates]]
    per_usd = 0.95
    source = "ECB"
    [[currency.rates]]
    valid_from = 2026-01-01
    per_usd = "0.92"
    """
    currency = parse_overlay(text, "f").currency
    assert currency is not None
    assert currency.code == "EUR"
    assert [rate.per_usd for rate in currency.rates] == [Decimal("0.95"), Decimal("0.92")]
    assert currency.rates[1].start == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_example_of_the_docs_is_right() -> None:
    page = Path(__file__).parents[2] / "docs" / "prices.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    overlay = parse_overlay(example, "prices.toml")
    assert (len(overlay.prices), len(overlay.discounts), len(overlay.names)) == (4, 1, 1)
    assert overlay.currency is not None
