"""Values as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.reports import text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("gpt-4o", "gpt-4o"),
        ("моя модель 日本", "моя модель 日本"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\u202egpj.exe", r"safe\u202egpj.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\x00\x7f", r"\x00\x7f"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(raw: str, shown: str) -> None:
    assert text.safe(raw) == shown


@given(st.text())
def test_no_text_is_left_unprintable(raw: str) -> None:
    assert text.safe(raw).isprintable()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.003620000000", "0.00362"),
        ("0.000000000001", "0.000000000001"),
        ("1E-12", "0.000000000001"),
        ("5.530000", "5.53"),
        ("100.000000000000", "100"),
        ("1E+3", "1000"),
        ("0E-12", "0"),
        ("-0.5", "-0.5"),
    ],
)
def test_exact_amounts_have_no_exponent(amount: str, shown: str) -> None:
    assert text.plain_decimal(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("amounts", "decimals"),
    [
        (["1234.5", "0.001"], 2),
        (["12"], 2),
        (["6.71", None], 4),
        (["0.52"], 4),
        (["0.052"], 6),
        (["0.00123"], 6),
        (["0.000123"], 8),
        (["0.000000000001"], 12),
        (["0"], 4),
        ([None], 4),
        ([], 4),
    ],
)
def test_decimals_of_a_column(amounts: list[str | None], decimals: int) -> None:
    assert text.usd_decimals([Decimal(a) if a else None for a in amounts]) == decimals


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        ("1234.5", 2, "$1,234.50"),
        ("0.00362", 4, "$0.0036"),
        ("0.00004", 4, "<$0.0001"),
        ("0.00005", 4, "<$0.0001"),
        ("0.000051", 4, "$0.0001"),
        ("0.000000000001", 2, "<$0.01"),
        ("0", 2, "$0.00"),
        (None, 2, "unpriced"),
    ],
)
def test_amounts(amount: str | None, decimals: int, shown: str) -> None:
    assert text.usd(Decimal(amount) if amount else None, decimals) == shown


@given(
    st.decimals(min_value=Decimal("1E-12"), max_value=Decimal(999_999), places=12),
    st.integers(2, 12),
)
def test_what_costs_something_is_never_shown_as_nothing(amount: Decimal, decimals: int) -> None:
    assert text.usd(amount, decimals).strip("$0.")


@pytest.mark.parametrize(
    ("number", "full", "compact"),
    [
        (None, "-", "-"),
        (0, "0", "0"),
        (999, "999", "999"),
        (9_999, "9,999", "9,999"),
        (10_000, "10,000", "10.0k"),
        (154_495, "154,495", "154k"),
        (999_499, "999,499", "999k"),
        (999_500, "999,500", "1.00M"),
        (2_924_255, "2,924,255", "2.92M"),
        (1_500_000_000, "1,500,000,000", "1.50G"),
        (7_000_000_000_000_000, "7,000,000,000,000,000", "7.00P"),
    ],
)
def test_numbers(number: int | None, full: str, compact: str) -> None:
    assert text.count(number) == full
    assert text.count(number, compact=True) == compact


@pytest.mark.parametrize(
    ("share", "plain", "signed"),
    [
        (None, "-", "-"),
        (0.0417, "4.2%", "+4.2%"),
        (-0.5, "-50.0%", "-50.0%"),
        (0.0, "0.0%", "+0.0%"),
    ],
)
def test_per_cent(share: float | None, plain: str, signed: str) -> None:
    assert text.percent(share) == plain
    assert text.percent(share, signed=True) == signed


@pytest.mark.parametrize(
    ("duration_us", "shown"), [(None, "-"), (840, "0.8"), (9_999, "10.0"), (1_234_000, "1,234")]
)
def test_durations(duration_us: int | None, shown: str) -> None:
    assert text.milliseconds(duration_us) == shown


@pytest.mark.parametrize(
    ("share", "blocks", "ascii_only"),
    [
        (0.0, "", ""),
        (1.0, "████████", "########"),
        (0.5, "████", "####"),
        (0.45, "███▋", "####"),  # 28.8 eighths; 3.6 characters
        (0.000001, "▏", "#"),
    ],
)
def test_bars(share: float, blocks: str, ascii_only: str) -> None:
    assert text.bar(share, 8) == blocks
    assert text.bar(share, 8, ascii_only=True) == ascii_only
