"""The exporter that keeps every finished call in the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from costspan.exporters.home import Home, resolve_home
from costspan.exporters.ledger.folder import LIMIT_BYTES, spool_bytes
from costspan.exporters.ledger.layout import SPOOL, host_word
from costspan.exporters.ledger.row import RECORD_VERSION, encode
from costspan.exporters.ledger.spool import Sync, Writer
from costspan.middleware.record import Call

__all__ = ["RECORD_VERSION", "Health", "LedgerExporter"]


@dataclass(frozen=True, slots=True)
class Health:
    """How recording goes in this process.

    Attributes:
        lost: Records that could not be kept since the process started.
        last_error: The kind of the last error, as ``OSError(ENOSPC)``; None if there was none.
        home: Where the ledger lives.
        mode: ``mmap`` or ``write``: how lines reach the spool.
        pending_bytes: Size of the spool in bytes, of all processes; at least what is not merged.
    """

    lost: int
    last_error: str | None
    home: Home
    mode: str
    pending_bytes: int


class LedgerExporter:
    """Writes finished calls to the spool of a home; a merge brings them into the database.

    It never imports duckdb, needs no thread to be safe against a kill, and may be used from
    signal handlers and finalisers.
    """

    def __init__(
        self,
        home: Home | None = None,
        *,
        sdk_version: str | None = None,
        sync: Sync = "interval",
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        """Do no I/O: the folder is made when the first call ends.

        Args:
            home: Where the ledger lives; None for the folder of `resolve_home`.
            sdk_version: The version of costspan, to be noted with each call.
            sync: When records are safe from a power failure: ``interval``, a fifth of a second
                later, or ``always``, before `finish` returns.
            limit_bytes: How large the spool may get, of all processes together.
        """
        self._writer = Writer(
            home or resolve_home(),
            record_version=RECORD_VERSION,
            sync=sync,
            limit_bytes=limit_bytes,
        )
        self._sdk_version = sdk_version
        self._origin: Mapping[str, object] = {}

    def finish(self, record: Call) -> None:
        """Append the record to the spool."""
        origin = self._origin
        pid = os.getpid()
        if origin.get("pid") != pid:  # the first call, or the first in a forked child
            origin = {"host": host_word(), "pid": pid, "sdk_version": self._sdk_version}
            self._origin = origin
        self._writer.put(encode(record, origin))

    def flush(self, timeout_s: float) -> bool:
        """Bring all records onto the disk.

        They are already safe against the end of the process; this is for the end of the machine.

        Returns:
            False when it took longer than ``timeout_s`` seconds, or when a record was refused
            since the last flush: it is lost.
        """
        deadline = time.monotonic() + timeout_s
        kept = self._writer.flush()
        return kept and time.monotonic() <= deadline

    def close(self) -> None:
        """Seal the spool; records after it are ignored."""
        self._writer.close()

    def health(self) -> Health:
        """Say what was lost and what waits to be merged."""
        writer = self._writer
        pending = spool_bytes(Path(writer.home) / SPOOL)
        return Health(writer.lost, writer.last_error, writer.home, writer.mode, pending)
