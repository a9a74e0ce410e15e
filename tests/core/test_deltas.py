"""Pieces of streams that need not be read: leaving them out must change nothing but the words."""

from __future__ import annotations

import json

import pytest
import streams
import wire

from costspan.core.decoders import decoder_for
from costspan.core.deltas import brings_only_words, read_held
from costspan.core.observation import Observation
from costspan.core.protocols import load

STREAMS = {
    "chat": [b"".join(wire.CHAT_STREAM), b"".join(streams.RECORDED["chat"].frames)],
    "messages": [b"".join(wire.MESSAGE_STREAM), b"".join(streams.RECORDED["messages"].frames)],
    "responses": [b"".join(wire.RESPONSES_STREAM), b"".join(streams.RECORDED["responses"].frames)],
}


def compact(event: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def spaced(event: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def chat(finish: str | None = None, **more: object) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


WORDS = chat(usage=None)
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
OUTPUT = {"type": "response.output_text.delta", "delta": "a"}


@pytest.mark.parametrize("write", [compact, spaced])
@pytest.mark.parametrize(
    ("api", "event", "only_words"),
    [
        ("chat", WORDS, True),
        ("chat", chat(), True),
        ("chat", chat("stop"), False),
        ("chat", chat(usage={"prompt_tokens": 1}), False),
        ("chat", chat(error={"message": "overloaded"}), False),
        ("chat", {"choices": [], "usage": {"prompt_tokens": 1}}, False),
        ("chat", {"choices": [{"index": 0, "delta": {"content": "a"}}]}, False),
        ("messages", TEXT, True),
        ("messages", {"type": "message_delta", "usage": {"output_tokens": 5}}, False),
        ("messages", {"type": "message_start", "message": {}}, False),
        ("messages", {"type": "error", "error": {"type": "overloaded_error"}}, False),
        ("responses", OUTPUT, True),
        ("responses", {"type": "response.function_call_arguments.delta", "delta": "{"}, True),
        ("responses", {"type": "response.completed", "response": {"usage": {}}}, False),
        ("generateContent", WORDS, False),
        ("cohere-v2", TEXT, False),
    ],
)
def test_what_brings_only_words(
    api: str, event: dict[str, object], only_words: bool, write: object
) -> None:
    assert callable(write)
    assert brings_only_words(api, write(event)) is only_words


@pytest.mark.parametrize(
    "data",
    [
        b"",
        compact(WORDS)[:-1],  # not whole
        compact(WORDS)[:-2],
        compact(WORDS) + compact(WORDS),  # two events: either may be another kind
        compact(WORDS) + compact(chat("stop")),
        b": comment\n\n",
        compact(WORDS).replace(b"\n", b"\r\n"),
        compact(WORDS).replace(b'":', b'" :'),
    ],
)
def test_what_is_not_certain_is_read(data: bytes) -> None:
    assert brings_only_words("chat", data) is False


@pytest.mark.parametrize(
    ("api", "number"), [(api, n) for api, found in STREAMS.items() for n in range(len(found))]
)
def test_leaving_them_out_changes_nothing_but_the_words(api: str, number: int) -> None:
    pieces = [piece + b"\n\n" for piece in STREAMS[api][number].split(b"\n\n") if piece]
    first, rest = pieces[:1], pieces[1:]
    needed = [piece for piece in rest if not brings_only_words(api, piece)]
    whole, short = seen(api, pieces), seen(api, first + needed)

    assert len(needed) < len(rest)
    whole.output_text, short.output_text = [], []
    assert short == whole


def seen(api: str, pieces: list[bytes]) -> Observation:
    observation, decoder = Observation(api), decoder_for("text/event-stream")
    for event in decoder.feed(b"".join(pieces)):
        body = event.json()
        if body is not None:
            load(api).observe(body, observation)
    return observation


@pytest.mark.parametrize("api", STREAMS)
def test_what_was_held_is_read_in_the_end(api: str) -> None:
    for stream in STREAMS[api]:
        pieces = [piece + b"\n\n" for piece in stream.split(b"\n\n") if piece]
        held = [piece for piece in pieces[1:] if brings_only_words(api, piece)]
        short = seen(api, [piece for piece in pieces if piece not in held])
        short.held = held
        read_held(short)
        whole = seen(api, pieces)

        assert short.held == []
        assert sorted(short.output_text) == sorted(whole.output_text)
        assert "".join(short.output_text)


def test_a_piece_that_is_no_json_spoils_no_other() -> None:
    lone = compact(WORDS).replace(b'"a"', b'"\\ud83c"')  # half of an emoji: only Python reads it
    seen = Observation("chat", held=[compact(WORDS), b"data: {broken\n\n", lone, compact(WORDS)])
    read_held(seen)

    assert seen.output_text == ["a", "\ud83c", "a"]
