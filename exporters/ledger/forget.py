"""Erases the calls of a person from a ledger: the database, the spool and the quarantine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from costspan.exporters.ledger.alone import open_alone
from costspan.exporters.ledger.copying import replacing
from costspan.exporters.ledger.errors import LedgerHeldError
from costspan.exporters.ledger.manifest import merged_bytes
from costspan.exporters.ledger.person import Person
from costspan.exporters.ledger.publish import publish
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.scrub import (
    erase_scratch,
    quarantined,
    scrub_quarantine,
    scrub_spool,
    spooled,
    still_mentioning,
)

_COUNT = """\
SELECT count(*), sum(cost_usd), count(*) FILTER (cost_usd IS NULL), min(started_at), max(started_at)
FROM calls WHERE """


@dataclass(frozen=True, slots=True)
class Found:
    """What a ledger holds of a person.

    Attributes:
        calls: How many calls.
        cost_usd: US dollars of those with a known cost; None if there is none.
        unpriced: Calls whose cost is not known.
        first, last: When the first and the last of them started, UTC; None without calls.
        spooled: Lines in the spool, of which most are calls that are counted already.
        quarantined: Damaged lines that tell of the person.
    """

    calls: int
    cost_usd: Decimal | None
    unpriced: int
    first: datetime | None
    last: datetime | None
    spooled: int
    quarantined: int

    @property
    def anything(self) -> bool:
        """Whether there is something to erase."""
        return bool(self.calls or self.spooled or self.quarantined)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased.

    Attributes:
        calls: Calls in the database, with their repricings.
        spooled, quarantined: Lines in the spool and in the quarantine.
        scratch: Temporary folders of killed reports.
        still: Files in the ledger's folder that hold a value of the person's still, or may: records
            of a newer costspan or another user, budgets, databases that were set aside.
    """

    calls: int
    spooled: int
    quarantined: int
    scratch: int
    still: tuple[Path, ...]


def find(home: str | os.PathLike[str], person: Person) -> Found:
    """Look for a person in a ledger; erases nothing.

    Args:
        home: The ledger's folder.
        person: Whose calls.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerError: It cannot be read, see `open_ledger`.
    """
    condition, values = person.condition()
    with open_ledger(home) as reader:
        row: tuple[Any, ...] = reader.execute(_COUNT + condition, values).rows[0]
    calls, cost_usd, unpriced, first, last = row
    folder = Path(home)
    return Found(
        calls,
        cost_usd,
        unpriced,
        first and first.replace(tzinfo=UTC),
        last and last.replace(tzinfo=UTC),
        spooled(folder, person),
        quarantined(folder, person),
    )


def forget(
    home: str | os.PathLike[str],
    person: Person,
    wait_s: float = 2.5,
    hook: Callable[[str], None] = lambda point: None,
) -> Forgotten:
    """Erase a person's calls. Killed at any point, it is completed by being run again.

    The database is written anew, so that no free block of it keeps what was erased. What a running
    process records afterwards is not touched.

    Args:
        home: The ledger's folder.
        person: Whose calls.
        wait_s: How many seconds to wait for others who merge or read.
        hook: Called with the name of each point at which it may be killed, as it passes it.

    Raises:
        NoLedgerError: Nothing has been recorded there.
        LedgerHeldError: Another program has it open; the message names it.
        LedgerError: It is damaged, a newer costspan's, or cannot be written.
    """
    folder = Path(home)
    condition, values = person.condition()
    with replacing(home, f"NOT ({condition})", values, wait_s, hook) as replaced:
        lines = scrub_spool(folder, person, hook)
        hook("spool scrubbed")
        damaged = scrub_quarantine(folder, person, hook)
        hook("quarantine scrubbed")
        _publish_anew(folder)
        hook("published")
    return Forgotten(
        replaced.removed, lines, damaged, erase_scratch(), tuple(still_mentioning(folder, person))
    )


def _publish_anew(folder: Path) -> None:
    """Replace the published sums, which can name the person; the merge lock is held."""
    # Who has opened the new database meanwhile has it for long: the next merge publishes.
    with contextlib.suppress(LedgerHeldError), open_alone(folder, time.monotonic()) as connection:
        publish(connection, folder, merged_bytes(connection))
