"""The migrations as they are: killed in their midst, from every older version, and their rules."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger import schema
from costspan.exporters.ledger.database import connect
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.schema import MIGRATIONS, migrate, version_of
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

PROGRAM = Path(__file__).with_name("migrating.py")
NEWEST = MIGRATIONS[-1].version

# A file that has been released is never changed: ledgers out there stand on what it said. A new
# migration is a new file with a line here.
FROZEN = {
    "0001_calls.sql": "f71f9063c43bf0b741ca0a6fc66ea9227b818884f1b47e7a6d14f2540fad5515",
    "0002_repricings.sql": "86a70f3dcaa2121e5fb89e888462f9ad4266b056c7f4a8c29d345979170733c8",
}

ADDED = """\
INSERT INTO calls BY NAME SELECT uuid() AS call_id, 1 AS record_version,
    make_timestamp(1000000 * n) AS started_at, make_timestamp(1000000 * n + 5) AS ended_at,
    'ok' AS status, 'priced' AS cost_status, (n / 1000)::DECIMAL(18,12) AS cost_usd,
    'gpt-x' AS model, json_object('team', n::VARCHAR) AS tags,
    MAP {'tokens.in.text': n::DECIMAL(18,3)} AS buckets
FROM range(1, 501) AS numbers(n)"""
KEPT = (
    "SELECT call_id, started_at, ended_at, status, cost_usd, model, tags, buckets FROM calls "
    "WHERE model = 'gpt-x' ORDER BY started_at"
)


def run(command: str, home: Home, *arguments: object) -> int:
    """Run a command of ``migrating.py`` to its end, and return how it ended."""
    words = [sys.executable, str(PROGRAM), command, str(home), *map(str, arguments)]
    return subprocess.run(words, timeout=60).returncode


def ledger_of(version: int, home: Home) -> list[tuple[Any, ...]]:
    """Make a ledger as an older costspan left it, with calls in it; return them."""
    home.path.mkdir()
    assert run("make", home, version) == 0
    if version == 0:
        return []
    with duckdb.connect(str(home.path / "ledger.duckdb")) as connection:
        connection.execute(ADDED)
        if version >= 2:
            connection.execute(
                "INSERT INTO repricings BY NAME SELECT call_id, started_at AS repriced_at, "
                "cost_status AS old_cost_status, cost_status AS new_cost_status FROM calls"
            )
        return connection.execute(KEPT).fetchall()


def statements_from(version: int) -> int:
    """How many statements lead from a version to the newest, the notes of the steps included."""
    return 1 + sum(len(step.statements) + 1 for step in MIGRATIONS if step.version > version)


def contents(home: Home) -> tuple[int, list[tuple[Any, ...]], int, int]:
    """Schema version, the calls of `ledger_of`, the number of all calls, and of repricings."""
    with duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True) as connection:
        kept = connection.execute(KEPT).fetchall()
        (calls,) = connection.execute("SELECT count(*) FROM calls").fetchall()
        (repricings,) = connection.execute("SELECT count(*) FROM repricings").fetchall()
        return version_of(connection), kept, calls[0], repricings[0]


@pytest.mark.parametrize("version", range(NEWEST + 1))
def test_a_ledger_of_every_older_version_is_brought_up_with_all_its_rows(
    home: Home,
    version: int,
    make_call: Callable[..., Call],
    open_writer: Callable[..., Writer],
) -> None:
    kept = ledger_of(version, home)
    open_writer(home).put(encode(make_call()))

    assert merge(home).rows == 1

    repricings = 500 if version >= 2 else 0
    assert contents(home) == (NEWEST, kept, len(kept) + 1, repricings)


@pytest.mark.parametrize(
    ("version", "statement"),
    [
        (version, statement)
        for version in range(NEWEST)
        for statement in range(1, statements_from(version) + 1)
    ],
)
def test_killed_between_each_statement_and_its_checkpoint(
    home: Home,
    version: int,
    statement: int,
    make_call: Callable[..., Call],
    open_writer: Callable[..., Writer],
) -> None:
    """duckdb/duckdb#18259, #20543, #22124: such a file may not open again."""
    kept = ledger_of(version, home)

    assert run("migrate_and_die", home, statement) == -9

    open_writer(home).put(encode(make_call()))
    assert merge(home).rows == 1
    assert contents(home) == (NEWEST, kept, len(kept) + 1, 0)


def test_that_is_all_the_statements(home: Home) -> None:
    ledger_of(0, home)

    assert run("migrate_and_die", home, statements_from(0) + 1) == 0


def test_each_step_is_recorded_once(home: Home) -> None:
    ledger_of(1, home)
    run("migrate_and_die", home, statements_from(1))
    merge(home)

    with duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT version, name FROM migrations ORDER BY 1").fetchall()
    assert found == [(step.version, step.name) for step in MIGRATIONS]


def test_each_statement_can_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    with duckdb.connect(str(path)) as connection:
        for step in MIGRATIONS:
            for statement in step.statements:
                connection.execute(statement)
                connection.execute(statement)
        migrate(connection, path)
        assert version_of(connection) == NEWEST


# The rules of migrations, and why there are any.

_RULES = {
    "a default that is not a constant": r"\bDEFAULT\b(?!\s+(?:NULL|TRUE|FALSE|-?[0-9.]+|'[^']*')"
    r"(?=\s*(?:[,)]|NOT\b|$)))",
    "a column added IF NOT EXISTS with a default": r"ADD\s+COLUMN\s+IF\s+NOT\s+EXISTS.*\bDEFAULT\b",
    "a type changed by an expression": r"\bTYPE\b.*\bUSING\b",
    "a primary key or an index": r"\b(?:PRIMARY\s+KEY|UNIQUE|FOREIGN\s+KEY|REFERENCES|INDEX)\b",
    "a transaction of its own": r"\b(?:BEGIN|COMMIT|ROLLBACK|TRANSACTION)\b",
    "several changes at once": r"\b(?:CREATE|ALTER|DROP)\b.*\b(?:CREATE|ALTER|DROP)\b",
}


def broken_rules(statement: str) -> list[str]:
    """The rules that a statement of a migration breaks."""
    flags = re.IGNORECASE | re.DOTALL
    return [rule for rule, pattern in _RULES.items() if re.search(pattern, statement, flags)]


@pytest.mark.parametrize("step", MIGRATIONS, ids=lambda step: step.name)
def test_no_migration_breaks_a_rule(step: schema.Migration) -> None:
    assert [broken_rules(statement) for statement in step.statements] == [[]] * len(step.statements)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE calls ADD COLUMN at TIMESTAMP DEFAULT now()",
        "ALTER TABLE calls ADD COLUMN id UUID DEFAULT uuid()",
        "ALTER TABLE calls ADD COLUMN n INTEGER DEFAULT 1 + 1",
        "ALTER TABLE calls ALTER n SET DEFAULT random()",
        "ALTER TABLE calls ADD COLUMN IF NOT EXISTS n INTEGER DEFAULT 1",
        "ALTER TABLE calls ALTER pid TYPE VARCHAR USING pid::VARCHAR",
        "CREATE TABLE IF NOT EXISTS t (id UUID PRIMARY KEY)",
        "CREATE TABLE IF NOT EXISTS t (id UUID UNIQUE)",
        "CREATE INDEX IF NOT EXISTS i ON calls (call_id)",
        "BEGIN TRANSACTION",
        "CREATE TABLE a (x INTEGER)\nALTER TABLE a ADD COLUMN y INTEGER",
    ],
)
def test_broken_rules_are_seen(statement: str) -> None:
    assert broken_rules(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE calls ADD COLUMN n INTEGER DEFAULT 1",
        "ALTER TABLE calls ADD COLUMN n VARCHAR DEFAULT 'none' NOT NULL",
        "CREATE TABLE IF NOT EXISTS t (a INTEGER DEFAULT -1, b BOOLEAN DEFAULT FALSE)",
        "ALTER TABLE calls ADD COLUMN IF NOT EXISTS note VARCHAR",
    ],
)
def test_what_the_rules_allow(statement: str) -> None:
    assert broken_rules(statement) == []


def test_why_there_is_a_rule_about_defaults(home: Home) -> None:
    """duckdb/duckdb#18259, #20543, #22124. If this fails, DuckDB has mended it."""
    ledger_of(NEWEST, home)
    column = "ALTER TABLE calls ADD COLUMN IF NOT EXISTS noted_at TIMESTAMPTZ DEFAULT now()"
    assert broken_rules(column)

    assert run("execute_and_die", home, column) == -9

    with pytest.raises(duckdb.Error, match=r"(?i)\bWAL\b"):
        connect(str(home.path / "ledger.duckdb"))


def test_released_migrations_are_frozen() -> None:
    folder = Path(schema.__file__).parent
    found = {
        file.name: hashlib.sha256(file.read_text("utf-8").encode()).hexdigest()
        for file in folder.glob("*.sql")
    }

    assert found == FROZEN
    assert [f"{step.version:04}_{step.name}.sql" for step in MIGRATIONS] == sorted(FROZEN)
