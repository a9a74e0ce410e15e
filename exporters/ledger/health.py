"""What a process lost: counted, said once, and noted where another process can tell its user."""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from datetime import UTC, datetime

from costspan.exporters.home import ENVIRONMENT, Home, HomeError
from costspan.exporters.ledger.folder import SpoolFullError
from costspan.exporters.ledger.notes import LossNote, read_notes, write_note

_log = logging.getLogger("costspan.ledger")
_lost: Counter[int] = Counter()  # by process: a forked child starts from nothing


def lost_here() -> int:
    """Records that this process could not keep, of all its ledgers."""
    return _lost[os.getpid()]


class Losses:
    """The records that this process could not keep.

    Attributes:
        count: How many.
        last_error: The kind of the last error, as ``OSError(ENOSPC)``; None if there was none.
        full: Whether the last error was that the spool holds as much as it may.
    """

    def __init__(self, home: Home, process: str) -> None:
        """Start from nothing.

        Args:
            home: Where the count is noted, if that can be written.
            process: ``host.pid``; the name of the note.
        """
        self.count = 0
        self.last_error: str | None = None
        self._home = home
        self._process = process
        self._said = False
        self._warning: str | None = None
        self._since: datetime | None = None
        self._told = 0
        self._noted = 0
        self.full = False
        self._earlier: list[LossNote] | None = None

    def warn(self, text: str) -> None:
        """Have a sentence logged at the next `report`."""
        self._warning = text

    def add(self, error: Exception) -> None:
        """Count a record that an error has cost. Takes no lock and does no I/O."""
        self.again()
        if self._since is None:
            self._since = datetime.now(UTC)
        code = error.errno if isinstance(error, OSError) else None
        name = errno.errorcode.get(code) if code else None
        self.last_error = type(error).__name__ + (f"({name})" if name else "")
        self.full = isinstance(error, SpoolFullError)
        if not self._said:
            self._said = True
            self._warning = str(error) if isinstance(error, HomeError) else self._explain(error)

    def again(self) -> None:
        """Count one more record that the last error has cost."""
        self.count += 1
        _lost[os.getpid()] += 1

    def take_new(self) -> int:
        """How many were lost since this was last asked."""
        new, self._told = self.count - self._told, self.count
        return new

    def report(self) -> None:
        """Log what there is to say, and `note` the count.

        To be called without a lock: logging takes locks of its own and runs code of the user.
        """
        warning, self._warning = self._warning, None
        if warning is not None:
            _log.warning("%s", warning)
        self.note()

    def note(self) -> None:
        """Keep the count where another process finds it, if it has changed."""
        count = self.count
        if count == self._noted:
            return
        if self._earlier is None:  # an earlier process may have had the same id
            notes = read_notes(self._home.path)
            self._earlier = [one for one in notes if one.process == self._process]
        now = datetime.now(UTC)
        lost = count + sum(one.lost for one in self._earlier)
        since = min((one.since for one in self._earlier), default=self._since or now)
        error = self.last_error or "unknown"
        if write_note(self._home.path, LossNote(self._process, lost, error, since, now)):
            self._noted = count

    def _explain(self, error: Exception) -> str:
        reason = error.strerror if isinstance(error, OSError) else None
        if isinstance(error, SpoolFullError):
            return f"{reason}."
        what = reason or self.last_error
        if isinstance(error, OSError) and error.filename:
            what = f"{what}: {os.fsdecode(error.filename)}"
        return (
            f"The ledger's folder {self._home.path} could not take a record ({what}). Calls go on. "
            f"Make room, or name another folder by {ENVIRONMENT}; `costspan doctor` says how many "
            "records were lost."
        )
