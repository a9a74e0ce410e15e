"""What a file may look like: other lines, wrappers, damage, packed files, folders, our records."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from foreign import json_lines, prompt_line, session_line, spend_log
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.types import Usage
from costspan.exporters.importers import documents
from costspan.exporters.importers.documents import entries
from costspan.exporters.importers.noted import Recorder
from costspan.exporters.importers.reading import Form, Tally, _Batch
from costspan.exporters.importers.sources import Source, SourceError, find_sources
from costspan.exporters.ledger.check import acceptable
from costspan.exporters.ledger.row import encode
from costspan.middleware.hashing import TagHasher
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Cost

TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
Imported = Callable[..., list[dict[str, Any]]]


def own(number: int = 1, **changes: Any) -> bytes:
    """A line of our own, as an exporter writes it."""
    from datetime import UTC, datetime

    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    usage = Usage({"tokens.in.text": 100, "tokens.out.text": 20})
    request = ProviderRequest(
        "openai", "chat", "gpt-x", "gpt-x", at, at, usage, Cost(Decimal("0.5"), "priced")
    )
    facts: dict[str, Any] = {"tags": {"team": "a"}, "session_id": "ann", **changes}
    call = Call(UUID(int=number), "chat", (request,), at, at, 1_000, "ok", "value", **facts)
    return encode(call, {"host": "box", "pid": 7, "sdk_version": "0.1.0"})


def test_our_own_record_comes_in_as_it_was_written(imported: Imported) -> None:
    (call,) = imported(own())

    assert orjson.loads(own()) | {"cost_usd": Decimal("0.5")} == call | {
        "started_at": 1_772_445_600_000_000,
        "ended_at": 1_772_445_600_000_000,
    }


_LINE = own().decode().strip()
WRAPPED: Mapping[str, bytes] = {
    "CloudWatch, with a time before it": f"2026-03-02T10:00:00.123Z {_LINE}\n".encode(),
    "CloudWatch, with an id before it": f"2026-03-02T10:00:00Z {{req}} INFO {_LINE}\n".encode(),
    "Lambda's JSON log": json.dumps({"level": "INFO", "message": _LINE + "\n"}).encode(),
    "Docker": json.dumps({"log": _LINE + "\n", "stream": "stdout"}).encode(),
    "Kubernetes": f"2026-03-02T10:00:00Z stdout F {_LINE}\n".encode(),
    "an object in an object": json.dumps({"jsonPayload": json.loads(_LINE)}).encode(),
    "log events": json.dumps({"events": [{"message": _LINE}]}, indent=2).encode(),
    "log events of a request": json.dumps({"logEvents": [{"message": _LINE}]}).encode(),
    "Windows line ends": f"{_LINE}\r\n".encode(),
    "no line end": _LINE.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + _LINE.encode(),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_log_lines_with_something_around_the_record(imported: Imported, kind: str) -> None:
    tally = Tally()

    (call,) = imported(WRAPPED[kind], tally=tally)

    assert UUID(call["call_id"]) == UUID(int=1)
    assert (tally.records, tally.damaged, tally.other) == (1, 0, 0)


def test_other_lines_are_passed_over_and_counted(imported: Imported) -> None:
    tally = Tally()
    lines = [
        b"START RequestId: 3f Version: $LATEST\n",
        own(),
        b'{"level": "INFO", "message": "something else"}\n',
        b"\n",
        b'{"request_id": "x", "status": 200}\n',
        own(2),
        b"\xff\xfe binary \x00 rubbish\n",
    ]

    assert len(imported(b"".join(lines), tally=tally)) == 2
    assert (tally.records, tally.other, tally.damaged) == (2, 5, 0)


@pytest.mark.parametrize(
    "line",
    [
        _LINE[:-40],
        "2026-03-02T10:00:00Z " + _LINE[:-40],
        _LINE.replace('"started_at":', '"begun_at":'),
        _LINE.replace('"0.5"', '"half"'),
        _LINE.replace("00000000-0000-0000-0000-000000000001", "one"),
        json.dumps(session_line(at="yesterday")),
        json.dumps(session_line())[:-30],
    ],
)
def test_damaged_records_are_counted_and_the_first_is_named(imported: Imported, line: str) -> None:
    tally = Tally()

    calls = imported(own(2) + line.encode() + b"\n" + own(3), tally=tally)

    assert len(calls) == 2
    assert (tally.damaged, tally.other) == (1, 0)
    assert str(tally.first_damaged).endswith("calls.jsonl:2")


def test_records_of_a_newer_costspan_are_left_alone(imported: Imported) -> None:
    tally = Tally()
    newer = own().replace(b'"record_version":1', b'"record_version":2')

    assert imported(newer + own(2), tally=tally)[0]["call_id"] == str(UUID(int=2))
    assert (tally.newer, tally.damaged) == (1, 0)


@pytest.mark.parametrize(
    ("form", "records"), [("auto", 3), ("costspan", 1), ("litellm", 1), ("claude-code", 1)]
)
def test_one_format_of_a_mixed_file(imported: Imported, form: Form, records: int) -> None:
    tally = Tally()

    assert len(imported(own() + json_lines(spend_log(), session_line()), form=form, tally=tally))
    assert (tally.records, tally.other) == (records, 3 - records)


@pytest.mark.parametrize("content", [own(), json_lines(spend_log()), json_lines(session_line())])
def test_packed_files_whatever_their_name(imported: Imported, content: bytes) -> None:
    assert len(imported(gzip.compress(content), name="calls.log")) == 1


def test_a_packed_file_that_breaks_off_gives_what_it_holds(imported: Imported) -> None:
    tally = Tally()
    packed = gzip.compress(b"".join(own(number) for number in range(1, 500)))

    calls = imported(packed[: len(packed) // 2], tally=tally)

    assert 1 < len(calls) < 499
    assert tally.damaged == 1


def test_what_a_session_quotes_is_no_call(imported: Imported) -> None:
    """An agent that reads a ledger's lines, or its own log, has them in its log as text."""
    quoted = {
        **prompt_line(),
        "message": {"role": "user", "content": [{"type": "tool_result", "content": _LINE}]},
        "toolUseResult": {"stdout": _LINE + json.dumps(session_line()), "usage": {"calls": 1}},
    }

    assert imported(json_lines(quoted)) == []


def test_tags_of_the_command_go_before_those_of_the_log(imported: Imported) -> None:
    calls = imported(
        own() + json_lines(session_line()), tags={"team": "b", "project": "all", "from": "x"}
    )

    assert [call["tags"] for call in calls] == [
        {"team": "b", "project": "all", "from": "x"},
        {"client": "claude-code", "project": "all", "branch": "main", "team": "b", "from": "x"},
    ]


def test_tags_that_the_configuration_wants_hashed_are(imported: Imported) -> None:
    hasher = TagHasher({"user", "team", "session_id"}, b"0123456789abcdef")
    hashed = hasher.hashed("team", "b")

    calls = imported(own() + own(2, tags={"team": hashed}) + json_lines(spend_log()), hasher=hasher)

    assert [call["tags"]["team"] for call in calls] == [
        hasher.hashed("team", "a"),
        hashed,
        hasher.hashed("team", "search"),
    ]
    assert calls[2]["tags"]["user"] == hasher.hashed("user", "ann")
    assert calls[2]["session_id"] == hasher.hashed("session_id", "session-2")
    assert calls[0]["session_id"] == hasher.hashed("session_id", "ann")


def test_tags_that_are_too_long_are_cut(imported: Imported) -> None:
    tags = [f"name{number}:{'x' * 300}" for number in range(40)]

    (call,) = imported(json_lines(spend_log(request_tags=tags)))

    assert len(call["tags"]) == 32
    assert call["tags"]["name0"] == "x" * 256


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([session_line(), spend_log(), json.loads(own())]), st.data())
def test_whatever_stands_in_a_record_it_becomes_a_call_or_is_counted(
    record: dict[str, Any], data: st.DataObject
) -> None:
    """One field, at any depth, of another type: no exception, and no line the ledger refuses."""
    record = json.loads(json.dumps(record))
    place = record
    while True:
        name = data.draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[name], dict) and place[name] and data.draw(st.booleans())):
            break
        place = place[name]
    place[name] = data.draw(VALUES)
    batch = _Batch("auto", Recorder(Catalogue.default(), {}), Tally())

    for entry in entries(io.BytesIO(json_lines(record))):
        batch.take(entry, Source("x", None, 0))

    assert all(acceptable(line.rstrip(b"\n")) for line in batch.lines())


class TestSources:
    """Files, folders and links to them."""

    def test_a_folder_with_its_folders_oldest_first(self, tmp_path: Path) -> None:
        names = ["b/new.jsonl", "a/old.jsonl.gz", "middle.csv"]
        for at, name in zip((300, 100, 200), names, strict=True):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
            os.utime(path, (at, at))
        (tmp_path / "a" / "notes.md").write_text("no log")

        found = [Path(one.name).name for one in find_sources([str(tmp_path)])]

        assert found == ["old.jsonl.gz", "middle.csv", "new.jsonl"]

    def test_each_file_once(self, tmp_path: Path) -> None:
        (tmp_path / "one.jsonl").write_bytes(b"")
        (tmp_path / "link.jsonl").symlink_to(tmp_path / "one.jsonl")

        assert len(find_sources([str(tmp_path / "one.jsonl"), str(tmp_path), str(tmp_path)])) == 1

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"missing\.csv: No such file"):
            find_sources([str(tmp_path / "missing.csv")])

    def test_a_folder_with_nothing_in_it(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"holds no \.jsonl"):
            find_sources([str(tmp_path)])


class TestDocuments:
    """Arrays and long lines, decoded piece by piece."""

    @given(
        st.lists(st.dictionaries(TEXT, st.integers(-9, 9) | TEXT), max_size=30),
        st.sampled_from([None, 0, 2]),
        st.integers(1, 40),
    )
    def test_an_array_in_chunks_of_any_size(
        self, objects: list[dict[str, Any]], indent: int | None, chunk: int
    ) -> None:
        text = json.dumps(objects, indent=indent, ensure_ascii=False)
        stream = io.BytesIO(text.encode())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(documents, "_CHUNK_BYTES", chunk)
            found = [entry.value for entry in entries(stream)]

        assert found == objects

    def test_half_of_a_surrogate_pair_in_an_array(self, imported: Imported) -> None:
        tally = Tally()
        text = json.dumps([spend_log("\ud800"), spend_log("2")], ensure_ascii=True)

        assert len(imported(text.encode(), tally=tally)) == 1
        assert tally.damaged == 1

    def test_an_array_on_one_line_that_is_longer_than_a_line_may_be(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(documents, "MAX_LINE_BYTES", 2_000)
        monkeypatch.setattr(documents, "_CHUNK_BYTES", 500)
        rows = [{"number": number} for number in range(1_000)]

        found = list(entries(io.BytesIO(json.dumps(rows).encode())))

        assert [entry.value for entry in found] == rows

    def test_a_first_line_that_is_longer_than_a_chunk(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(documents, "_CHUNK_BYTES", 50)

        assert [e.damaged for e in entries(io.BytesIO(own() + own(2)))] == [False, False]

    def test_an_array_that_breaks_off(self) -> None:
        stream = io.BytesIO(b'[{"a": 1}, {"b": 2}, {"c"')

        assert [(e.value, e.damaged) for e in entries(stream)] == [
            ({"a": 1}, False),
            ({"b": 2}, False),
            (None, True),
        ]

    def test_a_line_that_is_too_long_is_passed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(documents, "MAX_LINE_BYTES", 2_000)
        long = b'{"call_id": "' + b"x" * 5_000 + b'"}\n'

        found = list(entries(io.BytesIO(own() + long + own(2))))

        assert [entry.damaged for entry in found] == [False, True, False]
