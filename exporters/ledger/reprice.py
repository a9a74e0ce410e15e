"""Writes new costs into recorded calls, all of them or none, and keeps the old ones.

One transaction under the merge lock: whoever kills it, or turns off the machine, leaves the ledger
as it was or whole.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import orjson

from costspan.exporters.ledger.alone import locked, open_alone
from costspan.exporters.ledger.merge import merge_spool
from costspan.exporters.ledger.read import Result
from costspan.exporters.ledger.row import COST_COLUMNS_OF_A_CALL
from costspan.exporters.ledger.schema import CALL_COLUMNS

if TYPE_CHECKING:
    import duckdb

Change: TypeAlias = Mapping[str, object]
"""``call_id``, and the new values of all of `REPRICED_COLUMNS`."""

REPRICED_COLUMNS = (*COST_COLUMNS_OF_A_CALL, "usage_flags", "requests")
_TYPES = {name: kind.removesuffix(" NOT NULL") for name, kind in CALL_COLUMNS}
_KEEP = """\
INSERT INTO repricings BY NAME SELECT
    c.call_id, $now AS repriced_at,
    c.cost_usd AS old_cost_usd, c.cost_status AS old_cost_status,
    c.catalogue_version AS old_catalogue_version, c.cost_lines AS old_cost_lines,
    c.requests AS old_requests,
    n.cost_usd AS new_cost_usd, n.cost_status AS new_cost_status,
    n.catalogue_version AS new_catalogue_version
FROM calls AS c JOIN new_costs AS n ON c.call_id = n.call_id"""


class Rewriter:
    """A ledger that is open for repricing: read it, hand over changes, and commit them.

    Attributes:
        hook: Called with the name of each point at which it may be killed, as it passes it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, hook: Callable[[str], None]) -> None:
        self._connection = connection
        self._hook = hook
        columns = ", ".join(f"{name} {_TYPES[name]}" for name in ("call_id", *REPRICED_COLUMNS))
        connection.execute("BEGIN")
        connection.execute(f"CREATE TEMP TABLE new_costs ({columns})")

    def execute(self, sql: str, params: Mapping[str, object]) -> Result:
        """Run one query and fetch its rows, as `Reader.execute` does."""
        done = self._connection.execute(sql, dict(params))
        return Result([column[0] for column in done.description or []], done.fetchall())

    def keep(self, changes: Sequence[Change]) -> None:
        """Take changes over, to be written by `commit`."""
        if not changes:
            return
        names = ("call_id", *REPRICED_COLUMNS)
        columns = ", ".join(f"unnest(?::VARCHAR[])::{_TYPES[name]}" for name in names)
        values = [[_text(change[name]) for change in changes] for name in names]
        self._connection.execute(f"INSERT INTO new_costs SELECT {columns}", values)
        self._hook("kept")

    def commit(self) -> None:
        """Note what the calls cost so far, and write what they cost now."""
        now = datetime.now(UTC).replace(tzinfo=None)
        self._connection.execute(_KEEP, {"now": now})
        self._hook("noted")
        columns = ", ".join(f"{name} = n.{name}" for name in REPRICED_COLUMNS)
        self._connection.execute(
            f"UPDATE calls SET {columns} FROM new_costs AS n WHERE calls.call_id = n.call_id"
        )
        self._hook("updated")
        self._connection.execute("COMMIT")
        self._hook("committed")
        self._connection.execute("CHECKPOINT")

    def interrupt(self) -> None:
        """Break off a running query; for a signal handler or another thread."""
        self._connection.interrupt()


@contextlib.contextmanager
def rewriting(
    home: str | os.PathLike[str],
    wait_s: float = 2.5,
    hook: Callable[[str], None] = lambda point: None,
) -> Iterator[Rewriter]:
    """Open the ledger of a folder for repricing, with its spool merged.

    What is not committed inside is as if it had never been.

    Args:
        home: The ledger's folder.
        wait_s: How many seconds to wait for others who merge or read.
        hook: See `Rewriter`.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open; the message names it.
        LedgerError: It is damaged, a newer costspan's, or cannot be written.
    """
    folder = Path(home)
    deadline = time.monotonic() + wait_s
    with locked(home, deadline), open_alone(folder, deadline) as connection:
        merge_spool(connection, folder)
        yield Rewriter(connection, hook)


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    return None if value is None else str(value)
