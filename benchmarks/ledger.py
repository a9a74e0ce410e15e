"""What the ledger costs, as ratios whose terms are measured in the same run.

Usage: python benchmarks/ledger.py [FOLDER]   (a folder on a local disk; by default a temporary one)
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import orjson

from costspan.core.types import Served, Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.load import insert
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import RECORD_VERSION, encode
from costspan.exporters.ledger.schema import calls_ddl
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost, CostLine, Estimate, Interval

PUTS = 30_000
WRITERS = 8
CALLS_PER_WRITER = 20_000


def call(number: int) -> Call:
    """A priced call with an estimate and two tags, all quantities derived from its number."""
    started_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(milliseconds=number)
    ended_at = started_at + timedelta(seconds=1)
    tokens = {
        "tokens.in.text": 1000 + number * 7 % 5000,
        "tokens.in.cache_read": number * 11 % 3000,
        "tokens.out.text": 200 + number * 13 % 900,
    }
    rates = dict(zip(tokens, (Decimal("2.50"), Decimal("1.25"), Decimal("10.00")), strict=True))
    lines = tuple(
        CostLine(meter, count, rates[meter], 10**6, (), count * rates[meter] / 10**6, "row")
        for meter, count in tokens.items()
    )
    request = ProviderRequest(
        "openai",
        "chat",
        "gpt-4o",
        "gpt-4o-2024-08-06",
        started_at,
        ended_at,
        Usage(tokens, profile="openai/chat", served=Served(tier="default")),
        Cost(sum((line.amount_usd for line in lines), Decimal(0)), "priced", lines),
        "api.openai.com",
        443,
        f"chatcmpl-{number:032x}",
        ("stop",),
    )
    return Call(
        UUID(int=number),
        "chat",
        (request,),
        started_at,
        ended_at,
        1_000_000 + number % 7777,
        "ok",
        "value",
        tags={"team": f"team-{number % 30}", "feature": "search"},
        estimate=Estimate(
            Interval(900, 1000, 1100),
            Interval(1, 200, 4096),
            Interval(Decimal("0.001"), Decimal("0.002"), Decimal("0.03")),
            "o200k",
            "high",
        ),
    )


def microseconds(work: Callable[[], object], times: int = PUTS, pause_s: float = 0) -> list[float]:
    """How long each of many runs took, in microseconds, sorted."""
    taken = []
    for _ in range(times):
        started = time.perf_counter_ns()
        work()
        taken.append((time.perf_counter_ns() - started) / 1000)
        if pause_s:
            time.sleep(pause_s)
    return sorted(taken)


def show(name: str, taken: list[float]) -> None:
    """Print the quantiles of a measurement."""
    p50, p99 = (taken[len(taken) * percent // 100] for percent in (50, 99))
    print(f"{name:<46} p50 {p50:8.2f} us   p99 {p99:8.2f} us   max {taken[-1]:9.1f} us")


def put_cost(folder: Path) -> None:
    """The caller's share: projection, encoding and the store, against a plain write."""
    record = call(1)
    line = encode(record)
    columns = orjson.loads(line)
    writer = open_writer(folder / "put")
    with open(folder / "plain", "ab", buffering=0) as plain:
        base = microseconds(
            lambda: plain.write(orjson.dumps(columns, option=orjson.OPT_APPEND_NEWLINE))
        )
        put = microseconds(lambda: writer.put(orjson.dumps(columns) + b"\n"))
        encoding = microseconds(lambda: encode(record))
        show("orjson + os.write", base)
        show("orjson + put", put)
        show("encode (projection and orjson)", encoding)
        show("put alone", microseconds(lambda: writer.put(line)))
        print(f"ratio put / write: {statistics.median(put) / statistics.median(base):.2f}")
        with_neighbour("os.write", lambda: plain.write(line))
        with_neighbour("put", lambda: writer.put(line))
    writer.close()


def with_neighbour(name: str, work: Callable[[], object]) -> None:
    """Beside a thread that keeps the interpreter busy: who gives up the lock waits for it."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin)
    thread.start()
    taken = microseconds(work, 2000, 0.0003)
    stop.set()
    thread.join()
    slow = sum(one > 1000 for one in taken) / len(taken)
    show(f"{name} beside a busy thread", taken)
    print(f"ratio slower than 1 ms ({name}): {slow:.2%}")


def many_writers(folder: Path) -> None:
    """Eight processes write; then one merge, against DuckDB reading the same lines."""
    home = folder / "many"
    program = [sys.executable, __file__, "--write", str(home)]
    started = time.perf_counter()
    processes = [subprocess.Popen(program, stdout=subprocess.PIPE) for _ in range(WRITERS)]
    outputs = [json.loads(process.communicate()[0]) for process in processes]
    calls = WRITERS * CALLS_PER_WRITER
    wall_s = time.perf_counter() - started
    print(f"{WRITERS} writers: {calls / wall_s:,.0f} calls/s with start-up, lost {sum(outputs)}")
    spool = sorted((home / "spool").iterdir())
    lines = folder / "lines.jsonl"
    lines.write_bytes(b"".join(path.read_bytes().rstrip(b"\0") for path in spool))
    with duckdb.connect(str(folder / "plain.duckdb")) as connection:
        connection.execute(calls_ddl())
        raw_s = seconds(lambda: insert(connection, "calls", lines))
        raw_s += seconds(lambda: connection.execute("CHECKPOINT"))
    merge_s = seconds(lambda: merge(home))
    print(f"merge: {calls / merge_s:,.0f} calls/s, plain read_json: {calls / raw_s:,.0f} calls/s")
    print(f"ratio merge / plain read_json: {raw_s / merge_s:.2f}")
    print(f"bytes per call: {(home / 'ledger.duckdb').stat().st_size / calls:.0f}")


def small_merge(folder: Path) -> None:
    """A merge of 20 calls, against opening the database and adding one row."""
    home = folder / "many"
    database = str(home / "ledger.duckdb")
    writer = open_writer(home)

    def plain() -> None:
        with duckdb.connect(database) as connection:
            connection.execute("INSERT INTO merged_segments VALUES ('x', 0, 0, 0, NULL)")

    ratios = []
    for _ in range(5):
        for number in range(20):
            writer.put(encode(call(number)))
        merged_s = seconds(lambda: merge(home))
        ratios.append(merged_s / seconds(plain))
    writer.close()
    print(f"ratio small merge / open, insert, close: {statistics.median(ratios):.2f}")


def seconds(work: Callable[[], object]) -> float:
    """How long one run takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def open_writer(folder: Path) -> Writer:
    """A writer to a named folder."""
    home = Home(folder, named=True, fallback=False, reason="benchmark")
    return Writer(home, record_version=RECORD_VERSION)


def write(folder: str) -> None:
    """One of many writers: a process of its own."""
    writer = open_writer(Path(folder))
    first = os.getpid() * 10**6
    for number in range(CALLS_PER_WRITER):
        writer.put(encode(call(first + number)))
    writer.close()
    print(writer.lost)


def main(words: list[str]) -> None:
    """Run all measurements in a folder that is removed at the end."""
    if words[:1] == ["--write"]:
        write(words[1])
        return
    with tempfile.TemporaryDirectory(dir=words[0] if words else None) as folder:
        put_cost(Path(folder))
        many_writers(Path(folder))
        small_merge(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
