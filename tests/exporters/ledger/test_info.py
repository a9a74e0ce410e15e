"""The measure of a ledger, looked at without a change."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.errors import LedgerHeldError, LedgerVersionError, NoLedgerError
from costspan.exporters.ledger.info import Month, ledger_info
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.notes import LossNote, write_note
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call
from costspan.pricing.types import Cost

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def test_what_is_merged_and_what_waits(
    home: Home, make_call: MakeCall, make_request: Callable[..., object], open_writer: OpenWriter
) -> None:
    writer = open_writer(home)
    unpriced = make_request(cost=Cost(None, "unpriced"))
    earlier = NOVEMBER - timedelta(microseconds=1)
    writer.put(encode(make_call(0, 0, started_at=NOVEMBER)))
    writer.put(encode(make_call(0, 1, started_at=earlier)))
    writer.put(encode(make_call(0, 2, started_at=earlier, requests=(unpriced,))))
    writer.put(b"{damaged\n")
    before = datetime.now(UTC)
    merge(home)
    after = datetime.now(UTC)
    waiting = encode(make_call(0, 3))
    writer.put(waiting)
    write_note(home.path, LossNote("host.1", 7, "OSError(ENOSPC)", NOVEMBER, NOVEMBER))
    spool = os.listdir(home.path / "spool")

    found = ledger_info(home)

    assert found.database is not None
    assert found.database.months == (
        Month("2026-10", 2, Decimal("0.0026"), 1),
        Month("2026-11", 1, Decimal("0.0026"), 0),
    )
    assert (found.database.calls, found.database.schema_version) == (3, 2)
    assert (found.database.first, found.database.last) == (earlier, NOVEMBER)
    assert found.database.merged_at is not None
    assert before <= found.database.merged_at <= after
    assert found.database.size_bytes == (home.path / "ledger.duckdb").stat().st_size
    assert found.database.file_format.startswith("v1.5.0")
    assert (found.segments, found.live_segments) == (1, 1)
    assert found.waiting_bytes == len(waiting)
    assert found.oldest_segment_at is not None
    assert (found.quarantined, found.lost) == (1, 7)
    assert found.free_bytes > 0
    assert found.duckdb_version == duckdb.__version__
    assert os.listdir(home.path / "spool") == spool


def test_before_the_first_merge(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    open_writer(home).put(encode(make_call(0, 0)))

    found = ledger_info(home)

    assert found.database is None
    assert found.waiting_bytes == len(encode(make_call(0, 0)))
    assert not (home.path / "ledger.duckdb").exists()


def test_a_file_without_tables(home: Home) -> None:
    home.path.mkdir()
    duckdb.connect(str(home.path / "ledger.duckdb")).close()

    found = ledger_info(home).database

    assert found is not None
    assert (found.schema_version, found.calls, found.first, found.merged_at) == (0, 0, None, None)


def test_an_empty_ledger(home: Home, open_writer: OpenWriter, make_call: MakeCall) -> None:
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    merge(home)
    with duckdb.connect(str(home.path / "ledger.duckdb")) as connection:
        connection.execute("DELETE FROM calls")

    found = ledger_info(home)

    assert found.database is not None
    assert (found.database.months, found.oldest_segment_at) == ((), None)


def test_what_stands_in_the_way(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    with pytest.raises(NoLedgerError):
        ledger_info(home)
    open_writer(home).put(encode(make_call(0, 0)))
    merge(home)
    with duckdb.connect(str(home.path / "ledger.duckdb")) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, 'later', NULL)")
        with pytest.raises(LedgerHeldError):
            ledger_info(home)
    with pytest.raises(LedgerVersionError, match="version 99"):
        ledger_info(home)
