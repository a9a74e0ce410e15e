"""Programs that have the ledger's database open: they read it, keep it, or are killed in a merge.

Usage: python readers.py COMMAND [ARGUMENT ...], with COSTSPAN_HOME set.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from costspan.exporters.home import resolve_home


def hold(database: str, mode: str) -> None:
    """Keep a database open until standard input ends."""
    import duckdb

    connection = duckdb.connect(database, read_only=mode == "read")
    print("open", flush=True)
    sys.stdin.read()
    connection.close()


def read_often(times: str) -> None:
    """Ask the ledger for the number of calls, again and again; print the answers."""
    from costspan.exporters.ledger.read import open_ledger

    found = []
    for _ in range(int(times)):
        with open_ledger(resolve_home(), wait_s=30) as reader:
            found.append(reader.execute("SELECT count(*) FROM calls").rows[0][0])
    print(json.dumps(found))


def end_beside_a_reader() -> None:
    """End while a thread has the ledger open.

    In the midst of a query DuckDB 1.5 aborts then. Only a program that reads the ledger itself can
    come to that: what records never opens it, and the command line asks in its main thread.
    """
    from costspan.exporters.ledger.read import open_ledger

    counted: list[object] = []

    def read() -> None:
        with open_ledger(resolve_home()) as reader:
            counted.append(reader.execute("SELECT count(*) FROM calls").rows[0][0])
            threading.Event().wait()

    threading.Thread(target=read, daemon=True).start()
    while not counted:
        time.sleep(0.01)
    print(json.dumps(counted[0]))


def measure_until_input_ends(home: str) -> None:
    """Measure the segments of a spool over and over, as merges and reports do."""
    from costspan.exporters.ledger.scan import scan

    threading.Thread(target=_end_with_input, daemon=True).start()
    print("ready", flush=True)
    while True:
        scan(Path(home), {})


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def merge_and_die(home: str, point: str) -> None:
    """Merge, killed at a named point."""
    from costspan.exporters.ledger.merge import merge

    def die(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    merge(home, hook=die)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
