"""What users of other libraries reported: usage, money and values that stay what they are.

The list of all rows, and where each is tested, is in `test_public_reports.py`.
"""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
import wire
from asking import returning
from bench import ASKED, CHAT, CHAT_PATH, HI, MESSAGES_PATH, MSG, RESPONSES_PATH, STREAM, Bench
from opentelemetry.sdk.trace import TracerProvider

from costspan.exporters.otel import OTelExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

# 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens of gpt-4o.
USD = Decimal("0.003")


def replied(bench: Bench, body: dict[str, Any]) -> Call:
    """The record of a message that is answered with a body."""
    bench.answer(MESSAGES_PATH, body)
    bench.claude.messages.create(**MSG)
    return bench.only()


def buckets(call: Call) -> dict[str, Any]:
    """The meters that are not zero."""
    assert call.last.usage is not None
    return {meter: count for meter, count in call.last.usage.buckets.items() if count}


def test_logfire_64_langfuse_2833_a_chunk_without_choices(bench: Bench) -> None:
    """Azure starts its streams with one, and the chunk with the usage has none."""
    first = wire.sse(wire.chat_chunk(choices=[], prompt_filter_results=[]))
    bench.answer(CHAT_PATH, [*first, *wire.CHAT_STREAM])
    assert len(list(bench.openai.chat.completions.create(**STREAM))) == 6
    assert bench.only().cost_usd == USD


@pytest.mark.parametrize("odd", [[{"index": 0, "finish_reason": None}], None, [None], [{}]])
def test_langfuse_1648_1745_choices_without_delta_or_null(bench: Bench, odd: Any) -> None:
    chunks = [wire.chat_chunk(choices=odd), *wire.CHAT_TEXT]
    usage = wire.chat_chunk(choices=[], usage=wire.OPENAI_USAGE)
    stream = wrap(returning(lambda: iter_of([*chunks, usage])), lambda: bench.meter)
    assert list(stream("gpt-4o", HI)) == [*chunks, usage]
    assert bench.only().cost_usd == USD


def iter_of(items: list[Any]) -> Iterator[Any]:
    """A generator of the items."""
    yield from items


def test_langfuse_992_litellm_35290_nothing_is_added_to_a_request(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    for client in (bench.plain, bench.openai):
        list(client.chat.completions.create(**CHAT, stream=True))
    plain, wrapped = bench.server.requests
    assert plain.body == wrapped.body
    assert "stream_options" not in wrapped.json
    assert plain.headers == wrapped.headers


def test_litellm_7790_the_end_comes_after_the_usage(bench: Bench) -> None:
    ended: list[Call] = []

    class Hook:
        def on_end(self, call: Call) -> None:
            ended.append(call)

    bench.meter = Meter(exporters=[bench.memory], hooks=[Hook()])
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    list(bench.openai.chat.completions.create(**STREAM))
    (call,) = ended
    assert buckets(call)["tokens.in.cache_read"] == 400


async def test_litellm_7260_a_hook_of_an_async_stream_is_called_once(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    ended: list[Call] = []

    class Hook:
        def on_end(self, call: Call) -> None:
            ended.append(call)

    bench.meter = Meter(hooks=[Hook()])
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    stream = await async_openai.chat.completions.create(**STREAM)
    assert len([chunk async for chunk in stream]) == 5
    await stream.close()
    assert [call.status for call in ended] == ["ok"]


def test_openllmetry_3976_2899_usage_does_not_hang_on_content(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    bench.openai.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "a secret prompt"}]
    )
    call = bench.only()
    assert call.cost_usd == USD
    assert "secret" not in repr(call)
    assert "One two three" not in repr(call)


def test_logfire_1812_openllmetry_2175_cached_tokens_are_part_of_the_input_once(
    bench: Bench,
) -> None:
    usage = {**wire.ANTHROPIC_USAGE, "cache_creation_input_tokens": 200}
    call = replied(bench, {**wire.MESSAGE_BODY, "usage": usage})
    assert call.last.usage is not None
    assert call.last.usage.input_tokens == 600 + 400 + 200
    assert call.last.usage.output_tokens == 100


def test_openlit_1379_cached_tokens_are_priced_as_such(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    bench.openai.chat.completions.create(**CHAT)
    assert bench.only().cost_usd == USD  # and not 1000 x $2.50 + 100 x $10 = 0.0035


def test_langfuse_1747_1549_1299_nested_usage_with_odd_values(bench: Bench) -> None:
    usage = {
        **wire.ANTHROPIC_USAGE,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 0, "note": "none"},
        "something_new": {"deep": ["x", None]},
    }
    call = replied(bench, {**wire.MESSAGE_BODY, "usage": usage})
    assert buckets(call) == {
        "tokens.in.text": 600,
        "tokens.in.cache_read": 400,
        "tokens.in.cache_write.5m": 100,
        "tokens.in.cache_write.1h": 200,
        "tokens.out.text": 100,
    }
    # 600 x $2 + 400 x $0.20 + 100 x $2.50 + 200 x $4 + 100 x $10 per million tokens.
    assert call.cost_usd == Decimal("0.00333")


def test_litellm_1787_langfuse_1872_a_function_that_asks_a_wrapped_client(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)

    def ask(model: str, messages: Any) -> Any:
        return bench.openai.chat.completions.create(model=model, messages=messages)

    wrap(ask, lambda: bench.meter)("gpt-4o", HI)
    call = bench.only()
    assert (len(call.requests), call.cost_usd) == (1, USD)


def test_litellm_2620_a_retry_around_the_retries_of_the_sdk(bench: Bench) -> None:
    for _ in range(3):
        bench.server.json(CHAT_PATH, {"error": {}}, 429, {"retry-after-ms": "1"})
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    patient = bench.openai.with_options(max_retries=1)

    def ask(model: str, messages: Any) -> Any:
        for _ in range(2):
            try:
                return patient.chat.completions.create(model=model, messages=messages)
            except openai.RateLimitError:
                continue
        raise AssertionError("it is answered in the end")

    wrap(ask, lambda: bench.meter)("gpt-4o", HI)
    call = bench.only()
    assert len(bench.server.requests) == 4
    assert [request.error is None for request in call.requests] == [False, True]
    assert (call.status, call.cost_usd) == ("ok", USD)


def test_mlflow_22280_openllmetry_1274_a_deployment_is_no_model(bench: Bench) -> None:
    path = "/openai/deployments/my-deployment/chat/completions"
    bench.answer(path, {**wire.CHAT_BODY, "model": "my-deployment"})
    made = openai.AzureOpenAI(
        azure_endpoint=bench.server.url, api_key="k", api_version="2024-10-21", max_retries=0
    )
    with wrap(made, lambda: bench.meter) as client:
        client.chat.completions.create(model="my-deployment", messages=HI)
        assert bench.only().cost_status == "unpriced"

        bench.memory.clear()
        bench.meter = Meter(
            exporters=[bench.memory], aliases={"my-deployment": "azure/gpt-4o-2024-08-06"}
        )
        client.chat.completions.create(model="my-deployment", messages=HI)
        assert bench.only().cost_usd == USD


def test_openllmetry_3473_opentelemetry_3926_arguments_that_are_not_given(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    not_given: Any = openai.NOT_GIVEN
    bench.openai.chat.completions.create(
        **CHAT, temperature=not_given, max_tokens=not_given, top_p=0.5
    )
    assert dict(bench.only().request_params) == {"top_p": 0.5}


def test_openlit_893_values_that_are_no_attributes(bench: Bench) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    bench.meter = Meter(exporters=[bench.memory, OTelExporter(tracer_provider=provider)])
    bench.answer(CHAT_PATH, {**wire.CHAT_BODY, "service_tier": None, "system_fingerprint": {}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bench.openai.chat.completions.create(
            **CHAT, stop=["a", "b"], temperature=None, extra_body={"seed": {"odd": [None]}}
        )
    assert dict(bench.only().request_params) == {"stop": ["a", "b"]}


def test_langfuse_1101_what_the_user_holds_is_not_changed(bench: Bench) -> None:
    reply = copy.deepcopy(wire.CHAT_BODY)
    messages = copy.deepcopy(HI)
    wrap(returning(lambda: reply), lambda: bench.meter)("gpt-4o", messages)
    assert bench.only().cost_usd == USD
    assert reply == wire.CHAT_BODY
    assert messages == HI


class Reply:
    """A reply that hangs together with the whole application."""

    def __init__(self) -> None:
        self.usage = wire.OPENAI_USAGE
        self.choices = wire.CHAT_BODY["choices"]
        self.object, self.model = "chat.completion", "gpt-4o-2024-08-06"
        self.client = self
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self.read.append(name)
        raise RuntimeError("a connection is opened")

    async def json(self) -> Any:
        """Nobody awaits it."""


def test_langfuse_1577_clients_and_sessions_are_not_walked(bench: Bench) -> None:
    reply = Reply()
    assert wrap(returning(lambda: reply), lambda: bench.meter)("gpt-4o", HI) is reply
    assert bench.only().cost_usd == USD


def test_litellm_21593_openllmetry_2252_large_images_are_not_copied(bench: Bench) -> None:
    image = "data:image/png;base64," + "A" * 8_000_000
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}]}]
    ask = wrap(returning(lambda: wire.CHAT_BODY), lambda: bench.meter)
    ask("gpt-4o", messages)
    bench.memory.clear()
    tracemalloc.start()
    before = time.process_time()
    ask("gpt-4o", messages)
    spent_s = time.process_time() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert spent_s < 0.5
    assert bench.only().cost_usd == USD


def test_logfire_2157_1551_circular_and_unserialisable_arguments(bench: Bench) -> None:
    circle: list[Any] = [{"role": "user", "content": "hi"}]
    circle.append(circle)
    tool: dict[str, Any] = {"type": "function", "call": object()}
    tool["self"] = tool

    def ask(model: str, messages: Any, **options: Any) -> Any:
        return wire.CHAT_BODY

    reply = wrap(ask, lambda: bench.meter)("gpt-4o", circle, tools=[tool], metadata=object())
    assert reply is wire.CHAT_BODY
    assert bench.only().cost_usd == USD


@pytest.mark.parametrize("content", [None, {}, {"parts": None}, {"parts": [{"text": None}]}])
def test_logfire_1678_2017_parts_that_are_null(bench: Bench, content: Any) -> None:
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
    reply = {"candidates": [{"content": content}], "usageMetadata": usage}
    wrap(returning(lambda: reply), lambda: bench.meter)("gemini-2.5-flash", HI)
    # 1000 x $0.30 + 100 x $2.50 per million tokens.
    assert bench.only().cost_usd == Decimal("0.00055")


def test_openlit_1383_parse_is_seen(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    bench.answer(RESPONSES_PATH, wire.RESPONSES_BODY)
    bench.openai.chat.completions.parse(**CHAT)
    bench.openai.responses.parse(**ASKED)
    bench.meter.flush()
    assert [call.cost_usd for call in bench.memory.calls] == [USD, USD]


def test_openlit_1328_opentelemetry_4445_one_missing_part_breaks_nothing_else() -> None:
    """No library for wrapping is used, and an SDK that fails at import is nobody else's matter."""
    code = """
import sys
for name in ("wrapt", "anthropic", "cohere", "mistralai"):
    sys.modules[name] = None  # importing them fails
import openai, costspan
client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0)
for kind in type(client).__mro__:  # the SDK's own hook, which a later one may not have
    if "_prepare_request" in vars(kind):
        del kind._prepare_request
assert costspan.wrap(client) is client
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


async def test_litellm_1519_openllmetry_2226_nothing_blocks_the_loop(
    bench: Bench, async_claude: anthropic.AsyncAnthropic
) -> None:
    """A flush inside a running loop works, and a slow start of an exporter is the only wait."""
    bench.answer(MESSAGES_PATH, wire.MESSAGE_BODY)
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(ticking())
    await async_claude.messages.create(**MSG)
    task.cancel()
    assert bench.meter.flush()
    assert ticks > 3
    assert bench.only().status == "ok"


def test_litellm_13264_a_stream_has_its_cost(bench: Bench) -> None:
    bench.answer(MESSAGES_PATH, wire.MESSAGE_STREAM)
    list(bench.claude.messages.create(**MSG, stream=True))
    # 600 x $2 + 400 x $0.20 (cache read) + 100 x $10 per million tokens of Sonnet 5.
    assert bench.only().cost_usd == Decimal("0.00228")
