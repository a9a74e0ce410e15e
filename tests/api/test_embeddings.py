"""Metered embeddings: usage, cost and record of every provider, by hand."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import costspan
from costspan.core.endpoint import Endpoint
from costspan.core.errors import NotFoundError
from costspan.core.policy import Policy
from costspan.pricing.types import Cost, Estimate

if TYPE_CHECKING:
    from tests.conftest import FrameServer


def openai_body(model: str, tokens: int) -> dict[str, object]:
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"data": [{"index": 0, "embedding": [0.5]}], "model": model, "usage": usage}


ANSWERS: list[tuple[str, str, dict[str, object], str, str | None, str]] = [
    # 1234 x $0.02 a million
    (
        "openai/text-embedding-3-small",
        "/embeddings",
        openai_body("text-embedding-3-small", 1234),
        "openai",
        "0.00002468",
        "priced",
    ),
    # 1234 x $0.10
    (
        "mistral/mistral-embed",
        "/embeddings",
        openai_body("mistral-embed", 1234),
        "mistral",
        "0.0001234",
        "priced",
    ),
    # 1234 x $0.15
    (
        "gemini/gemini-embedding-001",
        "/models/gemini-embedding-001:batchEmbedContents",
        {"embeddings": [{"values": [0.5]}], "usageMetadata": {"promptTokenCount": 1234}},
        "google",
        "0.0001851",
        "priced",
    ),
    # 1234 x $0.12
    (
        "cohere/embed-v4.0",
        "/v2/embed",
        {"embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 1234}}},
        "cohere",
        "0.00014808",
        "priced",
    ),
    (
        "ollama/nomic-embed-text",
        "/api/embed",
        {"model": "nomic-embed-text", "embeddings": [[0.5]], "prompt_eval_count": 1234},
        "ollama",
        "0",
        "free",
    ),
    # A model without a known price costs NULL and not zero.
    (
        "together/nobody-knows",
        "/embeddings",
        openai_body("nobody-knows", 1234),
        "together",
        None,
        "unpriced",
    ),
]


@pytest.mark.parametrize(("model", "path", "body", "provider", "cost", "status"), ANSWERS)
def test_cost_and_record(
    frame_server: FrameServer,
    memory: costspan.InMemoryExporter,
    model: str,
    path: str,
    body: dict[str, object],
    provider: str,
    cost: str | None,
    status: str,
) -> None:
    frame_server.json(path, body)
    arguments: dict[str, Any] = {"base_url": frame_server.url, "api_key": "k"}

    replies = [
        costspan.embedding(model, "Hello there", **arguments),
        asyncio.run(costspan.aembedding(model, "Hello there", **arguments)),
    ]

    costspan.flush()
    assert len(memory.calls) == 2
    for reply, call in zip(replies, memory.calls, strict=True):
        assert isinstance(reply.cost, Cost)
        assert isinstance(reply.estimate, Estimate)
        assert reply.data[0].embedding == [0.5]
        assert (reply.cost.status, reply.cost.total) == (status, cost and Decimal(cost))
        assert call.operation == "embeddings"
        assert call.cost_usd == (cost and Decimal(cost))
        (request,) = call.requests
        assert (request.provider, request.api) == (provider, "embeddings")
        assert request.model_requested == model
        assert request.usage is not None
        assert dict(request.usage.buckets) == {"tokens.in.text": 1234}
        assert request.usage.source == "provider"
        assert (request.endpoint, request.port) == ("127.0.0.1", frame_server.port)


def test_estimate_of_texts_and_of_token_ids(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json("/embeddings", openai_body("text-embedding-3-small", 3))
    arguments: dict[str, Any] = {"base_url": frame_server.url, "api_key": "k"}
    reply = costspan.embedding("openai/text-embedding-3-small", [[1, 2], [3]], **arguments)
    assert isinstance(reply.estimate, Estimate)
    assert reply.estimate.input_tokens.likely == 3
    assert reply.estimate.output_tokens.high == 0
    costspan.embedding("openai/text-embedding-3-small", "Hi", dimensions=4, **arguments)
    assert memory.calls[1].request_params == {"dimensions": 4}


def test_failures_are_recorded(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json("/embeddings", {"error": {"code": "model_not_found"}}, 404)
    with pytest.raises(NotFoundError):
        costspan.embedding("openai/gone", "Hi", base_url=frame_server.url, api_key="k")
    costspan.flush()
    (call,) = memory.calls
    assert (call.operation, call.status) == ("embeddings", "error")
    assert call.error is not None
    assert call.error.type == "costspan.NotFoundError"


def test_attempts_are_one_call(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json("/embeddings", {"error": {"message": "down"}}, 500)
    frame_server.json("/embeddings", openai_body("text-embedding-3-small", 50))
    costspan.embedding(
        "openai/text-embedding-3-small",
        "Hi",
        base_url=frame_server.url,
        api_key="k",
        policy=Policy(max_retries=1, first_wait_s=0.001),
    )
    costspan.flush()
    (call,) = memory.calls
    assert call.retries == 1
    # 50 x $0.02 a million, once.
    assert call.cost_usd == Decimal("0.000001")


def test_servers_of_ones_own(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", openai_body("m", 3))
    mine = Endpoint("mine", base_url=frame_server.url, key_required=False)
    meter = costspan.Meter(exporters=[], endpoints={"mine": mine})
    reply = costspan.embedding("mine/m", "Hi", meter=meter)
    assert reply.data[0].embedding == [0.5]


def test_switched_off(
    frame_server: FrameServer, memory: costspan.InMemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTSPAN_DISABLED", "1")
    frame_server.json("/embeddings", openai_body("m", 3))
    reply = costspan.embedding("openai/m", "Hi", base_url=frame_server.url, api_key="k")
    assert reply.cost is None
    assert memory.calls == ()


def test_answers_without_usage_are_counted_and_said_so(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    body = {"data": [{"index": 0, "embedding": [0.5]}], "model": "text-embedding-3-small"}
    frame_server.json("/embeddings", body)
    reply = costspan.embedding(
        "openai/text-embedding-3-small", "hi", base_url=frame_server.url, api_key="k"
    )
    assert reply.usage is None
    assert isinstance(reply.cost, Cost)
    costspan.flush()
    (request,) = memory.calls[0].requests
    assert request.usage is not None
    assert request.usage.source == "estimated"
    assert request.usage.input_tokens == 1
    # One token of $0.02 a million.
    assert reply.cost.total == Decimal("0.00000002")


def test_metadata_tags_the_call_and_is_not_sent(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json("/embeddings", openai_body("text-embedding-3-small", 5))
    costspan.embedding(
        "openai/text-embedding-3-small",
        "Hello",
        base_url=frame_server.url,
        api_key="k",
        metadata={"team": "search", "tags": ["env:prod"]},
    )
    assert "metadata" not in frame_server.requests[0].json
    (call,) = memory.calls
    assert call.tags == {"team": "search", "env": "prod"}
