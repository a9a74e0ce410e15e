"""A ledger is read from end to end: each thing that can be wrong is found, and named."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.doctor import Finding
from costspan.exporters.ledger.errors import LedgerHeldError, LedgerVersionError, NoLedgerError
from costspan.exporters.ledger.integrity import check
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.locks import try_lock
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ErrorFacts
from costspan.pricing.types import Cost

MakeCall = Callable[..., Call]
MakeRequest = Callable[..., Any]
OpenWriter = Callable[..., Writer]


def wrong(home: Home) -> list[Finding]:
    """What is found wrong."""
    return [finding for finding in check(home) if finding.level != "ok"]


@pytest.fixture
def database(
    home: Home, make_call: MakeCall, make_request: MakeRequest, open_writer: OpenWriter
) -> Path:
    """A merged ledger with a call of each kind, and one call in the spool."""
    writer = open_writer(home)
    requests = {
        0: (make_request(),),
        1: (make_request(), make_request(cost=Cost(Decimal("0.5"), "reported"))),
        2: (make_request(cost=Cost(Decimal("0.3"), "reported", reported=Decimal("0.3"))),),
        3: (make_request(cost=Cost(None, "unpriced")),),
        4: (make_request(cost=None, usage=None, error=ErrorFacts("TimeoutError")),),
        5: (make_request(), make_request(cost=None, usage=None, error=ErrorFacts("Gone", 500))),
        # A million dollars does not fit: it is unknown and flagged.
        6: (make_request(cost=Cost(Decimal(10**6), "reported")),),
        7: (make_request(), make_request(cost=Cost(Decimal(10**6), "reported"))),
    }
    for number, made in requests.items():
        assert writer.put(encode(make_call(0, number, requests=made)))
    merge(home)
    writer.put(encode(make_call(0, 8)))
    return home.path / "ledger.duckdb"


def change(database: Path, sql: str) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(sql)


def test_a_sound_ledger(home: Home, database: Path) -> None:
    before = [(path, path.stat().st_mtime_ns) for path in sorted(home.path.rglob("*"))]

    findings = list(check(home))

    assert [finding.level for finding in findings] == ["ok"] * 13
    assert "All that is in the spool can be merged: 1 call." in [f.what for f in findings]
    assert [(path, path.stat().st_mtime_ns) for path in sorted(home.path.rglob("*"))] == before


@pytest.mark.parametrize(
    ("sql", "said", "cure"),
    [
        (
            "INSERT INTO calls SELECT * FROM calls WHERE unit_id = '0'",
            "1 call with the id of another.",
            "backup",
        ),
        (
            "UPDATE calls SET started_at = TIMESTAMP '1970-01-01' WHERE unit_id IN ('0', '1')",
            "2 calls started before 2015 or in the future.",
            "clock",
        ),
        (
            "UPDATE calls SET started_at = now()::TIMESTAMP + INTERVAL 2 DAYS WHERE unit_id = '0'",
            "1 call started before 2015 or in the future.",
            "clock",
        ),
        (
            "UPDATE calls SET cost_input_usd = cost_input_usd + 0.000000000006 WHERE unit_id = '0'",
            "1 call with a cost that is not the sum of its parts.",
            "reprice",
        ),
        (
            "UPDATE calls SET cost_usd = NULL WHERE unit_id = '2'",
            "1 call unpriced with a cost, or priced without one.",
            "reprice",
        ),
        (
            "UPDATE calls SET cost_usd = 0 WHERE unit_id = '3'",
            "1 call unpriced with a cost, or priced without one.",
            "reprice",
        ),
        (
            "UPDATE calls SET cost_usd = 0.5 WHERE unit_id = '1'",
            "1 call unlike the sum of its requests.",
            "reprice",
        ),
        (
            "UPDATE calls SET input_tokens = 1 WHERE unit_id = '5'",
            "1 call unlike the sum of its requests.",
            "reprice",
        ),
        (
            "INSERT INTO repricings SELECT uuid(), now()::TIMESTAMP, 1, 'priced', NULL, NULL, "
            "NULL, 2, 'priced', NULL FROM range(2)",
            "2 repricings of calls that are not there.",
            "backup",
        ),
    ],
)
def test_what_does_not_agree(home: Home, database: Path, sql: str, said: str, cure: str) -> None:
    change(database, sql)

    (finding,) = wrong(home)

    assert (finding.level, finding.what) == ("error", said)
    assert cure in finding.cure


def test_rounding_is_no_difference(home: Home, database: Path) -> None:
    change(
        database,
        "UPDATE calls SET cost_input_usd = cost_input_usd + 0.000000000005 WHERE unit_id = '0'",
    )
    assert wrong(home) == []


def test_a_flipped_byte_is_found_wherever_data_are(home: Home, database: Path) -> None:
    change(
        database,
        "INSERT INTO calls SELECT c.* REPLACE (uuid() AS call_id, uuid()::TEXT AS session_id) "
        "FROM calls c, range(20000) WHERE unit_id = '0'",
    )
    content = database.read_bytes()
    moments = random.Random(4)
    found = 0
    for _ in range(12):
        damaged = bytearray(content)
        damaged[moments.randrange(3 * 4096, len(content))] ^= 0xFF
        database.write_bytes(damaged)
        bad = wrong(home)
        found += bool(bad)
        assert all(f"{database} is damaged" in finding.what for finding in bad)
        assert all("costspan ledger repair --new" in finding.cure for finding in bad)
    # A byte in a block that is not in use harms nobody.
    assert found >= 8


def test_a_damaged_log(home: Home, database: Path, program: Any) -> None:
    assert program("merge_and_die", "committed").wait(30) == -9
    log = database.with_name("ledger.duckdb.wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)

    (finding,) = wrong(home)

    assert f"{log} is damaged" in finding.what
    assert "costspan ledger repair --home" in finding.cure


def rewrite(database: Path, version: str) -> None:
    """Give a database another file format."""
    other = database.with_name("other")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{database}' AS ledger (READ_ONLY)")
        connection.execute(f"ATTACH '{other}' AS other (STORAGE_VERSION '{version}')")
        connection.execute("COPY FROM DATABASE ledger TO other")
    os.replace(other, database)


def test_an_older_file_format_will_do(home: Home, database: Path) -> None:
    rewrite(database, "v1.0.0")
    assert wrong(home) == []


if duckdb.__version__ >= "2":

    def test_a_file_format_that_1_5_does_not_read(home: Home, database: Path) -> None:
        rewrite(database, "v2.0.0")

        (finding,) = wrong(home)

        assert finding.what.startswith("Its file format is v2.0.0")
        assert "costspan ledger backup" in finding.cure


def test_a_segment_that_was_cut(home: Home, database: Path, make_call: MakeCall) -> None:
    (path,) = segment_paths(home.path)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\n") + 1])

    (finding,) = wrong(home)

    assert finding.what.startswith("Shorter than what was merged of it: 1 segment of the spool")
    assert str(path) in finding.what


def test_damaged_lines_in_the_spool_and_set_aside(
    home: Home, database: Path, make_call: MakeCall
) -> None:
    path = home.path / "spool" / "host.1.0123456789ab.000000.v1.seg"
    path.write_bytes(b"{damaged\n   \n" + encode(make_call(1, 0)) + b"[]\n")

    (finding,) = wrong(home)
    assert finding.what == "Damaged: 2 of 4 lines in the spool."

    merge(home)
    (finding,) = wrong(home)
    assert finding.what == f"Set aside in {home.path}/quarantine: 2 damaged records."


def test_before_the_first_merge(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    open_writer(home).put(encode(make_call(0, 0)))

    assert [finding.what for finding in check(home)] == [
        "There is no database yet: it is made by the first report or merge.",
        "No segment of the spool is shorter than what was merged of it.",
        "All that is in the spool can be merged: 1 call.",
        "No damaged record has been set aside.",
    ]


def test_a_ledger_of_an_older_version(home: Home, database: Path) -> None:
    change(database, "DROP TABLE repricings")
    change(database, "DELETE FROM migrations WHERE version = 2")
    assert wrong(home) == []


def test_a_file_without_tables(home: Home) -> None:
    home.path.mkdir()
    with duckdb.connect() as connection:
        connection.execute(
            f"ATTACH '{home.path / 'ledger.duckdb'}' AS empty (STORAGE_VERSION 'v1.5.0')"
        )
    assert "Its schema version is 0." in [finding.what for finding in check(home)]
    assert wrong(home) == []


def test_what_stands_in_the_way(home: Home, database: Path, tmp_path: Path) -> None:
    nothing = Home(tmp_path / "nothing", named=True, fallback=False, reason="named by the test")
    with pytest.raises(NoLedgerError):
        list(check(nothing))
    with duckdb.connect(str(database)), pytest.raises(LedgerHeldError):
        list(check(home))
    change(database, "INSERT INTO migrations VALUES (99, 'later', NULL)")
    with pytest.raises(LedgerVersionError):
        list(check(home))


def test_a_merge_that_is_under_way_does_not_matter(home: Home, database: Path) -> None:
    with open(home.path / "merge.lock", "rb") as other:
        assert try_lock(other.fileno())
        assert wrong(home) == []


def test_a_call_that_lasted_past_the_latest_instant_is_no_finding(
    home: Home, database: Path
) -> None:
    """A clock that is an hour ahead is no damage."""
    ahead = timedelta(hours=1)
    change(
        database,
        f"UPDATE calls SET started_at = now()::TIMESTAMP + INTERVAL {ahead.seconds} SECONDS",
    )
    assert wrong(home) == []
