"""Frames of AWS event streams: any split gives the same events, and nothing raises."""

from __future__ import annotations

import itertools
import struct
import sys
import zlib

import pytest
from aws_wire import event, exception, frame, packed
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.aws_frames import FrameDecoder, require_botocore
from costspan.core.decoders import Event, decoder_for
from costspan.core.errors import BadRequestError

STREAM = (
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Größe 🎈"}),
    packed({"type": "ping"}),
    frame(b"", event_type="initial-response", message_type="event"),
    exception("throttlingException", message="slow down"),
    event("metadata", usage={"inputTokens": 1}),
)
EXPECTED: list[dict[str, object]] = [
    {"messageStart": {"role": "assistant", "p": "abcd"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Größe 🎈"}, "p": "abcd"}},
    {"type": "ping"},
    {"initial-response": {}},
    {"throttlingException": {"message": "slow down"}},
    {"metadata": {"usage": {"inputTokens": 1}, "p": "abcd"}},
]


def decoded(*pieces: bytes) -> list[Event]:
    decoder = decoder_for("application/vnd.amazon.eventstream")
    found = [each for piece in pieces for each in decoder.feed(piece)]
    return found + decoder.flush()


def read(*pieces: bytes) -> list[dict[str, object] | None]:
    return [each.json() for each in decoded(*pieces)]


def test_events_have_the_shape_in_which_boto3_hands_them_out() -> None:
    events = decoded(b"".join(STREAM))
    assert [each.json() for each in events] == EXPECTED
    names = ["messageStart", "contentBlockDelta", "", "initial-response"]
    assert [each.name for each in events][:4] == names


@given(st.lists(st.integers(0, sum(map(len, STREAM))), max_size=12))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    body = b"".join(STREAM)
    edges = [0, *sorted(cuts), len(body)]
    assert read(*(body[a:b] for a, b in itertools.pairwise(edges))) == EXPECTED


def test_byte_by_byte() -> None:
    body = b"".join(STREAM)
    assert read(*(body[i : i + 1] for i in range(len(body)))) == EXPECTED


def test_a_whole_body_of_many_frames_at_once() -> None:
    body = STREAM[0] * 20_000  # 2.5 MB, which nobody waits for if each frame copies the rest
    assert len(decoded(body)) == 20_000


def test_an_error_that_the_service_does_not_model() -> None:
    broken = frame(b"", message_type="error", error_code="InternalFailure", error_message="sorry")
    assert read(broken) == [{"error": {"type": "InternalFailure", "message": "sorry"}}]


@pytest.mark.parametrize("position", [0, 5, 9, 20, 60, -1])
def test_a_broken_frame_ends_the_decoding_quietly(position: int) -> None:
    broken = bytearray(STREAM[1])
    broken[position] ^= 0x40
    assert read(STREAM[0], bytes(broken), STREAM[1])[:1] == EXPECTED[:1]
    assert len(read(STREAM[0], bytes(broken), *STREAM)) == 1


def _headers(head: bytes) -> bytes:
    prelude = struct.pack("!II", 16 + len(head), len(head))
    start = prelude + struct.pack("!I", zlib.crc32(prelude)) + head
    return start + struct.pack("!I", zlib.crc32(start))


@pytest.mark.parametrize(
    "head",
    [
        b"\x01a\x63",  # no such type of value
        b"\x01a",  # no value
        b"\x01a\x04\x00",  # half a number
        b"\x01\xff\x00",  # a name that is not UTF-8
        b"\x01a\x00\x01a\x00",  # twice
    ],
)
def test_broken_headers_end_the_decoding_quietly(head: bytes) -> None:
    assert read(STREAM[0], _headers(head), STREAM[1]) == EXPECTED[:1]


@pytest.mark.parametrize(
    ("payload", "headers"),
    [
        (b"{}", {}),
        (b"not base64", {"event_type": "chunk"}),
        (b'{"bytes": 7}', {"event_type": "chunk"}),
        (b'{"bytes": "A"}', {"event_type": "chunk"}),
        (b"{}", {"event_type": "chunk"}),
    ],
)
def test_frames_that_are_no_events(payload: bytes, headers: dict[str, str]) -> None:
    assert read(frame(payload, **headers), STREAM[0]) == EXPECTED[:1]


def test_a_payload_that_is_no_json() -> None:
    assert read(frame(b"\xff{", event_type='a"b')) == [None]


@given(st.lists(st.binary(max_size=300)))
def test_garbage_raises_nothing(pieces: list[bytes]) -> None:
    decoded(*pieces)


@given(st.integers(0), st.integers(0, 255))
def test_damage_raises_nothing_and_leaves_what_came_before(position: int, byte: int) -> None:
    body = bytearray(b"".join(STREAM))
    body[position % len(body)] = byte
    found = read(bytes(body))
    assert found == EXPECTED[: len(found)]


def test_without_botocore_it_is_said_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("botocore", "botocore.eventstream"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadRequestError, match=r"pip install 'costspan\[bedrock\]'"):
        require_botocore("A stream from Bedrock")
    assert FrameDecoder().feed(STREAM[0]) == []
