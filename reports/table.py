"""Tables for a terminal of any width: numbers shorten and columns go before a name is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Literal

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from costspan.reports.screen import Screen
from costspan.reports.text import safe

LONGEST_CELL = 60
SHORTEST_NAME = 8
GAP = 2
RULE_ASCII = box.Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


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
            stays.
        cut: Whether its cells may be cut in the end.
        warn: Rows whose cell asks for attention.
        style: Colour of the others.
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
        Lines, each ended; no line is wider than the screen as long as the columns that must stay
        fit on it.
    """
    fitted = fit([_printable(column, screen.ascii_only) for column in columns], screen)
    table = Table(
        box=RULE_ASCII if screen.ascii_only else box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        show_footer=total,
        header_style="bold",
        footer_style="bold",
    )
    last = len(columns[0].cells) - 1 if total else len(columns[0].cells)
    for column in fitted:
        footer = Text(column.cells[last], _style(column, last)) if total else ""
        table.add_column(column.title, footer, justify=column.align, no_wrap=True)
    for row in range(last):
        table.add_row(*(Text(column.cells[row], _style(column, row)) for column in fitted))
    width = sum(column.width + GAP for column in fitted)
    return _draw(table, replace(screen, width=width))


def fit(columns: Sequence[Column], screen: Screen) -> list[Column]:
    """The columns that fit on the screen: first shortened, then fewer, then one of them cut."""
    kept = list(columns)
    if _too_wide(kept, screen):
        kept = [_short(column) for column in kept]
    for rank in sorted(column.drop for column in kept if column.drop):
        if _too_wide(kept, screen):
            kept = [column for column in kept if column.drop != rank]
    excess = _too_wide(kept, screen)
    if excess:
        kept = [_cut(c, max(c.width - excess, SHORTEST_NAME)) if c.cut else c for c in kept]
    return kept


def draw_line(text: str, screen: Screen, style: str = "") -> str:
    """A sentence, broken where the screen ends."""
    return _draw(Text(_printable_text(text, screen.ascii_only), style), screen)


def _draw(table: Table | Text, screen: Screen) -> str:
    console = Console(
        file=StringIO(),
        width=screen.width,
        color_system="standard" if screen.color else None,
        force_terminal=screen.color,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(table, end="\n")
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def _too_wide(columns: Sequence[Column], screen: Screen) -> int:
    return max(0, sum(c.width for c in columns) + GAP * (len(columns) - 1) - screen.width)


def _style(column: Column, row: int) -> str:
    return "bold yellow" if row in column.warn else column.style


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
    return replace(column, cells=[_shortened(text, width) for text in column.cells])


def _shortened(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    mark = ".." if text.isascii() else "…"
    return set_cell_size(text, width - len(mark)).rstrip() + mark
