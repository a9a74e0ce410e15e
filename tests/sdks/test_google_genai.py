"""Every surface of google-genai that is recorded, on every way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from bed import Bed
from google import genai
from google.oauth2.credentials import Credentials
from surfaces import Surface, Way, check, rows

MODEL = "gemini-2.5-flash"
ASKED: dict[str, Any] = {"model": MODEL, "contents": "Count to three.", "config": {"seed": 1}}
REFUSED = {"error": {"code": 429, "message": "not now", "status": "RESOURCE_EXHAUSTED"}}


def client(url: str) -> genai.Client:
    return genai.Client(api_key="k", http_options={"base_url": url, "api_version": "v1beta"})


def async_client(url: str) -> Any:
    return client(url).aio


def vertex(url: str) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(token="t"),  # type: ignore[no-untyped-call]  # google-auth
        http_options={"base_url": url, "api_version": "v1"},
    )


def async_vertex(url: str) -> Any:
    return vertex(url).aio


def body(text: str, candidates: int, thoughts: int, finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    return {
        "candidates": [{**candidate, "index": 0, **({"finishReason": finish} if finish else {})}],
        "usageMetadata": {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 400,
            "candidatesTokenCount": candidates,
            "thoughtsTokenCount": thoughts,
            "totalTokenCount": 1000 + candidates + thoughts,
        },
        "modelVersion": MODEL,
        "responseId": "r1",
    }


WHOLE = body("One two three.", 60, 40, "STOP")
CHUNKS = [
    b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"
    for chunk in (
        body("One", 10, 40, None),
        body(" two", 20, 40, None),
        body(" three.", 60, 40, "STOP"),
    )
]


def generating(
    name: str, make: Callable[[str], Any], ask: Any, answer: Any, **fields: Any
) -> Surface:
    # Gemini 2.5 Flash: 600 x $0.30 + 400 x $0.03 (cached) + (60 + 40 thought) x $2.50 per million.
    on_vertex = make in (vertex, async_vertex)
    start = "/v1/projects/p/locations/us-central1/publishers/google" if on_vertex else "/v1beta"
    method = "generateContent" if isinstance(answer, dict) else "streamGenerateContent"
    return Surface(
        name,
        make,
        ask,
        f"{start}/models/{MODEL}:{method}",
        answer,
        provider="vertex" if on_vertex else "google",
        buckets={
            "tokens.in.text": 600,
            "tokens.in.cache_read": 400,
            "tokens.out.text": 60,
            "tokens.out.reasoning": 40,
        },
        cost_usd=Decimal("0.000442"),
        error=(429, REFUSED),
        lazy="open" in fields,
        **fields,
    )


def embedding(
    name: str, make: Callable[[str], Any], answer: dict[str, Any], counted: bool, **fields: Any
) -> Surface:
    # Gemini Embedding: 9 x $0.15 per million tokens; the older models of Vertex, which answer
    # predictions, have no price in the catalogue.
    on_vertex, predicts = make in (vertex, async_vertex), "predictions" in answer
    start = "/v1/projects/p/locations/us-central1/publishers/google" if on_vertex else "/v1beta"
    model = "text-embedding-005" if predicts else "gemini-embedding-001"
    return Surface(
        name,
        make,
        lambda c: c.models.embed_content(model=model, contents=["one", "two"]),
        f"{start}/models/{model}:{'predict' if predicts else 'batchEmbedContents'}",
        answer,
        provider="vertex" if on_vertex else "google",
        buckets={"tokens.in.text": 9} if counted else None,
        cost_usd=None if predicts else Decimal("0.00000135"),
        cost_status="unpriced" if predicts else "priced",
        error=(429, REFUSED),
        **fields,
    )


async def agenerate_stream(client: Any) -> Any:
    return [chunk async for chunk in await client.models.generate_content_stream(**ASKED)]


async def achat_stream(client: Any) -> Any:
    chat = client.chats.create(model=MODEL)
    chunks = [chunk async for chunk in await chat.send_message_stream("Count to three.")]
    return [*chunks, chat.get_history()]


def chat_stream(client: genai.Client) -> Any:
    chat = client.chats.create(model=MODEL)
    return [*chat.send_message_stream("Count to three."), chat.get_history()]


EMBEDDED = {"embeddings": [{"values": [0.5, -0.25]}, {"values": [0.25, 0.5]}]}
COUNTED = {**EMBEDDED, "usageMetadata": {"promptTokenCount": 9}}
PREDICTED = {
    "predictions": [
        {"embeddings": {"values": [0.5], "statistics": {"token_count": 4, "truncated": False}}},
        {"embeddings": {"values": [0.5], "statistics": {"token_count": 5, "truncated": False}}},
    ],
    "metadata": {"billableCharacterCount": 6},
}

SURFACES = [
    generating("generate", client, lambda c: c.models.generate_content(**ASKED), WHOLE),
    generating(
        "async generate",
        async_client,
        lambda c: c.models.generate_content(**ASKED),
        WHOLE,
        is_async=True,
    ),
    generating(
        "stream",
        client,
        lambda c: list(c.models.generate_content_stream(**ASKED)),
        CHUNKS,
        open=lambda c: c.models.generate_content_stream(**ASKED),
    ),
    generating(
        "async stream",
        async_client,
        agenerate_stream,
        CHUNKS,
        open=lambda c: c.models.generate_content_stream(**ASKED),
        is_async=True,
    ),
    generating(
        "chat",
        client,
        lambda c: c.chats.create(model=MODEL).send_message("Count to three."),
        WHOLE,
    ),
    generating(
        "async chat",
        async_client,
        lambda c: c.chats.create(model=MODEL).send_message("Count to three."),
        WHOLE,
        is_async=True,
    ),
    generating(
        "chat stream",
        client,
        chat_stream,
        CHUNKS,
        open=lambda c: c.chats.create(model=MODEL).send_message_stream("Count to three."),
    ),
    generating(
        "async chat stream",
        async_client,
        achat_stream,
        CHUNKS,
        open=lambda c: c.chats.create(model=MODEL).send_message_stream("Count to three."),
        is_async=True,
    ),
    generating("vertex generate", vertex, lambda c: c.models.generate_content(**ASKED), WHOLE),
    generating(
        "async vertex stream",
        async_vertex,
        agenerate_stream,
        CHUNKS,
        open=lambda c: c.models.generate_content_stream(**ASKED),
        is_async=True,
    ),
    embedding("embed", client, EMBEDDED, counted=False),
    embedding("async embed", async_client, EMBEDDED, counted=False, is_async=True),
    embedding("embed with usage", client, COUNTED, counted=True),
    embedding("vertex embed", vertex, COUNTED, counted=True),
    embedding("vertex predict", vertex, PREDICTED, counted=True),
    embedding("async vertex predict", async_vertex, PREDICTED, counted=True, is_async=True),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)
