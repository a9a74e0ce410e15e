"""docs/durability.md names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parents[1] / "docs" / "durability.md"
NAME = re.compile(r"`((?:durability|ledger)/test_\w+\.py)(?:::(test_\w+))?`")


def functions(path: Path) -> set[str]:
    """The names of all functions in a file, those under conditions included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(NAME.findall(PAGE.read_text(encoding="utf-8")))
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not (TESTS / file).exists() or (test and test not in functions(TESTS / file))
    ]

    assert len(named) > 70
    assert missing == []


def test_the_page_names_every_test_of_this_folder_that_stands_for_a_report() -> None:
    here = Path(__file__).parent / "test_public_reports.py"
    named = {test for _, test in NAME.findall(PAGE.read_text(encoding="utf-8"))}

    assert {name for name in functions(here) if name.startswith("test_")} - named == set()
