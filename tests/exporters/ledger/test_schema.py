"""The schema and its migrations."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.core.types import Served, Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import LedgerVersionError
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.schema import (
    CALL_COLUMNS,
    MIGRATIONS,
    REPRICING_COLUMNS,
    Migration,
    create_database,
    migrate,
    version_of,
)
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call
from costspan.pricing.catalogue import Catalogue

NOTE = Migration(3, "note", ("ALTER TABLE calls ADD COLUMN IF NOT EXISTS note VARCHAR",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new ledger."""
    created = tmp_path / "ledger.duckdb"
    create_database(created)
    return created


def test_a_new_ledger_has_every_table(path: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables ORDER BY 1"
        ).fetchall()
        columns = connection.execute("SELECT column_name FROM (DESCRIBE calls)").fetchall()
        repricings = connection.execute("SELECT column_name FROM (DESCRIBE repricings)").fetchall()
        migrations = connection.execute("SELECT version, name FROM migrations").fetchall()
        options = connection.execute("SELECT tags FROM duckdb_databases()").fetchall()

    names = ["call_requests", "calls", "merged_segments", "migrations", "repricings"]
    assert tables == [(name,) for name in names]
    assert columns == [(name,) for name, _ in CALL_COLUMNS]
    assert repricings == [(name,) for name, _ in REPRICING_COLUMNS]
    assert migrations == [(1, "calls"), (2, "repricings")]
    assert "v1.5.0" in str(options)
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.duckdb"]


def test_a_ledger_is_migrated_once(path: Path) -> None:
    steps = [*MIGRATIONS, NOTE]
    with duckdb.connect(str(path)) as connection:
        migrate(connection, path, steps)
        migrate(connection, path, steps)

        assert version_of(connection) == 3
        applied = connection.execute("SELECT version, name FROM migrations ORDER BY 1").fetchall()
        assert applied == [(1, "calls"), (2, "repricings"), (3, "note")]
        assert connection.execute("SELECT count(note) FROM calls").fetchall() == [(0,)]


def test_a_ledger_of_version_1_gets_the_table_of_repricings(
    home: Home,
    make_call: Callable[..., Call],
    open_writer: Callable[..., Writer],
    query: Callable[[str], list[tuple[Any, ...]]],
) -> None:
    home.path.mkdir()
    path = home.path / "ledger.duckdb"
    with duckdb.connect(str(path)) as connection:
        migrate(connection, path, MIGRATIONS[:1])
    open_writer(home).put(encode(make_call(0, 0)))

    assert query("SELECT count(*) FROM calls") == [(1,)]
    with duckdb.connect(str(path), read_only=True) as connection:
        assert version_of(connection) == 2
        assert connection.execute("SELECT count(*) FROM repricings").fetchall() == [(0,)]


def test_a_ledger_of_version_1_that_others_read_has_no_repricings(
    home: Home, query: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    home.path.mkdir()
    path = home.path / "ledger.duckdb"
    with duckdb.connect(str(path)) as connection:
        migrate(connection, path, MIGRATIONS[:1])
    names = [(name,) for name, _ in REPRICING_COLUMNS]
    with duckdb.connect(str(path), read_only=True) as reader:
        assert version_of(reader) == 1
        assert query("SELECT * FROM repricings") == []
        assert query("SELECT column_name FROM (DESCRIBE repricings)") == names


def test_a_newer_ledger_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        migrate(connection, path, [*MIGRATIONS, NOTE])

        with pytest.raises(LedgerVersionError, match=r"version 3, and .* up to 2"):
            migrate(connection, path)


def test_kill_between_a_migration_and_its_checkpoint(
    home: Home,
    program: Any,
    make_call: Callable[..., Call],
    open_writer: Callable[..., Writer],
) -> None:
    """duckdb/duckdb#18259, #20543, #22124: such a file may not open again."""
    open_writer(home).put(encode(make_call(0, 0)))
    merge(home)

    assert program("migrate_and_die").wait(30) == -9

    path = home.path / "ledger.duckdb"
    with duckdb.connect(str(path)) as connection:
        assert version_of(connection) == 2
        migrate(connection, path, [*MIGRATIONS, NOTE])
        assert connection.execute("SELECT count(*), count(note) FROM calls").fetchall() == [(1, 0)]


def test_a_file_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger.duckdb").mkdir()

    with pytest.raises(OSError, match="directory"):
        create_database(tmp_path / "ledger.duckdb")

    assert [file.name for file in tmp_path.iterdir()] == ["ledger.duckdb"]


def test_an_empty_database_has_version_zero(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        assert version_of(connection) == 0


def test_money_is_decimal_and_what_is_free_in_form_is_json() -> None:
    for name, kind in (*CALL_COLUMNS, *REPRICING_COLUMNS):
        assert kind.removesuffix(" NOT NULL") not in ("DOUBLE", "FLOAT", "REAL", "TIMESTAMPTZ")
        if name.endswith("_usd"):
            assert kind == "DECIMAL(18,12)"
        if name.endswith("_tokens"):
            assert kind == "BIGINT"
        if name.endswith("_at"):
            assert kind == "TIMESTAMP NOT NULL"
    kinds = dict(CALL_COLUMNS)
    assert kinds["tags"] == kinds["context"] == kinds["requests"] == kinds["cost_lines"] == "JSON"
    assert kinds["buckets"] == kinds["fees"] == "MAP(VARCHAR, DECIMAL(18,3))"


# Where the ledger keeps what a price depends on. A new argument of `Catalogue.cost`, or a new fact
# of a usage, needs a line here, and a column if it has none: without it, calls cannot be repriced.
ARGUMENTS = {
    "self": (),
    "provider": ("provider",),
    "model": ("model_requested",),
    "usage": ("usage_source",),
    "at": ("ended_at",),
    "started_at": ("started_at",),
    "api": (),  # says how to read a usage, which has been read
    "response_model": ("model",),
    "response": (),  # the same
    "context": ("context",),
}
USAGE = {
    "buckets": ("buckets",),
    "fees": ("fees",),
    "source": ("usage_source",),
    "flags": ("usage_flags",),
    "profile": ("usage_profile",),
    "total_tokens": (),  # was compared when the usage was read; the flags say how
    "served": (),
}
SERVED = {
    "model": ("model",),
    "tier": ("tier",),
    "region": ("region",),
    "deployment": ("deployment",),
    "speed": ("speed",),
    "reported_usd": ("reported_usd",),
    "upstream_usd": ("cost_lines", "context"),
}


def test_what_a_price_depends_on_is_stored() -> None:
    columns = {name for name, _ in CALL_COLUMNS}

    assert set(ARGUMENTS) == set(inspect.signature(Catalogue.cost).parameters)
    assert set(USAGE) == set(Usage._fields)
    assert set(SERVED) == {field.name for field in dataclasses.fields(Served)}
    for kept in (ARGUMENTS, USAGE, SERVED):
        assert {column for stored in kept.values() for column in stored} <= columns
