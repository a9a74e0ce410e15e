"""One call of google-genai that makes several requests: their bodies, and who asks for them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import types

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call

if TYPE_CHECKING:
    from tests.conftest import FrameServer
MODEL = "gemini-2.5-flash"
PATH = f"/v1beta/models/{MODEL}"
# Gemini 2.5 Flash: $0.30 in, $2.50 out per million tokens.
FIRST_USD = Decimal("0.00055")  # 1000 in, 100 out
SECOND_USD = Decimal("0.000725")  # 2000 in, 50 out
FAST: dict[str, Any] = {"attempts": 3, "initial_delay": 0.001, "max_delay": 0.001, "jitter": 0}


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def body(
    part: dict[str, Any] | None, prompt: int, answer: int, number: int = 1, **candidate: Any
) -> dict[str, Any]:
    content = {"role": "model", "parts": None if part is None else [part]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0, **candidate}],
        "usageMetadata": {
            "promptTokenCount": prompt,
            "candidatesTokenCount": answer,
            "totalTokenCount": prompt + answer,
        },
        "modelVersion": MODEL,
        "responseId": f"r{number}",
    }


CALLING = body({"functionCall": {"name": "weather", "args": {"city": "Bern"}}}, 1000, 100, 1)
SAYING = body({"text": "Sunny."}, 2000, 50, 2)


def frame(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\r\n\r\n"


_TLS = {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}  # made once: it takes 20 ms


def new(server: FrameServer, **options: Any) -> genai.Client:
    options |= {"client_args": _TLS, "async_client_args": _TLS}
    options |= {"base_url": server.url, "api_version": "v1beta"}
    return genai.Client(api_key="k", http_options=types.HttpOptions(**options))


def only(meter: Meter, memory: InMemoryExporter) -> Call:
    """The one record; and no failure of ours is behind it."""
    meter.flush()
    assert meter.guard.failures == {}
    (call,) = memory.calls
    return call


async def _aplain(client: genai.Client, asked: dict[str, Any]) -> Any:
    try:
        return await client.aio.models.generate_content(**asked)
    finally:
        await client.aio.aclose()


async def _astream(client: genai.Client, asked: dict[str, Any]) -> Any:
    try:
        return [c async for c in await client.aio.models.generate_content_stream(**asked)][-1]
    finally:
        await client.aio.aclose()


WAYS_OF_ASKING: dict[str, Callable[[genai.Client, dict[str, Any]], Any]] = {
    "plain": lambda c, asked: c.models.generate_content(**asked),
    "stream": lambda c, asked: list(c.models.generate_content_stream(**asked))[-1],
    "async plain": lambda c, asked: asyncio.run(_aplain(c, asked)),
    "async stream": lambda c, asked: asyncio.run(_astream(c, asked)),
}
TOOLS: dict[str, Any] = {"model": MODEL, "contents": "Weather?", "config": {"tools": [weather]}}
asking = pytest.mark.parametrize("how", WAYS_OF_ASKING)


def play(server: FrameServer, how: str, *answers: dict[str, Any]) -> None:
    for answer in answers:
        if "stream" in how:
            server.script(f"{PATH}:streamGenerateContent", frames=[frame(answer)])
        else:
            server.json(f"{PATH}:generateContent", answer)
