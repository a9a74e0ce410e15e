"""Starts ``costspan merge`` as a program of its own when enough waits in the spool.

Never by a fork of this process and never inside it: the application does not load the database.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.beside import command, has_interpreter
from costspan.exporters.home import Home
from costspan.exporters.ledger.layout import MERGE_STAMP
from costspan.exporters.ledger.locks import try_lock
from costspan.exporters.ledger.waiting import waiting
from costspan.exporters.sharing import opener

if TYPE_CHECKING:
    import subprocess

ENVIRONMENT = "COSTSPAN_AUTOMERGE"
WAITING_BYTES = 8 << 20
WAITING_S = 300.0
LOOK_S = 10.0
"""How often a process looks; the first time when it has recorded for this long."""
PAUSE_S = 60.0
"""At most one merge in this time on a host; after one that could not merge, twice as long, and so
on up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 960.0
EXIT_PUT_OFF = 75
"""Of ``merge --background``: it could not merge now, and nothing is wrong (EX_TEMPFAIL)."""

_OFF = ("0", "false", "no", "off")


def switched_off() -> bool:
    """Whether ``COSTSPAN_AUTOMERGE`` says no."""
    return os.environ.get(ENVIRONMENT, "").lower() in _OFF


class AutoMerge:
    """Looks at the spool now and then, from a background thread, and has it merged.

    Attributes:
        warning: A sentence to be logged once, if merging fails.
    """

    def __init__(self, home: Home) -> None:
        """Do nothing yet."""
        self.warning: str | None = None
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._off = switched_off() or not has_interpreter()
        self._next_look = time.monotonic() + LOOK_S
        self._pause_s = PAUSE_S
        self._failed = False

    def look(self, *, now: bool = False) -> None:
        """Reap the last merge; start one if it is time, enough waits, and no one else has.

        Args:
            now: Whether to look before it is time: the spool is full.
        """
        self._reap()
        if self._off or self._process is not None:
            return
        if not now and time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_S
        if (now or _is_due(Path(self._home))) and self._claim():
            self._start()

    def leave(self) -> None:
        """Let a merge that still runs go on by itself; also in a forked child, whose it is not."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.returncode = 0  # or Popen warns that it still runs, which is as meant

    def _reap(self) -> None:
        process = self._process
        if process is None or (code := process.poll()) is None:
            return
        self._process = None
        self._pause_s = PAUSE_S if code == 0 else min(2 * self._pause_s, LONGEST_PAUSE_S)
        if code not in (0, EXIT_PUT_OFF) and not self._failed:
            self._failed = True
            self.warning = (
                f"The records in {self._home} could not be merged in the background (exit code "
                f"{code}): run `costspan merge` to see why. Recording goes on and nothing is lost."
            )

    def _claim(self) -> bool:
        """Take the turn to merge, if none of this host's processes has taken it of late."""
        folder = Path(self._home)
        try:
            fd = opener(folder)(str(folder / MERGE_STAMP), os.O_RDWR | os.O_CREAT)
        except OSError:
            return False
        try:
            if not try_lock(fd):
                return False
            last = os.fstat(fd)
            # A clock that was set back must not stop merges for long: any distance counts.
            if last.st_size and abs(time.time() - last.st_mtime) < self._pause_s:
                return False
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, b"%-10d\n" % os.getpid())
            return True
        except OSError:
            return False
        finally:
            os.close(fd)

    def _start(self) -> None:
        import subprocess  # not needed by programs that are shorter

        words, environment = command("merge", "--home", str(self._home), "--background")
        try:
            self._process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:  # no more processes: the next look tries again
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def _is_due(home: Path) -> bool:
    found = waiting(home)
    if found.since is None:
        return False
    return found.bytes > WAITING_BYTES or time.time() - found.since > WAITING_S
