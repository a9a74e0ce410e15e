"""google-genai: every hop of a call is a request of its own, priced alone."""

from __future__ import annotations

import asyncio
import gc
import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors, types
from google_asking import (
    CALLING,
    FAST,
    FIRST_USD,
    MODEL,
    PATH,
    SAYING,
    SECOND_USD,
    TOOLS,
    WAYS_OF_ASKING,
    asking,
    body,
    frame,
    new,
    only,
    play,
    weather,
)

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer


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
