"""What a process lost: counted, said once, and noted where another process can tell its user."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from costspan.exporters.home import ENVIRONMENT, Home, HomeError
from costspan.exporters.ledger.layout import HEALTH

_log = logging.getLogger("costspan.ledger")


class Losses:
    """The records that this process could not keep.

    Attributes:
        count: How many.
        last_error: The kind of the last error, as ``OSError(ENOSPC)``; None if there was none.
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
        self._noted = 0
        self._earlier: int | None = None

    def warn(self, text: str) -> None:
        """Have a sentence logged at the next `report`."""
        self._warning = text

    def add(self, error: Exception) -> None:
        """Count a record that an error has cost. Takes no lock and does no I/O."""
        self.count += 1
        code = error.errno if isinstance(error, OSError) else None
        name = errno.errorcode.get(code) if code else None
        self.last_error = type(error).__name__ + (f"({name})" if name else "")
        if not self._said:
            self._said = True
            self._warning = str(error) if isinstance(error, HomeError) else self._explain(error)

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
            noted = read_losses(self._home.path)
            self._earlier = sum(one.lost for one in noted if one.process == self._process)
        if self._write(count + self._earlier):
            self._noted = count

    def _explain(self, error: Exception) -> str:
        reason = error.strerror if isinstance(error, OSError) else None
        return (
            f"The ledger's folder {self._home.path} could not take a record "
            f"({reason or self.last_error}). Calls go on. Make room, or name another folder by "
            f"{ENVIRONMENT}; `costspan doctor` says how many records were lost."
        )

    def _write(self, lost: int) -> bool:
        path = self._home.path / HEALTH / f"{self._process}.json"
        note = {"lost": lost, "last_error": self.last_error, "at": datetime.now(UTC).isoformat()}
        unready = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            unready.write_text(json.dumps(note), encoding="utf-8")
            os.replace(unready, path)
        except OSError:
            with contextlib.suppress(OSError):
                unready.unlink()
            return False
        return True


@dataclass(frozen=True, slots=True)
class NotedLosses:
    """Records that one process noted as lost.

    Attributes:
        process: ``host.pid`` of the process.
        lost: How many records.
        last_error: The kind of the last error.
        at: When it was noted, UTC, ISO 8601.
    """

    process: str
    lost: int
    last_error: str
    at: str


def read_losses(home: Path) -> list[NotedLosses]:
    """What processes noted as lost, by process; a note that cannot be understood is passed over."""
    found: list[NotedLosses] = []
    try:
        names = sorted(os.listdir(home / HEALTH))
    except OSError:
        return found
    for name in names:
        process, suffix = os.path.splitext(name)
        if suffix != ".json":
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads((home / HEALTH / name).read_text(encoding="utf-8"))
            lost, kind, at = int(note["lost"]), str(note["last_error"]), str(note["at"])
            found.append(NotedLosses(process, lost, kind, at))
    return found
