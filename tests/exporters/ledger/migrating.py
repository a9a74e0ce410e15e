"""Programs that migrate and merge a ledger with the DuckDB on their path, and may be killed at it.

Usage: python migrating.py COMMAND HOME [ARGUMENT ...]
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from costspan.exporters.ledger.database import connect
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.schema import MIGRATIONS, STORAGE_VERSION, migrate, version_of

DATABASE = "ledger.duckdb"


class Killed:
    """A connection whose process is killed right behind one of its statements.

    Queries and checkpoints do not count, so it is killed between a statement and its checkpoint.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, statement: int) -> None:
        self._connection = connection
        self._left = statement

    def execute(self, sql: str, *values: Any) -> duckdb.DuckDBPyConnection:
        done = self._connection.execute(sql, *values)
        if not sql.startswith(("SELECT", "CHECKPOINT")):
            self._left -= 1
            if self._left == 0:
                _die()
        return done


def make(home: str, version: str) -> None:
    """Make a database of a schema version, as the costspan of that time did."""
    connection = connect("", memory=True)
    path = Path(home) / DATABASE
    connection.execute(f"ATTACH '{path}' AS ledger (STORAGE_VERSION '{STORAGE_VERSION}')")
    connection.execute("USE ledger")
    if steps := MIGRATIONS[: int(version)]:
        migrate(connection, path, steps)
    connection.execute("USE memory")
    connection.execute("DETACH ledger")
    connection.close()


def migrate_and_die(home: str, statement: str) -> None:
    """Migrate to the newest version, killed behind the statement of that number, from 1."""
    path = Path(home) / DATABASE
    killed: Any = Killed(connect(str(path)), int(statement))
    migrate(killed, path)


def execute_and_die(home: str, sql: str) -> None:
    """Run one statement, and be killed before a checkpoint."""
    connection = connect(str(Path(home) / DATABASE))  # one that is let go would checkpoint
    connection.execute(sql)
    _die()


def merge_at(home: str, point: str) -> None:
    """Merge, killed at a named point; print what the ledger holds then, if it is passed."""

    def die(passed: str) -> None:
        if passed == point:
            _die()

    state = merge(home, hook=die).state
    connection = connect("", memory=True)
    connection.execute(f"ATTACH '{Path(home) / DATABASE}' AS ledger (READ_ONLY)")
    (counts,) = connection.execute(
        "SELECT count(*), count(DISTINCT call_id), sum(cost_usd)::VARCHAR FROM ledger.calls"
    ).fetchall()
    (options,) = connection.execute(
        "SELECT tags::VARCHAR FROM duckdb_databases() WHERE database_name = 'ledger'"
    ).fetchall()
    version = version_of(connection, "ledger")
    connection.close()
    print(json.dumps([duckdb.__version__, state, version, *counts, *options]))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


COMMANDS: dict[str, Callable[..., None]] = {
    "make": make,
    "migrate_and_die": migrate_and_die,
    "execute_and_die": execute_and_die,
    "merge_at": merge_at,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
