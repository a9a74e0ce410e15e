"""What bringing the spool into the database costs, against DuckDB doing the bare minimum."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
from ledger_calls import LIMITS, call
from ledger_table import ALONE, Ratio, run, seconds
from ledger_writer import open_writer

from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.load import insert
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.schema import STORAGE_VERSION, calls_ddl

WRITERS = 8
ROUNDS = 3
SMALL = 20
PLAIN = f"""
import sys
from pathlib import Path
import duckdb
from costspan.exporters.ledger.load import insert
from costspan.exporters.ledger.schema import calls_ddl
lines, database = map(Path, sys.argv[1:])
with duckdb.connect() as connection:
    connection.execute(f"ATTACH '{{database}}' AS plain (STORAGE_VERSION '{STORAGE_VERSION}')")
    connection.execute("USE plain")
    connection.execute(calls_ddl())
    insert(connection, "calls", lines)
"""


def merge_ratios(folder: Path, calls: int, merges: int, filled: Path) -> Iterator[Ratio]:
    """Measure merges.

    Args:
        folder: Where to write, on a local disk.
        calls: How many to merge at once.
        merges: How many small merges to make.
        filled: A ledger with many calls; what is merged stays in it.
    """
    spool, rate, lost = _spool(folder / "written", calls)
    yield Ratio("records lost by 8 writers", lost, 0, form=".0f", note=f"{rate:,.0f} calls/s")
    lines = folder / "lines.jsonl"
    lines.write_bytes(b"".join(path.read_bytes() for path in sorted(spool.iterdir())))
    yield from _against_plain(folder, spool, lines, calls)
    yield _with_many_rows(folder, spool, filled, calls)
    yield _small(filled)
    yield _churned(filled, merges)


def _spool(home: Path, calls: int) -> tuple[Path, float, int]:
    """Let eight processes write; give the spool, their rate with start-up, and what they lost."""
    each = calls // WRITERS
    program = Path(__file__).with_name("ledger.py")

    def start(number: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, str(program), "--write", str(home), str(each), str(each * number)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, env=ALONE)

    outputs: list[bytes] = []

    def work() -> None:
        processes = [start(number) for number in range(WRITERS)]
        outputs.extend(process.communicate()[0] for process in processes)

    taken_s = seconds(work)
    return home / "spool", calls / taken_s, sum(json.loads(one) for one in outputs)


def _against_plain(folder: Path, spool: Path, lines: Path, calls: int) -> Iterator[Ratio]:
    """The merge against reading the same lines into a table, in one process and as a command."""
    home, database = folder / "merged", folder / "plain.duckdb"

    def plain() -> None:
        with duckdb.connect() as connection:
            connection.execute(
                f"ATTACH '{database}' AS plain (STORAGE_VERSION '{STORAGE_VERSION}'); USE plain"
            )
            connection.execute(calls_ddl())
            insert(connection, "calls", lines)

    taken: dict[str, list[float]] = {name: [] for name in ("plain", "merge", "python", "command")}
    for _ in range(ROUNDS):
        for name in taken:
            database.unlink(missing_ok=True)
            _refill(home, spool, anew=True)
            if name == "plain":
                taken[name].append(seconds(plain))
            elif name == "merge":
                taken[name].append(seconds(lambda: merge(home)))
            elif name == "python":
                words = (str(lines), str(database))
                taken[name].append(seconds(lambda w=words: run(*w, code=PLAIN)))  # type: ignore[misc]  # bound early
            else:
                taken[name].append(seconds(lambda: run("-m", "costspan", "merge", home=home)))
    best = {name: min(one) for name, one in taken.items()}
    terms = f"{calls / best['merge']:,.0f} / {calls / best['plain']:,.0f} calls/s"
    name = "merge rate / bare read_json INSERT, in one process"
    yield Ratio(name, best["plain"] / best["merge"], 0.7, at_least=True, note=terms)
    terms = f"{calls / best['command']:,.0f} / {calls / best['python']:,.0f} calls/s"
    name = "costspan merge / python with bare read_json INSERT"
    yield Ratio(name, best["python"] / best["command"], 0.7, at_least=True, note=terms)
    size = (home / DATABASE).stat().st_size / calls
    yield Ratio("bytes a call in the database, merged at once", size, 80, form=".0f")


def _refill(home: Path, spool: Path, *, anew: bool = False) -> None:
    """Put the same segments into a spool again, as if they had not been merged."""
    if anew:
        shutil.rmtree(home, ignore_errors=True)
    elif (home / DATABASE).exists():
        with duckdb.connect(str(home / DATABASE)) as connection:
            connection.execute("DELETE FROM merged_segments")
    shutil.copytree(spool, home / "spool", dirs_exist_ok=True)


def _with_many_rows(folder: Path, spool: Path, filled: Path, calls: int) -> Ratio:
    """The merge into a ledger with many calls, against the one into an empty ledger."""
    empty = folder / "empty"
    into_empty, into_filled = [], []
    for _ in range(ROUNDS):
        _refill(empty, spool, anew=True)
        into_empty.append(seconds(lambda: merge(empty)))
        _refill(filled, spool)
        into_filled.append(seconds(lambda: merge(filled)))
    ratio = min(into_empty) / min(into_filled)
    terms = f"{calls / min(into_filled):,.0f} / {calls / min(into_empty):,.0f} calls/s"
    return Ratio("merge rate with many calls / with none", ratio, 0.8, at_least=True, note=terms)


def _small(filled: Path) -> Ratio:
    """A merge of 20 calls, against opening the database and adding one row."""
    writer = open_writer(filled)

    def plain() -> None:
        with duckdb.connect(str(filled / DATABASE)) as connection:
            connection.execute(LIMITS)
            connection.execute("INSERT INTO merged_segments VALUES ('x', 0, 0, 0, NULL)")

    merged_s, plain_s = [], []
    for _ in range(15):
        for number in range(SMALL):
            writer.put(encode(call(number)))
        merged_s.append(seconds(lambda: merge(filled)))
        plain_s.append(seconds(plain))
    writer.close()
    merged_ms, plain_ms = (statistics.median(one) * 1000 for one in (merged_s, plain_s))
    terms = f"{merged_ms:.0f} / {plain_ms:.0f} ms"
    name = "merge of 20 calls / open, insert a row, close"
    return Ratio(name, merged_ms / plain_ms, 3, note=terms)


def _churned(filled: Path, merges: int) -> Ratio:
    """What the database grows by with many small merges, a call."""
    before = _used_bytes(filled)
    writer = open_writer(filled)
    for turn in range(merges):
        for number in range(SMALL):
            writer.put(encode(call(turn * SMALL + number)))
        merge(filled)
    writer.close()
    grown = (_used_bytes(filled) - before) / (merges * SMALL)
    name = f"bytes a call that {merges} merges of {SMALL} add"
    return Ratio(name, grown, 250, form=".0f")


def _used_bytes(home: Path) -> int:
    """The blocks of the database that hold something: the file keeps free ones for later."""
    with duckdb.connect(str(home / DATABASE), read_only=True) as connection:
        sql = "SELECT used_blocks * block_size FROM pragma_database_size()"
        return int(connection.execute(sql).fetchall()[0][0])
