"""Tables that fit: what is shortened, what goes, what is cut, and what never happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from costspan.reports.screen import Screen
from costspan.reports.table import LAST_RESORT, Column, draw_line, render_table

COLUMNS = [
    Column("model", ["gpt-4o", "a-very-long-model-name", "total"], "left", cut=True),
    Column("input", ["1,200,000", "12", "1,200,012"], short=["1.20M", "12", "1.20M"], drop=1),
    Column("cost", ["$1.20", "unpriced", "$1.20"], warn=frozenset({1})),
]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            80,
            """\
model                       input      cost
───────────────────────────────────────────
gpt-4o                  1,200,000     $1.20
a-very-long-model-name         12  unpriced
───────────────────────────────────────────
total                   1,200,012     $1.20
""",
        ),
        (
            40,
            """\
model                   input      cost
───────────────────────────────────────
gpt-4o                  1.20M     $1.20
a-very-long-model-name     12  unpriced
───────────────────────────────────────
total                   1.20M     $1.20
""",
        ),
        (
            33,
            """\
model                       cost
────────────────────────────────
gpt-4o                     $1.20
a-very-long-model-name  unpriced
────────────────────────────────
total                      $1.20
""",
        ),
        (
            24,
            """\
model               cost
────────────────────────
gpt-4o             $1.20
a-very-long-..  unpriced
────────────────────────
total              $1.20
""",
        ),
    ],
)
def test_narrower_and_narrower(width: int, expected: str) -> None:
    shown = render_table(COLUMNS, Screen(width), total=True)

    assert shown == expected


def test_columns_of_the_last_resort_go_when_names_are_cut_already() -> None:
    columns = [
        Column("model", ["a-very-long-model-name"], "left", cut=True),
        Column("calls", ["1"], drop=LAST_RESORT),
        Column("cost", ["$1.20"]),
    ]

    shown = {width: render_table(columns, Screen(width)).splitlines() for width in (22, 21, 9)}

    assert shown[22][2] == "a-very..      1  $1.20"
    assert shown[21][2] == "a-very-long-..  $1.20"
    assert shown[9][2] == "..  $1.20"


def test_in_ascii() -> None:
    columns = [Column("model", ["日本"], "left"), Column("calls", ["1"])]

    assert render_table(columns, Screen(80, ascii_only=True)) == (
        "model         calls\n-------------------\n\\u65e5\\u672c      1\n"
    )


def test_colours_only_where_asked_for() -> None:
    assert "\x1b[" not in render_table(COLUMNS, Screen(80), total=True)
    assert "\x1b[1;33munpriced\x1b[0m" in render_table(COLUMNS, Screen(80, color=True), total=True)


def test_names_from_outside_neither_steer_nor_style_nor_flood() -> None:
    names = ["\x1b[2J\x1b]0;owned\x07", "[red]x[/red]", "x" * 10_000, "\u202eevil", ":smile:"]

    shown = render_table([Column("model", names, "left", cut=True)], Screen(120))

    assert shown.splitlines()[2:] == [
        r"\x1b[2J\x1b]0;owned\x07",
        "[red]x[/red]",
        "x" * 58 + "..",
        r"\u202eevil",
        ":smile:",
    ]


@given(
    st.lists(st.tuples(st.text(), st.text(max_size=8)), min_size=1, max_size=4), st.integers(4, 90)
)
def test_no_line_is_wider_than_the_screen(cells: list[tuple[str, str]], width: int) -> None:
    columns = [
        Column("name", [name for name, _ in cells], "left", cut=True),
        Column("n", [str(len(other)) for _, other in cells]),
        Column("other", [other for _, other in cells], "left", drop=1),
    ]

    shown = render_table(columns, Screen(width))

    assert max(map(cell_len, shown.splitlines())) <= width
    assert len(shown.splitlines()) == len(cells) + 2


def test_sentences_break_where_the_screen_ends() -> None:
    assert draw_line("one two three", Screen(8)) == "one two\nthree\n"
    assert draw_line("[bold]\x1b[0m", Screen(80)) == "[bold]\\x1b[0m\n"
