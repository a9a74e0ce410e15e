"""Recorded answers of the two wire formats that the core completes with, written by hand."""

from __future__ import annotations

import json
import os

import pytest


@pytest.fixture(autouse=True)
def _no_keys_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_HOST")):
            monkeypatch.delenv(name)


def _data(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


@pytest.fixture
def chat_frames() -> list[bytes]:
    """A streamed chat of "Größe 🎈": 10 tokens in, 4 of them cached; 7 out, 2 of them reasoning."""
    top = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m-1"}

    def chunk(reason: str | None = None, **delta: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _data({**top, "choices": [choice], "usage": None})

    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    text = chunk(content="ße 🎈")
    return [
        chunk(role="assistant", content=""),
        chunk(content="Grö"),
        text[:-12],
        text[-12:],
        chunk("stop"),
        _data({**top, "choices": [], "usage": usage}) + b"data: [DONE]\n\n",
    ]


@pytest.fixture
def message_frames() -> list[bytes]:
    """A streamed message of "Größe 🎈": 6 fresh and 4 cached tokens in, 7 out."""

    def event(kind: str, **fields: object) -> bytes:
        return f"event: {kind}\n".encode() + _data({"type": kind, **fields})

    def text(piece: str) -> bytes:
        return event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})

    message: dict[str, object] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 6,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "output_tokens": 1,
        },
    }
    return [
        event("message_start", message=message),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        text("Grö"),
        text("ße 🎈"),
        event("content_block_stop", index=0),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": 7},
        ),
        event("message_stop"),
    ]


@pytest.fixture
def chat_body() -> dict[str, object]:
    """The whole chat of "Größe 🎈", with the same counts."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Größe 🎈"},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


@pytest.fixture
def message_body() -> dict[str, object]:
    """The whole message of "Größe 🎈", with the same counts."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [{"type": "text", "text": "Größe 🎈"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 6,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "output_tokens": 7,
        },
    }
