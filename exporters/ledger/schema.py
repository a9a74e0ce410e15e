"""The tables of the ledger, and the ordered migrations that bring a file up to them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.ledger.database import connect
from costspan.exporters.ledger.errors import LedgerVersionError
from costspan.exporters.sharing import set_mode

if TYPE_CHECKING:
    import duckdb

STORAGE_VERSION = "v1.5.0"
"""DuckDB's file format that both 1.5 and 2.0 open."""

_TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
_MONEY = "DECIMAL(18,12)"
_METERS = "MAP(VARCHAR, DECIMAL(18,3))"

_REQUEST_COLUMNS: tuple[tuple[str, str], ...] = (
    ("api", "VARCHAR"),
    ("provider", "VARCHAR"),
    ("model", "VARCHAR"),
    ("model_requested", "VARCHAR"),
    ("endpoint", "VARCHAR"),
    ("port", "INTEGER"),
    ("error_type", "VARCHAR"),
    ("error_code", "VARCHAR"),
    ("http_status", "SMALLINT"),
    ("response_id", "VARCHAR"),
    ("finish_reasons", "VARCHAR"),
    *((f"{kind}_tokens", "BIGINT") for kind in _TOKENS),
    ("usage_source", "VARCHAR"),
    ("usage_flags", "VARCHAR"),
    ("usage_profile", "VARCHAR"),
    ("buckets", _METERS),
    ("fees", _METERS),
    ("tier", "VARCHAR"),
    ("region", "VARCHAR"),
    ("deployment", "VARCHAR"),
    ("speed", "VARCHAR"),
    ("context", "JSON"),
    *((f"cost{part}_usd", _MONEY) for part in ("", "_input", "_output")),
    *((f"cost_{part}_usd", _MONEY) for part in ("cache_read", "cache_write", "other")),
    ("cost_status", "VARCHAR NOT NULL"),
    ("reported_usd", _MONEY),
    ("catalogue_version", "VARCHAR"),
    ("priced_provider", "VARCHAR"),
    ("priced_model", "VARCHAR"),
    ("cost_lines", "JSON"),
)
"""What is known of one provider request, and of a call that made one."""

CALL_COLUMNS: tuple[tuple[str, str], ...] = (
    ("call_id", "UUID NOT NULL"),
    ("record_version", "SMALLINT NOT NULL"),
    ("started_at", "TIMESTAMP NOT NULL"),
    ("ended_at", "TIMESTAMP NOT NULL"),
    ("latency_us", "BIGINT"),
    ("ttft_us", "BIGINT"),
    ("operation", "VARCHAR"),
    ("streaming", "BOOLEAN"),
    ("chunks", "INTEGER"),
    ("retries", "SMALLINT"),
    ("request_count", "SMALLINT"),
    ("status", "VARCHAR NOT NULL"),
    ("ended_by", "VARCHAR"),
    *_REQUEST_COLUMNS,
    ("requests", "JSON"),
    *((f"estimate_{way}_tokens{end}", "BIGINT")
      for way in ("input", "output") for end in ("", "_low", "_high")),
    *((f"estimate_cost{end}_usd", _MONEY) for end in ("", "_low", "_high")),
    ("estimate_basis", "VARCHAR"),
    ("session_id", "VARCHAR"),
    ("unit_id", "VARCHAR"),
    ("billing_mode", "VARCHAR"),
    ("amount_kind", "VARCHAR"),
    ("trace_id", "VARCHAR"),
    ("span_id", "VARCHAR"),
    ("root_span_id", "VARCHAR"),
    ("tags", "JSON"),
    ("host", "VARCHAR"),
    ("pid", "INTEGER"),
    ("sdk_version", "VARCHAR"),
)  # fmt: skip
"""Name and SQL type of the columns of ``calls``, in order."""

REPRICING_COLUMNS: tuple[tuple[str, str], ...] = (
    ("call_id", "UUID NOT NULL"),
    ("repriced_at", "TIMESTAMP NOT NULL"),
    ("old_cost_usd", _MONEY),
    ("old_cost_status", "VARCHAR NOT NULL"),
    ("old_catalogue_version", "VARCHAR"),
    ("old_cost_lines", "JSON"),
    ("old_requests", "JSON"),
    ("new_cost_usd", _MONEY),
    ("new_cost_status", "VARCHAR NOT NULL"),
    ("new_catalogue_version", "VARCHAR"),
)
"""Name and SQL type of the columns of ``repricings``, in order."""

REQUIRED = tuple(name for name, kind in CALL_COLUMNS if kind.endswith("NOT NULL"))


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, applied once and recorded.

    Each statement is one transaction and is followed by a checkpoint, so it has to stand being
    run again. A column that is added has a constant default or none: DuckDB cannot open a file
    whose log holds any other (duckdb/duckdb#18259, #20543, #22124).
    """

    version: int
    name: str
    own_statements: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements, by default those of ``<version>_<name>.sql``."""
        if self.own_statements:
            return self.own_statements
        file = Path(__file__).with_name(f"{self.version:04}_{self.name}.sql")
        lines = file.read_text("utf-8").splitlines()
        text = "\n".join(line for line in lines if not line.startswith("--"))
        return tuple(part.strip() for part in text.split(";") if part.strip())


def calls_ddl(table: str = "calls") -> str:
    """The statement that creates the table of calls under a name."""
    columns = ", ".join(f"{name} {kind}" for name, kind in CALL_COLUMNS)
    return f"CREATE TABLE IF NOT EXISTS {table} ({columns})"


def no_repricings_sql() -> str:
    """The query behind the view ``repricings`` of a ledger from before there were any."""
    columns = (f"NULL::{kind.removesuffix(' NOT NULL')} AS {n}" for n, kind in REPRICING_COLUMNS)
    return f"SELECT {', '.join(columns)} WHERE false"


def call_requests_sql(calls: str = "calls") -> str:
    """The query behind the view ``call_requests``: one row per provider request.

    A call with one request is its own row. The requests of the others come out of the column
    ``requests``, each with its own model, usage and money, and the call's identity and tags.

    Args:
        calls: The table or view to read.
    """
    shared = ["call_id", "record_version", "operation", "streaming", "session_id", "unit_id"]
    shared += ["billing_mode", "amount_kind", "trace_id", "tags", "host", "request_count"]
    own = [name for name, _ in _REQUEST_COLUMNS]
    # In the form that a list of typed objects has in JSON: [{"model": "VARCHAR", ...}].
    typed = {name: kind.removesuffix(" NOT NULL") for name, kind in _REQUEST_COLUMNS}
    typed |= {"started_at_us": "BIGINT", "ended_at_us": "BIGINT"}
    shape = ", ".join(f'"{name}": "{kind}"' for name, kind in typed.items())
    plain = ", ".join([*shared, *own])
    unnested = ", ".join([*shared, *(f"r.{name}" for name in own)])
    return (
        f"SELECT 1::BIGINT AS request_number, started_at, ended_at, status, {plain} FROM {calls} "
        "WHERE requests IS NULL UNION ALL "
        "SELECT request_number, make_timestamp(r.started_at_us), make_timestamp(r.ended_at_us), "
        "CASE WHEN r.error_type IS NULL THEN status ELSE 'error' END, "
        f"{unnested} FROM (SELECT *, unnest(parsed) AS r, "
        "generate_subscripts(parsed, 1) AS request_number FROM "
        f"(SELECT *, from_json(requests, '[{{{shape}}}]') AS parsed FROM {calls} "
        "WHERE requests IS NOT NULL))"
    )


MIGRATIONS: tuple[Migration, ...] = (Migration(1, "calls"), Migration(2, "repricings"))
"""In order. The text of each is frozen in a file; `CALL_COLUMNS` and `REPRICING_COLUMNS` are where
all of them lead to."""

_MIGRATIONS_DDL = (
    "CREATE TABLE IF NOT EXISTS migrations (version INTEGER, name VARCHAR, applied_at TIMESTAMP)"
)


def version_of(connection: duckdb.DuckDBPyConnection, database: str | None = None) -> int:
    """The schema version of a connected ledger; 0 for a database without one.

    Args:
        connection: A connection that has the ledger open.
        database: The name it is attached by; None for the current database.
    """
    import duckdb

    table = f'"{database}".migrations' if database else "migrations"
    try:
        rows = connection.execute(f"SELECT max(version) FROM {table}").fetchall()
    except duckdb.CatalogException:
        return 0
    return int(rows[0][0] or 0)


def refuse_newer(found: int, path: Path, known: int | None = None) -> None:
    """Stand back from a ledger that a newer costspan made.

    Raises:
        LedgerVersionError: Its version is above the newest that is known here.
    """
    known = MIGRATIONS[-1].version if known is None else known
    if found > known:
        raise LedgerVersionError(
            f"The ledger {path} has schema version {found}, and this costspan knows up to "
            f"{known}. Upgrade costspan here (pip install -U costspan). Recording goes on."
        )


def migrate(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    unfinished: bool = False,
) -> None:
    """Bring a connected ledger up to the newest version.

    Args:
        connection: Open for writing, outside a transaction.
        path: The file, for messages.
        migrations: The steps, in order.
        unfinished: The file has not got its name yet, so a kill just leaves nothing: it needs no
            checkpoints in between.

    Raises:
        LedgerVersionError: The ledger is newer than the steps.
    """
    done = version_of(connection)
    refuse_newer(done, path, migrations[-1].version)
    if done == migrations[-1].version:
        return

    def run(statement: str, *values: object) -> None:
        connection.execute(statement, list(values))
        if not unfinished:
            connection.execute("CHECKPOINT")

    run(_MIGRATIONS_DDL)
    for step in migrations:
        if step.version <= done:
            continue
        for statement in step.statements:
            run(statement)
        now = datetime.now(UTC).replace(tzinfo=None)
        run("INSERT INTO migrations VALUES (?, ?, ?)", step.version, step.name, now)


def create_database(path: Path) -> None:
    """Create an empty ledger under another name and rename it.

    A database that DuckDB creates on a full disk stays unreadable when there is room again
    (duckdb/duckdb#9667), so it gets its name only when it is whole and on the disk.
    """
    unready = path.with_name(f"{path.name}.new.{os.getpid()}")
    try:
        connection = connect("", memory=True)
        try:
            attach = str(unready).replace("'", "''")
            connection.execute(f"ATTACH '{attach}' AS fresh (STORAGE_VERSION '{STORAGE_VERSION}')")
            connection.execute("USE fresh")
            migrate(connection, path, unfinished=True)
            connection.execute("USE memory")
            connection.execute("DETACH fresh")
        finally:
            connection.close()
        set_mode(unready)
        sync(unready)
        os.rename(unready, path)
    finally:  # a whole one has got another name
        for leftover in (unready, unready.with_name(unready.name + ".wal")):
            with contextlib.suppress(OSError):
                leftover.unlink()


def sync(path: Path) -> None:
    """Bring a file onto the disk."""
    fd = os.open(path, os.O_RDWR)  # Windows syncs only what is open for writing
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
