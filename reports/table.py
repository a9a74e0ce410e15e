"""Tables for a terminal of any width: numbers shorten and columns go before a name is cut.

Of rich only the widths of characters are used: its console costs 80 ms of every report.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len, set_cell_size

from costspan.reports.screen import Screen
from costspan.reports.text import safe

LONGEST_CELL = 60
SHORTEST_NAME = 8
LAST_RESORT = 100
GAP = 2
STYLES = {"bold": "\x1b[1m", "warning": "\x1b[1;33m", "bar": "\x1b[36m"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column as text.

    Attributes:
        title: Its heading.
        cells: One text per row; of a table with totals, the last is the total's.
        align: Names stand left, numbers right.
        short: Shorter cells, for a screen that is too narrow.
        short_title: Their heading, if it is another one.
        drop: The order in which columns go from a screen that is still too narrow, 1 first; 0
            stays. From `LAST_RESORT` on they go only where names are cut to the shortest.
        cut: Whether its cells may be cut in the end.
        warn: Rows whose cell asks for attention.
        style: One of `STYLES`, for the others.
    """

    title: str
    cells: Sequence[str]
    align: Literal["left", "right"] = "right"
    short: Sequence[str] | None = None
    short_title: str = ""
    drop: int = 0
    cut: bool = False
    warn: frozenset[int] = frozenset()
    style: str = ""

    @property
    def width(self) -> int:
        """Columns of the screen that it takes."""
        return max(map(cell_len, (self.title, *self.cells)))


def render_table(columns: Sequence[Column], screen: Screen, *, total: bool = False) -> str:
    """Lay the columns out and draw them.

    Args:
        columns: All of the same number of cells, at most one that may be cut.
        screen: Where the table goes.
        total: Whether the last row is set off as the total.

    Returns:
        Lines, each ended; none is wider than a screen of ten columns or more.
    """
    fitted = fit([_printable(column, screen.ascii_only) for column in columns], screen)
    rule = ("-" if screen.ascii_only else "─") * (screen.width - _room(fitted, screen))
    widths = [column.width for column in fitted]
    sized = list(zip(fitted, widths, strict=True))
    heading = _line([_padded(c.title, c.align, width, "bold", screen) for c, width in sized])
    last = len(columns[0].cells) - 1
    rows = [
        _line(
            [
                _padded(c.cells[row], c.align, width, _style(c, row, total and row == last), screen)
                for c, width in sized
            ]
        )
        for row in range(last + 1)
    ]
    if total:
        rows.insert(-1, rule)
    return "\n".join([heading, rule, *rows]) + "\n"


def fit(columns: Sequence[Column], screen: Screen) -> list[Column]:
    """The columns that fit on the screen: first shortened, then fewer, then cut."""
    kept = list(columns)
    if _room(kept, screen) < 0:
        kept = [_short(column) for column in kept]
    for rank in sorted(column.drop for column in kept if column.drop):
        cut = rank >= LAST_RESORT
        shown = [_cut(c, SHORTEST_NAME) if c.cut and cut else c for c in kept]
        if _room(shown, screen) < 0:
            kept = [column for column in kept if column.drop != rank]
    for shortest, every in ((SHORTEST_NAME, False), (1, True)):
        for index, column in enumerate(kept):
            missing = -_room(kept, screen)
            if missing > 0 and (column.cut or every):
                kept[index] = _cut(column, max(column.width - missing, shortest))
    return kept


def draw_line(text: str, screen: Screen, style: str = "") -> str:
    """A sentence, broken where the screen ends."""
    text = _printable_text(text, screen.ascii_only)
    lines = textwrap.wrap(text, screen.width, break_on_hyphens=False)  # addresses hold hyphens
    return "".join(_styled(line, style, screen) + "\n" for line in lines)


def _line(cells: Sequence[str]) -> str:
    return (" " * GAP).join(cells).rstrip()


def _padded(text: str, align: str, width: int, style: str, screen: Screen) -> str:
    space = " " * (width - cell_len(text))
    shown = _styled(text, style, screen)
    return shown + space if align == "left" else space + shown


def _styled(text: str, style: str, screen: Screen) -> str:
    return f"{STYLES[style]}{text}\x1b[0m" if screen.color and style and text else text


def _room(columns: Sequence[Column], screen: Screen) -> int:
    """Columns of the screen that are left; below 0, that are missing."""
    return screen.width - sum(c.width for c in columns) - GAP * (len(columns) - 1)


def _style(column: Column, row: int, is_total: bool) -> str:
    if row in column.warn:
        return "warning"
    return "bold" if is_total else column.style


def _short(column: Column) -> Column:
    cells = column.cells if column.short is None else column.short
    return replace(column, cells=cells, title=column.short_title or column.title)


def _printable(column: Column, ascii_only: bool) -> Column:
    return replace(
        column,
        cells=[_cell(text, ascii_only) for text in column.cells],
        short=column.short and [_cell(text, ascii_only) for text in column.short],
    )


def _cell(text: str, ascii_only: bool) -> str:
    return _shortened(_printable_text(text[: LONGEST_CELL + 1], ascii_only), LONGEST_CELL)


def _printable_text(text: str, ascii_only: bool) -> str:
    text = safe(text)
    return text.encode("ascii", "backslashreplace").decode("ascii") if ascii_only else text


def _cut(column: Column, width: int) -> Column:
    cells = [_shortened(text, width) for text in column.cells]
    return replace(column, title=_shortened(column.title, width), cells=cells)


def _shortened(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    mark = (".." if text.isascii() else "…")[:width]
    return set_cell_size(text, width - len(mark)).rstrip() + mark
