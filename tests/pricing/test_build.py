"""The script that turns facts into the catalogue's files."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FACTS = {
    "README.md": "Collected 2026-11-25. Facts.\n",
    "price_facts.csv": (
        "provider,model,meter,amount_usd,per,valid_from,valid_to,tier,region,band_over,"
        "band_inclusive,schedule,evidence,source,note\n"
        "x,b,tokens.in.text,2,1000000,2026-01-01,,,,,,,billed,https://x.example,\n"
        "x,A,tokens.in.text,1,1000000,2026-01-01,,,,,,,billed,https://x.example,\n"
        "x,*,fee.search,1,1000,2026-01-01,,,,,,,billed,https://x.example,a note\n"
    ),
    "aliases.csv": "provider,alias,target,valid_from,valid_to,source,note\nx,c,b,2026-01-01,,s,\n",
    "multipliers.csv": (
        "id,factor,applies_to,provider,model,condition,valid_from,valid_to,evidence,source,note\n"
        'm1,1.1,tokens.,x,*,"region in us,eu (regional endpoint)",2026-01-01,,billed,s,\n'
        "m2,1.1,tokens.,x,*,region not global (all others),2026-01-01,,billed,s,\n"
        "m3,0.5,tokens.,x,*,tier=batch,2026-01-01,,billed,s,\n"
    ),
    "schedules.csv": "schedule,timezone,days,windows,except_dates,clock,source\n",
    "models.csv": (
        "provider,model,context_window,max_output,released,deprecated_on,modalities,tokenizer,"
        "supports\n"
    ),
}


@pytest.fixture(scope="module")
def build() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "build_catalogue.py"
    spec = importlib.util.spec_from_file_location("build_catalogue", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folders(tmp_path: Path, build: ModuleType) -> tuple[Path, Path]:
    facts, target = tmp_path / "facts", tmp_path / "target"
    facts.mkdir()
    target.mkdir()
    for name, text in FACTS.items():
        (facts / name).write_text(text, encoding="utf-8")
    for name in build.BY_HAND:
        (target / name).write_text("provider,model,source\n", encoding="utf-8")
    return facts, target


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_it_sorts_splits_and_parses(build: ModuleType, folders: tuple[Path, Path]) -> None:
    facts, target = folders
    build.main(facts, target, facts / "none")
    assert [row["model"] for row in read(target / "prices.csv")] == ["A", "b"]
    assert [row["model"] for row in read(target / "patterns.csv")] == ["*"]
    conditions = [
        (row["attribute"], row["operator"], row["values"])
        for row in read(target / "multipliers.csv")
    ]
    assert conditions == [
        ("region", "in", "us|eu"),
        ("region", "not", "global"),
        ("tier", "in", "batch"),
    ]
    sources = read(target / "provenance.csv")
    assert [(row["note"], len(row["ids"].split())) for row in sources] == [("", 2), ("a note", 1)]
    assert (target / "version.txt").read_text(encoding="utf-8").startswith("2026-11-25+")


def test_it_writes_the_same_bytes_twice(build: ModuleType, folders: tuple[Path, Path]) -> None:
    facts, target = folders
    build.main(facts, target, facts / "none")
    first = {path.name: path.read_bytes() for path in target.iterdir()}
    build.main(facts, target, facts / "none")
    assert first == {path.name: path.read_bytes() for path in target.iterdir()}


def test_a_corrected_amount_keeps_the_id_and_changes_the_version(
    build: ModuleType, folders: tuple[Path, Path]
) -> None:
    facts, target = folders
    build.main(facts, target, facts / "none")
    before = [row["id"] for row in read(target / "prices.csv")]
    version = (target / "version.txt").read_bytes()
    path = facts / "price_facts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("text,2,", "text,3,"), "utf-8")
    build.main(facts, target, facts / "none")
    assert [row["id"] for row in read(target / "prices.csv")] == before
    assert (target / "version.txt").read_bytes() != version


def test_two_rows_for_one_thing_are_an_error(build: ModuleType, folders: tuple[Path, Path]) -> None:
    facts, target = folders
    path = facts / "price_facts.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, lines[1].replace(",2,", ",9,")]), encoding="utf-8")
    with pytest.raises(ValueError, match="two price rows have one id"):
        build.main(facts, target, facts / "none")


def test_an_unreadable_condition_is_an_error(build: ModuleType, folders: tuple[Path, Path]) -> None:
    facts, target = folders
    path = facts / "multipliers.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("tier=batch", "sometimes"), "utf-8")
    with pytest.raises(ValueError, match="m3: cannot read 'sometimes'"):
        build.main(facts, target, facts / "none")


def test_corrections_replace_rows_and_add_some(
    build: ModuleType, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    facts, target = folders
    header = FACTS["price_facts.csv"].splitlines()[0]
    better = tmp_path / "better"
    better.mkdir()
    (better / "price_facts.csv").write_text(
        f"{header}\n"
        "x,b,tokens.in.text,3,1000000,2026-01-01,,,,,,,provider-page,https://x.example/page,\n"
        "x,d,tokens.in.text,4,1000000,2026-01-01,,,,,,,provider-page,https://x.example/page,\n",
        encoding="utf-8",
    )
    build.main(facts, target, better)
    amounts = {row["model"]: row["amount_usd"] for row in read(target / "prices.csv")}
    assert amounts == {"A": "1", "b": "3", "d": "4"}
