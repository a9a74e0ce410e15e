"""Bytes in any split become the same events; what is garbage raises nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.decoders import (
    Decoder,
    Event,
    JSONDecoder,
    NDJSONDecoder,
    SSEDecoder,
    decoder_for,
)


def sse(*parts: bytes) -> list[tuple[str, str]]:
    decoder = SSEDecoder()
    events = [event for part in parts for event in decoder.feed(part)]
    return [(event.name, event.data) for event in (*events, *decoder.flush())]


@pytest.mark.parametrize(
    ("body", "events"),
    [
        pytest.param(b'data: {"a":1}\n\n', [("", '{"a":1}')], id="one"),
        pytest.param(b'data:{"a":1}\n\n', [("", '{"a":1}')], id="no-space-after-colon"),
        pytest.param(b"data:  x\n\n", [("", " x")], id="only-one-space-is-taken"),
        pytest.param(b"event: ping\ndata: 1\n\n", [("ping", "1")], id="named"),
        pytest.param(b"data: 1\nevent: ping\n\n", [("ping", "1")], id="name-after-data"),
        pytest.param(b"data: a\ndata: b\n\n", [("", "a\nb")], id="data-over-lines"),
        pytest.param(b": comment\n\ndata: 1\n\n", [("", "1")], id="comment"),
        pytest.param(b": OPENROUTER\ndata: 1\n\n", [("", "1")], id="comment-in-event"),
        pytest.param(b"id: 7\nretry: 10\ndata: 1\n\n", [("", "1")], id="id-and-retry"),
        pytest.param(b"event: e\n\ndata: 1\n\n", [("", "1")], id="event-without-data-is-none"),
        pytest.param(b"data\n\n", [("", "")], id="field-without-colon"),
        pytest.param(b"\n\n\ndata: 1\n\n\n\ndata: 2\n\n", [("", "1"), ("", "2")], id="blank"),
        pytest.param(b"event: e\r\ndata: 1\r\n\r\n", [("e", "1")], id="crlf"),
        pytest.param(b"event: e\rdata: 1\r\r", [("e", "1")], id="cr"),
        pytest.param(b"\xef\xbb\xbfdata: 1\n\n", [("", "1")], id="byte-order-mark"),
        pytest.param(b"data: 1", [("", "1")], id="no-end-of-line"),
        pytest.param(b"\xef\xbb\xbfdata: 1", [("", "1")], id="mark-and-no-end-of-line"),
        pytest.param("data: größe 🎈\n\n".encode(), [("", "größe 🎈")], id="utf-8"),
        pytest.param(b"data: \xff\n\n", [("", "\ufffd")], id="not-utf-8"),
        pytest.param(
            "data: a\u2028b\x85c\n\n".encode(), [("", "a\u2028b\x85c")], id="unicode-line"
        ),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_server_sent_events(body: bytes, events: list[tuple[str, str]]) -> None:
    assert sse(body) == events
    assert sse(*(body[i : i + 1] for i in range(len(body)))) == events


RECORDED = (
    "\ufeff: hello\r\n\r\n"
    'event: message_start\r\ndata: {"type":"message_start"}\r\n\r\n'
    'data: {"text":"größe 🎈 \\ud83c"}\n\n'
    "data: one\ndata: two\n\n"
    "event: ping\rdata: {}\r\r"
    "data: [DONE]\n\n"
).encode()
RECORDED_EVENTS = [
    ("message_start", '{"type":"message_start"}'),
    ("", '{"text":"größe 🎈 \\ud83c"}'),
    ("", "one\ntwo"),
    ("ping", "{}"),
    ("", "[DONE]"),
]


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


@given(st.lists(st.integers(0, len(RECORDED))))
def test_any_split_of_a_stream_gives_the_same_events(cuts: list[int]) -> None:
    assert sse(*split(RECORDED, cuts)) == RECORDED_EVENTS


@given(st.binary(), st.lists(st.integers(0, 10_000)))
def test_any_split_of_garbage_gives_the_same_events(body: bytes, cuts: list[int]) -> None:
    assert sse(*split(body, cuts)) == sse(body)


@given(st.lists(st.binary()), st.sampled_from([SSEDecoder, NDJSONDecoder, JSONDecoder]))
def test_garbage_raises_nothing(parts: list[bytes], kind: type[Decoder]) -> None:
    decoder = kind()
    events = [event for part in parts for event in decoder.feed(part)] + decoder.flush()
    for event in events:
        assert event.json() is None or isinstance(event.json(), dict)


@given(
    st.lists(st.sampled_from([b'{"a":1}', b'{"b":"gr\xc3\xb6\xc3\x9fe"}', b"", b"junk"])),
    st.lists(st.integers(0, 10_000)),
)
def test_any_split_of_ndjson_gives_its_lines(lines: list[bytes], cuts: list[int]) -> None:
    decoder = NDJSONDecoder()
    parts = split(b"\r\n".join(lines), cuts)
    events = [event for part in parts for event in decoder.feed(part)] + decoder.flush()
    assert [event.raw for event in events] == [line for line in lines if line]


def test_whole_json_comes_at_the_end() -> None:
    decoder = JSONDecoder()
    assert decoder.feed(b'\xef\xbb\xbf{"a"') == []
    assert decoder.feed(b": 1}\n") == []
    assert [event.json() for event in decoder.flush()] == [{"a": 1}]
    assert JSONDecoder().flush() == []


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud83c"}', {"a": "\ud83c"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b"[1]", None),
        (b"null", None),
        (b"[DONE]", None),
        (b"{", None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_data_as_json(raw: bytes, value: object) -> None:
    assert Event("", raw).json() == value


def test_done_is_openais_end_mark_only() -> None:
    assert Event("", b"[DONE]").done
    assert not Event("", b'{"done": true}').done


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/event-stream", SSEDecoder),
        ("Text/Event-Stream; charset=utf-8", SSEDecoder),
        ("application/x-ndjson", NDJSONDecoder),
        ("application/json", JSONDecoder),
        ("", JSONDecoder),
    ],
)
def test_content_type_chooses_the_decoder(content_type: str, kind: type[Decoder]) -> None:
    assert type(decoder_for(content_type)) is kind


def test_events_compare_and_do_not_show_their_text() -> None:
    assert Event("a", b"1") == Event("a", b"1") != Event("a", b"2")
    assert Event("a", b"1") != ("a", b"1")
    assert len({Event("a", b"1"), Event("a", b"1")}) == 1
    assert "secret" not in repr(Event("a", b"secret"))
