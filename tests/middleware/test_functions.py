"""Wrapping functions: one record on every way out, and nothing different for the user."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncGenerator, Generator, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from asking import returning

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

MESSAGES = [{"role": "user", "content": "hi"}]
MODEL = "gpt-4o-2024-08-06"


def reply(text: str = "Hello there.") -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
            "prompt_tokens_details": {"cached_tokens": 400},
        },
    }


# gpt-4o-2024-08-06 since 2024-10-02: $2.50 in, $1.25 cached, $10.00 out per million tokens:
# 600 x 2.5 + 400 x 1.25 + 100 x 10 = 3,000 micro-dollars.
COST = Decimal("0.003")


def chunks(finished: bool = True, usage: bool = True) -> list[dict[str, Any]]:
    base = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": MODEL, "usage": None}
    made: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        for word in ("One ", "two ", "three.")
    ]
    if finished:
        made.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        made.append({**base, "choices": [], "usage": reply()["usage"]})
    return made


def only(memory: InMemoryExporter, meter: Meter) -> Call:
    meter.flush()
    assert len(memory.calls) == 1
    return memory.calls[0]


def test_a_value_is_the_same_object_and_one_record(meter: Meter, memory: InMemoryExporter) -> None:
    answer = reply()

    def ask(model: str, messages: list[Any], temperature: float = 1.0) -> dict[str, Any]:
        """Ask a model."""
        return answer

    wrapped = wrap(ask, lambda: meter)

    assert wrapped(MODEL, MESSAGES, temperature=0.5) is answer
    call = only(memory, meter)
    assert (call.status, call.ended_by, call.streaming) == ("ok", "value", False)
    assert call.last.provider == "openai"
    assert call.last.model == MODEL
    assert call.last.usage is not None
    assert dict(call.last.usage.buckets) == {
        "tokens.in.text": 600,
        "tokens.in.cache_read": 400,
        "tokens.out.text": 100,
    }
    assert call.cost_usd == COST
    assert call.request_params == {"temperature": 0.5}
    assert call.estimate is not None
    assert inspect.signature(wrapped) == inspect.signature(ask)
    assert (wrapped.__name__, wrapped.__doc__) == ("ask", "Ask a model.")


def test_an_object_with_attributes_is_read_like_a_mapping(
    meter: Meter, memory: InMemoryExporter
) -> None:
    answer = SimpleNamespace(
        object="chat.completion",
        model=MODEL,
        choices=[SimpleNamespace(index=0, finish_reason="stop", message=None)],
        usage=SimpleNamespace(prompt_tokens=1000, completion_tokens=100, total_tokens=1100),
    )

    assert wrap(returning(lambda: answer), lambda: meter)(MODEL, MESSAGES) is answer
    assert only(memory, meter).cost_usd == Decimal("0.0035")


def test_wrapping_twice_is_a_no_op(meter: Meter, memory: InMemoryExporter) -> None:
    wrapped = wrap(returning(lambda: reply()), lambda: meter)

    assert wrap(wrapped, lambda: meter) is wrapped


def test_the_outermost_wrapper_records(meter: Meter, memory: InMemoryExporter) -> None:
    inner = wrap(returning(lambda: reply()), lambda: meter)
    outer = wrap(returning(lambda: inner(MODEL, MESSAGES)), lambda: meter)

    outer(MODEL, MESSAGES)

    only(memory, meter)


def test_an_exception_is_the_same_object_and_a_record(
    meter: Meter, memory: InMemoryExporter
) -> None:
    error = ConnectionError("with a secret prompt")

    def ask(model: str, messages: list[Any]) -> None:
        raise error

    with pytest.raises(ConnectionError) as caught:
        wrap(ask, lambda: meter)(MODEL, MESSAGES)
    assert caught.value is error
    call = only(memory, meter)
    assert (call.status, call.ended_by) == ("error", "raised")
    assert call.error is not None
    assert (call.error.type, call.error.http_status, call.error.code) == (
        "ConnectionError",
        None,
        None,
    )
    assert call.cost_usd is None
    assert call.cost_status == "unpriced"
    assert "secret" not in repr(call)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
def test_a_cancellation_is_no_error(
    meter: Meter, memory: InMemoryExporter, error: BaseException
) -> None:
    def ask(model: str, messages: list[Any]) -> None:
        raise error

    with pytest.raises(type(error)):
        wrap(ask, lambda: meter)(MODEL, MESSAGES)
    assert only(memory, meter).status == "cancelled"


async def test_a_coroutine_function(meter: Meter, memory: InMemoryExporter) -> None:
    answer = reply()

    async def ask(model: str, messages: list[Any]) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return answer

    wrapped = wrap(ask, lambda: meter)

    assert inspect.iscoroutinefunction(wrapped)
    assert await wrapped(MODEL, MESSAGES) is answer
    call = only(memory, meter)
    assert call.cost_usd == COST
    assert call.latency_us >= 10_000


async def test_a_function_that_hides_that_it_is_asynchronous(
    meter: Meter, memory: InMemoryExporter
) -> None:
    # OpenAI's ``create`` is such a one (openllmetry #3421, #3329).
    async def work() -> dict[str, Any]:
        return reply()

    wrapped = wrap(returning(lambda: work()), lambda: meter)

    assert (await wrapped(MODEL, MESSAGES))["id"] == "chatcmpl-1"
    assert only(memory, meter).cost_usd == COST


async def test_a_cancelled_task(meter: Meter, memory: InMemoryExporter) -> None:
    async def ask(model: str, messages: list[Any]) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(wrap(ask, lambda: meter)(MODEL, MESSAGES))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(memory, meter).status == "cancelled"


def stream(items: list[Any], error: BaseException | None = None) -> Generator[Any, None, str]:
    yield from items
    if error is not None:
        raise error
    return "the end"


def test_a_generator_read_to_its_end(meter: Meter, memory: InMemoryExporter) -> None:
    sent = chunks()
    got = wrap(returning(lambda: stream(sent)), lambda: meter)(MODEL, MESSAGES)

    assert inspect.isgenerator(got)
    assert [id(item) for item in got] == [id(item) for item in sent]
    call = only(memory, meter)
    assert (call.status, call.ended_by, call.streaming) == ("ok", "exhausted", True)
    assert call.chunks == 5
    assert call.cost_usd == COST
    assert call.ttft_us is not None
    assert call.ttft_us <= call.latency_us


def test_a_generator_function_stays_one(meter: Meter, memory: InMemoryExporter) -> None:
    def ask(model: str, messages: list[Any]) -> Generator[Any, None, str]:
        return (yield from stream(chunks()))

    wrapped = wrap(ask, lambda: meter)

    def drive() -> Generator[Any, None, None]:
        ended.append((yield from wrapped(MODEL, MESSAGES)))

    ended: list[str] = []
    assert inspect.isgeneratorfunction(wrapped)
    assert len(list(drive())) == 5
    assert ended == ["the end"]
    assert only(memory, meter).cost_usd == COST


def test_usage_that_comes_last_is_the_provider_s(meter: Meter, memory: InMemoryExporter) -> None:
    # langfuse #7790: the hook ran before the usage chunk.
    list(wrap(returning(lambda: stream(chunks())), lambda: meter)(MODEL, MESSAGES))

    usage = only(memory, meter).last.usage
    assert usage is not None
    assert usage.source == "provider"


def test_a_stream_without_usage_is_counted_and_flagged(
    meter: Meter, memory: InMemoryExporter
) -> None:
    # langfuse #13264 and openllmetry: the cost of such streams silently became zero.
    sent = chunks(usage=False)
    list(wrap(returning(lambda: stream(sent)), lambda: meter)(MODEL, MESSAGES))

    call = only(memory, meter)
    assert call.last.usage is not None
    assert call.last.usage.source == "estimated"
    assert call.last.usage.flags == ("no_usage",)
    assert call.cost_usd is not None
    assert call.cost_usd > 0


@pytest.mark.parametrize("way", ["close", "break", "drop"])
def test_a_stream_that_is_left_is_one_interrupted_record(
    meter: Meter, memory: InMemoryExporter, way: str
) -> None:
    # openlit #1454, #1515, #1561, #1615; opentelemetry-python-genai #491.
    closed: list[bool] = []

    def inner() -> Iterator[Any]:
        try:
            yield from chunks(usage=False)
        finally:
            closed.append(True)

    got = wrap(returning(inner), lambda: meter)(MODEL, MESSAGES)
    next(got)
    if way == "close":
        got.close()
    elif way == "break":
        for _ in got:
            break
    del got
    gc.collect()

    call = only(memory, meter)
    assert call.status == "interrupted"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"
    assert closed == [True]


def test_a_stream_that_is_never_read_is_one_record(meter: Meter, memory: InMemoryExporter) -> None:
    got = wrap(returning(lambda: stream(chunks())), lambda: meter)(MODEL, MESSAGES)
    del got
    gc.collect()

    call = only(memory, meter)
    assert (call.status, call.ended_by) == ("interrupted", "dropped")
    assert call.cost_status == "unpriced"


def test_an_error_within_a_stream_is_the_same_object(
    meter: Meter, memory: InMemoryExporter
) -> None:
    # openllmetry: a cut stream ended with status OK.
    error = ConnectionResetError("cut")
    sent = chunks(finished=False, usage=False)
    got = wrap(returning(lambda: stream(sent, error)), lambda: meter)(MODEL, MESSAGES)

    with pytest.raises(ConnectionResetError) as caught:
        list(got)
    assert caught.value is error
    call = only(memory, meter)
    assert (call.status, call.ended_by) == ("error", "raised")
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"


async def agen(items: list[Any]) -> AsyncGenerator[Any, None]:
    for item in items:
        await asyncio.sleep(0)
        yield item


async def test_an_async_generator(meter: Meter, memory: InMemoryExporter) -> None:
    got = wrap(returning(lambda: agen(chunks())), lambda: meter)(MODEL, MESSAGES)

    assert inspect.isasyncgen(got)
    assert len([item async for item in got]) == 5
    assert only(memory, meter).cost_usd == COST


async def test_an_async_generator_that_is_closed_early(
    meter: Meter, memory: InMemoryExporter
) -> None:
    got = wrap(returning(lambda: agen(chunks())), lambda: meter)(MODEL, MESSAGES)
    async for _ in got:
        break
    await got.aclose()

    assert only(memory, meter).status == "interrupted"


async def test_what_is_sent_and_thrown_into_an_async_generator_function_reaches_it(
    meter: Meter, memory: InMemoryExporter
) -> None:
    async def echo(model: str, messages: Any) -> AsyncGenerator[object, object]:
        got: object = None
        while got != "enough":
            try:
                got = yield got
            except KeyError as error:
                got = error

    wrapped = wrap(echo, lambda: meter)
    assert inspect.isasyncgenfunction(wrapped)
    stream, error = wrapped(MODEL, MESSAGES), KeyError("the user's own")
    assert await anext(stream) is None
    assert await stream.asend("said") == "said"
    assert await stream.athrow(error) is error
    with pytest.raises(StopAsyncIteration):
        await stream.asend("enough")

    assert only(memory, meter).status == "ok"


class Reader:
    """An iterator object of an SDK that owns no HTTP response."""

    def __init__(self, items: list[Any]) -> None:
        self._items = iter(items)
        self.extra = "mine"

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> Any:
        return next(self._items)


def test_an_iterator_object_reads_as_its_own_class(meter: Meter, memory: InMemoryExporter) -> None:
    got = wrap(returning(lambda: Reader(chunks())), lambda: meter)(MODEL, MESSAGES)

    assert isinstance(got, Reader)
    assert got.extra == "mine"
    assert len(list(got)) == 5
    assert only(memory, meter).cost_usd == COST


def test_throw_and_send_reach_the_inner_generator(meter: Meter, memory: InMemoryExporter) -> None:
    def inner() -> Generator[Any, Any, None]:
        received.append((yield chunks()[0]))
        try:
            yield chunks()[1]
        except LookupError:
            yield "caught"

    received: list[Any] = []
    got = wrap(returning(inner), lambda: meter)(MODEL, MESSAGES)
    assert isinstance(got, Generator)
    next(got)
    got.send("hello")

    assert received == ["hello"]
    assert got.throw(LookupError()) == "caught"
    with pytest.raises(StopIteration):
        next(got)
    assert only(memory, meter).status == "ok"


@pytest.mark.parametrize(
    "answer",
    [None, "", b"", 0, [], {}, {"choices": None}, {"choices": None, "usage": "lots"}, object()],
    ids=lambda answer: "object" if type(answer) is object else repr(answer),
)
def test_odd_replies_pass_and_are_recorded(
    meter: Meter, memory: InMemoryExporter, answer: object
) -> None:
    # logfire #64, langfuse #1648, #1745 and others: a reply without choices raised IndexError.
    assert wrap(returning(lambda: answer), lambda: meter)(MODEL, MESSAGES) is answer
    assert only(memory, meter).cost_usd is None


@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        "text",
        [None],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        [{"role": "user", "content": "\ud800 <|endoftext|> \x00"}],
        [{"role": "user", "content": [{"type": "text"}, 7, None]}],
    ],
    ids=repr,
)
def test_odd_messages_never_break_a_call(
    meter: Meter, memory: InMemoryExporter, messages: Any
) -> None:
    answer = reply()

    assert wrap(returning(lambda: answer), lambda: meter)(MODEL, messages) is answer
    assert only(memory, meter).cost_usd == COST
    assert meter.guard.failures == {}


def test_an_unknown_model_is_unpriced(meter: Meter, memory: InMemoryExporter) -> None:
    answer = {**reply(), "model": "no-such-model"}
    wrap(returning(lambda: answer), lambda: meter)("no-such-model", MESSAGES)

    call = only(memory, meter)
    assert call.cost_usd is None
    assert call.cost_status == "unpriced"
    assert call.last.usage is not None
    assert call.last.usage.input_tokens == 1000


def test_what_cannot_be_wrapped_is_named_without_its_content(meter: Meter) -> None:
    for target, said in (
        ({"content": "a secret"}, "cannot wrap an object of the type dict: give a completion"),
        (inspect, r"cannot wrap the module inspect \(costspan.instrument\(\) follows whole mod"),
        (staticmethod(reply), "cannot wrap a staticmethod: write @staticmethod above @costspan.w"),
    ):
        with pytest.raises(TypeError, match=said) as caught:
            wrap(target, lambda: meter)
        assert "secret" not in str(caught.value)


def test_an_alias_prices_a_model_as_another(memory: InMemoryExporter) -> None:
    meter = Meter(exporters=[memory], aliases={"my-deployment": f"openai/{MODEL}"})
    answer = {**reply(), "model": "my-deployment"}
    wrap(returning(lambda: answer), lambda: meter)("my-deployment", MESSAGES)

    call = only(memory, meter)
    assert call.cost_usd == COST
    assert call.last.model == "my-deployment"
    assert call.last.context["priced_as"] == f"openai/{MODEL}"


def test_a_failing_exporter_never_reaches_the_user(memory: InMemoryExporter) -> None:
    class Broken(InMemoryExporter):
        def finish(self, record: Any) -> None:
            raise OSError("disk full")

    meter = Meter(exporters=[Broken(), memory])
    answer = reply()

    assert wrap(returning(lambda: answer), lambda: meter)(MODEL, MESSAGES) is answer
    assert only(memory, meter).cost_usd == COST
    assert meter.guard.failures == {"exporter Broken": 1}


def test_classes_and_plain_values_are_refused(meter: Meter) -> None:
    with pytest.raises(TypeError, match="give a completion function"):
        wrap(7, lambda: meter)
    with pytest.raises(TypeError, match="cannot wrap the class Reader: wrap an instance"):
        wrap(Reader, lambda: meter)
