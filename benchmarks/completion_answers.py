"""The fixed answers of the completion benchmarks: whole and streamed, by wire format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

TEXT = "The capital of France is Paris, which has been its seat of government since 987. "
WORDS = [f"{word} " for word in TEXT.split()]
CHAT_USAGE = {
    "prompt_tokens": 57,
    "completion_tokens": 200,
    "total_tokens": 257,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
MESSAGES_USAGE = {
    "input_tokens": 57,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 200,
    "service_tier": "standard",
}


def chat_reply() -> dict[str, object]:
    """A whole answer of OpenAI's chat completions."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": TEXT * 4,
        "refusal": None,
        "annotations": [],
    }
    return {
        "id": "chatcmpl-BenchmarkBenchmarkBenchmark",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"},
        ],
        "usage": CHAT_USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_benchmark",
    }


def chat_frames(chunks: int) -> Iterator[bytes]:
    """The same as a stream of so many pieces of text, the usage after them."""

    def frame(choices: list[object], usage: object) -> bytes:
        event = {
            "id": "chatcmpl-BenchmarkBenchmarkBenchmark",
            "object": "chat.completion.chunk",
            "created": 1764000000,
            "model": "gpt-4o-2024-08-06",
            "service_tier": "default",
            "system_fingerprint": "fp_benchmark",
            "choices": choices,
            "usage": usage,
        }
        return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"

    def choice(delta: dict[str, object], finish: str | None = None) -> list[object]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    yield frame(choice({"role": "assistant", "content": "", "refusal": None}), None)
    for number in range(chunks - 3):
        yield frame(choice({"content": WORDS[number % len(WORDS)]}), None)
    yield frame(choice({}, "stop"), None)
    yield frame([], CHAT_USAGE)
    yield b"data: [DONE]\n\n"


def messages_reply() -> dict[str, object]:
    """A whole answer of Anthropic's messages."""
    return {
        "id": "msg_BenchmarkBenchmark",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": TEXT * 4}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }


def messages_frames(chunks: int) -> Iterator[bytes]:
    """The same as a stream of so many events."""

    def frame(kind: str, **fields: object) -> bytes:
        data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode()

    start = {**messages_reply(), "content": [], "stop_reason": None}
    yield frame("message_start", message={**start, "usage": {**MESSAGES_USAGE, "output_tokens": 1}})
    yield frame("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(chunks - 5):
        piece = {"type": "text_delta", "text": WORDS[number % len(WORDS)]}
        yield frame("content_block_delta", index=0, delta=piece)
    yield frame("content_block_stop", index=0)
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield frame("message_delta", delta=delta, usage={"output_tokens": 200})
    yield frame("message_stop")


def responses_reply() -> dict[str, object]:
    """A whole answer of OpenAI's responses."""
    part = {"type": "output_text", "text": TEXT * 4, "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    return {
        "id": "resp_BenchmarkBenchmark",
        "object": "response",
        "created_at": 1764000000,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "output": [{**message, "status": "completed"}],
        "usage": {
            "input_tokens": 57,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 200,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 257,
        },
    }


def responses_frames(chunks: int) -> Iterator[bytes]:
    """The same as a stream of so many events."""

    def frame(kind: str, **fields: object) -> bytes:
        data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode()

    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    start = {**responses_reply(), "status": "in_progress", "output": [], "usage": None}
    yield frame("response.created", sequence_number=0, response=start)
    yield frame("response.output_item.added", sequence_number=1, output_index=0, item=item)
    for number in range(chunks - 3):
        text = {"delta": WORDS[number % len(WORDS)], "logprobs": []}
        yield frame("response.output_text.delta", sequence_number=number + 2, **place, **text)
    yield frame("response.completed", sequence_number=chunks, response=responses_reply())


def gemini_event(text: str, finish: str | None) -> dict[str, object]:
    """An answer of Gemini, which is the same whole and streamed."""
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
    return {
        "candidates": [{**candidate, "finishReason": finish} if finish else candidate],
        "usageMetadata": {
            "promptTokenCount": 57,
            "candidatesTokenCount": 200,
            "totalTokenCount": 257,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 57}],
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "BenchmarkBenchmark",
    }


def gemini_reply() -> dict[str, object]:
    """A whole answer of Gemini."""
    return gemini_event(TEXT * 4, "STOP")


def gemini_frames(chunks: int) -> Iterator[bytes]:
    """The same as a stream of so many events."""
    for number in range(chunks):
        finish = "STOP" if number + 1 == chunks else None
        event = gemini_event(WORDS[number % len(WORDS)], finish)
        yield b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\r\n\r\n"


ANSWERS: dict[str, tuple[Callable[[], object], Callable[[int], Iterator[bytes]]]] = {
    "/v1/chat/completions": (chat_reply, chat_frames),
    "/v1/messages": (messages_reply, messages_frames),
    "/v1/responses": (responses_reply, responses_frames),
    "/models/gemini-2.5-flash:generateContent": (gemini_reply, gemini_frames),
    "/models/gemini-2.5-flash:streamGenerateContent": (gemini_reply, gemini_frames),
}
"""The whole answer and the frames of a stream, by path."""
