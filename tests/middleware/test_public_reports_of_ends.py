"""What users of other libraries reported: a call ends once and rightly on every way out.

Each test is named after its report, see `test_public_reports.py`.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import openai
import pytest
import wire
from bench import (
    CHAT,
    CHAT_PATH,
    HI,
    MESSAGES_PATH,
    MSG,
    STREAM,
    Bench,
)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from costspan.exporters.memory import InMemoryExporter
from costspan.exporters.otel import OTelExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap


async def test_langfuse_899_1112_close_ends_the_call(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:2])
    stream = bench.openai.chat.completions.create(**STREAM)
    next(stream)
    stream.close()
    assert bench.only().ended_by == "closed"
    bench.memory.clear()
    astream = await async_openai.chat.completions.create(**STREAM)
    await anext(astream)
    await astream.close()
    assert bench.only().ended_by == "closed"


async def test_opentelemetry_4751_close_is_awaited_where_it_was(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:2])
    stream = await async_openai.chat.completions.create(**STREAM)
    assert inspect.iscoroutinefunction(stream.close)
    await stream.close()
    await stream.close()
    assert stream.response.is_closed
    # The connection is given back: the server sees that the client has left.
    assert await asyncio.to_thread(bench.server.wait_hung_up)


def test_openllmetry_3681_a_manager_gives_its_stream_and_hands_errors_on(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    completions = bench.openai.chat.completions
    boom = KeyError("the user's own")

    def read() -> None:
        with completions.stream(**CHAT) as stream:
            assert next(stream).type == "chunk"
            raise boom

    with pytest.raises(KeyError) as caught:
        read()
    assert caught.value is boom
    assert bench.only().status == "interrupted"


def test_openlit_1454_1515_1561_1615_break_in_a_with_block(bench: Bench) -> None:
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:3])
    with bench.openai.chat.completions.create(**STREAM) as stream:
        for _ in stream:
            break
    call = bench.only()
    assert (call.status, call.ended_by) == ("interrupted", "closed")
    assert call.cost_usd is not None


def test_opentelemetry_genai_386_a_generator_stays_one_and_ends_when_dropped(bench: Bench) -> None:
    closed: list[bool] = []

    def complete(model: str, messages: Any) -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield wire.CHAT_TEXT[0]
        finally:
            closed.append(True)

    stream = wrap(complete, lambda: bench.meter)("gpt-4o", HI)
    assert inspect.isgenerator(stream)
    next(stream)
    del stream
    assert closed == [True]
    assert bench.only().status == "interrupted"


async def test_langfuse_1566_genai_646_a_cancelled_task_is_recorded(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    bench.server.script(CHAT_PATH, frames=[b"{}"], delay_s=30)
    task = asyncio.create_task(async_openai.chat.completions.create(**CHAT))
    while not bench.server.requests:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.only().status == "cancelled"


def test_openlit_1618_a_call_lives_until_its_stream_was_read(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    stream = bench.openai.chat.completions.create(**STREAM)
    for _ in range(4):
        next(stream)
        bench.meter.flush()
        assert bench.memory.calls == ()
    list(stream)
    call = bench.only()
    assert call.usage is not None
    assert call.chunks == 6  # as many as the server sent


@pytest.mark.parametrize("way", ["end", "break", "raise"])
def test_onyx_10658_usage_is_recorded_on_every_way_out(bench: Bench, way: str) -> None:
    bench.answer(MESSAGES_PATH, wire.MESSAGE_STREAM)

    def read() -> None:
        with bench.claude.messages.create(**MSG, stream=True) as stream:
            for event in stream:
                if event.type == "content_block_delta" and way == "break":
                    break
                if event.type == "content_block_delta" and way == "raise":
                    raise ConnectionResetError

    if way == "raise":
        with pytest.raises(ConnectionResetError):
            read()
    else:
        read()
    call = bench.only()
    assert call.last.usage is not None
    assert call.last.usage.input_tokens == 1000
    assert call.last.usage.source == ("provider" if way == "end" else "partial")
    assert call.cost_usd is not None


async def test_litellm_14457_37558_36008_13245_a_client_that_disconnects(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    """A web server cancels its handler when the browser has gone."""
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:3])
    seen: list[Any] = []

    async def handler() -> None:
        async for chunk in await async_openai.chat.completions.create(**STREAM):
            seen.append(chunk)

    task = asyncio.create_task(handler())
    while not seen:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    call = bench.only()
    assert call.status == "cancelled"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"
    assert call.cost_usd is not None


def test_openlit_1369_openinference_1769_a_stream_closed_in_another_context(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    bench.meter = Meter(exporters=[bench.memory, OTelExporter(tracer_provider=provider)])
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:2])
    with caplog.at_level(logging.DEBUG):
        create: Any = bench.openai.chat.completions.create
        stream = contextvars.Context().run(create, **STREAM)
        contextvars.Context().run(next, stream)
        contextvars.Context().run(stream.close)
    assert [entry for entry in caplog.records if "context" in entry.getMessage().lower()] == []
    assert bench.only().status == "interrupted"


def test_openllmetry_3255_3958_an_abandoned_stream_leaves_no_span_current(bench: Bench) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    bench.meter = Meter(exporters=[bench.memory, OTelExporter(tracer_provider=provider)])
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:2])
    stream = bench.openai.chat.completions.create(**STREAM)
    next(stream)
    assert not trace.get_current_span().get_span_context().is_valid
    del stream
    gc.collect()
    assert not trace.get_current_span().get_span_context().is_valid
    bench.meter.flush()
    with provider.get_tracer("app").start_as_current_span("later") as span:
        assert span.get_span_context().trace_id != int(bench.only().trace_id or "0", 16)


def test_logfire_1668_the_stream_s_own_error_reaches_the_user(bench: Bench) -> None:
    class Broken(InMemoryExporter):
        def finish(self, record: Call) -> None:
            raise ZeroDivisionError("ours")

    bench.meter = Meter(exporters=[Broken(), bench.memory])
    boom = OSError("the connection's own")

    def complete(model: str, messages: Any) -> Iterator[dict[str, Any]]:
        yield wire.CHAT_TEXT[0]
        raise boom

    with pytest.raises(OSError, match="connection's own") as caught:
        list(wrap(complete, lambda: bench.meter)("gpt-4o", HI))
    assert caught.value is boom
    assert caught.value.__context__ is None
    (call,) = bench.memory.calls
    assert call.status == "error"


# Found in our own runs.


async def test_an_async_generator_closed_early_is_closed_inside(bench: Bench) -> None:
    closed: list[bool] = []

    async def complete(model: str, messages: Any) -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield wire.CHAT_TEXT[0]
        finally:
            closed.append(True)

    stream: Any = wrap(complete, lambda: bench.meter)("gpt-4o", HI)
    assert inspect.isasyncgen(stream)
    async with aclosing(stream):
        await anext(stream)
    assert closed == [True]
    assert bench.only().status == "interrupted"
