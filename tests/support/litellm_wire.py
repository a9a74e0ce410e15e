"""What the providers behind LiteLLM, any-llm and LangChain answer, and what it costs.

US dollars per million tokens, from pricing/prices.csv (2026-11): gpt-4o-mini 0.15 in, 0.075 cached,
0.60 out; claude-sonnet-4-5 3.00 in, 0.30 cache read, 3.75 and 6.00 cache write, 15.00 out, web
search 10.00 per thousand; gemini-2.5-flash 0.30 in, 0.03 cached, 2.50 out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

ASK: list[Any] = [{"role": "user", "content": "hi"}]


def sse(*events: Mapping[str, Any]) -> list[bytes]:
    """Frames of server-sent events, named where they have a type."""
    names = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    return [
        f"{name}data: {json.dumps(event)}\n\n".encode()
        for name, event in zip(names, events, strict=True)
    ]


CLAUDE_USAGE: dict[str, Any] = {
    "input_tokens": 30,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 200,
    "cache_creation": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
}
_CLAUDE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
}
CLAUDE: dict[str, Any] = {
    **_CLAUDE,
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {
        **CLAUDE_USAGE,
        "output_tokens": 40,
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "standard",
    },
}
_STARTED: dict[str, Any] = {**_CLAUDE, "content": [], "stop_reason": None}


def _said(text: str) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": text},
    }


CLAUDE_FRAMES = sse(
    {
        "type": "message_start",
        "message": {**_STARTED, "usage": {**CLAUDE_USAGE, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    _said("Hel"),
    _said("lo"),
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 40},
    },
    {"type": "message_stop"},
)
# 30*3 + 1000*0.3 + 150*3.75 + 50*6 + 40*15 = 90 + 300 + 562.5 + 300 + 600 = 1852.5 millionths
CLAUDE_TOKENS_USD = Decimal("0.0018525")
CLAUDE_USD = CLAUDE_TOKENS_USD + 2 * Decimal("0.01")
CLAUDE_BUCKETS = {
    "tokens.in.text": 30,
    "tokens.in.cache_read": 1000,
    "tokens.in.cache_write": 150,
    "tokens.in.cache_write.1h": 50,
    "tokens.out.text": 40,
}
# Where Anthropic's own shape is handed on, it says how long each is kept.
MESSAGES_BUCKETS = {
    "tokens.in.text": 30,
    "tokens.in.cache_read": 1000,
    "tokens.in.cache_write.5m": 150,
    "tokens.in.cache_write.1h": 50,
    "tokens.out.text": 40,
}

GEMINI = {
    "candidates": [
        {
            "content": {"parts": [{"text": "Hello"}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 1030,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r1",
}
# 600*0.3 + 400*0.03 + 30*2.5 = 180 + 12 + 75 = 267 millionths
GEMINI_USD = Decimal("0.000267")
GEMINI_BUCKETS = {
    "tokens.in.text": 600,
    "tokens.in.cache_read": 400,
    "tokens.out.text": 10,
    "tokens.out.reasoning": 20,
}

_SERVED = "gpt-4o-mini-2024-07-18"
_CHAT_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 10,
    "total_tokens": 1010,
    "prompt_tokens_details": {"cached_tokens": 400},
}


def _chunk(choices: list[Any], **more: Any) -> dict[str, Any]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": _SERVED}
    return {**head, "choices": choices, **more}


def _delta(delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
    return _chunk([{"index": 0, "delta": delta, "finish_reason": reason}])


_DONE = [b"data: [DONE]\n\n"]
_PIECES = sse(
    _delta({"role": "assistant", "content": "Hel"}), _delta({"content": "lo"}), _delta({}, "stop")
)
GPT_FRAMES = [*_PIECES, *sse(_chunk([], usage=_CHAT_USAGE)), *_DONE]
GPT_FRAMES_WITHOUT_USAGE = [*_PIECES, *_DONE]
GPT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": _SERVED,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": _CHAT_USAGE,
}
# 600*0.15 + 400*0.075 + 10*0.6 = 90 + 30 + 6 = 126 millionths
GPT_USD = Decimal("0.000126")
GPT_BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 10}

EMBEDDING = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
EMBEDDING_USD = Decimal("0.00000016")  # 8 * 0.02 millionths

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": _SERVED,
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "temperature": 1,
    "top_p": 1,
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1010,
    },
}
RESPONSE_FRAMES = sse(
    {
        "type": "response.created",
        "response": {**RESPONSE, "status": "in_progress", "usage": None, "output": []},
        "sequence_number": 0,
    },
    {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hello",
        "sequence_number": 1,
        "logprobs": [],
    },
    {"type": "response.completed", "response": RESPONSE, "sequence_number": 2},
)
_TEXT: dict[str, Any] = {"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}
COMPLETION: dict[str, Any] = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [_TEXT],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010},
}
COMPLETION_FRAMES = [
    *sse(
        {**COMPLETION, "choices": [{**_TEXT, "text": "Hel", "finish_reason": None}], "usage": None},
        {**COMPLETION, "choices": [{**_TEXT, "text": "lo"}], "usage": None},
        {**COMPLETION, "choices": []},
    ),
    *_DONE,
]
COMPLETION_BUCKETS = {"tokens.in.text": 1000, "tokens.out.text": 10}
COMPLETION_USD = Decimal("0.00152")  # 1000 * 1.50 + 10 * 2 millionths

REFUSED = {"error": {"message": "x", "type": "invalid_request_error", "code": "bad_value"}}
