"""Brings calls from elsewhere into the ledger: each once, however often they are imported.

One transaction a batch under the merge lock: whoever kills an import leaves whole batches, and
importing again brings the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.home import Home, prepare
from costspan.exporters.ledger.alone import open_alone
from costspan.exporters.ledger.database import connect, held_error, is_held
from costspan.exporters.ledger.errors import LedgerError
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.load import data_errors, insert, sort_out
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.merge import failures, merge_lock, merge_spool
from costspan.exporters.ledger.publish import publish
from costspan.exporters.ledger.scan import Span
from costspan.exporters.ledger.schema import calls_ddl
from costspan.exporters.sharing import opener

if TYPE_CHECKING:
    import duckdb

WAIT_S = 10.0
"""How long a batch waits for others who merge or read."""

_TOKENS = "coalesce({0}.input_tokens, 0) + coalesce({0}.output_tokens, 0)"
# A foreign log is read again when it has grown, and the call it ended with may have grown too.
_GROWN = (
    f"f.sdk_version LIKE 'import:%' AND c.sdk_version = f.sdk_version "
    f"AND {_TOKENS.format('f')} > {_TOKENS.format('c')}"
)
_ONCE = f"""\
CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM incoming AS f
QUALIFY row_number() OVER (PARTITION BY call_id ORDER BY {_TOKENS.format("f")} DESC) = 1"""
_COMPARED = """\
CREATE OR REPLACE TEMP TABLE compared AS
SELECT f.call_id, c.call_id IS NOT NULL AS known, c.call_id IS NOT NULL AND {grown} AS grown,
    f.cost_usd, c.cost_usd AS old_cost_usd, f.started_at
FROM fresh AS f LEFT JOIN {calls} AS c ON c.call_id = f.call_id"""
_EACH = "SELECT call_id, known, grown FROM compared"
_SUMS = """\
SELECT sum(cost_usd), sum(old_cost_usd) FILTER (grown), count(*) FILTER (cost_usd IS NULL),
    min(started_at), max(started_at)
FROM compared WHERE NOT known OR grown"""


@dataclass(slots=True)
class Imported:
    """What an import did to the ledger.

    Attributes:
        new: Calls that were added.
        known: Calls that it had already.
        replaced: Calls that it had with fewer tokens, as the log had been read before their end.
        damaged: Lines that no row could be made of.
        cost_usd: By how many US dollars the ledger's total has grown.
        unpriced: Calls, of those added or replaced, whose cost is not known.
        first, last: When the first and the last of these started, in UTC without a zone.
    """

    new: int = 0
    known: int = 0
    replaced: int = 0
    damaged: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    first: datetime | None = None
    last: datetime | None = None
    _seen: set[int] = field(default_factory=set, repr=False)

    def add(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add what the table ``compared`` of a batch says, each call once in the whole import."""
        for call_id, known, grown in connection.execute(_EACH).fetchall():
            if call_id.int not in self._seen:
                self._seen.add(call_id.int)
                self.new += not known
                self.known += known and not grown
                self.replaced += grown
        ((cost, old_cost, unpriced, first, last),) = connection.execute(_SUMS).fetchall()
        self.cost_usd += (cost or 0) - (old_cost or 0)
        self.unpriced += unpriced
        if first is not None:
            self.first = min(self.first or first, first)
            self.last = max(self.last or last, last)


def import_batches(
    home: Home,
    batches: Iterable[Sequence[bytes]],
    wait_s: float = WAIT_S,
    hook: Callable[[str], None] = lambda point: None,
) -> Imported:
    """Bring lines into the ledger of a folder, which is made if need be.

    The ledger is held only while a batch is loaded, so recording and reports go on.

    Args:
        home: The ledger's folder.
        batches: Lines as the spool holds them.
        wait_s: How many seconds each batch waits for others who merge or read.
        hook: Called with the name of each point at which it may be killed, as it passes it.

    Raises:
        LedgerHeldError: Another program has it open; the message names it.
        LedgerError: It is damaged, a newer costspan's, or cannot be written.
        HomeError: The folder cannot be used.
    """
    done = Imported()
    for lines in batches:
        prepare(home)
        _load(Path(home), lines, done, wait_s, hook)
    return done


def compare(home: Home, other: Home) -> Imported:
    """Say what importing the calls of one ledger into another would do; nothing is written.

    Args:
        home: The one that would be imported into; it may not exist yet.
        other: The one that holds the calls.
    """
    import duckdb

    folder = Path(home)
    found = Imported()
    connection = connect("", memory=True)
    try:
        with failures(folder / DATABASE):
            _attach(connection, Path(other) / DATABASE, "other")
            connection.execute("CREATE VIEW fresh AS SELECT * FROM other.calls")
            if (folder / DATABASE).exists():
                try:
                    _attach(connection, folder / DATABASE, "ledger")
                except duckdb.Error as error:
                    if not is_held(error):
                        raise
                    raise held_error(error, folder / DATABASE) from error
                calls = "ledger.calls"
            else:
                connection.execute(calls_ddl("nothing"))
                calls = "nothing"
            connection.execute(_COMPARED.format(grown=_GROWN, calls=calls))
            found.add(connection)
    finally:
        connection.close()
    return found


def _load(
    folder: Path,
    lines: Sequence[bytes],
    done: Imported,
    wait_s: float,
    hook: Callable[[str], None],
) -> None:
    """Load one batch."""
    deadline = time.monotonic() + wait_s
    with failures(folder / DATABASE), merge_lock(folder, deadline) as locked:
        if not locked:
            raise LedgerError(
                f"Another process merges or rewrites {folder}: import again when it is done. "
                "What is in already stays, and comes in once."
            )
        with open_alone(folder, deadline) as connection:
            merge_spool(connection, folder)
            done.damaged += _incoming(connection, folder, lines)
            hook("read")
            _commit(connection, hook)
            done.add(connection)
            connection.execute("CHECKPOINT")
            publish(connection, folder, merged_bytes(connection))


def _incoming(connection: duckdb.DuckDBPyConnection, folder: Path, lines: Sequence[bytes]) -> int:
    """Read lines into a temporary table; return how many were refused."""
    # Whoever has the lock next removes files of these names, should this be killed.
    given = folder / f".merge.{os.getpid()}.given.jsonl"
    scratch = folder / f".merge.{os.getpid()}.jsonl"
    connection.execute(calls_ddl("incoming").replace("CREATE TABLE", "CREATE TEMP TABLE"))
    try:
        with open(given, "wb", opener=opener(folder)) as target:
            target.writelines(lines)
        try:
            insert(connection, "incoming", given)
            return 0
        except data_errors():
            whole = Span(given, 0, given.stat().st_size, live=False)
            refused = sort_out(connection, [whole], scratch)
            insert(connection, "incoming", scratch)
            return len(refused)
    finally:
        for path in (given, scratch):
            path.unlink(missing_ok=True)


def _commit(connection: duckdb.DuckDBPyConnection, hook: Callable[[str], None]) -> None:
    """Write what is new and what has grown."""
    connection.execute(_ONCE)
    connection.execute(_COMPARED.format(grown=_GROWN, calls="calls"))
    connection.execute("BEGIN")
    connection.execute(
        "DELETE FROM calls WHERE call_id IN (SELECT call_id FROM compared WHERE grown)"
    )
    hook("removed")
    connection.execute(
        "INSERT INTO calls BY NAME SELECT f.* FROM fresh AS f JOIN compared AS m "
        "ON m.call_id = f.call_id WHERE NOT m.known OR m.grown ORDER BY f.started_at"
    )
    hook("inserted")
    connection.execute("COMMIT")
    hook("committed")


def _attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    quoted = os.fspath(path).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS {name} (READ_ONLY)")
