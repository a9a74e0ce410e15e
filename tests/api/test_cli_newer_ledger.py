"""A ledger of a newer costspan: every command that reads it says so, and recording goes on."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from repricing import call, record, request
from shell import Shell

import costspan
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.schema import MIGRATIONS, Migration, migrate
from costspan.pricing.catalogue import Catalogue

NEXT = MIGRATIONS[-1].version + 1
REFUSED = (
    f"has schema version {NEXT}, and this costspan knows up to {NEXT - 1}. Upgrade costspan here "
    "(pip install -U costspan). Recording goes on."
)
READERS = ("report", "calls", "explain 1", "reprice", "merge")
OTHERS = ("prices gpt-4o", "estimate --model gpt-4o", "config")


@pytest.fixture(autouse=True)
def newer(home: Path) -> Path:
    """The database of a newer costspan, with one call in it and one in the spool."""
    record(home, call(1, request(Catalogue.default())))
    merge(home)
    path = home / "ledger.duckdb"
    step = Migration(NEXT, "note", ("ALTER TABLE calls ADD COLUMN note VARCHAR",))
    with duckdb.connect(str(path)) as connection:
        migrate(connection, path, [*MIGRATIONS, step])
    record(home, call(2, request(Catalogue.default())))
    return path


@pytest.mark.parametrize("command", READERS)
def test_it_is_refused_in_one_line(shell: Shell, newer: Path, command: str) -> None:
    said = shell(*command.split())

    assert said.code == 2
    assert said.out == ""
    assert said.err == f"costspan: The ledger {newer} {REFUSED}\n"


def test_doctor_finds_it(shell: Shell, newer: Path) -> None:
    said = shell("doctor")

    assert said.code == 1
    assert f"error    The ledger {newer} has schema version {NEXT}, and this" in said.out
    assert "-> Upgrade costspan here (pip install -U costspan). Recording goes on." in said.out


@pytest.mark.parametrize("command", OTHERS)
def test_what_needs_no_ledger_works(shell: Shell, tmp_path: Path, command: str) -> None:
    words = command.split()
    if words[0] == "estimate":
        (tmp_path / "prompt.txt").write_text("Hello.", encoding="utf-8")
        words.append(str(tmp_path / "prompt.txt"))

    said = shell(*words)

    assert said.code == 0
    assert said.err == ""


def test_recording_goes_on_and_nothing_is_lost(home: Path, newer: Path) -> None:
    spooled = sorted(path.stat().st_size for path in (home / "spool").iterdir())
    meter = costspan.Meter(home=home, exporters=["ledger"])
    costspan.wrap(lambda model: None, meter=meter)(model="gpt-4o")
    assert meter.flush()
    meter.close()
    assert len(list((home / "spool").iterdir())) == len(spooled) + 1

    with duckdb.connect(str(newer)) as connection:  # as if costspan had been upgraded
        connection.execute("DELETE FROM migrations WHERE version = ?", [NEXT])
    assert merge(home).rows == 2
