"""Every surface of the anthropic SDK, of 0.125 as well as of 2."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anthropic
import stainless
import wire
from pydantic import BaseModel
from stainless import final, octets, raw, raw_stream
from surfaces import Surface

from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from bed import Bed

    from tests.conftest import FrameServer

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

WANTS_TOOL = {
    **wire.MESSAGE_BODY,
    "id": "msg_0",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}],
    "stop_reason": "tool_use",
}


@anthropic.beta_tool
def lookup() -> str:
    """Look it up."""
    return "42"


def check_tool_runner(bed: Bed, server: FrameServer) -> None:
    """Run a tool, unwrapped and wrapped: each turn is a call."""
    replies: list[Any] = []
    for wrapped in (False, True):
        server.reset()
        server.json(PATH, WANTS_TOOL)
        server.json(PATH, wire.MESSAGE_BODY)
        with client(server.url) as asked:
            if wrapped:
                wrap(asked, lambda: bed.meter)
            bed.memory.clear()
            runner = asked.beta.messages.tool_runner(**MSG, tools=[lookup])
            replies.append([repr(message) for message in runner])

    assert replies[0] == replies[1]
    first, second = bed.calls(2)
    assert (first.last.response_id, second.last.response_id) == ("msg_0", "msg_1")
    assert (first.cost_usd, second.cost_usd) == (USD, USD)


def check_count_tokens(bed: Bed, server: FrameServer) -> None:
    """Have tokens counted, which is no call."""
    server.reset()
    server.json("/v1/messages/count_tokens", {"input_tokens": 8})
    bed.memory.clear()
    with wrap(client(server.url), lambda: bed.meter) as asked:
        counted = asked.messages.count_tokens(model="claude-sonnet-5", messages=HI)
        asked.beta.messages.count_tokens(model="claude-sonnet-5", messages=HI)

    assert counted.input_tokens == 8
    assert bed.calls(0) == ()
