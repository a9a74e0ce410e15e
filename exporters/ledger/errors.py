"""What can go wrong with the ledger, as people meet it: every message names the cure."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger cannot be merged or read; the message names the file, the reason and the cure."""


class NoLedgerError(LedgerError):
    """Nothing has been recorded in this folder yet."""


class LedgerHeldError(LedgerError):
    """Another program has the ledger open for writing.

    Attributes:
        pid: Its process id; None where it cannot be told.
        command: Its command line; None where it cannot be told.
    """

    def __init__(self, message: str, pid: int | None = None, command: str | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        self.command = command


class LedgerVersionError(LedgerError):
    """The ledger was written by a newer costspan than this one."""


class LedgerCorruptError(LedgerError):
    """The database file, or its write-ahead log, is damaged."""


class LedgerWriteError(LedgerError):
    """The folder cannot be written: no permission, a read-only file system, a full disk."""
