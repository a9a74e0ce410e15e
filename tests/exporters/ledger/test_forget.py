"""Forgetting a person: nothing of theirs is left in the folder, and nothing else is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.exporters.home import Home
from costspan.exporters.ledger.budgets import BudgetWindow, register
from costspan.exporters.ledger.errors import LedgerHeldError, NoLedgerError
from costspan.exporters.ledger.forget import find, forget
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.person import Person, Trait
from costspan.exporters.ledger.published import read_spend
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]
Query = Callable[[str], list[tuple[Any, ...]]]

PROGRAM = Path(__file__).with_name("forgetting.py")
ALICE = "alice@example.org"
IS_ALICE = Person([Trait("user", (ALICE,))])
POINTS = (
    *("merged", "copied", "checkpointed", "closed", "renamed"),
    *("blanked", "spool scrubbed", "quarantine rewritten", "quarantine scrubbed", "published"),
)


def holding(home: Home, value: str = ALICE) -> list[str]:
    """The files of the folder in which the bytes of a value occur, anywhere."""
    return [
        path.name
        for path in sorted(home.path.rglob("*"))
        if path.is_file() and value.encode() in path.read_bytes()
    ]


def two_people(writer: Writer, make_call: MakeCall, calls: int = 20) -> None:
    """Calls of alice and of bob in turn, many with facts of their own."""
    for number in range(calls):
        user = ALICE if number % 2 else "bob"
        tags = {"user": user, "note": f"{user} asked {number}"}
        assert writer.put(encode(make_call(0, number, tags=tags)))


def quarantine(home: Home, *lines: bytes) -> Path:
    path = home.path / "quarantine" / "host.1.0123456789ab.000000.v1.seg.0.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_no_byte_of_the_folder_holds_the_value_and_others_stay(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    writer = open_writer(home)
    two_people(writer, make_call)
    register(home.path, BudgetWindow("each", "month", each="user"))
    merge(home)
    kept = quarantine(
        home, b'{"tags": {"user": "bob"}, "bad": 1}', b'{"user":"%b", torn' % ALICE.encode()
    )
    assert DATABASE in holding(home)

    found, done = find(home, IS_ALICE), forget(home, IS_ALICE)

    assert (found.calls, found.spooled, found.quarantined) == (10, 10, 1)
    assert found.anything
    # Ten calls at $0.0026, the first and the last of them with an odd number of milliseconds.
    assert str(found.cost_usd) == "0.026000000000"
    assert found.first is not None
    assert found.last is not None
    assert (found.first.microsecond, found.last.microsecond) == (1250, 19250)
    assert (done.calls, done.spooled, done.quarantined, done.still) == (10, 10, 1, ())
    assert holding(home) == []
    assert kept.read_bytes() == b'{"tags": {"user": "bob"}, "bad": 1}\n'
    assert query("SELECT count(*), count(DISTINCT unit_id) FROM calls") == [(10, 10)]
    assert not find(home, IS_ALICE).anything


@pytest.mark.parametrize("mapped", [True, False])
def test_a_running_process_goes_on_in_the_same_segment(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query, mapped: bool
) -> None:
    writer = open_writer(home, mapped=mapped)
    two_people(writer, make_call)
    forget(home, IS_ALICE)
    assert writer.put(encode(make_call(0, 100, tags={"user": "bob"})))
    assert writer.put(encode(make_call(0, 101, tags={"user": ALICE})))

    assert query("SELECT count(*) FROM calls") == [(12,)]
    assert find(home, IS_ALICE).calls == 1


def test_a_lost_database_is_built_again_without_the_person(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    writer = open_writer(home)
    two_people(writer, make_call)
    forget(home, IS_ALICE)
    (home.path / DATABASE).unlink()
    # A damaged line, so that the merge looks at each line, the blank ones too.
    assert writer.put(b'{"call_id": "none"}\n')

    assert merge(home).quarantined == 1
    assert query("SELECT count(*) FROM calls") == [(10,)]


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_programs_that_record_meanwhile_lose_nothing_of_others(
    home: Home, tmp_path: Path, program: Any, query: Query, mode: str
) -> None:
    """Two processes record as fast as they can; the first is the one to be forgotten."""
    counters = [tmp_path / "forgotten", tmp_path / "kept"]
    for counter in counters:
        counter.write_bytes(bytes(8))
    writers = [
        program("lines_until_killed", number, counter, mode)
        for number, counter in enumerate(counters)
    ]
    while not all(int.from_bytes(counter.read_bytes(), "little") for counter in counters):
        time.sleep(0.005)
    first = Person([Trait("session_id", ("0",))])

    forget(home, first)
    for writer in writers:
        writer.kill()
        writer.wait()
    acknowledged = int.from_bytes(counters[1].read_bytes(), "little")
    forget(home, first)

    counts = "count(*), count(DISTINCT unit_id), max(unit_id::INT) + 1"
    ((session, rows, distinct, whole),) = query(
        f"SELECT session_id, {counts} FROM calls GROUP BY 1"
    )
    assert session == "1"
    assert rows == distinct == whole
    assert acknowledged <= rows <= acknowledged + 1


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_it_is_completed_by_another_run(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query, point: str
) -> None:
    two_people(open_writer(home), make_call)
    merge(home)
    quarantine(home, b'{"user":"%b", torn' % ALICE.encode(), b'{"user":"bob", torn')
    killed = subprocess.run([sys.executable, str(PROGRAM), "die", str(home), point], check=False)
    assert killed.returncode == -signal.SIGKILL

    forget(home, IS_ALICE)

    assert holding(home) == []
    assert query("SELECT count(*) FROM calls") == [(10,)]
    assert holding(home, "bob") != []


@pytest.mark.parametrize(
    ("trait", "units"),
    [
        (Trait("user", ("alice",)), ["0"]),
        (Trait("user", ("alice", "h:0")), ["0", "1"]),
        (Trait("session_id", ("talk",)), ["2", "3"]),
        (Trait("unit_id", ("4",)), ["4"]),
        (Trait("a/b~c", ("x",)), ["5"]),
        (Trait("user", ("' OR 1=1 --",)), ["6"]),
        (Trait("$.user", ("alice",)), []),
        (Trait("user", ("ALICE",)), []),
        (Trait("user", ("alic",)), []),
        (Trait("user", ("%",)), []),
    ],
)
def test_whose_calls_are_meant(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, trait: Trait, units: list[str]
) -> None:
    facts: list[dict[str, Any]] = [
        {"tags": {"user": "alice"}},
        {"tags": {"user": "h:0"}},
        {"session_id": "talk"},
        {"tags": {"session_id": "talk"}},
        {},
        {"tags": {"a/b~c": "x"}},
        {"tags": {"user": "' OR 1=1 --"}},
    ]
    calls = [make_call(0, number, **one) for number, one in enumerate(facts)]
    writer = open_writer(home)
    for call in calls:
        writer.put(encode(call))
    person = Person([trait])

    found = find(home, person)

    assert [call.unit_id for call in calls if person.made(encode(call))] == units
    assert (found.calls, found.spooled) == (len(units), len(units))


def test_several_traits_must_all_hold(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    writer = open_writer(home)
    for number, tenant in enumerate(("acme", "other")):
        writer.put(encode(make_call(0, number, tags={"user": "7", "tenant": tenant})))
    done = forget(home, Person([Trait("user", ("7",)), Trait("tenant", ("acme",))]))

    assert done.calls == 1
    assert query("SELECT unit_id FROM calls") == [("1",)]


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_a_line_is_recognised_by_the_tag_that_was_written(value: str, name: str) -> None:
    """Whatever stands in names and values, escaped by orjson or by json."""
    value, name = (text.encode("utf-8", "replace").decode() for text in (value, name))
    person = Person([Trait(name, (value,))])
    columns = {"tags": {name: value}}

    assert person.made(orjson.dumps(columns))
    assert person.made(json.dumps(columns).encode())
    assert person.mentioned_in(orjson.dumps(columns))
    assert not person.made(orjson.dumps({"tags": {name: value + "."}}))


@pytest.mark.parametrize(
    ("line", "made"),
    [
        (b'{"tags":{"user":"al\xff', False),
        (b'{"tags":{"user":"alice","x":"\xff"}}', True),
        (b'ser":"alice"}}', True),
        (b'{"tags":{"user":"alice', True),
        (b'{"tags":{"user":"alice2', False),
        (b'{"tags":{"user":"malice","', False),
        (b'["alice"]', False),
        (b"     ", False),
        (b"", False),
    ],
)
def test_damaged_lines_are_the_persons_if_they_hold_the_value_as_a_word(
    line: bytes, made: bool
) -> None:
    assert Person([Trait("user", ("alice",))]).made(line) == made


def test_what_cannot_be_reached_in_the_folder_is_named(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    two_people(open_writer(home), make_call)
    register(home.path, BudgetWindow("alices", "day", tags={"user": ALICE}))
    newer = home.path / "spool" / "host.1.0123456789ab.000000.v99.seg"
    newer.write_bytes(b'{"who": "%b"}\n' % ALICE.encode())
    (home.path / "spool" / "host.1.0123456789ac.000000.v99.seg").write_bytes(b'{"who": "bob"}\n')
    aside = home.path / f"{DATABASE}.wal.damaged-20261101T120000Z"
    aside.write_bytes(b"who knows")

    done = forget(home, IS_ALICE)

    assert done.still == (home.path / "budgets" / "alices.json", aside, newer)
    assert newer.exists()


def test_what_another_user_may_not_read_is_named(
    make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR")  # where nobody may not enter
    monkeypatch.setattr("tempfile.tempdir", None)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), named=True, fallback=False, reason="named by the test")
        writer = Writer(home, record_version=1)
        two_people(writer, make_call)
        writer.close()
        damaged = quarantine(home, b'{"user":"%b", torn' % ALICE.encode())
        (segment,) = (home.path / "spool").iterdir()
        for path in (home.path, *home.path.iterdir()):
            path.chmod(0o755)
        for path in (segment, damaged):
            path.chmod(0)

        words = [sys.executable, str(PROGRAM), "look_as_nobody", folder]
        done = subprocess.run(words, check=True, capture_output=True)

        assert json.loads(done.stdout) == [0, 0, [damaged.name, segment.name]]


def test_published_sums_name_the_person_no_more(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    two_people(open_writer(home), make_call, calls=4)
    window = BudgetWindow("each", "day", each="user")
    register(home.path, window)
    now = time.time()
    writer = open_writer(home)
    started = make_call(0, 0).started_at.fromtimestamp(now, make_call(0, 0).started_at.tzinfo)
    for number, user in enumerate((ALICE, "bob"), start=10):
        writer.put(encode(make_call(0, number, started_at=started, tags={"user": user})))
    merge(home)
    before = read_spend(home.path)

    forget(home, IS_ALICE)

    after = read_spend(home.path)
    assert before is not None
    assert after is not None
    assert sorted(before.budgets["each"].each) == [ALICE, "bob"]
    assert sorted(after.budgets["each"].each) == ["bob"]
    assert after.merged == before.merged


def test_folders_of_killed_reports_are_erased_and_those_in_use_are_not(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, temporary: Path
) -> None:
    two_people(open_writer(home), make_call)
    names = ("read-old", "from-old", "read-new", "read-file", "else-old")
    paths = [temporary / f"costspan-{name}" for name in names]
    killed, imported, running, file, other = paths
    for folder in (killed, imported, running, other):
        folder.mkdir()
        (folder / "live.jsonl").write_text(ALICE)
    file.write_text("no folder")
    for path in (killed, imported, file, other):
        os.utime(path, (time.time() - 4000,) * 2)

    assert forget(home, IS_ALICE).scratch == 2
    assert [path.exists() for path in paths] == [False, False, True, True, True]


def test_repricings_of_the_calls_go_too(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    two_people(open_writer(home), make_call, calls=2)
    merge(home)
    connection = duckdb.connect(str(home.path / DATABASE))
    connection.execute(
        "INSERT INTO repricings BY NAME SELECT call_id, started_at AS repriced_at, "
        "'priced' AS old_cost_status, 'priced' AS new_cost_status FROM calls"
    )
    connection.close()

    forget(home, IS_ALICE)

    assert query("SELECT count(*) FROM repricings JOIN calls USING (call_id)") == [(1,)]
    assert query("SELECT count(*) FROM repricings") == [(1,)]


def test_who_has_the_ledger_open_is_named_and_nothing_is_erased(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, query: Query
) -> None:
    two_people(open_writer(home), make_call)
    merge(home)
    code = f"import duckdb; c = duckdb.connect({str(home.path / DATABASE)!r}, read_only=True)"
    reader = subprocess.Popen(
        [sys.executable, "-c", f"{code}; print('open', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    try:
        with pytest.raises(LedgerHeldError, match=f"process {reader.pid} "):
            forget(home, IS_ALICE, wait_s=0.1)
    finally:
        reader.communicate(b"\n")
    assert query("SELECT count(*) FROM calls") == [(20,)]
    assert find(home, IS_ALICE).spooled == 10


def test_without_a_ledger_there_is_nothing_to_find(home: Home) -> None:
    with pytest.raises(NoLedgerError):
        find(home, IS_ALICE)
