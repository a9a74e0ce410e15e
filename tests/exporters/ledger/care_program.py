"""Programs of the tests of the ledger's care, run as processes of their own to be killed.

Usage: python care_program.py COMMAND HOME [ARGUMENT ...]
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def die_at(point: str) -> Callable[[str], None]:
    """A hook that kills its process at a named point."""

    def hook(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def replace_and_die(home: str, point: str) -> None:
    """Keep every second call of a ledger, killed at a named point."""
    from costspan.exporters.ledger.copying import replacing

    with replacing(home, "unit_id::INT % 2 = 0", hook=die_at(point)):
        pass


def backup_and_die(home: str, target: str, point: str) -> None:
    """Make a backup, killed at a named point."""
    from costspan.exporters.ledger.backup import backup

    backup(home, Path(target), force=True, hook=die_at(point))


def export_and_die(home: str, target: str, point: str) -> None:
    """Write Parquet files, killed at a named point."""
    from costspan.exporters.ledger.parquet import export_parquet

    export_parquet(home, Path(target), force=True, hook=die_at(point))


def repair_and_die(home: str, point: str) -> None:
    """Repair a ledger, killed at a named point."""
    from costspan.exporters.ledger.repair import repair

    repair(home, new=True, hook=die_at(point))


def replace_with_little_room(home: str, limit_bytes: str) -> None:
    """Keep every second call while no file may grow past a limit; print what is said."""
    from costspan.exporters.ledger.copying import replacing

    with little_room(limit_bytes), replacing(home, "unit_id::INT % 2 = 0"):
        print("replaced")


def backup_with_little_room(home: str, target: str, limit_bytes: str) -> None:
    """Make a backup while no file may grow past a limit; print what is said."""
    from costspan.exporters.ledger.backup import backup

    with little_room(limit_bytes):
        print(backup(home, Path(target), force=True))


def export_with_little_room(home: str, target: str, limit_bytes: str) -> None:
    """Write Parquet files while no file may grow past a limit; print what is said."""
    from costspan.exporters.ledger.parquet import export_parquet

    with little_room(limit_bytes):
        print(export_parquet(home, Path(target), force=True))


@contextmanager
def little_room(limit_bytes: str) -> Iterator[None]:
    """Inside, no file may grow past a limit; what comes of it is printed."""
    import duckdb  # noqa: F401, before the limit

    from costspan.exporters.ledger.errors import LedgerError

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), hard))
    try:
        yield
    except LedgerError as error:
        print(type(error).__name__, error)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
