"""Wrapped openai and anthropic clients against a real server: one call on every way out.

Each row is a surface of an SDK. The wrapped and the unwrapped client must give the user the same.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
import wire

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": HI}
CHAT_S: dict[str, Any] = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
RESP: dict[str, Any] = {"model": "gpt-4o", "input": "hi"}
MSG: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": HI}

CHAT_PATH, RESPONSES_PATH, MESSAGES_PATH = "/v1/chat/completions", "/v1/responses", "/v1/messages"

# gpt-4o: 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens;
# Sonnet 5: 600 x $2 + 400 x $0.20 (cache read) + 100 x $10.
OPENAI_USD, ANTHROPIC_USD = Decimal("0.003"), Decimal("0.00228")
BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100}


def openai_client(server: FrameServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)


def async_openai(server: FrameServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)


def anthropic_client(server: FrameServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)


def async_anthropic(server: FrameServer) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0)


def read_all(stream: Any) -> list[str]:
    with stream:
        return [repr(item) for item in stream]


def raw_chat(client: openai.OpenAI) -> Any:
    raw = client.chat.completions.with_raw_response.create(**CHAT)
    return [raw.status_code, raw.headers["content-type"], raw.parse().usage]


def raw_chat_stream(client: openai.OpenAI) -> Any:
    raw = client.chat.completions.with_raw_response.create(**CHAT_S)
    return [raw.headers["content-type"], read_all(raw.parse())]


def streaming_response(client: openai.OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        return list(response.iter_lines())


def chat_helper(client: openai.OpenAI) -> Any:
    with client.chat.completions.stream(
        model="gpt-4o", messages=HI, stream_options={"include_usage": True}
    ) as stream:
        return [event.type for event in stream], stream.get_final_completion().usage


def responses_helper(client: openai.OpenAI) -> Any:
    with client.responses.stream(model="gpt-4o", input="hi") as stream:
        return [event.type for event in stream], stream.get_final_response().usage


def message_helper(client: anthropic.Anthropic) -> Any:
    with client.messages.stream(**MSG) as stream:
        return list(stream.text_stream), stream.get_final_message().usage


def copied(client: openai.OpenAI) -> Any:
    return client.with_options(timeout=9).copy().chat.completions.create(**CHAT).usage


SYNC: dict[
    str, tuple[Callable[..., Any], str, list[bytes] | dict[str, Any], Callable[..., Any]]
] = {
    "chat": (
        openai_client,
        CHAT_PATH,
        wire.CHAT_BODY,
        lambda c: c.chat.completions.create(**CHAT),
    ),
    "chat stream": (
        openai_client,
        CHAT_PATH,
        wire.CHAT_STREAM,
        lambda c: read_all(c.chat.completions.create(**CHAT_S)),
    ),
    "chat parse": (
        openai_client,
        CHAT_PATH,
        wire.CHAT_BODY,
        lambda c: c.chat.completions.parse(**CHAT).usage,
    ),
    "chat raw": (openai_client, CHAT_PATH, wire.CHAT_BODY, raw_chat),
    "chat raw stream": (openai_client, CHAT_PATH, wire.CHAT_STREAM, raw_chat_stream),
    "chat streaming response": (openai_client, CHAT_PATH, wire.CHAT_BODY, streaming_response),
    "chat helper": (openai_client, CHAT_PATH, wire.CHAT_STREAM, chat_helper),
    "chat of a copy": (openai_client, CHAT_PATH, wire.CHAT_BODY, copied),
    "responses": (
        openai_client,
        RESPONSES_PATH,
        wire.RESPONSES_BODY,
        lambda c: c.responses.create(**RESP).usage,
    ),
    "responses stream": (
        openai_client,
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        lambda c: read_all(c.responses.create(**RESP, stream=True)),
    ),
    "responses helper": (
        openai_client,
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        responses_helper,
    ),
    "messages": (
        anthropic_client,
        MESSAGES_PATH,
        wire.MESSAGE_BODY,
        lambda c: c.messages.create(**MSG),
    ),
    "messages stream": (
        anthropic_client,
        MESSAGES_PATH,
        wire.MESSAGE_STREAM,
        lambda c: read_all(c.messages.create(**MSG, stream=True)),
    ),
    "messages helper": (anthropic_client, MESSAGES_PATH, wire.MESSAGE_STREAM, message_helper),
}


def serve(server: FrameServer, path: str, answer: list[bytes] | dict[str, Any]) -> None:
    if isinstance(answer, dict):
        server.json(path, answer)
    else:
        server.script(path, frames=answer)


def only(memory: InMemoryExporter, meter: Meter) -> Call:
    meter.flush()
    assert meter.guard.failures == {}
    assert len(memory.calls) == 1
    return memory.calls[0]


def check(call: Call, path: str) -> None:
    assert (call.status, call.cost_status) == ("ok", "priced")
    assert call.last.usage is not None
    assert call.last.usage.source == "provider"
    buckets = {meter: n for meter, n in call.last.usage.buckets.items() if n}
    assert buckets == BUCKETS
    assert call.cost_usd == (ANTHROPIC_USD if path == MESSAGES_PATH else OPENAI_USD)


@pytest.mark.parametrize("name", SYNC)
def test_sync_surfaces(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, name: str
) -> None:
    make, path, answer, use = SYNC[name]
    serve(frame_server, path, answer)
    with make(frame_server) as plain:
        expected = use(plain)
    with make(frame_server) as client:
        assert wrap(client, lambda: meter) is client
        got = use(client)

    assert repr(got) == repr(expected)
    call = only(memory, meter)
    check(call, path)
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", frame_server.port)
    assert frame_server.requests[0].body == frame_server.requests[1].body


async def read_async(stream: Any) -> list[str]:
    async with stream:
        return [repr(item) async for item in stream]


async def async_chat_stream(client: openai.AsyncOpenAI) -> Any:
    return await read_async(await client.chat.completions.create(**CHAT_S))


async def async_raw_stream(client: openai.AsyncOpenAI) -> Any:
    raw = await client.chat.completions.with_raw_response.create(**CHAT_S)
    return await read_async(raw.parse())


async def async_streaming_response(client: openai.AsyncOpenAI) -> Any:
    async with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        return [line async for line in response.iter_lines()]


async def async_responses_stream(client: openai.AsyncOpenAI) -> Any:
    return await read_async(await client.responses.create(**RESP, stream=True))


async def async_message_stream(client: anthropic.AsyncAnthropic) -> Any:
    return await read_async(await client.messages.create(**MSG, stream=True))


async def async_message_helper(client: anthropic.AsyncAnthropic) -> Any:
    async with client.messages.stream(**MSG) as stream:
        return [text async for text in stream.text_stream], await stream.get_final_message()


ASYNC: dict[
    str, tuple[Callable[..., Any], str, list[bytes] | dict[str, Any], Callable[..., Any]]
] = {
    "chat": (
        async_openai,
        CHAT_PATH,
        wire.CHAT_BODY,
        lambda c: c.chat.completions.create(**CHAT),
    ),
    "chat stream": (async_openai, CHAT_PATH, wire.CHAT_STREAM, async_chat_stream),
    "chat raw stream": (async_openai, CHAT_PATH, wire.CHAT_STREAM, async_raw_stream),
    "chat streaming response": (
        async_openai,
        CHAT_PATH,
        wire.CHAT_BODY,
        async_streaming_response,
    ),
    "responses stream": (
        async_openai,
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        async_responses_stream,
    ),
    "messages": (
        async_anthropic,
        MESSAGES_PATH,
        wire.MESSAGE_BODY,
        lambda c: c.messages.create(**MSG),
    ),
    "messages stream": (
        async_anthropic,
        MESSAGES_PATH,
        wire.MESSAGE_STREAM,
        async_message_stream,
    ),
    "messages helper": (
        async_anthropic,
        MESSAGES_PATH,
        wire.MESSAGE_STREAM,
        async_message_helper,
    ),
}


@pytest.mark.parametrize("name", ASYNC)
async def test_async_surfaces(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, name: str
) -> None:
    make, path, answer, use = ASYNC[name]
    serve(frame_server, path, answer)
    async with make(frame_server) as plain:
        expected = await use(plain)
    async with make(frame_server) as client:
        assert wrap(client, lambda: meter) is client
        got = await use(client)

    assert repr(got) == repr(expected)
    check(only(memory, meter), path)


def test_types_stay_what_they_are(frame_server: FrameServer, meter: Meter) -> None:
    frame_server.script(CHAT_PATH, frames=wire.CHAT_STREAM)
    frame_server.script(MESSAGES_PATH, frames=wire.MESSAGE_STREAM)
    with openai_client(frame_server) as client, anthropic_client(frame_server) as claude:
        wrap(client, lambda: meter)
        wrap(claude, lambda: meter)
        stream = client.chat.completions.create(**CHAT_S)
        message_stream = claude.messages.create(**MSG, stream=True)

        assert type(client) is openai.OpenAI
        assert type(stream) is openai.Stream
        assert type(message_stream) is anthropic.Stream
        assert inspect.signature(client.request) == inspect.signature(
            openai.OpenAI.request.__get__(client)
        )
        stream.close()
        message_stream.close()


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_split_characters_and_gzip(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, gzip: bool
) -> None:
    body = b"".join(wire.CHAT_STREAM).replace(b"three.", "drei ☃.".encode())
    frames = [body[i : i + 7] for i in range(0, len(body), 7)]
    frame_server.script(
        CHAT_PATH, headers={"content-type": "text/event-stream"}, frames=frames, gzip=gzip
    )
    with wrap(openai_client(frame_server), lambda: meter) as client:
        read_all(client.chat.completions.create(**CHAT_S))

    check(only(memory, meter), CHAT_PATH)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "openai.BadRequestError"),
        (401, "openai.AuthenticationError"),
        (404, "openai.NotFoundError"),
        (429, "openai.RateLimitError"),
        (500, "openai.InternalServerError"),
    ],
)
def test_errors_are_rows_with_type_status_and_code(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, status: int, name: str
) -> None:
    error = {"message": "secret prompt", "type": "some_type", "code": "some_code"}
    frame_server.json(CHAT_PATH, {"error": error}, status=status)
    client = wrap(openai_client(frame_server), lambda: meter)
    with client, pytest.raises(openai.APIStatusError):
        client.chat.completions.create(**CHAT)

    call = only(memory, meter)
    assert call.status == "error"
    assert call.error is not None
    assert (call.error.type, call.error.http_status, call.error.code) == (name, status, "some_code")
    assert call.cost_usd is None
    assert "secret" not in repr(call)


def test_retries_of_the_sdk_are_one_call(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    # langfuse #2620: a retry at two layers multiplied calls.
    for _ in range(2):
        frame_server.json(CHAT_PATH, {"error": {}}, status=429, headers={"retry-after-ms": "1"})
    frame_server.json(CHAT_PATH, wire.CHAT_BODY)
    client = openai_client(frame_server).with_options(max_retries=2)
    with wrap(client, lambda: meter):
        client.chat.completions.create(**CHAT)

    assert len(frame_server.requests) == 3
    check(only(memory, meter), CHAT_PATH)


def test_an_unreachable_server(meter: Meter, memory: InMemoryExporter) -> None:
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    with wrap(client, lambda: meter), pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**CHAT)

    call = only(memory, meter)
    assert call.error is not None
    assert (call.error.type, call.error.http_status) == ("openai.APIConnectionError", None)


@pytest.mark.parametrize("way", ["break", "close", "with", "drop", "never read"])
def test_a_stream_left_early(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, way: str
) -> None:
    frame_server.script(CHAT_PATH, frames=wire.CHAT_STREAM[:3], pause_s=0.02)
    with wrap(openai_client(frame_server), lambda: meter) as client:
        stream = client.chat.completions.create(**CHAT_S)
        if way == "with":
            with stream:
                next(stream)
        elif way != "never read":
            next(stream)
        if way == "break":
            for _ in stream:
                break
        if way == "close":
            stream.close()
        del stream
        gc.collect()

    call = only(memory, meter)
    assert call.status == "interrupted"
    assert call.ended_by in ("closed", "dropped")
    if way == "never read":
        assert call.last.usage is None
        assert call.cost_status == "unpriced"
    else:
        assert call.last.usage is not None
        assert call.last.usage.source == "partial"
        assert call.cost_usd is not None


def test_a_cut_stream_is_an_error_with_what_was_seen(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(CHAT_PATH, frames=wire.CHAT_STREAM[:3], cut=True)
    client = wrap(openai_client(frame_server), lambda: meter)
    # openai 3 says "Connection error", openai 1 lets the HTTP library's own error through.
    with client, pytest.raises(Exception, match=r"Connection error|peer closed"):
        read_all(client.chat.completions.create(**CHAT_S))

    call = only(memory, meter)
    assert call.status == "error"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"
    assert call.cost_usd is not None


def test_a_cut_anthropic_stream_counts_what_came_after_the_last_report(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(MESSAGES_PATH, frames=wire.MESSAGE_STREAM[:6], cut=True)
    client = wrap(anthropic_client(frame_server), lambda: meter)
    with client, pytest.raises(Exception, match=r"peer closed|incomplete"):
        read_all(client.messages.create(**MSG, stream=True))

    usage = only(memory, meter).last.usage
    assert usage is not None
    assert usage.source == "partial"
    assert usage.input_tokens == 1000
    assert usage.output_tokens is not None
    assert usage.output_tokens > 1  # message_start said 1; three words came


async def test_a_cancelled_stream(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(CHAT_PATH, frames=wire.CHAT_STREAM, pause_s=0.3)
    async with async_openai(frame_server) as client:
        wrap(client, lambda: meter)
        task = asyncio.create_task(async_chat_stream(client))
        await asyncio.sleep(0.45)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    call = only(memory, meter)
    assert call.status == "cancelled"


def test_paths_that_bring_no_completion_pass_unrecorded(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json("/v1/models", {"object": "list", "data": []})
    frame_server.json("/v1/messages/count_tokens", {"input_tokens": 8})
    with openai_client(frame_server) as client, anthropic_client(frame_server) as claude:
        wrap(client, lambda: meter).models.list()
        wrap(claude, lambda: meter).messages.count_tokens(model="claude-sonnet-5", messages=HI)

    assert memory.calls == ()


def test_a_bound_method_can_be_wrapped_alone(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(CHAT_PATH, wire.CHAT_BODY)
    with openai_client(frame_server) as client:
        create = wrap(client.chat.completions.create, lambda: meter)
        create(**CHAT)

    check(only(memory, meter), CHAT_PATH)


def test_embeddings(frame_server: FrameServer, meter: Meter, memory: InMemoryExporter) -> None:
    body = {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
        "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
    }
    frame_server.json("/v1/embeddings", body)
    with wrap(openai_client(frame_server), lambda: meter) as client:
        client.embeddings.create(
            model="text-embedding-3-small", input="hi", encoding_format="float"
        )

    call = only(memory, meter)
    assert call.operation == "embeddings"
    assert call.cost_usd == Decimal("0.00002")  # $0.02 per million tokens
