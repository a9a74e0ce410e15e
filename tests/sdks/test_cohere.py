"""Every surface of the cohere SDK, both versions of its API, on every way out."""

from __future__ import annotations

import gc
import inspect
import json
import weakref
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import cohere
import pytest
import wire
from bed import Bed
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "command-a-03-2025", "messages": HI}
OLD: dict[str, Any] = {"model": "command-r-08-2024", "message": "hi"}
EMBED: dict[str, Any] = {
    "model": "embed-v4.0",
    "texts": ["hi"],
    "input_type": "search_document",
    "embedding_types": ["float"],
}
RERANK: dict[str, Any] = {"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"]}

# Billed are 1000 tokens in and 100 out, and not what the model saw. Per million: Command A $2.50
# and $10, Command R $0.15 and $0.60, Embed 4 $0.12; Rerank 3.5 $2 per 1000 searches.
UNITS = {"input_tokens": 1000, "output_tokens": 100}
USAGE = {"billed_units": UNITS, "tokens": {"input_tokens": 1496, "output_tokens": 103}}
BUCKETS = {"tokens.in.text": 1000, "tokens.out.text": 100}
COMMAND_A_USD, COMMAND_R_USD = Decimal("0.0035"), Decimal("0.00021")
EMBED_USD, SEARCH_USD = Decimal("0.00000096"), Decimal("0.002")

CHAT_BODY = {
    "id": "co-1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
    "usage": USAGE,
}


def part(kind: str, **content: object) -> dict[str, object]:
    return {"type": kind, "index": 0, "delta": {"message": {"content": content}}}


START = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
CHAT_STREAM = wire.named(
    # With text: otherwise there were nothing to count where a stream is left after its first event.
    part("content-start", type="text", text="Hel"),
    part("content-delta", text="lo."),
    {"type": "message-start", "id": "co-1", "delta": {"message": START}},
    {"type": "content-end", "index": 0},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
)
META = {"api_version": {"version": "2"}, "billed_units": UNITS}
OLD_BODY = {
    "text": "Hello.",
    "generation_id": "gen-1",
    "finish_reason": "COMPLETE",
    "chat_history": [{"role": "USER", "message": "hi"}, {"role": "CHATBOT", "message": "Hello."}],
    "meta": META,
}
END = {"is_finished": True, "finish_reason": "COMPLETE"}
OLD_STREAM = [
    json.dumps(event).encode() + b"\n"
    for event in (
        {"event_type": "text-generation", "text": "Hel", "is_finished": False},
        {"event_type": "stream-start", "generation_id": "gen-1", "is_finished": False},
        {"event_type": "text-generation", "text": "lo.", "is_finished": False},
        {"event_type": "stream-end", "response": OLD_BODY, **END},
    )
]
GENERATED = {
    "id": "gen-1",
    "prompt": "hi",
    "generations": [{"id": "g-1", "text": "Hello.", "finish_reason": "COMPLETE"}],
    "meta": META,
}
EMBED_BODY = {
    "id": "emb-1",
    "embeddings": {"float": [[0.5, -0.25]]},
    "texts": ["hi"],
    "response_type": "embeddings_by_type",
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 8}},
}
RERANK_BODY = {
    "id": "rr-1",
    "results": [{"index": 1, "relevance_score": 0.9}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}


class BedrockClient(cohere.Client):
    """Named as the SDK's own, which refuses every address but Amazon's."""


def v1(url: str) -> cohere.Client:
    return cohere.Client(api_key="k", base_url=url, max_retries=0)


def v2(url: str) -> cohere.ClientV2:
    return cohere.ClientV2(api_key="k", base_url=url, max_retries=0)


def async_v1(url: str) -> cohere.AsyncClient:
    return cohere.AsyncClient(api_key="k", base_url=url, max_retries=0)


def async_v2(url: str) -> cohere.AsyncClientV2:
    return cohere.AsyncClientV2(api_key="k", base_url=url, max_retries=0)


def plain_v2(url: str) -> cohere.AsyncClientV2:
    """A client whose ``chat_stream`` is an asynchronous generator function, and so stays one."""
    return cohere.AsyncClientV2(
        api_key="k", base_url=url, max_retries=0, log_warning_experimental_features=False
    )


def bedrock(url: str) -> BedrockClient:
    return BedrockClient(api_key="k", base_url=url, max_retries=0)


def raw(name: str, **asked: Any) -> Any:
    """Ask the raw client; status, content type and data."""

    def ask(client: Any) -> Any:
        response = getattr(client.with_raw_response, name)(**asked)
        return [response.status_code, response.headers["content-type"], response.data]

    return ask


def araw(name: str, **asked: Any) -> Any:
    async def ask(client: Any) -> Any:
        response = await getattr(client.with_raw_response, name)(**asked)
        return [response.status_code, response.headers["content-type"], response.data]

    return ask


def read_raw(client: Any) -> Any:
    with client.with_raw_response.chat_stream(**CHAT) as response:
        return [type(response), list(response.data)]


async def aread_raw(client: Any) -> Any:
    async with client.with_raw_response.chat_stream(**CHAT) as response:
        return [type(response), [event async for event in response.data]]


async def aread(stream: Any) -> list[Any]:
    return [event async for event in stream]


def surface(name: str, make: Any, ask: Any, answer: Any, **fields: Any) -> Surface:
    common: dict[str, Any] = {
        "path": "/v2/chat",
        "provider": "cohere",
        "buckets": BUCKETS,
        "cost_usd": COMMAND_A_USD,
    }
    return Surface(name, make, ask, answer=answer, **{**common, **fields})


def stream(name: str, make: Any, answer: Any, opening: Any, **fields: Any) -> Surface:
    def ask(client: Any) -> Any:
        return aread(opening(client)) if fields.get("is_async") else list(opening(client))

    return surface(name, make, ask, answer, open=opening, lazy=True, **fields)


OLD_CHAT: dict[str, Any] = {"path": "/v1/chat", "cost_usd": COMMAND_R_USD}
EMBEDS: dict[str, Any] = {
    "path": "/v2/embed",
    "buckets": {"tokens.in.text": 8},
    "cost_usd": EMBED_USD,
}
RERANKS: dict[str, Any] = {"path": "/v2/rerank", "buckets": {}, "cost_usd": SEARCH_USD}

SURFACES = [
    surface("chat", v2, lambda c: c.chat(**CHAT), CHAT_BODY),
    surface("chat async", async_v2, lambda c: c.chat(**CHAT), CHAT_BODY, is_async=True),
    stream("chat stream", v2, CHAT_STREAM, lambda c: c.chat_stream(**CHAT)),
    stream(
        "chat stream async", async_v2, CHAT_STREAM, lambda c: c.chat_stream(**CHAT), is_async=True
    ),
    stream(
        "chat stream as a generator function",
        plain_v2,
        CHAT_STREAM,
        lambda c: c.chat_stream(**CHAT),
        is_async=True,
    ),
    surface("v2 of v1", v1, lambda c: c.v2.chat(**CHAT), CHAT_BODY),
    stream("v2 of v1 stream", v1, CHAT_STREAM, lambda c: c.v2.chat_stream(**CHAT)),
    surface("embed", v2, lambda c: c.embed(**EMBED), EMBED_BODY, **EMBEDS),
    surface(
        "embed async", async_v2, lambda c: c.embed(**EMBED), EMBED_BODY, is_async=True, **EMBEDS
    ),
    surface("rerank", v2, lambda c: c.rerank(**RERANK), RERANK_BODY, **RERANKS),
    surface(
        "rerank async",
        async_v2,
        lambda c: c.rerank(**RERANK),
        RERANK_BODY,
        is_async=True,
        **RERANKS,
    ),
    surface("v1 chat", v1, lambda c: c.chat(**OLD), OLD_BODY, **OLD_CHAT),
    surface(
        "v1 chat async", async_v1, lambda c: c.chat(**OLD), OLD_BODY, is_async=True, **OLD_CHAT
    ),
    stream("v1 chat stream", v1, OLD_STREAM, lambda c: c.chat_stream(**OLD), **OLD_CHAT),
    surface(
        "v1 generate",
        v1,
        lambda c: c.generate(model="command-r-08-2024", prompt="hi"),
        GENERATED,
        path="/v1/generate",
        cost_usd=COMMAND_R_USD,
    ),
    surface("raw", v2, raw("chat", **CHAT), CHAT_BODY),
    surface("raw async", async_v2, araw("chat", **CHAT), CHAT_BODY, is_async=True),
    surface("raw embed", v2, raw("embed", **EMBED), EMBED_BODY, **EMBEDS),
    surface("raw rerank", v2, raw("rerank", **RERANK), RERANK_BODY, **RERANKS),
    surface("raw v1", v1, raw("chat", **OLD), OLD_BODY, **OLD_CHAT),
    surface(
        "raw stream",
        v2,
        read_raw,
        CHAT_STREAM,
        open=lambda c: c.with_raw_response.chat_stream(**CHAT),
        items=lambda response: response.data,
    ),
    surface(
        "raw stream async",
        async_v2,
        aread_raw,
        CHAT_STREAM,
        open=lambda c: c.with_raw_response.chat_stream(**CHAT),
        items=lambda response: response.data,
        is_async=True,
    ),
    # Amazon has no price for a model that it does not know by this name.
    surface(
        "bedrock",
        bedrock,
        lambda c: c.chat(**OLD),
        OLD_BODY,
        path="/v1/chat",
        provider="aws",
        cost_usd=None,
        cost_status="unpriced",
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


def test_what_is_asked(bed: Bed, server: FrameServer) -> None:
    server.json("/v2/chat", CHAT_BODY)
    with wrap(v2(server.url), lambda: bed.meter) as client:
        message = cohere.UserChatMessageV2(content="hi")
        client.chat(model="command-a-03-2025", messages=[message], temperature=0.5, max_tokens=9)
    (call,) = bed.calls(1)
    assert (call.operation, call.last.api) == ("chat", "cohere-v2")
    assert (call.last.response_id, call.last.finish_reasons) == ("co-1", ("COMPLETE",))
    assert dict(call.request_params) == {"temperature": 0.5, "max_tokens": 9}
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", server.port)


def test_a_reranking_is_billed_by_the_search(bed: Bed, server: FrameServer) -> None:
    server.json("/v2/rerank", {**RERANK_BODY, "meta": {"billed_units": {"search_units": 3}}})
    with wrap(v2(server.url), lambda: bed.meter) as client:
        client.rerank(**RERANK)
    (call,) = bed.calls(1)
    assert call.operation == "rerank"
    assert call.usage is not None
    assert call.usage.fees == {"fee.search_unit": 3}
    assert call.cost_usd == 3 * SEARCH_USD


def test_an_embedding_in_several_requests_is_one_call(bed: Bed, server: FrameServer) -> None:
    units = {"billed_units": {"input_tokens": 96}}
    floats = {"id": "emb-1", "texts": ["hi"], "response_type": "embeddings_floats"}
    server.json("/v1/embed", {**floats, "embeddings": [[0.5]], "meta": units})
    with wrap(v1(server.url), lambda: bed.meter) as client:
        client.embed(model="embed-v4.0", input_type="search_document", texts=["hi"] * 192)
    assert len(server.requests) == 2
    (call,) = bed.calls(1)
    assert call.usage is not None
    assert call.usage.buckets == {"tokens.in.text": 192}
    assert call.cost_usd == Decimal("0.00002304")  # 192 x $0.12 per million


def test_of_a_stream_left_before_its_text_the_prompt_is_counted(
    bed: Bed, server: FrameServer
) -> None:
    start: dict[str, object] = {"type": "message-start", "id": "co-1", "delta": {"message": START}}
    server.script("/v2/chat", frames=wire.named(start), cut=True)
    with wrap(v2(server.url), lambda: bed.meter) as client:
        stream = client.chat_stream(**CHAT)
        assert next(stream).type == "message-start"
        stream.close()
    (call,) = bed.calls(1)
    assert (call.status, call.last.response_id) == ("interrupted", "co-1")
    assert call.usage is not None
    assert (call.usage.source, call.usage.flags) == ("partial", ("no_usage", "missing:output"))
    assert call.usage.buckets.keys() == {"tokens.in.text"}
    assert call.cost_status == "partial"


@pytest.mark.parametrize("make", [v1, v2])
def test_repeated_requests_are_one_call(bed: Bed, server: FrameServer, make: Any) -> None:
    server.json("/v2/chat", {"message": "later"}, 429, headers={"retry-after-ms": "1"})
    server.json("/v2/chat", CHAT_BODY)
    options = {"request_options": {"max_retries": 2}}
    with wrap(make(server.url), lambda: bed.meter) as client:
        client.v2.chat(**CHAT, **options)
        client.v2.chat(**CHAT, **options)
    first, second = bed.calls(2)
    assert (first.retries, second.retries) == (1, 0)


async def test_repeated_requests_are_one_call_async(bed: Bed, server: FrameServer) -> None:
    server.json("/v2/chat", {"message": "later"}, 429, headers={"retry-after-ms": "1"})
    server.json("/v2/chat", CHAT_BODY)
    async with wrap(async_v2(server.url), lambda: bed.meter) as client:
        await client.chat(**CHAT, request_options={"max_retries": 2})
    bed.meter.flush()
    (call,) = bed.memory.calls
    assert (call.status, call.retries) == ("ok", 1)


def test_what_brings_no_tokens_is_not_recorded(bed: Bed, server: FrameServer) -> None:
    server.json("/v1/tokenize", {"tokens": [5], "token_strings": ["hi"]})
    server.json("/v1/models", {"models": []})
    with wrap(v2(server.url), lambda: bed.meter) as client:
        assert client.tokenize(text="hi", model="command-a-03-2025", offline=False).tokens == [5]
        assert client.models.list().models == []
    assert bed.calls(0) == ()


@pytest.mark.parametrize("make", [v1, v2])
def test_unwrapping_leaves_nothing(bed: Bed, server: FrameServer, make: Any) -> None:
    client = make(server.url)
    objects = (client, client.v2, client.with_raw_response, client.v2.with_raw_response)
    before = [dict(vars(each)) for each in objects]
    for _ in range(3):
        assert wrap(client, lambda: bed.meter) is client
        assert wrap(client, lambda: bed.meter) is client
        assert unwrap(client) is client
        assert [dict(vars(each)) for each in objects] == before


def test_a_dropped_client_is_freed(bed: Bed, server: FrameServer) -> None:
    server.json("/v2/chat", CHAT_BODY)
    with wrap(v2(server.url), lambda: bed.meter) as client:
        client.chat(**CHAT)
    bed.calls(1)
    alive = weakref.ref(client)
    del client
    gc.collect()
    assert alive() is None


def test_a_dropped_stream_is_freed_without_the_collector(bed: Bed, server: FrameServer) -> None:
    server.script("/v2/chat", frames=CHAT_STREAM[:2], cut=True)
    gc.disable()
    try:
        with wrap(v2(server.url), lambda: bed.meter) as client:
            stream = client.chat_stream(**CHAT)
            next(stream)
            alive = weakref.ref(stream)
            del stream
            assert alive() is None
            (call,) = bed.calls(1)
    finally:
        gc.enable()
    assert (call.status, call.ended_by) == ("interrupted", "closed")


def test_openllmetry_3421_methods_stay_what_they_are(bed: Bed, server: FrameServer) -> None:
    for make in (v2, async_v2, plain_v2):
        bare, client = make(server.url), wrap(make(server.url), lambda: bed.meter)
        for name in ("chat", "chat_stream", "embed", "rerank"):
            mine, theirs = getattr(client, name), getattr(bare, name)
            for kind in ("iscoroutinefunction", "isgeneratorfunction", "isasyncgenfunction"):
                tells: Any = getattr(inspect, kind)
                assert tells(mine) == tells(theirs), (name, kind)
            assert inspect.signature(mine) == inspect.signature(theirs)


def test_langfuse_python_1101_the_usage_object_is_only_read(bed: Bed, server: FrameServer) -> None:
    server.json("/v2/chat", CHAT_BODY)
    with wrap(v2(server.url), lambda: bed.meter) as client:
        usage = client.chat(**CHAT).usage
    assert usage.dict(exclude_none=True) == USAGE
    bed.calls(1)


def test_the_sdk_still_has_what_is_relied_on() -> None:
    """Names of the SDK without a promise: its base URL, and the method that repeats itself."""
    client = v2("http://127.0.0.1:1")
    assert client._client_wrapper.get_base_url() == "http://127.0.0.1:1"
    http = client._client_wrapper.httpx_client
    assert "retries" in inspect.signature(http.request).parameters
