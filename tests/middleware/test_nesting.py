"""Calls within calls: money is neither lost nor counted twice. Found by a user's trial, 2026-11."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import openai
import pytest
import wire
from asking import returning

import costspan
from costspan import meter as meters
from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
EACH = Decimal("0.003")  # 600 x $2.50 + 400 x $1.25 + 100 x $10 per million tokens


@pytest.fixture
def client(frame_server: FrameServer, meter: Meter) -> openai.OpenAI:
    for number in range(3):
        body = {**wire.CHAT_BODY, "id": f"chatcmpl-{number}"}
        frame_server.json("/v1/chat/completions", body)
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    return wrap(made, lambda: meter)


@pytest.mark.parametrize(
    "answer", [lambda replies: replies[-1], lambda replies: "text", lambda replies: None]
)
def test_a_wrapped_agent_holds_the_requests_of_the_client_it_calls(
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    answer: Callable[[list[Any]], Any],
) -> None:
    def agent(question: str) -> Any:
        return answer([client.chat.completions.create(**CHAT) for _ in range(3)])

    wrap(agent, lambda: meter)("hi")

    (call,) = memory.calls
    assert [r.response_id for r in call.requests] == ["chatcmpl-0", "chatcmpl-1", "chatcmpl-2"]
    assert call.cost_usd == 3 * EACH
    assert call.cost_status == "priced"
    assert call.last.model == "gpt-4o-2024-08-06"


def test_a_failed_attempt_and_its_repetition_are_two_requests(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json("/v1/chat/completions", {"error": {}}, status=500)
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    client = wrap(made, lambda: meter)

    def patient(**kwargs: Any) -> Any:
        try:
            return client.chat.completions.create(**kwargs)
        except openai.InternalServerError:
            return client.chat.completions.create(**kwargs)

    wrap(patient, lambda: meter)(**CHAT)

    (call,) = memory.calls
    assert [r.error.http_status if r.error else None for r in call.requests] == [500, None]
    assert (call.status, call.cost_usd, call.cost_status) == ("ok", EACH, "priced")


def test_what_an_sdk_within_has_repeated_is_counted(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    """LiteLLM over a client of openai that repeats by itself, as ``instrument`` watches both."""
    for _ in range(2):
        frame_server.json("/v1/chat/completions", {"error": {}}, 500, {"retry-after-ms": "1"})
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=2)
    client = wrap(made, lambda: meter)

    wrap(lambda **asked: client.chat.completions.create(**asked), lambda: meter)(**CHAT)

    (call,) = memory.calls
    assert (call.retries, len(call.requests), call.cost_usd) == (2, 1, EACH)


async def test_a_task_that_outlives_the_call_it_was_started_in(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    client = wrap(made, lambda: meter)
    tasks: list[asyncio.Task[None]] = []

    async def later() -> None:
        await asyncio.sleep(0.05)
        for _ in range(4):
            await client.chat.completions.create(**CHAT)

    async def first(**kwargs: Any) -> Any:
        tasks.append(asyncio.create_task(later()))
        return await client.chat.completions.create(**kwargs)

    await wrap(first, lambda: meter)(**CHAT)
    await tasks[0]

    assert len(memory.calls) == 5
    assert {call.cost_usd for call in memory.calls} == {EACH}
    await client.close()


@pytest.mark.parametrize(
    ("last", "statuses"), [(asyncio.CancelledError, ["cancelled"]), (None, ["cancelled", "ok"])]
)
def test_what_is_cancelled_with_a_call_on_another_thread_is_recorded_once(
    meter: Meter,
    memory: InMemoryExporter,
    last: type[BaseException] | None,
    statuses: list[str],
) -> None:
    """any-llm asks on a thread of its own, and cancels that when its caller is interrupted."""
    begun, left = Event(), Event()

    def within(**kwargs: Any) -> Any:
        begun.set()
        assert left.wait(10)
        if last is not None:
            raise last
        return wire.CHAT_BODY

    def on_a_thread() -> None:
        with suppress(asyncio.CancelledError):
            wrap(within, lambda: meter)(**CHAT)

    def interrupted(**kwargs: Any) -> Any:
        threads.append(Thread(target=contextvars.copy_context().run, args=(on_a_thread,)))
        threads[0].start()
        assert begun.wait(10)
        raise KeyboardInterrupt

    threads: list[Thread] = []
    with pytest.raises(KeyboardInterrupt):
        wrap(interrupted, lambda: meter)(**CHAT)
    left.set()
    threads[0].join()

    assert [call.status for call in memory.calls] == statuses
    assert [call.cost_usd for call in memory.calls] == [None, EACH][: len(statuses)]


class Interrupting(InMemoryExporter):
    """An exporter in which Ctrl-C strikes at a chosen moment."""

    moment = ""

    def start(self, call: Any) -> None:
        call.trace_id = "0" * 32
        self._strike("start")

    def attach(self, call: Any) -> object:
        self._strike("attach")
        return None

    def detach(self, token: object) -> None:
        self._strike("detach")

    def _strike(self, moment: str) -> None:
        if self.moment == moment:
            self.moment = ""
            raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["start", "attach", "detach"])
def test_an_interrupt_at_a_bad_moment_does_not_blind_us_for_good(moment: str) -> None:
    exporter = Interrupting()
    meter = Meter(exporters=[exporter])
    ask = wrap(returning(lambda: {"choices": [], "usage": {}}), lambda: meter)
    exporter.moment = moment

    with pytest.raises(KeyboardInterrupt):
        ask("gpt-4o", [])
    for _ in range(10):
        ask("gpt-4o", [])

    assert [call.status for call in exporter.calls].count("ok") == 10


def test_the_core_s_reply_has_its_cost_inside_a_wrapped_function(
    frame_server: FrameServer,
) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    memory = InMemoryExporter()
    previous = meters.set_default_meter(Meter(exporters=[memory]))

    @costspan.wrap
    def summarise(text: str) -> Decimal:
        reply = costspan.completion(
            "openai/gpt-4o", CHAT["messages"], base_url=f"{frame_server.url}/v1", api_key="k"
        )
        assert reply.cost is not None
        assert reply.estimate is not None
        total: Decimal = reply.cost.total
        return total

    try:
        assert summarise("x") == EACH
    finally:
        meters.set_default_meter(previous)
    (call,) = memory.calls
    assert call.cost_usd == EACH
