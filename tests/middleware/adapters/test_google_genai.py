"""google-genai: every hop of a call is a request of its own, priced alone; nothing else changes.

The ways out of the plain surfaces are in tests/sdks/test_google_genai.py.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import ssl
import weakref
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import unwrap, wrap

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


@pytest.fixture
def client(frame_server: FrameServer, meter: Meter) -> genai.Client:
    return wrap(new(frame_server), lambda: meter)


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


@asking
def test_every_hop_of_function_calling_is_counted_python_genai_2838(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    how: str,
) -> None:
    play(frame_server, how, CALLING, SAYING)

    reply = WAYS_OF_ASKING[how](client, TOOLS)

    assert type(reply) is types.GenerateContentResponse
    assert reply.text == "Sunny."
    assert len(reply.automatic_function_calling_history or ()) == 3
    assert len(frame_server.requests) == 2
    call = only(meter, memory)
    assert [(r.response_id, r.cost and r.cost.total) for r in call.requests] == [
        ("r1", FIRST_USD),
        ("r2", SECOND_USD),
    ]
    assert (call.status, call.cost_usd, call.cost_status) == ("ok", Decimal("0.001275"), "priced")
    assert (call.operation, call.retries, call.estimate) == ("generate_content", 0, None)


@asking
def test_an_error_in_the_second_hop_leaves_the_first_one_paid(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    how: str,
) -> None:
    play(frame_server, how, CALLING)
    method = "streamGenerateContent" if "stream" in how else "generateContent"
    frame_server.json(
        f"{PATH}:{method}",
        {"error": {"code": 503, "message": "secret", "status": "UNAVAILABLE"}},
        status=503,
    )

    with pytest.raises(errors.ServerError):
        WAYS_OF_ASKING[how](client, TOOLS)

    call = only(meter, memory)
    assert call.status == "error"
    first, second = call.requests
    assert (first.cost and first.cost.total, first.error) == (FIRST_USD, None)
    assert (second.usage, second.cost) == (None, None)
    assert call.error is not None
    assert second.error == call.error
    assert (call.error.type, call.error.http_status, call.error.code) == (
        "google.ServerError",
        503,
        "UNAVAILABLE",
    )
    assert "secret" not in repr(call)
    assert (call.cost_usd, call.cost_status) == (FIRST_USD, "priced")


@pytest.mark.parametrize("way", ["cut", "close", "break", "abandon"])
def test_a_stream_that_ends_in_its_second_hop(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    way: str,
) -> None:
    play(frame_server, "stream", CALLING)
    part = body({"text": "Sunny"}, 2000, 10, 2, finishReason=None)
    frame_server.script(
        f"{PATH}:streamGenerateContent", frames=[frame(part)], cut=way == "cut", pause_s=5
    )

    stream = client.models.generate_content_stream(**TOOLS)
    assert inspect.isgenerator(stream)
    next(stream)
    next(stream)
    if way == "cut":
        with pytest.raises(Exception, match="closed"):
            next(stream)
    elif way == "close":
        stream.close()
    elif way == "break":
        del stream
    else:
        held = [stream]
        held.append(held)  # type: ignore[arg-type]  # a cycle, which only the collector ends
        del held, stream
        gc.collect()

    call = only(meter, memory)
    assert call.status == ("error" if way == "cut" else "interrupted")
    first, second = call.requests
    assert first.usage is not None
    assert second.usage is not None
    assert (first.usage.source, second.usage.source) == ("provider", "partial")
    # 2000 in and the 10 that the provider had told.
    assert call.cost_usd == FIRST_USD + Decimal("0.000625")


@pytest.mark.parametrize("way", ["close", "cancel", "abandon"])
def test_an_asynchronous_stream_that_ends_in_its_second_hop(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    way: str,
) -> None:
    play(frame_server, "stream", CALLING)
    part = body({"text": "Sunny"}, 2000, 10, 2, finishReason=None)
    frames = [frame(part), frame(SAYING)]
    frame_server.script(f"{PATH}:streamGenerateContent", frames=frames, pause_s=30)

    async def ask() -> None:
        stream: Any = await client.aio.models.generate_content_stream(**TOOLS)
        assert inspect.isasyncgen(stream)
        await anext(stream)
        await anext(stream)
        if way == "close":
            await stream.aclose()
        elif way == "cancel":
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        else:
            del stream
            await asyncio.sleep(0.01)
        await client.aio.aclose()

    asyncio.run(ask())

    call = only(meter, memory)
    assert call.status == ("cancelled" if way == "cancel" else "interrupted")
    assert len(call.requests) == 2
    assert call.cost_usd == FIRST_USD + Decimal("0.000625")


@asking
def test_hops_of_a_continued_answer_are_priced_one_by_one(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    how: str,
) -> None:
    more = body({"text": "Sun"}, 1000, 100, 1, finishReason="CONTINUATION", continuationToken="YQ")
    play(frame_server, how, more, SAYING)

    WAYS_OF_ASKING[how](client, {"model": MODEL, "contents": "Weather?"})

    call = only(meter, memory)
    assert [r.cost and r.cost.total for r in call.requests] == [FIRST_USD, SECOND_USD]


def test_what_a_tool_asks_of_another_model_is_a_request_of_the_call(
    frame_server: FrameServer, client: genai.Client, meter: Meter, memory: InMemoryExporter
) -> None:
    play(frame_server, "plain", CALLING, SAYING)
    other = {**body({"text": "Sunny."}, 1000, 100, 9), "modelVersion": "gemini-2.5-flash-lite"}
    frame_server.json("/v1beta/models/gemini-2.5-flash-lite:generateContent", other)

    def weather(city: str) -> str:
        """The weather of a city."""
        reply = client.models.generate_content(model="gemini-2.5-flash-lite", contents=city)
        return reply.text or ""

    client.models.generate_content(model=MODEL, contents="?", config={"tools": [weather]})

    call = only(meter, memory)
    assert [r.response_id for r in call.requests] == ["r1", "r9", "r2"]
    # Flash-Lite: 1000 x $0.10 + 100 x $0.40 per million.
    assert call.cost_usd == FIRST_USD + Decimal("0.00014") + SECOND_USD


def test_chats_that_call_functions(
    frame_server: FrameServer, client: genai.Client, meter: Meter, memory: InMemoryExporter
) -> None:
    """A chat asks ``models`` anew for each hop: a call each, or one where it is wrapped itself."""
    play(frame_server, "plain", CALLING, SAYING, CALLING, SAYING)
    chat = client.chats.create(model=MODEL, config={"tools": [weather]})

    assert chat.send_message("Weather?").text == "Sunny."
    assert [c.cost_usd for c in memory.calls] == [FIRST_USD, SECOND_USD]
    memory.clear()
    wrap(chat.send_message, lambda: meter)("Again?")

    call = only(meter, memory)
    assert [r.response_id for r in call.requests] == ["r1", "r2"]
    assert call.cost_usd == FIRST_USD + SECOND_USD


def test_a_stream_within_a_wrapped_generator_is_part_of_it_also_when_closed(
    frame_server: FrameServer, client: genai.Client, meter: Meter, memory: InMemoryExporter
) -> None:
    play(frame_server, "stream", SAYING)

    def agent() -> Any:
        yield from client.models.generate_content_stream(model=MODEL, contents="hi")

    stream = wrap(agent, lambda: meter)()
    next(stream)
    stream.close()

    assert only(meter, memory).cost_usd == SECOND_USD


@pytest.mark.parametrize("way", ["close", "raise", "drop"])
def test_an_asynchronous_stream_within_a_wrapped_generator_is_part_of_it_when_that_is_left(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    way: str,
) -> None:
    """The SDK's own generators are closed by the event loop later, when the call has ended."""
    part = body({"text": "Sunny"}, 2000, 10, 2, finishReason=None)
    frames = [frame(part), frame(SAYING)]
    frame_server.script(f"{PATH}:streamGenerateContent", frames=frames, pause_s=30)

    async def agent() -> Any:
        asked = client.aio.models.generate_content_stream(model=MODEL, contents="hi")
        async for chunk in await asked:
            yield chunk
            if way == "raise":
                raise LookupError

    async def ask() -> None:
        stream = wrap(agent, lambda: meter)()
        await anext(stream)
        if way == "close":
            await stream.aclose()
        elif way == "raise":
            with pytest.raises(LookupError):
                await anext(stream)
        else:
            del stream
            await asyncio.sleep(0.01)
        meter.flush()
        await asyncio.sleep(0.01)
        await client.aio.aclose()

    asyncio.run(ask())

    call = only(meter, memory)
    assert call.status == ("error" if way == "raise" else "interrupted")
    assert (len(call.requests), call.cost_usd) == (1, Decimal("0.000625"))


ODD = {
    "parts null (logfire#1678)": [body(None, 2000, 50)],
    "text null (logfire#2017)": [body({"text": None}, 2000, 50)],
    "content null": [body({"text": "a"}, 2000, 50, content=None)],
    "no candidates": [{"usageMetadata": SAYING["usageMetadata"], "candidates": []}],
    "cumulative (opentelemetry-python-contrib#4152)": [
        body({"text": "a"}, 2000, 1, finishReason=None),
        body({"text": "b"}, 2000, 30, finishReason=None),
        body({"text": "c"}, 2000, 50),
    ],
    "usage only at the end": [
        {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
        body({"text": "c"}, 2000, 50),
    ],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_streams_are_read_as_they_are_meant(
    frame_server: FrameServer,
    client: genai.Client,
    meter: Meter,
    memory: InMemoryExporter,
    name: str,
) -> None:
    frames = [frame(event) for event in ODD[name]]
    frame_server.script(f"{PATH}:streamGenerateContent", frames=frames)

    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hi"))

    assert len(chunks) == len(ODD[name])
    call = only(meter, memory)
    assert (call.status, call.chunks, call.cost_usd) == ("ok", len(chunks), SECOND_USD)


@pytest.mark.parametrize("per_request", [True, False])
@pytest.mark.parametrize("how", ["plain", "stream", "async plain", "async stream"])
def test_repetitions_inside_the_sdk_are_counted(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, how: str, per_request: bool
) -> None:
    path = f"{PATH}:{'streamGenerateContent' if 'stream' in how else 'generateContent'}"
    for _ in range(2):
        frame_server.json(path, {"error": {"code": 503, "status": "UNAVAILABLE"}}, status=503)
    play(frame_server, how, SAYING)
    retrying = {"retry_options": FAST}
    client = wrap(new(frame_server, **({} if per_request else retrying)), lambda: meter)
    config = {"http_options": retrying} if per_request else {}

    WAYS_OF_ASKING[how](client, {"model": MODEL, "contents": "hi", "config": config})

    call = only(meter, memory)
    assert (call.status, call.retries, len(call.requests)) == ("ok", 2, 1)
    assert call.cost_usd == SECOND_USD


def test_what_brings_no_completion_passes_unrecorded(
    frame_server: FrameServer, client: genai.Client, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(f"{PATH}:countTokens", {"totalTokens": 3})
    frame_server.json("/v1beta/models", {"models": [{"name": f"models/{MODEL}"}]})
    frame_server.json(PATH, {"name": f"models/{MODEL}"})
    frame_server.json("/v1beta/files", {"files": []})
    frame_server.json("/v1beta/cachedContents", {"name": "cachedContents/1"})

    def passing() -> None:
        assert client.models.count_tokens(model=MODEL, contents="hi").total_tokens == 3
        assert [model.name for model in client.models.list()] == [f"models/{MODEL}"]
        client.models.get(model=MODEL)
        list(client.files.list())
        client.caches.create(model=MODEL, config={"contents": "hi"})

    passing()
    meter.flush()
    assert memory.calls == ()
    assert len(frame_server.requests) == 5


@pytest.mark.parametrize(
    ("options", "model", "provider", "host", "context"),
    [
        ({"location": "us-central1"}, MODEL, "vertex", "us-central1-aiplatform.googleapis.com",
         {"region": "us-central1"}),
        ({"location": "global"}, MODEL, "vertex", "aiplatform.googleapis.com",
         {"region": "global"}),
        ({"location": "us-central1"},
         f"projects/p/locations/europe-west4/publishers/google/models/{MODEL}", "vertex",
         "us-central1-aiplatform.googleapis.com", {"region": "europe-west4"}),
        ({}, f"models/{MODEL}", "google", "generativelanguage.googleapis.com", {}),
        ({"http_options": {"base_url": "https://europe-west1-aiplatform.googleapis.com"}}, MODEL,
         "vertex", "europe-west1-aiplatform.googleapis.com", {"region": "europe-west1"}),
    ],
)  # fmt: skip
def test_who_is_asked(
    meter: Meter,
    memory: InMemoryExporter,
    options: dict[str, Any],
    model: str,
    provider: str,
    host: str,
    context: dict[str, str],
) -> None:
    made = _vertex(**options) if "location" in options else genai.Client(api_key="k", **options)
    client = wrap(made, lambda: meter)
    asked: Any = {"temperature": "hot"}  # which the SDK refuses before anything is sent

    with pytest.raises(pydantic.ValidationError):
        client.models.generate_content(model=model, contents="hi", config=asked)

    call = only(meter, memory)
    assert call.status == "error"
    assert (call.last.provider, call.last.endpoint, call.last.port) == (provider, host, 443)
    assert (call.last.model, call.last.model_requested) == (MODEL, model)
    assert dict(call.last.context) == context


def _vertex(**options: Any) -> genai.Client:
    credentials = Credentials(token="t")  # type: ignore[no-untyped-call]  # google-auth
    return genai.Client(vertexai=True, project="p", credentials=credentials, **options)


def test_an_address_of_one_request_alone(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    play(frame_server, "plain", SAYING)
    client = wrap(genai.Client(api_key="k"), lambda: meter)
    here = types.HttpOptions(base_url=frame_server.url, api_version="v1beta")
    config = types.GenerateContentConfig(
        http_options=here,
        temperature=0,
        max_output_tokens=64,
        candidate_count=1,
        service_tier=types.ServiceTier.FLEX,
        system_instruction="a secret",
    )

    client.models.generate_content(model=MODEL, contents="another secret", config=config)

    call = only(meter, memory)
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", frame_server.port)
    assert call.request_params == {
        "temperature": 0,
        "max_tokens": 64,
        "n": 1,
        "service_tier": "flex",
    }
    assert call.last.context == {"requested_service_tier": "flex"}
    # Flex costs half: 2000 x $0.15 + 50 x $1.25 per million.
    assert call.cost_usd == Decimal("0.0003625")
    assert call.estimate is not None
    assert call.estimate.output_tokens.high == 64
    assert "secret" not in repr(call)


def test_wrapping_changes_the_client_in_place_and_unwrapping_puts_all_back(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    play(frame_server, "plain", SAYING)
    client = new(frame_server)
    api_client: Any = client._api_client
    parts = (client, client.aio, client.models, client.aio.models, api_client)
    before = [dict(vars(part)) for part in parts]

    assert wrap(client, lambda: meter) is client
    watched = [dict(vars(part)) for part in parts]
    assert wrap(client, lambda: meter) is client
    assert [dict(vars(part)) for part in parts] == watched
    assert type(client.models) is genai.models.Models
    for name in ("generate_content", "generate_content_stream", "embed_content"):
        for models in (client.models, client.aio.models):
            method, own = getattr(models, name), getattr(type(models), name)
            assert inspect.signature(method) == inspect.signature(own.__get__(models))
            assert inspect.iscoroutinefunction(method) == inspect.iscoroutinefunction(own)
            assert inspect.isgeneratorfunction(method) == inspect.isgeneratorfunction(own)

    assert unwrap(client) is client
    assert [dict(vars(part)) for part in parts] == before
    client.models.generate_content(model=MODEL, contents="hi")
    meter.flush()
    assert memory.calls == ()


@pytest.mark.parametrize("first", ["aio", "models", "bound"])
def test_a_half_of_a_client_a_method_and_then_all_of_it(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, first: str
) -> None:
    play(frame_server, "plain", CALLING, SAYING)
    client = new(frame_server)
    if first == "bound":
        ask = wrap(client.models.generate_content, lambda: meter)
        ask(**TOOLS)
        assert len(only(meter, memory).requests) == 2
        assert unwrap(ask) == client.models.generate_content
    else:
        half = client.aio if first == "aio" else client.models
        assert wrap(half, lambda: meter) is half
        (client.models if first == "models" else _Asynchronous(client)).generate_content(**TOOLS)
        assert len(only(meter, memory).requests) == 2
    memory.clear()

    wrap(client, lambda: meter)
    play(frame_server, "plain", SAYING)
    client.models.generate_content(model=MODEL, contents="hi")

    assert len(only(meter, memory).requests) == 1


class _Asynchronous:
    def __init__(self, client: genai.Client) -> None:
        self.client = client

    def generate_content(self, **asked: Any) -> Any:
        return asyncio.run(_aplain(self.client, asked))


def test_functions_that_return_what_an_unwrapped_client_returned(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    play(frame_server, "plain", SAYING)
    play(frame_server, "stream", SAYING)
    client = new(frame_server)
    chat = client.chats.create(model=MODEL)

    def ask(question: str) -> types.GenerateContentResponse:
        return client.models.generate_content(model=MODEL, contents=question)

    wrap(ask, lambda: meter)("hi")
    wrap(chat.send_message, lambda: meter)("hi")
    list(wrap(chat.send_message_stream, lambda: meter)("hi"))

    meter.flush()
    assert meter.guard.failures == {}
    assert [call.cost_usd for call in memory.calls] == [SECOND_USD] * 3
    for call in memory.calls:
        assert (call.last.api, call.last.model) == ("generateContent", MODEL)
        assert [type(reason) for reason in call.last.finish_reasons] == [str]


@pytest.mark.parametrize("streamed", [False, True])
def test_interactions_are_recorded_where_their_method_is_wrapped(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, streamed: bool
) -> None:
    usage = {"total_input_tokens": 1000, "total_output_tokens": 100, "total_tokens": 1100}
    steps = [{"type": "model_output", "content": [{"type": "text", "text": "Sunny."}]}]
    whole = {"id": "i1", "status": "completed", "model": MODEL, "usage": usage, "steps": steps}
    begun = {"id": "i1", "status": "in_progress", "model": MODEL}
    events: list[dict[str, Any]] = [
        {"event_type": "interaction.created", "interaction": begun},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Sunny."}},
        {"event_type": "interaction.completed", "interaction": whole},
    ]
    if streamed:
        frames = [f"event: {e['event_type']}\n".encode() + frame(e) for e in events]
        frame_server.script("/v1beta/interactions", frames=frames)
    else:
        frame_server.json("/v1beta/interactions", whole)
    client = new(frame_server)
    create: Any = wrap(client.interactions.create, lambda: meter)

    reply = create(model=MODEL, input="Weather?", stream=streamed)
    assert len(list(reply)) == 3 if streamed else reply.id == "i1"

    call = only(meter, memory)
    assert (call.last.api, call.last.response_id, call.status) == ("interactions", "i1", "ok")
    assert (call.cost_usd, call.cost_status) == (FIRST_USD, "priced")


def test_a_dropped_client_is_freed(frame_server: FrameServer, meter: Meter) -> None:
    play(frame_server, "plain", SAYING)
    client = wrap(new(frame_server), lambda: meter)
    client.models.generate_content(model=MODEL, contents="hi")
    kept = [weakref.ref(part) for part in (client, client.models, client.aio, client._api_client)]

    del client
    # As unwrapped, the client itself goes at once, and closes its connections.
    assert kept[0]() is None
    gc.collect()
    assert [part() for part in kept] == [None] * 4


def test_the_private_names_that_are_used_are_there() -> None:
    client = genai.Client(api_key="k")
    api_client: Any = client._api_client

    assert inspect.iscoroutinefunction(api_client.async_request)
    assert inspect.iscoroutinefunction(api_client.async_request_streamed)
    assert inspect.isgeneratorfunction(api_client.request_streamed)
    for name in ("request", "request_streamed", "async_request", "async_request_streamed"):
        parameters = list(inspect.signature(getattr(api_client, name)).parameters)
        assert parameters[:2] == ["http_method", "path"]
    for name in ("_request_once", "_async_request_once"):
        assert next(iter(inspect.signature(getattr(api_client, name)).parameters)) == "http_request"
    assert api_client.get_read_only_http_options()["base_url"].startswith("https://")
    assert (api_client.vertexai or False, api_client.location) == (False, None)
