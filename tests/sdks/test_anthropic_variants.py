"""Anthropic's clients for the clouds: Bedrock, Vertex, Foundry and others, on every way out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
import stainless
import wire
from aws_wire import FRAMES, exception, packed
from bed import Bed
from claude import HI
from stainless import final, raw
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
HAIKU = "claude-haiku-4-5"
BEDROCK_PATH = f"/model/{CLAUDE}/"
VERTEX_PATH = (
    "/projects/p/locations/us-east5/publishers/anthropic/models/claude-haiku-4-5@20251001:"
)
BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100}
# Haiku 4.5, per million: $1 in, $0.10 read from the cache, $5 out; 10 % more in a region of
# Bedrock and Vertex.
USD = Decimal("0.00114")
REGIONAL_USD = Decimal("0.001254")

USAGE = {"input_tokens": 600, "cache_read_input_tokens": 400, "output_tokens": 100}
BODY = {
    **wire.MESSAGE_BODY,
    "model": "claude-haiku-4-5-20251001",
    "usage": {**USAGE, "service_tier": "standard"},
}
METRICS = {"inputTokenCount": 600, "outputTokenCount": 100, "cacheReadInputTokenCount": 400}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**BODY, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello."},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 100},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS},
]
PACKED = [packed(each) for each in EVENTS]
SSE = wire.named(*EVENTS)

AWS: dict[str, Any] = {
    "aws_access_key": "k",
    "aws_secret_key": "s",
    "aws_region": "us-east-1",
    "max_retries": 0,
}
VERTEX: dict[str, Any] = {
    "region": "us-east5",
    "project_id": "p",
    "access_token": "t",
    "max_retries": 0,
}
KEY: dict[str, Any] = {"api_key": "k", "max_retries": 0}


def clients(
    names: tuple[str, str], **options: Any
) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    """How the sync and the async client of a cloud are made."""

    def making(name: str) -> Callable[[str], Any]:
        return lambda url: getattr(anthropic, name)(base_url=url, **options)

    return making(names[0]), making(names[1])


BEDROCK = clients(("AnthropicBedrock", "AsyncAnthropicBedrock"), **AWS)
MANTLE = clients(("AnthropicBedrockMantle", "AsyncAnthropicBedrockMantle"), **AWS)
ON_VERTEX = clients(("AnthropicVertex", "AsyncAnthropicVertex"), **VERTEX)
FOUNDRY = clients(("AnthropicFoundry", "AsyncAnthropicFoundry"), **KEY)


def surfaces(
    cloud: str,
    made: tuple[Callable[[str], Any], Callable[[str], Any]],
    model: str,
    paths: tuple[str, str],
    frames: list[bytes],
    **fields: Any,
) -> list[Surface]:
    """Plain, raw, streamed and by the helper, of both clients of a cloud."""
    asked: dict[str, Any] = {"model": model, "max_tokens": 100, "messages": HI}
    fields = {"buckets": BUCKETS, **fields}
    streamed = {**fields, "path": paths[1], "answer": frames}
    if frames is PACKED:
        streamed["headers"] = FRAMES
    plain = {**fields, "path": paths[0], "answer": BODY}
    return [
        *stainless.both(f"{cloud} create", made, ask=lambda c: c.messages.create(**asked), **plain),
        *stainless.both(
            f"{cloud} raw",
            made,
            ask=raw(lambda c: c.messages.with_raw_response.create(**asked)),
            **plain,
        ),
        *stainless.both(
            f"{cloud} stream",
            made,
            open=lambda c: c.messages.create(**asked, stream=True),
            first=3,
            **streamed,
        ),
        *stainless.both(
            f"{cloud} helper",
            made,
            ask=final(lambda c: c.messages.stream(**asked), "get_final_message"),
            open=lambda c: c.messages.stream(**asked),
            first=3,
            **streamed,
        ),
    ]


SURFACES = [
    *surfaces(
        "bedrock",
        BEDROCK,
        CLAUDE,
        (f"{BEDROCK_PATH}invoke", f"{BEDROCK_PATH}invoke-with-response-stream"),
        PACKED,
        provider="aws",
        cost_usd=REGIONAL_USD,
    ),
    *surfaces(
        "vertex",
        ON_VERTEX,
        "claude-haiku-4-5@20251001",
        (f"{VERTEX_PATH}rawPredict", f"{VERTEX_PATH}streamRawPredict"),
        SSE,
        provider="vertex",
        cost_usd=REGIONAL_USD,
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    call = check(surface, way, bed)
    assert call is not None
    assert call.last.api == "messages"


OTHERS: list[Any] = [
    # Bedrock's newer endpoint speaks Anthropic's own format, with Bedrock's names of models.
    (MANTLE, "anthropic.claude-haiku-4-5-20251001-v1:0", "aws", "us-east-1", REGIONAL_USD),
    # Anthropic's own platform, sold by AWS and by Google: Anthropic's names and prices.
    (
        clients(
            ("AnthropicAWS", "AsyncAnthropicAWS"),
            api_key="k",
            workspace_id="w",
            aws_region="us-east-1",
            max_retries=0,
        ),
        HAIKU,
        "anthropic",
        None,
        USD,
    ),
    (
        clients(
            ("AnthropicGoogleCloud", "AsyncAnthropicGoogleCloud"),
            skip_auth=True,
            workspace_id="w",
            project="p",
            location="global",
            max_retries=0,
        ),
        HAIKU,
        "anthropic",
        None,
        USD,
    ),
    # Azure's price of Claude is not in the catalogue.
    (FOUNDRY, HAIKU, "azure", None, None),
]


@pytest.mark.parametrize(("made", "model", "provider", "region", "usd"), OTHERS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_other_clouds(
    bed: Bed,
    shared_frame_server: FrameServer,
    made: tuple[Callable[[str], Any], Callable[[str], Any]],
    model: str,
    provider: str,
    region: str | None,
    usd: Decimal | None,
    streaming: bool,
) -> None:
    bed.memory.clear()
    shared_frame_server.reset()
    asked: dict[str, Any] = {"model": model, "max_tokens": 100, "messages": HI}
    for _ in range(2):
        if streaming:
            shared_frame_server.script("/v1/messages", frames=SSE)
        else:
            shared_frame_server.json("/v1/messages", BODY)
    make, amake = made
    with wrap(make(shared_frame_server.url), lambda: bed.meter) as client:
        reply = client.messages.create(**asked, stream=streaming)
        list(reply)
    async with wrap(amake(shared_frame_server.url), lambda: bed.meter) as aclient:
        areply = await aclient.messages.create(**asked, stream=streaming)
        if streaming:
            [event async for event in areply]

    bed.meter.flush()
    assert len(bed.memory.calls) == 2
    for call in bed.memory.calls:
        assert (call.last.provider, call.last.api) == (provider, "messages")
        assert call.last.model_requested == model
        assert call.last.context.get("region") == region
        assert call.usage is not None
        assert {name: n for name, n in call.usage.buckets.items() if n} == BUCKETS
        assert call.cost_usd == usd


async def test_an_exception_in_the_middle_of_a_stream_of_bedrock(
    bed: Bed, shared_frame_server: FrameServer
) -> None:
    bed.memory.clear()
    shared_frame_server.reset()
    frames = [*PACKED[:3], exception("throttlingException", message="too fast")]
    shared_frame_server.script(
        f"{BEDROCK_PATH}invoke-with-response-stream", headers=FRAMES, frames=frames
    )
    with (
        wrap(BEDROCK[0](shared_frame_server.url), lambda: bed.meter) as client,
        # A ValueError in 0.125.
        pytest.raises((anthropic.APIStatusError, ValueError)),
    ):
        list(client.messages.create(model=CLAUDE, max_tokens=9, messages=HI, stream=True))
    bed.meter.flush()
    (call,) = bed.memory.calls
    assert call.status == "error"
    assert call.error is not None
    assert call.error.type == "throttlingException"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"
