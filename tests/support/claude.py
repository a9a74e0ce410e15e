"""Every surface of the anthropic SDK, of 0.125 as well as of 2."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anthropic
import stainless
import wire
from pydantic import BaseModel
from stainless import final, octets, raw, raw_stream
from surfaces import Surface

HI: list[Any] = [{"role": "user", "content": "hi"}]
MSG: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": HI}
PATH = "/v1/messages"

BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100}
# Sonnet 5: 600 x $2 + 400 x $0.20 (cache read) + 100 x $10 per million tokens.
USD = Decimal("0.00228")


class Answer(BaseModel):
    """A shape that a reply is parsed into."""

    text: str


PARSED = {**wire.MESSAGE_BODY, "content": [{"type": "text", "text": '{"text": "yes"}'}]}


def client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)


def async_client(url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0)


def both(name: str, answer: Any, **fields: Any) -> list[Surface]:
    """A surface of both clients."""
    return stainless.both(
        name,
        (client, async_client),
        path=PATH,
        answer=answer,
        provider="anthropic",
        buckets=BUCKETS,
        cost_usd=USD,
        **fields,
    )


def words(stream: Any) -> Any:
    """What is iterated of a helper's stream: its text."""
    return stream.text_stream


SURFACES = [
    *both("create", wire.MESSAGE_BODY, ask=lambda c: c.messages.create(**MSG)),
    *both("stream", wire.MESSAGE_STREAM, open=lambda c: c.messages.create(**MSG, stream=True)),
    *both("parse", PARSED, ask=lambda c: c.messages.parse(**MSG, output_format=Answer)),
    *both(
        "helper",
        wire.MESSAGE_STREAM,
        ask=final(lambda c: c.messages.stream(**MSG), "get_final_message"),
        open=lambda c: c.messages.stream(**MSG),
    ),
    *both(
        "helper text",
        wire.MESSAGE_STREAM,
        ask=final(lambda c: c.messages.stream(**MSG), "get_final_text"),
        open=lambda c: c.messages.stream(**MSG),
        items=words,
        first=5,
    ),
    *both("raw", wire.MESSAGE_BODY, ask=raw(lambda c: c.messages.with_raw_response.create(**MSG))),
    *both(
        "raw stream",
        wire.MESSAGE_STREAM,
        open=raw_stream(lambda c: c.messages.with_raw_response.create(**MSG, stream=True)),
    ),
    *both(
        "streaming response",
        wire.MESSAGE_STREAM,
        open=lambda c: c.messages.with_streaming_response.create(**MSG, stream=True),
        items=octets,
    ),
    *both("beta create", wire.MESSAGE_BODY, ask=lambda c: c.beta.messages.create(**MSG)),
    *both(
        "beta stream",
        wire.MESSAGE_STREAM,
        open=lambda c: c.beta.messages.create(**MSG, stream=True),
    ),
    *both("beta parse", PARSED, ask=lambda c: c.beta.messages.parse(**MSG, output_format=Answer)),
    *both(
        "beta helper",
        wire.MESSAGE_STREAM,
        ask=final(lambda c: c.beta.messages.stream(**MSG), "get_final_message"),
        open=lambda c: c.beta.messages.stream(**MSG),
    ),
    *both(
        "create of a copy",
        wire.MESSAGE_BODY,
        ask=lambda c: c.with_options(timeout=9).copy().messages.create(**MSG),
    ),
]
