"""The measure of a ledger, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from costspan.exporters.ledger.info import Database, LedgerInfo, Month
from costspan.exporters.ledger.words import byte_count, counted, instant
from costspan.reports.render import BAR_WIDTH, numbers
from costspan.reports.screen import Screen
from costspan.reports.table import LAST_RESORT, Column, draw_line, render_table
from costspan.reports.text import bar, plain_decimal, usd, usd_decimals


def info_text(info: LedgerInfo, screen: Screen) -> str:
    """What the folder holds, a line each, and a table of the months."""
    lines = "".join(draw_line(f"{key:<12} {value}", screen) for key, value in _lines(info))
    months = info.database.months if info.database else ()
    return lines + ("\n" + render_table(_columns(months, screen), screen) if months else "")


def info_json(info: LedgerInfo) -> str:
    """The same as one JSON object: money as exact text, instants in ISO 8601, sizes in bytes."""
    found = info.database
    record = {
        "folder": str(info.folder),
        "duckdb_version": info.duckdb_version,
        "calls": found.calls if found else 0,
        "size_bytes": found.size_bytes if found else 0,
        "schema_version": found.schema_version if found else None,
        "file_format": found.file_format if found else None,
        "first_call_at": _iso(found.first if found else None),
        "last_call_at": _iso(found.last if found else None),
        "merged_at": _iso(found.merged_at if found else None),
        "spool_segments": info.segments,
        "spool_live_segments": info.live_segments,
        "spool_waiting_bytes": info.waiting_bytes,
        "spool_oldest_at": _iso(info.oldest_segment_at),
        "quarantined": info.quarantined,
        "lost": info.lost,
        "free_bytes": info.free_bytes,
        "months": [
            {
                "month": one.month,
                "calls": one.calls,
                "cost_usd": None if one.cost_usd is None else plain_decimal(one.cost_usd),
                "unpriced_calls": one.unpriced,
            }
            for one in (found.months if found else ())
        ],
    }
    return json.dumps(record, indent=2) + "\n"


def _lines(info: LedgerInfo) -> Iterator[tuple[str, str]]:
    yield "folder", str(info.folder)
    if info.database is None:
        yield "database", "none yet: it is made by the first report or merge"
    else:
        yield from _database_lines(info.database)
    yield "duckdb", info.duckdb_version
    waiting = "nothing to merge"
    if info.oldest_segment_at:
        waiting = f"to merge: {byte_count(info.waiting_bytes)}"
        waiting += f", the oldest of {instant(info.oldest_segment_at)}"
    segments = counted(info.segments, "segment")
    yield "spool", f"{segments}, {info.live_segments:,} of running processes; {waiting}"
    yield "set aside", f"{counted(info.quarantined, 'damaged record')}"
    yield "lost", f"{counted(info.lost, 'record')}"
    yield "room left", byte_count(info.free_bytes)


def _database_lines(found: Database) -> Iterator[tuple[str, str]]:
    each = f", {found.size_bytes // found.calls:,} bytes a call" if found.calls else ""
    yield "database", f"{counted(found.calls, 'call')} in {byte_count(found.size_bytes)}{each}"
    if found.first and found.last:
        yield "calls", f"from {instant(found.first)} to {instant(found.last)}"
    yield "schema", f"version {found.schema_version}, file format {found.file_format}"
    yield "merged", instant(found.merged_at) if found.merged_at else "never"


def _columns(months: tuple[Month, ...], screen: Screen) -> list[Column]:
    costs = [one.cost_usd for one in months]
    decimals = usd_decimals(costs)
    most = max(one.calls for one in months)
    bars = [bar(one.calls / most, BAR_WIDTH, screen.ascii_only) for one in months]
    unpriced = frozenset(row for row, one in enumerate(months) if one.unpriced)
    return [
        Column("month", [one.month for one in months], "left"),
        numbers("calls", [one.calls for one in months]),
        Column("", bars, "left", drop=1, style="bar"),
        Column("cost", [_cost(one, decimals) for one in months]),
        Column(
            "unpriced",
            [f"{one.unpriced:,} !" if one.unpriced else "0" for one in months],
            drop=LAST_RESORT,
            warn=unpriced,
        ),
    ]


def _cost(month: Month, decimals: int) -> str:
    """``unpriced`` where nothing is known; a month of refused calls alone has cost nothing."""
    return "-" if month.cost_usd is None and not month.unpriced else usd(month.cost_usd, decimals)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
