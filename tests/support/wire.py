"""Replies and streams as providers send them, written from the documented formats."""

from __future__ import annotations

import json


def sse(*events: object) -> list[bytes]:
    """Frames of a stream of OpenAI's kind: one ``data:`` event each."""
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


def named(*events: dict[str, object]) -> list[bytes]:
    """Frames of a stream of Anthropic's kind: events named after their type."""
    return [
        f"event: {event['type']}\n".encode()
        + b"data: "
        + json.dumps(event, ensure_ascii=False).encode()
        + b"\n\n"
        for event in events
    ]


OPENAI_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
EMBEDDING_BODY = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
CHAT_BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_764_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "One two three."},
        }
    ],
    "usage": OPENAI_USAGE,
}


def chat_chunk(**fields: object) -> dict[str, object]:
    """A chat chunk with the fields that all chunks have."""
    return {
        "id": "chatcmpl-2",
        "object": "chat.completion.chunk",
        "created": 1_764_000_000,
        "model": "gpt-4o-2024-08-06",
        "usage": None,
        **fields,
    }


CHAT_TEXT = [
    chat_chunk(choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}])
    for word in ("One ", "two ", "three.")
]
CHAT_STREAM = [
    *sse(
        *CHAT_TEXT,
        chat_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        chat_chunk(choices=[], usage=OPENAI_USAGE),
    ),
    b"data: [DONE]\n\n",
]

RESPONSES_MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "One two three.", "annotations": []}],
}
RESPONSES_BODY = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_764_000_000,
    "model": "gpt-4o-2024-08-06",
    "status": "completed",
    "output": [RESPONSES_MESSAGE],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1100,
    },
}
RESPONSES_STREAM = named(
    {
        "type": "response.created",
        "sequence_number": 0,
        "response": {**RESPONSES_BODY, "status": "in_progress", "output": [], "usage": None},
    },
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {**RESPONSES_MESSAGE, "content": []},
    },
    {
        "type": "response.content_part.added",
        "sequence_number": 2,
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {
        "type": "response.output_text.delta",
        "sequence_number": 3,
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "One two three.",
        "logprobs": [],
    },
    {"type": "response.completed", "sequence_number": 4, "response": RESPONSES_BODY},
)

ANTHROPIC_USAGE = {
    "input_tokens": 600,
    "cache_read_input_tokens": 400,
    "cache_creation_input_tokens": 0,
    "output_tokens": 100,
}
MESSAGE_BODY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "One two three."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": ANTHROPIC_USAGE,
}
MESSAGE_STREAM = named(
    {
        "type": "message_start",
        "message": {
            **MESSAGE_BODY,
            "content": [],
            "stop_reason": None,
            "usage": {**ANTHROPIC_USAGE, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": word},
        }
        for word in ("One ", "two ", "three.")
    ),
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 100},
    },
    {"type": "message_stop"},
)
