"""The merge: what it takes, what it leaves alone, what it sets aside."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import (
    LedgerCorruptError,
    LedgerError,
    LedgerVersionError,
    LedgerWriteError,
)
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.load import (
    SpooledLine,
    collect,
    data_errors,
    insert,
    sort_out,
)
from costspan.exporters.ledger.locks import try_lock
from costspan.exporters.ledger.merge import MergeResult, merge
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.scan import Span
from costspan.exporters.ledger.schema import calls_ddl
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

Query = Callable[[str], list[tuple[Any, ...]]]
MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]


def segment(home: Home, content: bytes, name: str | None = None) -> Path:
    """Leave a segment as a dead writer would, under a name of its own."""
    path = home.path / "spool" / (name or f"host.1.{os.urandom(6).hex()}.000000.v1.seg")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def changed(make_call: MakeCall, **columns: object) -> bytes:
    """The line of a call with some columns replaced."""
    return json.dumps({**orjson.loads(encode(make_call(9, 9))), **columns}).encode() + b"\n"


def test_a_folder_without_anything_is_left_as_it_is(home: Home) -> None:
    assert merge(home) == MergeResult()
    assert not home.path.exists()


def test_live_segments_are_merged_and_stay(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    assert merge(home) == MergeResult(rows=1, segments=1)
    writer.put(encode(make_call(0, 1)))
    assert merge(home) == MergeResult(rows=1, segments=1)
    assert merge(home) == MergeResult()
    assert len(segment_paths(home.path)) == 1
    writer.close()

    assert query("SELECT count(*) FROM calls") == [(2,)]
    assert segment_paths(home.path) == []


def test_rows_stand_in_the_order_of_their_start(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    writer = open_writer(home)
    for number in (3, 1, 2):
        writer.put(encode(make_call(0, number)))
    merge(home)

    connection = duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True)
    assert connection.execute("SELECT unit_id FROM calls").fetchall() == [("1",), ("2",), ("3",)]
    connection.close()


def test_what_a_row_holds(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    open_writer(home).put(encode(make_call(0, 0, tags={"team": "search"})))

    ((started_at, cost, buckets, team, latency),) = query(
        "SELECT started_at, cost_usd, buckets, tags->>'team', latency_us FROM calls"
    )
    assert started_at == datetime(2026, 11, 1, 12, 0, 0, 250)
    assert cost == Decimal("0.002600000000")
    assert buckets == {"tokens.in.text": Decimal(1000), "tokens.out.text": Decimal(100)}
    assert (team, latency) == ("search", 1_000_000)


def bad_lines() -> dict[str, Callable[[MakeCall], bytes]]:
    """Lines that no row can be made of, by what is wrong with them."""
    return {
        "no JSON": lambda call: b"{damaged\n",
        "half a line": lambda call: encode(call(9, 9))[:200] + b"\n",
        "a list": lambda call: b"[1]\n",
        "a number": lambda call: b"17\n",
        "no columns": lambda call: b"{}\n",
        "no call_id": lambda call: changed(call, call_id=None),
        "no UUID": lambda call: changed(call, call_id="7"),
        "invalid UTF-8": lambda call: encode(call(9, 9)).replace(b"gpt-x", b"gpt-\xff"),
        "a lone surrogate": lambda call: changed(call, model="\ud800"),
        "a NUL": lambda call: encode(call(9, 9)).replace(b"gpt-x", b"gpt-\0"),
        "an integer out of range": lambda call: changed(call, input_tokens=10**30),
        "a port out of range": lambda call: changed(call, port=2**31),
        "text for an integer": lambda call: changed(call, chunks="many"),
        "text for money": lambda call: changed(call, cost_usd="much"),
        "money out of range": lambda call: changed(call, cost_usd="1000000"),
        "endless money": lambda call: changed(call, cost_usd="Infinity"),
        "text for a bucket": lambda call: changed(call, buckets={"tokens.in.text": "few"}),
        "a list for buckets": lambda call: changed(call, buckets=[1]),
        "text for a truth": lambda call: changed(call, streaming="perhaps"),
        "a time as text": lambda call: changed(call, started_at="2026-11-01T12:00:00+02:00"),
        "a time out of range": lambda call: changed(call, started_at=2**64),
        "longer than 32 MB": lambda call: changed(call, tags={"text": "x" * (33 << 20)}),
    }


@pytest.mark.parametrize("what", bad_lines())
def test_a_bad_line_is_sorted_out(tmp_path: Path, make_call: MakeCall, what: str) -> None:
    good = encode(make_call(0, 0))
    bad = bad_lines()[what](make_call)
    path = tmp_path / "segment"
    path.write_bytes(good + bad + good)
    span = Span(path, 0, path.stat().st_size, live=False)
    scratch = tmp_path / "scratch"
    with duckdb.connect() as connection:
        connection.execute(calls_ddl())
        collect([span], scratch)
        with pytest.raises(data_errors()):
            insert(connection, "calls", scratch)

        assert sort_out(connection, [span], scratch) == [SpooledLine(span, bad[:-1])]
        assert insert(connection, "calls", scratch) == 2


def test_bad_lines_are_set_aside_and_the_rest_is_merged(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    bad = [build(make_call) for build in bad_lines().values()]
    path = segment(home, encode(make_call(0, 0)) + b"".join(bad) + encode(make_call(0, 1)))

    assert merge(home) == MergeResult(rows=2, segments=1, quarantined=len(bad))

    assert query("SELECT unit_id FROM calls ORDER BY ALL") == [("0",), ("1",)]
    (kept,) = (home.path / "quarantine").iterdir()
    assert kept.name == f"{path.name}.0.jsonl"
    assert kept.read_bytes() == b"".join(bad)
    assert not path.exists()
    with duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True) as connection:
        noted = connection.execute("SELECT segment, rows, bad FROM merged_segments").fetchall()
    assert noted == [(path.name, 2, len(bad))]


def test_bad_lines_are_left_out_of_a_report_that_cannot_merge(
    home: Home, make_call: MakeCall
) -> None:
    segment(home, encode(make_call(1, 0)))
    merge(home)
    bad = [build(make_call) for build in bad_lines().values()]
    segment(home, b"".join(bad) + encode(make_call(0, 0)))

    with (
        duckdb.connect(str(home.path / "ledger.duckdb"), read_only=True),
        open_ledger(home) as reader,
    ):
        assert reader.merged.state == "held"
        assert (reader.unmerged, reader.quarantined) == (1, len(bad))
        assert reader.execute("SELECT count(*) FROM calls").rows == [(2,)]


def test_an_empty_line_is_no_call(home: Home, make_call: MakeCall) -> None:
    segment(home, b"\n" + encode(make_call(0, 0)))

    assert merge(home) == MergeResult(rows=1, segments=1)


def test_bad_lines_of_several_segments(home: Home, make_call: MakeCall, query: Query) -> None:
    for number in range(3):
        name = f"host.{number}.0123456789ab.000000.v1.seg"
        segment(home, encode(make_call(number, 0)) + b"{%d\n" % number, name)

    assert merge(home) == MergeResult(rows=3, segments=3, quarantined=3)
    kept = sorted(path.read_bytes() for path in (home.path / "quarantine").iterdir())
    assert kept == [b"{0\n", b"{1\n", b"{2\n"]
    assert merge(home) == MergeResult()


def test_what_only_the_database_refuses_is_found_by_halving(
    home: Home, make_call: MakeCall, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costspan.exporters.ledger.load.acceptable", lambda line: True)
    lines = [encode(make_call(0, number)) for number in range(20)]
    lines[3] = changed(make_call, call_id=None)
    lines[11] = b"{damaged\n"
    segment(home, b"".join(lines))

    assert merge(home) == MergeResult(rows=18, segments=1, quarantined=2)
    assert query("SELECT count(DISTINCT unit_id) FROM calls") == [(18,)]


def test_a_long_line_is_merged(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    text = "x" * (10 << 20)
    open_writer(home).put(encode(make_call(0, 0, tags={"text": text})))

    assert query("SELECT length(tags->>'text') FROM calls") == [(10 << 20,)]


@pytest.mark.parametrize("end", [b"", b"\0" * 4096, b'{"call_id":"01', b'{"call\0\0\0'])
def test_the_tail_of_a_dead_segment(
    home: Home, make_call: MakeCall, query: Query, end: bytes
) -> None:
    path = segment(home, encode(make_call(0, 0)) + encode(make_call(0, 1)) + end)

    assert merge(home) == MergeResult(rows=2, segments=1)
    assert not path.exists()


def test_a_hole_of_zeros_costs_only_the_lines_it_touches(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    """After a power failure a page may be missing before others that reached the disk."""
    lines = [encode(make_call(0, number)) for number in range(40)]
    content = bytearray(b"".join(lines))
    content[4096:8192] = bytes(4096)
    length = len(lines[0])
    touched = range(4096 // length, 8191 // length + 1)
    assert {len(line) for line in lines[:10]} == {length}
    path = segment(home, bytes(content))

    result = merge(home)

    whole = {str(number) for number in range(40)} - {str(number) for number in touched}
    stored = {unit for (unit,) in query("SELECT unit_id FROM calls")}
    assert whole - stored <= {str(max(touched)), str(max(touched) + 1)}
    assert result.rows == len(stored) >= 40 - len(touched) - 1
    assert not path.exists()


def test_of_a_live_segment_the_bytes_before_the_first_zero_count(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    first, second = encode(make_call(0, 0)), encode(make_call(0, 1))
    path = segment(home, first + b"\0" * 10 + second)
    with open(path, "r+b") as writer:
        assert try_lock(writer.fileno())

        assert merge(home) == MergeResult(rows=1, segments=1)
        writer.seek(len(first))
        writer.write(second)
        writer.truncate()

    assert merge(home) == MergeResult(rows=1, segments=1)
    assert query("SELECT unit_id FROM calls ORDER BY ALL") == [("0",), ("1",)]


def test_a_segment_that_lost_its_end_is_not_merged_again(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    lines = encode(make_call(0, 0)) + encode(make_call(0, 1))
    path = segment(home, lines)
    with open(path, "rb") as writer:
        assert try_lock(writer.fileno())
        merge(home)
    path.write_bytes(lines[: len(lines) - 20])

    assert merge(home) == MergeResult()
    assert query("SELECT count(*) FROM calls") == [(2,)]


def test_segments_of_a_newer_costspan_are_left_alone(
    home: Home, make_call: MakeCall, query: Query
) -> None:
    newer = segment(home, b'{"of":"the future"}\n', "host.1.0123456789ab.000000.v2.seg")
    segment(home, encode(make_call(0, 0)))

    assert merge(home) == MergeResult(rows=1, segments=1, skipped_newer=1)
    assert newer.exists()
    assert not (home.path / "quarantine").exists()


def test_other_files_in_the_spool_are_left_alone(home: Home, make_call: MakeCall) -> None:
    notes = segment(home, b"mine\n", "notes.txt")
    segment(home, encode(make_call(0, 0)))

    assert merge(home).rows == 1
    assert notes.exists()


def test_leftovers_of_killed_processes_are_removed(home: Home, make_call: MakeCall) -> None:
    segment(home, encode(make_call(0, 0)))
    old = segment(home, b"", "host.1.0123456789ac.000000.v1.seg.new")
    os.utime(old, (0, 0))
    new = segment(home, b"", "host.1.0123456789ad.000000.v1.seg.new")
    (home.path / ".merge.1.jsonl").write_text("half")
    (home.path / "ledger.duckdb.new.1").write_text("half")

    assert merge(home).rows == 1
    assert not old.exists()
    assert new.exists()
    kept = ["ledger.duckdb", "merge.lock", "published", "spool"]
    assert sorted(os.listdir(home.path)) == kept


def test_old_notes_of_removed_segments_are_pruned(home: Home, make_call: MakeCall) -> None:
    segment(home, encode(make_call(0, 0)))
    merge(home)
    connection = duckdb.connect(str(home.path / "ledger.duckdb"))
    connection.execute("UPDATE merged_segments SET done_at = done_at - INTERVAL 31 DAYS")
    connection.close()
    segment(home, encode(make_call(0, 1)), "host.2.0123456789ab.000000.v1.seg")
    merge(home)

    connection = duckdb.connect(str(home.path / "ledger.duckdb"))
    noted = connection.execute("SELECT segment FROM merged_segments").fetchall()
    assert noted == [("host.2.0123456789ab.000000.v1.seg",)]
    connection.close()


def test_another_merge_is_under_way(home: Home, make_call: MakeCall) -> None:
    segment(home, encode(make_call(0, 0)))
    with open(home.path / "merge.lock", "wb") as other:
        assert try_lock(other.fileno())

        assert merge(home, wait_s=0.1) == MergeResult(state="busy")

    assert merge(home) == MergeResult(rows=1, segments=1)


@pytest.mark.parametrize("mode", ["read", "write"])
def test_the_database_is_open_elsewhere(
    home: Home, make_call: MakeCall, program: Any, mode: str
) -> None:
    segment(home, encode(make_call(0, 0)))
    merge(home)
    holder = program("hold", mode)
    assert holder.stdout.readline() == "open\n"
    path = segment(home, encode(make_call(0, 1)))

    assert merge(home, wait_s=0.1) == MergeResult(state="held")
    assert path.exists()

    holder.communicate()
    assert merge(home) == MergeResult(rows=1, segments=1)


def test_a_newer_ledger_is_refused(home: Home, make_call: MakeCall) -> None:
    segment(home, encode(make_call(0, 0)))
    merge(home)
    connection = duckdb.connect(str(home.path / "ledger.duckdb"))
    connection.execute("INSERT INTO migrations VALUES (99, 'later', NULL)")
    connection.close()
    path = segment(home, encode(make_call(0, 1)))

    for look in (merge, open_ledger):
        with pytest.raises(LedgerVersionError, match=r"version 99.*up to 2\. Upgrade costspan"):
            look(home)
    assert path.exists()


def test_a_damaged_log_names_the_file_and_loses_nothing(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any, query: Query
) -> None:
    """gizmodata/gizmosql#53, norrietaylor/distillery#647: a damaged log bricks the database."""
    writer = open_writer(home)
    for number in range(50):
        writer.put(encode(make_call(0, number)))
    writer.close()
    assert program("merge_and_die", "committed").wait(30) == -9
    log = home.path / "ledger.duckdb.wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)

    with pytest.raises(LedgerCorruptError, match=r"\.wal is damaged.*ledger repair --home"):
        merge(home)
    with pytest.raises(LedgerError, match=r"ledger\.duckdb\.wal"):
        open_ledger(home)

    log.rename(log.with_suffix(".damaged"))
    assert query("SELECT count(*), count(DISTINCT unit_id) FROM calls") == [(50, 50)]


def test_a_torn_log_is_cut_back(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any, query: Query
) -> None:
    """duckdb/duckdb#8592: a log that was written in part is refused."""
    writer = open_writer(home)
    for number in range(50):
        writer.put(encode(make_call(0, number)))
    assert program("merge_and_die", "committed").wait(30) == -9
    log = home.path / "ledger.duckdb.wal"
    os.truncate(log, log.stat().st_size - 7)

    assert query("SELECT count(*), count(DISTINCT unit_id) FROM calls") == [(50, 50)]


def test_a_damaged_database_names_the_file(home: Home, make_call: MakeCall) -> None:
    segment(home, encode(make_call(0, 0)))
    merge(home)
    (home.path / "ledger.duckdb").write_bytes(b"no database" * 1000)

    with pytest.raises(LedgerCorruptError, match=r"ledger\.duckdb is damaged.*repair --new"):
        open_ledger(home)


def test_a_folder_that_cannot_be_written(home: Home, make_call: MakeCall) -> None:
    segment(home, encode(make_call(0, 0)))
    (home.path / "merge.lock").mkdir()

    with pytest.raises(LedgerWriteError, match=r"ledger\.duckdb cannot be written"):
        merge(home)
