"""Every surface of the groq SDK, on every way out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import groq
import pytest
import stainless
import wire
from bed import Bed
from stainless import check_attempts, lines, octets, raw, raw_stream
from surfaces import Surface, Way, check, rows

if TYPE_CHECKING:
    pass

CHAT: dict[str, Any] = {
    "model": "llama-3.3-70b-versatile",
    "messages": [{"role": "user", "content": "hi"}],
}
USAGE = {
    "queue_time": 0.01,
    "prompt_tokens": 1000,
    "prompt_time": 0.02,
    "completion_tokens": 100,
    "completion_time": 0.3,
    "total_tokens": 1100,
    "total_time": 0.32,
}
BODY = {**wire.CHAT_BODY, "model": CHAT["model"], "usage": USAGE, "x_groq": {"id": "req_1"}}
# The usage comes with the last chunk, in a field of its own.
STREAM = [
    *wire.sse(
        *(
            {
                **wire.chat_chunk(
                    choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}]
                ),
                "model": CHAT["model"],
            }
            for word in ("One ", "two ", "three.")
        ),
        {
            **wire.chat_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
            "model": CHAT["model"],
            "x_groq": {"id": "req_1", "usage": USAGE},
        },
    ),
    b"data: [DONE]\n\n",
]


def client(url: str) -> groq.Groq:
    return groq.Groq(base_url=url, api_key="k", max_retries=0)


def async_client(url: str) -> groq.AsyncGroq:
    return groq.AsyncGroq(base_url=url, api_key="k", max_retries=0)


def both(name: str, answer: Any, **fields: Any) -> list[Surface]:
    """A surface of both clients."""
    return stainless.both(
        name,
        (client, async_client),
        path="/openai/v1/chat/completions",
        answer=answer,
        provider="groq",
        buckets={"tokens.in.text": 1000, "tokens.out.text": 100},
        cost_usd=Decimal("0.000669"),  # 1000 x $0.59 + 100 x $0.79 per million tokens
        **fields,
    )


SURFACES = [
    *both("chat", BODY, ask=lambda c: c.chat.completions.create(**CHAT)),
    *both("chat stream", STREAM, open=lambda c: c.chat.completions.create(**CHAT, stream=True)),
    *both("chat raw", BODY, ask=raw(lambda c: c.chat.completions.with_raw_response.create(**CHAT))),
    *both(
        "chat raw stream",
        STREAM,
        open=raw_stream(lambda c: c.chat.completions.with_raw_response.create(**CHAT, stream=True)),
    ),
    *both(
        "chat streaming response",
        STREAM,
        open=lambda c: c.chat.completions.with_streaming_response.create(**CHAT, stream=True),
        items=lines,
    ),
    *both(
        "chat streaming response bytes",
        STREAM,
        open=lambda c: c.chat.completions.with_streaming_response.create(**CHAT, stream=True),
        items=octets,
    ),
    *both(
        "chat of a copy",
        BODY,
        ask=lambda c: c.with_options(timeout=9).copy().chat.completions.create(**CHAT),
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


@pytest.mark.parametrize("surface", SURFACES[:4], ids=lambda s: s.name)
def test_attempts_of_the_sdk_are_one_call(bed: Bed, surface: Surface) -> None:
    check_attempts(surface, bed)
