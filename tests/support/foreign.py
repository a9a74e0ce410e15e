"""Records as other programs write them, made by hand after their published formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

SONNET = "claude-sonnet-4-5-20250929"
"""3 US dollars a million tokens in, 15 out, 3.75 and 6 written to the cache, 0.30 read."""


def session_line(
    message: str = "msg_1",
    output: int = 100,
    *,
    at: str = "2026-03-02T10:00:05.250Z",
    model: str = SONNET,
    stop: str | None = "end_turn",
    usage: Mapping[str, object] | None = None,
    **entry: object,
) -> dict[str, Any]:
    """One line of a Claude Code session: 10 fresh tokens, 2,000 read, 400 and 600 written."""
    counts = usage or {
        "input_tokens": 10,
        "cache_creation_input_tokens": 1_000,
        "cache_read_input_tokens": 2_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
        "output_tokens": output,
        "service_tier": "standard",
    }
    return {
        "parentUuid": "8f1c",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/ann/shop",
        "sessionId": "session-1",
        "version": "2.1.114",
        "gitBranch": "main",
        "message": {
            "id": message,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": "SECRET REPLY"}],
            "stop_reason": stop,
            "usage": counts,
        },
        "requestId": f"req_{message}",
        "type": "assistant",
        "uuid": f"line-{message}",
        "timestamp": at,
        **entry,
    }


# 10 x 3 + 400 x 3.75 + 600 x 6 + 2,000 x 0.30 + 100 x 15 = 30 + 1,500 + 3,600 + 600 + 1,500
SESSION_LINE_USD = "0.00723"


def prompt_line(at: str = "2026-03-02T10:00:00.000Z") -> dict[str, Any]:
    """What the user asked, as a line of a session."""
    said = {"role": "user", "content": "SECRET PROMPT"}
    return {"type": "user", "sessionId": "session-1", "timestamp": at, "message": said}


def spend_log(request: str = "chatcmpl-1", **columns: object) -> dict[str, Any]:
    """One row of LiteLLM_SpendLogs, as its API gives it: 1,000 tokens in, 400 cached, 50 out."""
    usage = {
        "completion_tokens": 50,
        "prompt_tokens": 1_000,
        "total_tokens": 1_050,
        "completion_tokens_details": {"reasoning_tokens": 20},
        "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0},
    }
    metadata = {
        "user_api_key": "SECRET-HASH",
        "user_api_key_alias": "ci",
        "user_api_key_team_alias": "search",
        "requester_ip_address": "203.0.113.9",
        "status": "success",
        "usage_object": usage,
        "additional_usage_values": {
            name: usage[name] for name in ("prompt_tokens_details", "completion_tokens_details")
        },
        "error_information": None,
    }
    return {
        "request_id": request,
        "call_type": "acompletion",
        "api_key": "SECRET-HASH",
        "spend": 0.0025,
        "total_tokens": 1_050,
        "prompt_tokens": 1_000,
        "completion_tokens": 50,
        "startTime": "2026-03-02T10:00:00.000000+00:00",
        "endTime": "2026-03-02T10:00:02.500000+00:00",
        "request_duration_ms": 2_500,
        "completionStartTime": "2026-03-02T10:00:00.700000+00:00",
        "model": "gpt-4o",
        "model_id": "SECRET-ID",
        "model_group": "smart",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com/v1?key=SECRET",
        "user": "ann",
        "metadata": metadata,
        "cache_hit": "False",
        "cache_key": "SECRET-CACHE",
        "request_tags": ["feature:summary", "nightly"],
        "team_id": "team-7",
        "end_user": "customer-9",
        "requester_ip_address": "203.0.113.9",
        "messages": {"content": "SECRET PROMPT"},
        "response": {"content": "SECRET REPLY"},
        "session_id": "session-2",
        "status": "success",
        **columns,
    }


# 600 x 2.50 + 400 x 1.25 + 50 x 10 = 1,500 + 500 + 500
SPEND_LOG_USD = "0.0025"


def json_lines(*records: object) -> bytes:
    """Each record on a line."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def as_csv(rows: Sequence[Mapping[str, object]], delimiter: str = ",") -> bytes:
    """Rows as databases export them: JSON as text, times without a zone, NULL as nothing."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(name, value) for name, value in row.items()})
    return text.getvalue().encode()


def _cell(name: str, value: object) -> object:
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    if name.endswith("Time") and isinstance(value, str):
        return value.replace("T", " ").removesuffix("+00:00")[:23]
    return "" if value is None else value
