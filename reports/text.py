"""Values as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

NOTHING = "-"
_UNITS = ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def safe(text: str) -> str:
    """Text from outside with everything escaped that could steer a terminal or hide.

    Control characters, direction marks and invisible ones become ``\\x1b`` or ``\\u202e``.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def plain_decimal(amount: Decimal) -> str:
    """The exact amount without exponent and without trailing zeros: ``0.00362``."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd_decimals(amounts: Iterable[Decimal | None]) -> int:
    """How many decimals a column of amounts is shown with, so that they stand one under another.

    The largest amount gets four significant digits or more, and cents always; an even number, so
    that a column does not change its shape with every call.
    """
    largest = max((abs(amount) for amount in amounts if amount), default=Decimal(1))
    wanted = 3 - largest.adjusted()
    return min(12, max(2, wanted + wanted % 2))


def usd(amount: Decimal | None, decimals: int, sign: str = "$") -> str:
    """An amount in US dollars: ``$1,234.50``; ``<$0.01`` for what is more than nothing but rounds
    to it; ``unpriced`` for None. Another currency has no sign: the column names it."""
    if amount is None:
        return "unpriced"
    step = Decimal(1).scaleb(-decimals)
    if amount and abs(amount) <= step / 2:
        return f"<{sign}{step:f}"
    return f"{sign}{amount:,.{decimals}f}"


def count(number: int | None, compact: bool = False) -> str:
    """A number of tokens or calls: ``1,234,567``, compact ``1.23M``; ``-`` for None."""
    if number is None:
        return NOTHING
    if compact and number >= 10_000:
        for size, unit in _UNITS:
            # Not 1000k: what rounds up to the next unit belongs to it.
            if number * 1000 >= size * 999.5:
                return f"{number / size:#.3g}".rstrip(".") + unit
    return f"{number:,}"


def percent(share: float | None, signed: bool = False) -> str:
    """A share of 1 as per cent: ``4.2%``, signed ``+4.2%``; ``-`` for None."""
    if share is None:
        return NOTHING
    return f"{share * 100:+.1f}%" if signed else f"{share * 100:.1f}%"


def milliseconds(duration_us: int | None) -> str:
    """A duration: ``840 µs`` is ``0.8``, ``1,234,000 µs`` is ``1,234``; ``-`` for None."""
    if duration_us is None:
        return NOTHING
    return f"{duration_us / 1000:,.1f}" if duration_us < 10_000 else f"{duration_us / 1000:,.0f}"


def bar(share: float, width: int, ascii_only: bool = False) -> str:
    """A bar of that share of the width, in eighths of a character; something for any share > 0."""
    if ascii_only:
        return "#" * max(round(share * width), 1 if share > 0 else 0)
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[rest]
