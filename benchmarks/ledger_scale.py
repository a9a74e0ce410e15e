"""Every query that the reports bundle, on a ledger with millions of calls.

Usage: python benchmarks/ledger_scale.py [FOLDER] [--rows N]

N calls (1,000,000 by default) are made by SQL in FOLDER (by default a temporary one); a ledger with
as many that is there already is used again. On two threads and 2 GB, the best of three warm runs;
beside it half of the processor time, which is what it would take on two cores without neighbours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb
from ledger_calls import LIMITS, call, make_calls
from ledger_table import Ratio, best_of, run, seconds, show, show_head, timed
from ledger_writer import open_writer

from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.read import Reader, open_ledger
from costspan.exporters.ledger.row import encode
from costspan.pricing.catalogue import Catalogue
from costspan.reports.calls import newest_calls
from costspan.reports.estimates import estimate_errors
from costspan.reports.explain import explain
from costspan.reports.period import ALL_TIME, Period, parse_zone
from costspan.reports.query import bundled_sql, fetch
from costspan.reports.reprice import BATCH
from costspan.reports.spend import spend

KEYS = ("model", "provider", "day", "hour", "status", "cost_status", "operation", "session")
TAGS = ("tag:user", "tag:feature")
FLOOR = "SELECT sum(cost_usd) FROM calls"
BARE = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(connection.execute(sys.argv[2]).fetchall())
"""
BY_DAY_AND_MODEL = """\
SELECT CAST(started_at AS DATE) AS day, model, count(*), sum(cost_usd)
FROM calls WHERE started_at >= now()::TIMESTAMP - INTERVAL 30 DAY GROUP BY ALL"""
LIMIT_S = 2.0
ROUNDS = 3
THREADS = 2
UNMERGED = 10_000


def scale_ratios(home: Path) -> Iterator[Ratio]:
    """The ratios that speak of a large ledger; the table of all queries is printed before.

    Args:
        home: A ledger, see `make_calls`.
    """
    print(f"\n{'query':<36}{'ms':>9}{'x sum':>8}{'at most':>9}{'processor':>12}", flush=True)
    ratios: list[float] = []
    slowest_s = 0.0
    with _limited(), open_ledger(home) as reader:
        for name, query, most in _queries(reader):
            query()
            runs = [(seconds(lambda: reader.execute(FLOOR)), *timed(query)) for _ in range(ROUNDS)]
            floor_s, taken_s, processor_s = map(min, zip(*runs, strict=True))
            is_met = taken_s <= LIMIT_S and taken_s <= most * floor_s
            print(
                f"{name:<36}{taken_s * 1000:>9,.0f}{taken_s / floor_s:>8.1f}{most:>9}"
                f"{processor_s / THREADS * 1000:>9,.0f} ms{'' if is_met else '  NO'}",
                flush=True,
            )
            ratios.append(taken_s / floor_s * 50 / most)
            slowest_s = max(slowest_s, taken_s)
        floor_s, bare_s = best_of(
            5, lambda: reader.execute(FLOOR), lambda: reader.execute(BY_DAY_AND_MODEL)
        )
    print(f"the sum: {floor_s * 1000:.0f} ms; peak memory {_peak_mb():,.0f} MB\n", flush=True)
    terms = f"{bare_s * 1000:.0f} / {floor_s * 1000:.0f} ms"
    yield Ratio("by day and model, 30 days / sum(cost_usd) of all", bare_s / floor_s, 2, note=terms)
    yield Ratio("slowest query / the same (a tag of all time: half)", max(ratios), 50, form=".1f")
    yield Ratio("slowest query, seconds", slowest_s, LIMIT_S)
    yield from _command_line(home)


def _queries(reader: Reader) -> Iterator[tuple[str, Callable[[], Any], int]]:
    """All queries: name, work, and how many times the sum each may take."""
    month = Period(datetime.now(UTC) - timedelta(days=30))
    for key in (*KEYS, *TAGS):
        yield f"report --by {key}", partial(spend, reader, key), 100 if key in TAGS else 50
        yield f"report --by {key} --since 30d", partial(spend, reader, key, month), 50
    berlin = parse_zone("Europe/Berlin")
    for key in ("day", "hour"):
        name = f"report --by {key} --tz Europe/Berlin"
        yield name, partial(spend, reader, key, ALL_TIME, berlin), 50
    yield "report --estimates", partial(estimate_errors, reader), 50
    yield "report --estimates --since 30d", partial(estimate_errors, reader, month), 50
    yield "calls -n 20", partial(newest_calls, reader), 50
    yield "calls -n 20 --status error", partial(newest_calls, reader, 20, ALL_TIME, "error"), 50
    middle = datetime.now(UTC) - timedelta(days=250)
    call_id = newest_calls(reader, 1, Period(None, middle))[0].call_id
    catalogue = Catalogue.default()
    yield "explain ID", partial(explain, reader, catalogue, call_id), 50
    yield "explain END", partial(explain, reader, catalogue, call_id[-12:]), 50
    parts = bundled_sql("reprice_batches"), {**ALL_TIME.bounds(), "size": BATCH}
    yield "reprice: all its batches", partial(fetch, reader, *parts), 50
    day = Period(middle, middle + timedelta(hours=5)).bounds()
    batch = bundled_sql("reprice"), {**day, "model": None}
    yield "reprice: the calls of 5 hours", partial(fetch, reader, *batch), 50


def _command_line(home: Path) -> Iterator[Ratio]:
    """Reports as people run them, against the bare SQL in a Python of its own."""
    database = str(home / DATABASE)
    month = ("report", "--since", "30d", "--home", str(home), "--by")
    start_s, bare_s, model_s, day_s = best_of(
        5,
        lambda: run(code="import duckdb; duckdb.sql('select 1').fetchall()"),
        lambda: run(database, BY_DAY_AND_MODEL, code=BARE),
        lambda: run("-m", "costspan", *month, "model"),
        lambda: run("-m", "costspan", *month, "day"),
    )
    for key, taken_s in (("model", model_s), ("day", day_s)):
        name = f"costspan report --by {key} --since 30d / start, bare SQL"
        terms = f"{taken_s * 1000:.0f} / {bare_s * 1000:.0f} ms"
        yield Ratio(name, taken_s / bare_s, 2, note=terms)
    sql_s = bare_s - start_s
    terms = f"({model_s * 1000:.0f} - {sql_s * 1000:.0f}) / {start_s * 1000:.0f} ms"
    name = "(report --by model - bare SQL) / Python's, duckdb's start"
    yield Ratio(name, (model_s - sql_s) / start_s, 2, note=terms)
    with _held(database):
        writer = open_writer(home)
        for number in range(UNMERGED):
            writer.put(encode(call(number)))
        writer.close()
        taken_s = seconds(lambda: run("-m", "costspan", *month, "model"))
    print(f"with {UNMERGED:,} calls unmerged, the database held read-only: {taken_s:.2f} s")


@contextmanager
def _limited() -> Iterator[None]:
    """Inside, every connection has two threads and 2 GB."""
    connect = duckdb.connect

    def limited(*args: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        connection = connect(*args, **options)
        connection.execute(LIMITS)
        return connection

    duckdb.connect = limited
    try:
        yield
    finally:
        duckdb.connect = connect


@contextmanager
def _held(database: str) -> Iterator[None]:
    """Inside, another process has the database open for reading."""
    context = multiprocessing.get_context("spawn")
    opened, over = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(database, opened, over))
    process.start()
    opened.wait(30)
    try:
        yield
    finally:
        over.set()
        process.join()


def _hold(database: str, opened: Event, over: Event) -> None:
    with duckdb.connect(database, read_only=True):
        opened.set()
        over.wait()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def filled(folder: Path, calls: int) -> Path:
    """A ledger with so many calls in a folder; made if there is none."""
    home = folder / f"calls-{calls}"
    if not home.exists():
        started = time.perf_counter()
        make_calls(home, calls)
        size = (home / DATABASE).stat().st_size / calls
        taken_s = time.perf_counter() - started
        print(f"{calls:,} calls made in {taken_s:.0f} s, {size:.0f} bytes each", flush=True)
    return home


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        ratios = list(scale_ratios(filled(words.folder or Path(temporary), words.rows)))
    show_head()
    for ratio in ratios:
        show(ratio)


if __name__ == "__main__":
    main()
