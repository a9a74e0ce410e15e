"""Programs that the tests run as processes of their own, to be killed, forked and interrupted.

Usage: python program.py COMMAND HOME [ARGUMENT ...]
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from costspan.core.types import Served, Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.row import RECORD_VERSION, encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost, CostLine

STARTED_AT = datetime(2026, 11, 1, 12, 0, 0, 250, tzinfo=UTC)


def make_request(**changes: Any) -> ProviderRequest:
    """One request that cost $0.0026: 1,000 tokens at $2 and 100 at $6 a million."""
    lines = (
        CostLine("tokens.in.text", 1000, Decimal(2), 10**6, (), Decimal("0.002"), "row-in"),
        CostLine("tokens.out.text", 100, Decimal(6), 10**6, (), Decimal("0.0006"), "row-out"),
    )
    facts: dict[str, Any] = {
        "provider": "openai",
        "api": "chat",
        "model_requested": "gpt-x",
        "model": "gpt-x-2026-10-01",
        "started_at": STARTED_AT,
        "ended_at": STARTED_AT + timedelta(seconds=1),
        "usage": Usage(
            {"tokens.in.text": 1000, "tokens.out.text": 100},
            profile="openai/chat",
            served=Served(tier="default"),
        ),
        "cost": Cost(
            Decimal("0.0026"),
            "priced",
            lines,
            provider="openai",
            model="gpt-x",
            catalogue_version="2026-11-01",
        ),
        "endpoint": "api.openai.com",
        "port": 443,
    }
    return ProviderRequest(**{**facts, **changes})


def make_call(writer: int = 0, number: int = 0, **changes: Any) -> Call:
    """A finished call; ``session_id`` is its writer and ``unit_id`` its number."""
    started_at = STARTED_AT + timedelta(milliseconds=number)
    facts: dict[str, Any] = {
        "call_id": UUID(int=(writer << 64) | number),
        "operation": "chat",
        "requests": (make_request(),),
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=1),
        "latency_us": 1_000_000,
        "status": "ok",
        "ended_by": "value",
        "session_id": str(writer),
        "unit_id": str(number),
    }
    return Call(**{**facts, **changes})


def open_writer(home: str, **options: Any) -> Writer:
    """A writer to a named home."""
    return Writer(
        Home(Path(home), named=True, fallback=False, reason="named by the test"),
        record_version=RECORD_VERSION,
        **options,
    )


def lines_until_killed(home: str, writer: str, acknowledged: str, mapped: str) -> None:
    """Put for ever; count every put that returned in a mapped file, which outlives a kill."""
    spool = open_writer(home, segment_bytes=1 << 16, mapped=mapped == "mmap")
    with open(acknowledged, "r+b") as file:
        count = mmap.mmap(file.fileno(), 8)
    number = 0
    while spool.put(encode(make_call(int(writer), number))):
        number += 1
        count[:8] = number.to_bytes(8, "little")


def write(home: str, writer: str, calls: str) -> None:
    """Put some calls and end as programs do."""
    spool = open_writer(home)
    for number in range(int(calls)):
        assert spool.put(encode(make_call(int(writer), number)))


def merge_and_die(home: str, point: str) -> None:
    """Merge, killed at a named point."""
    from costspan.exporters.ledger.merge import merge

    def die(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    merge(home, hook=die)


def merge_once(home: str) -> None:
    """Merge what there is."""
    from costspan.exporters.ledger.merge import merge

    merge(home, wait_s=5)


def migrate_and_die(home: str) -> None:
    """Add a column by a migration, killed between the statement and its checkpoint."""
    import duckdb

    from costspan.exporters.ledger.schema import MIGRATIONS, Migration, migrate

    class Killer:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self.connection = connection

        def execute(self, sql: str, *values: Any) -> Killer:
            self.connection.execute(sql, *values)
            if sql.startswith("ALTER"):
                os.kill(os.getpid(), signal.SIGKILL)
            return self

        def fetchall(self) -> list[Any]:
            return self.connection.fetchall()

    path = Path(home) / "ledger.duckdb"
    step = Migration(3, "note", ("ALTER TABLE calls ADD COLUMN IF NOT EXISTS note VARCHAR",))
    connection: Any = Killer(duckdb.connect(str(path)))
    migrate(connection, path, [*MIGRATIONS, step])


def hold(home: str, mode: str) -> None:
    """Keep the database open until standard input ends."""
    import duckdb

    connection = duckdb.connect(str(Path(home) / "ledger.duckdb"), read_only=mode == "read")
    print("open", flush=True)
    sys.stdin.read()
    connection.close()


def fork_beside_threads(home: str) -> None:
    """Fork children and grandchildren while four threads put; print how many puts were true."""
    spool = open_writer(home, segment_bytes=1 << 16)
    stop = threading.Event()
    counts = [0] * 4

    def put_on(writer: int) -> None:
        while not stop.is_set():
            counts[writer] += spool.put(encode(make_call(writer, counts[writer])))
            time.sleep(0)

    threads = [threading.Thread(target=put_on, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    ended = [_fork(spool, 10 + child, grandchild=True) for child in range(15)]
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"threads": sum(counts), "children": ended}))


def export_from_child(home: str) -> None:
    """Export one call, and one more from a forked child; print both process ids."""
    from costspan.exporters.ledger.exporter import LedgerExporter

    folder = Home(Path(home), named=True, fallback=False, reason="named by the test")
    exporter: Any = LedgerExporter(folder)
    exporter.finish(make_call(0, 0))
    child = os.fork()
    if child == 0:
        exporter.finish(make_call(1, 0))
        os._exit(0)
    os.waitpid(child, 0)
    print(json.dumps([os.getpid(), child]))


def _fork(spool: Writer, writer: int, *, grandchild: bool) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            signal.alarm(20)  # a child that hangs is ended, and seen by its status
            stored = [spool.put(encode(make_call(writer, number))) for number in range(5)]
            below = _fork(spool, writer + 100, grandchild=False) if grandchild else 0
            status = below if all(stored) else 2
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def alarm(home: str) -> None:
    """Put from a signal handler that interrupts the puts of the main thread; print both counts."""
    spool = open_writer(home, segment_bytes=1 << 16)
    interrupts = 0

    def handler(*_: object) -> None:
        nonlocal interrupts
        spool.put(encode(make_call(1, interrupts)))
        interrupts += 1

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    line = encode(make_call(0, 0))
    puts = 0
    while interrupts < 1000:
        spool.put(line)
        puts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    spool.close()
    print(json.dumps({"puts": puts, "interrupts": interrupts, "lost": spool.lost}))


def garbage(home: str) -> None:
    """Put from finalisers of cyclic garbage that is collected at almost every allocation."""
    spool = open_writer(home, segment_bytes=1 << 16)
    finalised = 0

    class Stream:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            nonlocal finalised
            spool.put(late)
            finalised += 1

    late = encode(make_call(1, 0))
    line = encode(make_call(0, 0))
    gc.set_threshold(1)
    for _ in range(3000):
        Stream()
        spool.put(line)
    gc.set_threshold(700)
    gc.collect()
    spool.close()
    print(json.dumps({"puts": 3000, "finalised": finalised, "lost": spool.lost}))


def interrupted(home: str, mode: str) -> None:
    """Be hit by keyboard interrupts in the midst of puts; print how many puts returned true."""
    spool = open_writer(home, segment_bytes=1 << 16, mapped=mode == "mmap")

    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, handler)
    line = encode(make_call(0, 0))
    returned, hits = int(spool.put(line)), 0
    while hits < 300:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
            while True:
                stored = spool.put(line)
                returned += stored
        except KeyboardInterrupt:
            hits += 1
    spool.close()
    print(json.dumps({"returned": returned, "hits": hits, "lost": spool.lost}))


def file_size_limit(home: str) -> None:
    """Run out of room for files, and have room again; print what the writer says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = open_writer(home, segment_bytes=1 << 16)
    line = encode(make_call())
    before = spool.put(line)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, hard))
    stored = [spool.put(line) for _ in range(100)]
    lost = spool.lost
    started = time.monotonic()
    refused = spool.put(line)
    seconds = time.monotonic() - started
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    time.sleep(1.05)
    after = spool.put(line)
    spool.close()
    print(
        json.dumps(
            {
                "stored": before + sum(stored) + after,
                "lost": lost,
                "refused": not refused,
                "refused_s": seconds,
                "after": after,
                "last_error": spool.last_error,
            }
        )
    )


def lose(home: str, records: str) -> None:
    """Put into a home that takes nothing; print how many were lost."""
    spool = open_writer(home)
    for _ in range(int(records)):
        spool.put(b"{}\n")
    print(json.dumps({"lost": spool.lost}))


def read_as_nobody(home: str) -> None:
    """Read the ledger as a user who can write nothing; print the number of calls."""
    import duckdb  # imported before the change of user, who may not be able to read it

    from costspan.exporters.ledger.read import open_ledger

    duckdb.connect().close()
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with open_ledger(home) as reader:
        calls = reader.execute("SELECT count(*) FROM calls").rows
        said = {"calls": calls[0][0], "unmerged": reader.unmerged}
        print(json.dumps(said | ({"unreadable": reader.unreadable} if reader.unreadable else {})))


COMMANDS: dict[str, Callable[..., None]] = {
    name: command
    for name, command in list(globals().items())
    if callable(command) and getattr(command, "__module__", "") == __name__
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
