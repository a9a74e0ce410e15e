"""Each wire format of our own core, metered: whose call it was, and what it cost by hand.

Prices in dollars per million tokens, from the providers' price lists of 2026-11: gpt-5 1.25 in,
0.125 cached, 10 out; claude-sonnet-4-5 3 and 15, cached 0.30; gemini-2.5-pro to 200,000 tokens 1.25
and 10, cached 0.125; command-a 2.50 and 10; gpt-4o 2.50 and 10.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import costspan

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
TEXT = [{"text": "Hi."}]

RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-5-2025-08-07",
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi.", "annotations": []}],
        }
    ],
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens": 200,
        "output_tokens_details": {"reasoning_tokens": 150},
        "total_tokens": 1200,
    },
}
GEMINI = {
    "responseId": "g-1",
    "modelVersion": "gemini-2.5-pro",
    "candidates": [{"content": {"role": "model", "parts": TEXT}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "candidatesTokenCount": 50,
        "thoughtsTokenCount": 150,
        "totalTokenCount": 1200,
    },
}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": TEXT}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 600,
        "cacheReadInputTokens": 400,
        "outputTokens": 200,
        "totalTokens": 1200,
    },
}
COHERE = {
    "id": "c-1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi."}]},
    "usage": {
        "billed_units": {"input_tokens": 1000, "output_tokens": 200},
        "tokens": {"input_tokens": 1500, "output_tokens": 210},
    },
}
OLLAMA = {
    "model": "llama3",
    "message": {"role": "assistant", "content": "Hi."},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 1000,
    "eval_count": 200,
}
CHAT = {
    "id": "a-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
}
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
DEPLOYMENT = "/openai/deployments/gpt-4o/chat/completions"


@pytest.mark.parametrize(
    ("model", "base", "path", "body", "more", "provider", "api", "total"),
    [
        # 600 x 1.25 + 400 x 0.125 + 200 x 10
        ("openai/gpt-5", "/v1", "/v1/responses", RESPONSES, {"api": "responses"}, "openai",
         "responses", "0.0028"),
        # 600 x 1.25 + 400 x 0.125 + (50 + 150) x 10
        ("gemini/gemini-2.5-pro", "/v1beta", "/v1beta/models/gemini-2.5-pro:generateContent",
         GEMINI, {}, "google", "generateContent", "0.0028"),
        ("vertex_ai/gemini-2.5-pro", "/v1", "/v1/models/gemini-2.5-pro:generateContent",
         GEMINI, {"project": "p"}, "vertex", "generateContent", "0.0028"),
        # (600 x 3 + 400 x 0.30 + 200 x 15) x 1.1: an id without "global." is answered in the region
        (f"bedrock/{SONNET}", "", f"/model/{SONNET.replace(':', '%3A')}/converse", CONVERSE,
         {"region": "us-east-1"}, "aws", "converse", "0.005412"),
        # 1000 x 2.50 + 200 x 10: what is billed, not what was counted
        ("cohere/command-a-03-2025", "", "/v2/chat", COHERE, {}, "cohere", "cohere-v2", "0.0045"),
        ("ollama/llama3", "", "/api/chat", OLLAMA, {}, "ollama", "ollama", "0"),
        # 1000 x 2.50 + 200 x 10
        ("azure/gpt-4o", "", DEPLOYMENT, CHAT, {}, "azure", "chat", "0.0045"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.count("/") == 1 else "",
)  # fmt: skip
def test_whose_call_it_was_and_what_it_cost(
    model: str,
    base: str,
    path: str,
    body: dict[str, Any],
    more: dict[str, Any],
    provider: str,
    api: str,
    total: str,
    frame_server: FrameServer,
) -> None:
    memory = costspan.InMemoryExporter()
    meter = costspan.Meter(exporters=[memory])
    frame_server.json(path, body)
    reply = costspan.completion(
        model, HELLO, meter=meter, base_url=frame_server.url + base, api_key="k", **more
    )
    assert reply.choices[0].message.content == "Hi."
    (call,) = memory.calls
    (request,) = call.requests
    assert (request.provider, request.api, call.status) == (provider, api, "ok")
    assert request.cost is not None
    assert reply.cost.total == request.cost.total == Decimal(total)
    assert request.usage is not None
    assert request.usage.input_tokens == 1000
    assert request.usage.output_tokens == 200
    assert request.usage.source == "provider"
