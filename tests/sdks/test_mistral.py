"""Every surface of the mistralai SDK, on every way out, and what is particular about it."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import wire
from bed import Bed
from mistralai.azure.client import MistralAzure
from mistralai.client import Mistral
from mistralai.client.types.basemodel import Unset
from mistralai.client.utils import BackoffStrategy, RetryConfig
from pydantic import BaseModel
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "mistral-large-latest", "messages": HI}
FIM: dict[str, Any] = {"model": "codestral-latest", "prompt": "def f(", "suffix": "return a"}
AGENT: dict[str, Any] = {"agent_id": "ag-1", "messages": HI}
TALK: dict[str, Any] = {"model": "mistral-medium-latest", "inputs": "hi"}
EMBED: dict[str, Any] = {"model": "mistral-embed", "inputs": ["hi"]}
RESP: dict[str, Any] = {"model": "mistral-large-latest", "input": "hi"}

# 600 fresh tokens in, 400 cached, 100 out. Large 3 (2512): $0.50, $0.05 and $1.50 per million.
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
}
BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100}
LARGE_USD = Decimal("0.00047")
# Medium 3 (2505): 1000 x $0.40 + 100 x $2. Embed: 8 x $0.10.
MEDIUM_USD, EMBED_USD = Decimal("0.0006"), Decimal("0.0000008")


class Answer(BaseModel):
    """What ``parse`` is to give."""

    answer: str


def chat_body(text: str = "Hello.", usage: Mapping[str, object] = USAGE) -> dict[str, object]:
    message = {"role": "assistant", "content": text, "tool_calls": None}
    return {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "mistral-large-2512",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


def chunk(content: str, **fields: object) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None, **fields}
    return {
        "id": "cmpl-1",
        "object": "chat.completion.chunk",
        "created": 1764000000,
        "model": "mistral-large-2512",
        "choices": [choice],
    }


CHAT_STREAM = [
    *wire.sse(
        chunk(""), chunk("Hel"), chunk("lo."), {**chunk("", finish_reason="stop"), "usage": USAGE}
    ),
    b"data: [DONE]\n\n",
]
RESPONSES_BODY = {
    **wire.RESPONSES_BODY,
    "model": "mistral-large-2512",
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 0},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1100,
    },
}
RESPONSES_STREAM = [
    *wire.RESPONSES_STREAM[:-1],
    *wire.named(
        {"type": "response.completed", "sequence_number": 4, "response": RESPONSES_BODY},
    ),
]
EMBEDDING = {
    "id": "emb-1",
    "object": "list",
    "model": "mistral-embed",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 0, "total_tokens": 8},
}
TALK_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
OUTPUT = {
    "type": "message.output",
    "id": "msg-1",
    "role": "assistant",
    "content": "Hello.",
    "model": "mistral-medium-2505",
}
TALK_BODY = {
    "object": "conversation.response",
    "conversation_id": "conv-1",
    "outputs": [OUTPUT],
    "usage": TALK_USAGE,
}
TALK_STREAM = wire.named(
    {"type": "conversation.response.started", "conversation_id": "conv-1"},
    {**OUTPUT, "type": "message.output.delta", "content": "Hel"},
    {**OUTPUT, "type": "message.output.delta", "content": "lo."},
    {"type": "conversation.response.done", "usage": TALK_USAGE},
)


def client(url: str) -> Mistral:
    return Mistral(api_key="k", server_url=url)


def azure(url: str) -> MistralAzure:
    return MistralAzure(api_key="k", server_url=url)


async def aread(opening: Any) -> list[Any]:
    return [event async for event in await opening]


def chat(name: str, ask: Any, answer: Any = None, make: Any = client, **fields: Any) -> Surface:
    common: dict[str, Any] = {
        "path": "/v1/chat/completions",
        "provider": "mistral",
        "buckets": BUCKETS,
        "cost_usd": LARGE_USD,
    }
    return Surface(name, make, ask, answer=answer or chat_body(), **{**common, **fields})


def stream(name: str, ask: Any, opening: Any, answer: Any = CHAT_STREAM, **fields: Any) -> Surface:
    return chat(name, ask, answer, open=opening, **fields)


def talk(name: str, ask: Any, answer: Any, **fields: Any) -> Surface:
    buckets = {"tokens.in.text": 1000, "tokens.out.text": 100}
    return chat(
        name,
        ask,
        answer,
        path="/v1/conversations",
        buckets=buckets,
        cost_usd=MEDIUM_USD,
        **fields,
    )


def embed(name: str, ask: Any, **fields: Any) -> Surface:
    buckets = {"tokens.in.text": 8}
    path = "/v1/embeddings"
    return chat(name, ask, EMBEDDING, path=path, buckets=buckets, cost_usd=EMBED_USD, **fields)


PARSED = chat_body('{"answer": "yes"}')

SURFACES = [
    chat("complete", lambda c: c.chat.complete(**CHAT)),
    chat("complete async", lambda c: c.chat.complete_async(**CHAT), is_async=True),
    stream(
        "stream", lambda c: list(c.chat.stream(**CHAT)), lambda c: c.chat.stream(**CHAT), first=2
    ),
    stream(
        "stream async",
        lambda c: aread(c.chat.stream_async(**CHAT)),
        lambda c: c.chat.stream_async(**CHAT),
        first=2,
        is_async=True,
    ),
    chat("parse", lambda c: c.chat.parse(Answer, **CHAT), PARSED),
    chat("parse async", lambda c: c.chat.parse_async(Answer, **CHAT), PARSED, is_async=True),
    stream(
        "parse stream",
        lambda c: list(c.chat.parse_stream(Answer, **CHAT)),
        lambda c: c.chat.parse_stream(Answer, **CHAT),
        first=2,
    ),
    chat("fim", lambda c: c.fim.complete(**FIM), path="/v1/fim/completions"),
    chat("agent", lambda c: c.agents.complete(**AGENT), path="/v1/agents/completions"),
    stream(
        "agent stream async",
        lambda c: aread(c.agents.stream_async(**AGENT)),
        lambda c: c.agents.stream_async(**AGENT),
        first=2,
        is_async=True,
        path="/v1/agents/completions",
    ),
    embed("embed", lambda c: c.embeddings.create(**EMBED)),
    embed("embed async", lambda c: c.embeddings.create_async(**EMBED), is_async=True),
    talk("conversation", lambda c: c.beta.conversations.start(**TALK), TALK_BODY),
    talk(
        "conversation stream",
        lambda c: list(c.beta.conversations.start_stream(**TALK)),
        TALK_STREAM,
        open=lambda c: c.beta.conversations.start_stream(**TALK),
    ),
    chat(
        "responses",
        lambda c: c.responses.create(**RESP),
        RESPONSES_BODY,
        path="/v1/responses",
    ),
    stream(
        "responses stream",
        lambda c: list(c.responses.create(**RESP, stream=True)),
        lambda c: c.responses.create(**RESP, stream=True),
        answer=RESPONSES_STREAM,
        path="/v1/responses",
        first=4,
    ),
    # No region of Azure's has a price for the model of this answer.
    chat(
        "azure",
        lambda c: c.chat.complete(**CHAT),
        make=azure,
        path="/models/chat/completions",
        provider="azure",
        cost_usd=None,
        cost_status="unpriced",
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


def watched(bed: Bed, server: FrameServer, **options: Any) -> Mistral:
    return wrap(Mistral(api_key="k", server_url=server.url, **options), lambda: bed.meter)


def test_what_is_asked(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/chat/completions", chat_body())
    with watched(bed, server) as client:
        client.chat.complete(**CHAT, temperature=0.5, max_tokens=9, service_tier="standard_only")
    (call,) = bed.calls(1)
    assert (call.operation, call.last.api) == ("chat", "chat")
    assert call.last.model_requested == "mistral-large-latest"
    assert call.last.model == "mistral-large-2512"
    assert call.request_params["temperature"] == 0.5
    assert call.last.context["requested_service_tier"] == "standard_only"
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.mistral.ai", "mistral"),
        ("api.eu.mistral.ai", "mistral"),
        ("acme.services.ai.azure.com", "azure"),
        ("llm.example.com", "mistral"),
    ],
)
def test_the_endpoint_is_told_by_the_base_url(
    bed: Bed, server: FrameServer, host: str, provider: str
) -> None:
    # Through a proxy that answers for every host. The open model of another maker is served here.
    server.json(f"http://{host}/v1/chat/completions", chat_body())
    with httpx2.Client(proxy=server.url) as http:
        client = wrap(
            Mistral(api_key="k", server_url=f"http://{host}", client=http), lambda: bed.meter
        )
        client.chat.complete(model="deepseek-v4-1-flash-1017", messages=HI)
    (call,) = bed.calls(1)
    assert (call.last.provider, call.last.endpoint) == (provider, host)


def test_an_address_for_one_call(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/chat/completions", chat_body())
    with wrap(Mistral(api_key="k", server_url="http://127.0.0.1:1"), lambda: bed.meter) as client:
        client.chat.complete(**CHAT, server_url=server.url)
    (call,) = bed.calls(1)
    assert call.last.port == server.port


RETRIES = RetryConfig("backoff", BackoffStrategy(1, 2, 1, 5000), retry_connection_errors=False)


def test_repeated_requests_are_one_call(bed: Bed, server: FrameServer) -> None:
    for status in (429, 503):
        server.json("/v1/chat/completions", {"message": "later"}, status)
    server.json("/v1/chat/completions", chat_body())
    with watched(bed, server, retry_config=RETRIES) as client:
        client.chat.complete(**CHAT)
        client.chat.complete(**CHAT)
    first, second = bed.calls(2)
    assert (first.retries, second.retries) == (2, 0)
    assert first.cost_usd == second.cost_usd == LARGE_USD


async def test_repeated_requests_are_one_call_async(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/chat/completions", {"message": "later"}, 429)
    server.json("/v1/chat/completions", chat_body())
    async with watched(bed, server, retry_config=RETRIES) as client:
        await client.chat.complete_async(**CHAT)
    bed.meter.flush()
    (call,) = bed.memory.calls
    assert (call.status, call.retries) == ("ok", 1)


def test_what_brings_no_tokens_is_not_recorded(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/models", {"object": "list", "data": []})
    with watched(bed, server) as client:
        assert client.models.list().data == []
    assert bed.calls(0) == ()


def test_wrapping_makes_no_part_and_unwrapping_leaves_nothing(
    bed: Bed, server: FrameServer
) -> None:
    client = Mistral(api_key="k", server_url=server.url)
    chat_part = client.chat
    before, hooks = dict(vars(client)), vars(client.sdk_configuration)["_hooks"]
    part_before, hooks_before = dict(vars(chat_part)), dict(vars(hooks))
    for _ in range(3):
        assert wrap(client, lambda: bed.meter) is client
        assert wrap(client, lambda: bed.meter) is client
        assert client.chat is chat_part
        assert "fim" not in vars(client)
        assert unwrap(client) is client
        assert (dict(vars(client)), dict(vars(chat_part))) == (before, part_before)
        assert dict(vars(hooks)) == hooks_before
    wrap(client, lambda: bed.meter)
    parts = client.fim, client.embeddings, client.beta.conversations
    unwrap(client)
    assert all(vars(part).keys() == {"sdk_configuration", "parent_ref"} for part in parts)


def test_the_sdk_still_has_what_is_relied_on() -> None:
    """Names of the SDK without a promise: its import of parts, and its hooks before a request."""
    client = Mistral(api_key="k")
    assert callable(client.dynamic_import)
    assert callable(vars(client.sdk_configuration)["_hooks"].before_request)
    assert not {"Chat", "Agents", "Fim", "Embeddings", "Responses", "Beta"} - {
        name for _, name in client._sub_sdk_map.values()
    }


def test_a_dropped_client_is_freed(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/chat/completions", chat_body())
    client = watched(bed, server)
    client.chat.complete(**CHAT)
    bed.calls(1)
    alive = weakref.ref(client)
    del client
    gc.collect()
    assert alive() is None


def test_a_dropped_stream_is_freed_without_the_collector(bed: Bed, server: FrameServer) -> None:
    server.script("/v1/chat/completions", frames=CHAT_STREAM[:2], cut=True)
    gc.disable()
    try:
        with watched(bed, server) as client:
            stream = client.chat.stream(**CHAT)
            next(stream)
            alive = weakref.ref(stream)
            del stream
            assert alive() is None
            (call,) = bed.calls(1)
    finally:
        gc.enable()
    assert (call.status, call.ended_by) == ("interrupted", "closed")


def test_langfuse_python_870_next_of_a_stream(bed: Bed, server: FrameServer) -> None:
    server.script("/v1/chat/completions", frames=CHAT_STREAM)
    with watched(bed, server) as client:
        stream = client.chat.stream(**CHAT)
        assert next(stream).data.choices[0].delta.content == ""
        assert iter(stream) is stream
        assert len(list(stream)) == 3


def test_openllmetry_3421_async_methods_stay_async(bed: Bed, server: FrameServer) -> None:
    bare, client = Mistral(api_key="k"), watched(bed, server)
    for method in (client.chat.complete_async, client.chat.stream_async, client.chat.parse_async):
        assert inspect.iscoroutinefunction(method)
    assert not inspect.iscoroutinefunction(client.chat.complete)
    assert inspect.signature(client.chat.complete) == inspect.signature(bare.chat.complete)


def test_logfire_64_a_chunk_without_choices(bed: Bed, server: FrameServer) -> None:
    last = {**chunk(""), "choices": [], "usage": USAGE}
    frames = wire.sse(chunk("Hello."), chunk("", finish_reason="stop"), last)
    server.script("/v1/chat/completions", frames=[*frames, b"data: [DONE]\n\n"])
    with watched(bed, server) as client:
        assert len(list(client.chat.stream(**CHAT))) == 3
    (call,) = bed.calls(1)
    assert call.cost_usd == LARGE_USD


def test_opentelemetry_contrib_4152_the_last_usage_counts(bed: Bed, server: FrameServer) -> None:
    small = {"prompt_tokens": 1000, "completion_tokens": 1, "total_tokens": 1001}
    frames = wire.sse(
        {**chunk("Hel"), "usage": small},
        {**chunk("lo."), "usage": {**small, "completion_tokens": 50, "total_tokens": 1050}},
        {**chunk("", finish_reason="stop"), "usage": USAGE},
    )
    server.script("/v1/chat/completions", frames=[*frames, b"data: [DONE]\n\n"])
    with watched(bed, server) as client:
        list(client.chat.stream(**CHAT))
    (call,) = bed.calls(1)
    assert call.cost_usd == LARGE_USD


def test_langfuse_python_1101_the_usage_object_is_only_read(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/chat/completions", chat_body())
    with watched(bed, server) as client:
        usage = client.chat.complete(**CHAT).usage
    assert usage.model_dump() == USAGE
    assert isinstance(usage.prompt_audio_seconds, Unset)
    (call,) = bed.calls(1)
    assert call.last.usage is not None
    assert call.last.usage.flags == ()


def test_langfuse_python_1577_the_client_of_a_stream_is_not_walked(
    bed: Bed, server: FrameServer
) -> None:
    server.script("/v1/chat/completions", frames=CHAT_STREAM)
    with watched(bed, server) as client:
        stream = client.chat.stream(**CHAT)
        assert stream.client_ref is client.chat
        list(stream)
    (call,) = bed.calls(1)
    assert call.cost_usd == LARGE_USD


def test_connectors_that_are_not_counted_are_flagged(bed: Bed, server: FrameServer) -> None:
    usage = {**TALK_USAGE, "total_tokens": 1600, "connector_tokens": 500}
    server.json("/v1/conversations/conv-1", {**TALK_BODY, "usage": usage})
    with watched(bed, server) as client:
        client.beta.conversations.append(conversation_id="conv-1", inputs="and now?")
    (call,) = bed.calls(1)
    assert call.last.usage is not None
    assert call.last.usage.flags == ("identity:total",)
    assert (call.last.response_id, call.last.model_requested) == ("conv-1", "")
    assert call.last.model == "mistral-medium-2505"
