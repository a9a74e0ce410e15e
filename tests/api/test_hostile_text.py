"""Tags, models, error types, sessions and file names come from outside: no command lets them act.

Whatever stands in them, a terminal gets printable characters and newlines, JSON is ASCII, and a
spreadsheet finds no formula.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from repricing import call, record, request
from shell import Said, Shell

from costspan.exporters.home import Home
from costspan.exporters.ledger.health import Losses
from costspan.middleware.record import Call, ErrorFacts
from costspan.pricing.catalogue import Catalogue

NOW = Catalogue.default()
SINCE = "2020-01-01"
HALF_A_PAIR = "a\ud800b"
HOSTILE = {
    "clear screen": "\x1b[2J\x1b[31mred",
    "window title": "\x1b]0;title\x07",
    "hyperlink": "\x1b]8;;http://x.example\x1b\\click\x1b]8;;\x1b\\",
    "eight-bit escape": "\x9b31m",
    "backspaces": "paid\b\b\b\bfree",
    "carriage return": "\rTotal: $0.00",
    "newlines": "gpt\r\nTotal: $0.00\n",
    "other newlines": "a\u2028b\u2029c\x85d\x0be",
    "right to left": "\u202egnp.exe",
    "isolate": "\u2066\u2067x",
    "invisible": "gpt\u200b\u200d\ufeff-4o\u00ad",
    "tag characters": "a\U000e0041\U000e0042",
    "nul": "a\0b",
    "half a pair": HALF_A_PAIR,
    "private use": "\ue000\U000f0000",
    "formula": '=HYPERLINK("http://x.example","y")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-1+2",
    "at": "@SUM(1)",
    "tab formula": "\t=1",
    "return formula": "\r=1",
    "wide formula": "\uff1d1+1",
    "SQL": "'; DROP TABLE calls; --",
    "quotes": '"\'`""',
    "placeholders": "$since {0} %s %(x)s ${HOME} $(id) `id`",
    "markup": "[bold red]x[/] <script>alert(1)</script> &amp;",
    "path": "../../etc/passwd/~/~1~0",
    "option": "--home=/elsewhere",
    "long": "m" * 250,
    "wide": "\uff27\uff30\uff34" * 80,
    "zalgo": "a" + "\u0301" * 240,
    "family": "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "blank": "   ",
    "empty": "",
}
STORED = [text.replace("\ud800", "\ufffd") for text in HOSTILE.values()]


@pytest.fixture(autouse=True)
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere click takes escape sequences away, which would hide that they are written."""
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)


def calls_with(number: int, text: str) -> Iterator[Call]:
    """Calls with a text in all places that are filled from outside; their ids end in a number."""
    facts = {"tags": {"team": text, text or "t": "x", "session_id": text}, "session_id": text}
    failed = ErrorFacts(text or "E", 500, text)
    refused = request(NOW, model=text, usage=None, error=failed)
    yield call(0xA000 + number, request(NOW), **facts)
    yield call(0xB000 + number, request(NOW, model=text, requested=text), **facts)
    yield call(0xC000 + number, refused, error=failed, **facts)


@pytest.fixture
def ledger(home: Path) -> Path:
    """A ledger with three calls for each hostile text."""
    every = [
        one for number, text in enumerate(HOSTILE.values()) for one in calls_with(number, text)
    ]
    record(home, *every)
    return home


def is_harmless(said: Said) -> bool:
    """Whether a terminal only gets to print, and to go to the next line; and nothing broke."""
    text = said.out + said.err
    return "Traceback" not in text and all(one.isprintable() for one in text.replace("\n", ""))


@pytest.mark.parametrize(
    "words",
    [
        *(["report", "--by", key] for key in ("model", "provider", "day", "session", "tag:team")),
        ["report", "--by", "status", "--since", SINCE],
        ["report", "--estimates"],
        ["calls", "-n", "999"],
        ["explain", "a003"],
        ["reprice", "--dry-run"],
        ["doctor"],
        ["merge"],
        ["ledger", "info"],
        ["ledger", "check"],
        ["ledger", "forget", "--where", "t=x", "--dry-run"],
    ],
    ids=" ".join,
)
def test_what_is_shown_is_harmless(
    shell: Shell, ledger: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    for columns in ("120", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        said = shell(*words)
        assert is_harmless(said)
        assert (said.code, said.err) == (0, "")


def test_how_a_cost_came_about_is_harmless(shell: Shell, ledger: Path) -> None:
    for number in range(len(HOSTILE)):
        for kind in ("b", "c"):
            said = shell("explain", f"{kind}{number:03x}")
            assert is_harmless(said)
            assert said.code == 0


def test_a_row_stays_a_row(shell: Shell, ledger: Path) -> None:
    """Texts with newlines, or as long as they like, make no second line and no wide one."""
    heading, _, titles, rule, *rest = shell("report", "--by", "tag:team").out.splitlines()

    assert heading.startswith("Spend by tag:team")
    assert titles.startswith("tag")
    assert set(rule) == {"─"}
    assert set(rest[len(HOSTILE)]) == {"─"}
    assert rest[len(HOSTILE) + 1].startswith("total")


@pytest.mark.parametrize("name", HOSTILE)
def test_words_of_the_command_line_are_harmless(shell: Shell, home: Path, name: str) -> None:
    text = HOSTILE[name]
    for words in (
        [f"--by={text}"],
        [f"--since={text}"],
        [f"--tz={text}"],
        [f"--format={text}"],
        [text],
    ):
        said = shell("report", *words)
        assert is_harmless(said)
        assert said.code in (0, 2)
    for words in (["explain", "--", text], ["prices", "search", "--", text], ["--", text]):
        assert is_harmless(shell(*words))
    assert is_harmless(shell("ledger", "forget", f"--where=team={text}", "--dry-run"))


def test_tags_of_any_name_can_be_asked_for(shell: Shell, ledger: Path) -> None:
    for text in HOSTILE.values():
        said = shell("report", f"--by=tag:{text or 't'}", "--format", "json")
        assert [row["calls"] for row in json.loads(said.out) if row["tag"] == "x"] == [3]
    assert is_harmless(shell("report", "--by=tag:\x1b[31m"))


def test_json_is_ascii_and_whole(shell: Shell, ledger: Path) -> None:
    spent = shell("report", "--by", "tag:team", "--format", "json").out
    newest = shell("calls", "-n", "999", "--format", "json").out
    explained = shell("explain", "b000", "--format", "json").out

    assert (spent + newest + explained).isascii()
    assert sorted(row["tag"] for row in json.loads(spent)) == sorted(STORED)
    assert sorted(row["tags"]["team"] for row in json.loads(newest)) == sorted(STORED * 3)


@pytest.mark.parametrize(
    "words", [["report", "--by", "tag:team"], ["report"], ["calls", "-n", "999"], ["reprice"]]
)
def test_a_spreadsheet_finds_no_formula_and_numbers_stay_numbers(
    shell: Shell, ledger: Path, words: Sequence[str]
) -> None:
    said = shell(*words, "--format", "csv")

    heading, *rows = csv.reader(io.StringIO(said.out))
    assert is_harmless(said)
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(heading)}
    cells = [cell for row in rows for cell in row]
    assert [one for one in cells if one[:1] in "=+-@\t\r\n\uff1d" and one and not number(one)] == []
    assert {number(row[heading.index("calls")]) for row in rows if "calls" in heading} <= {True}


def number(cell: str) -> bool:
    try:
        return float(cell) is not None
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["SQL", "quotes", "half a pair", "path", "newlines", "zalgo"])
def test_a_person_of_that_name_is_forgotten_and_nobody_else(
    shell: Shell, ledger: Path, name: str
) -> None:
    said = shell("ledger", "forget", f"--where=team={HOSTILE[name]}", "--yes")

    assert "Erased 3 calls" in said.out
    left = json.loads(shell("report", "--by", "tag:team", "--format", "json").out)
    assert len(left) == len(HOSTILE) - 1
    assert HOSTILE[name] not in [row["tag"] for row in left]


@pytest.mark.parametrize("name", ["a\x1b[31mb", "it's; DROP TABLE calls --", "\u202ex", '"x"'])
def test_a_folder_of_that_name(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / name
    monkeypatch.setenv("COSTSPAN_HOME", str(folder))
    commands = (["report"], ["calls"], ["doctor"], ["config"], ["merge"], ["ledger", "info"])
    forget = ["ledger", "forget", "--where", "user=x", "--yes"]
    before = [shell(*words) for words in (*commands, forget)]
    record(folder, call(1, request(NOW), tags={"user": "x"}))
    place = Home(folder, named=True, fallback=False, reason="named by the test")
    losses = Losses(place, "host.1")
    losses.add(OSError(28, os.strerror(28)))
    losses.note()
    after = [shell(*words) for words in (*commands, forget, ["report"])]

    assert [said for said in (*before, *after) if not is_harmless(said)] == []
    assert [said.code for said in after] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert "Erased 1 call," in after[6].out


@pytest.mark.parametrize(
    "text",
    [
        'tags = {a = "\\u001b[31m\\u202e"}\naliases = {"\\u001b[31m" = "openai/\\u009b"}',
        'hashed_tags = ["\\u001b[31m"]',
        '"\\u001b[31m" = 1',
        'home = "\\u001b[31m"',
        "\x1b[31m",
    ],
)
def test_a_configuration_of_that_text(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "costspan.toml").write_text(text)
    monkeypatch.delenv("COSTSPAN_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    for words in (["config"], ["doctor"]):
        said = shell(*words)
        assert is_harmless(said)
        assert said.code in (0, 2)
