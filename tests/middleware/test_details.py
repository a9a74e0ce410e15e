"""Facts that a record must get right. Each was wrong once in a user's trial, 2026-11."""

from __future__ import annotations

import asyncio
import functools
import time
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
import wire
from asking import returning

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.request import from_arguments
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT_PATH = "/v1/chat/completions"


def openai_client(server: FrameServer, meter: Meter, **options: Any) -> openai.OpenAI:
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", **{"max_retries": 0, **options})
    return wrap(made, lambda: meter)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_in_background_mode_is_not_priced_before_it_has_an_answer(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter, status: str
) -> None:
    body = {**wire.RESPONSES_BODY, "status": status, "output": [], "usage": None}
    frame_server.json("/v1/responses", body)
    with openai_client(frame_server, meter) as client:
        client.responses.create(model="gpt-4o", input="hi", background=True)

    assert not memory.calls
    meter.close()
    (call,) = memory.calls
    assert call.last.usage is None
    assert (call.cost_status, call.cost_usd) == ("unpriced", None)


def test_an_answer_that_was_cut_by_its_length_is_billed(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant"}}
    frame_server.json(CHAT_PATH, {**wire.CHAT_BODY, "choices": [choice]})
    with (
        openai_client(frame_server, meter) as client,
        pytest.raises(openai.LengthFinishReasonError),
    ):
        client.chat.completions.parse(model="gpt-4o", messages=HI, response_format=Answer)

    (call,) = memory.calls
    assert call.status == "error"
    assert call.cost_usd == Decimal("0.003")


class Answer(openai.BaseModel):
    """What the model is asked to give."""

    text: str


def ask(prompt: str, model: str = "gpt-4o", max_tokens: int = 9) -> dict[str, Any]:
    return wire.CHAT_BODY


@pytest.mark.parametrize(
    "function",
    [ask, functools.partial(ask, model="gpt-4o"), lambda prompt: wire.CHAT_BODY],
    ids=["default", "partial", "inside"],
)
def test_the_model_is_known_without_being_passed(
    meter: Meter, memory: InMemoryExporter, function: Any
) -> None:
    wrap(function, lambda: meter)("hi")

    (call,) = memory.calls
    assert call.last.provider == "openai"
    assert call.cost_usd == Decimal("0.003")


@pytest.mark.parametrize(
    ("arguments", "api"),
    [
        ({"model": "gpt-5", "input": "hi", "max_output_tokens": 5}, "responses"),
        ({"model": "gpt-5", "input": "hi"}, "responses"),
        ({"model": "text-embedding-3-small", "input": "hi"}, "embeddings"),
        ({"model": "mine", "input": "hi", "dimensions": 256}, "embeddings"),
        ({"model": "claude-sonnet-5", "messages": HI}, "messages"),
        ({"model": "gpt-4o", "messages": HI}, "chat"),
        ({"model": "gpt-3.5-turbo-instruct", "prompt": "hi"}, "completions"),
    ],
)
def test_the_api_is_told_by_the_arguments(arguments: dict[str, Any], api: str) -> None:
    assert from_arguments(arguments).api == api


def test_attempts_that_the_sdk_repeated_are_counted(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(CHAT_PATH, {"error": {}}, status=500, headers={"retry-after-ms": "1"})
    client = openai_client(frame_server, meter, max_retries=2)
    with client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="gpt-4o", messages=HI)

    (call,) = memory.calls
    assert call.retries == 2


def test_attempts_before_a_stream_are_counted(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(CHAT_PATH, {"error": {}}, status=429, headers={"retry-after-ms": "1"})
    frame_server.script(CHAT_PATH, frames=wire.CHAT_STREAM)
    with openai_client(frame_server, meter, max_retries=2) as client:
        list(client.chat.completions.create(model="gpt-4o", messages=HI, stream=True))

    (call,) = memory.calls
    assert (call.retries, call.status) == (1, "ok")


def test_an_anthropic_stream_left_before_its_first_text_is_partial(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script("/v1/messages", frames=wire.MESSAGE_STREAM, pause_s=0.05)
    made = anthropic.Anthropic(base_url=frame_server.url, api_key="k", max_retries=0)
    with wrap(made, lambda: meter) as client:
        stream = client.messages.create(
            model="claude-sonnet-5", max_tokens=9, messages=HI, stream=True
        )
        next(iter(stream))
        stream.close()
    meter.flush()

    (call,) = memory.calls
    assert call.status == "interrupted"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"


def test_a_future_of_a_thread_pool(meter: Meter, memory: InMemoryExporter) -> None:
    with ThreadPoolExecutor(1) as pool:
        submit = wrap(returning(lambda: pool.submit(ask, "hi")), lambda: meter)
        got = submit("gpt-4o", HI)
        assert type(got) is Future
        assert got.result() is wire.CHAT_BODY

    (call,) = memory.calls
    assert call.cost_usd == Decimal("0.003")


async def test_a_task_that_is_cancelled(meter: Meter, memory: InMemoryExporter) -> None:
    start = wrap(returning(lambda: asyncio.ensure_future(asyncio.sleep(9))), lambda: meter)
    task = start("gpt-4o", HI)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)

    (call,) = memory.calls
    assert call.status == "cancelled"


def test_an_azure_client_behind_a_gateway_is_azure(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    path = "/openai/deployments/my-deployment/chat/completions"
    frame_server.json(path, wire.CHAT_BODY)
    made = openai.AzureOpenAI(
        azure_endpoint=frame_server.url, api_key="k", api_version="2025-01-01", max_retries=0
    )
    with wrap(made, lambda: meter) as client:
        client.chat.completions.create(model="my-deployment", messages=HI)

    (call,) = memory.calls
    assert call.last.provider == "azure"
    assert call.last.model == "gpt-4o-2024-08-06"
    assert call.cost_usd == Decimal("0.003")


def test_a_left_stream_is_recorded_within_a_fifth_of_a_second_after_an_idle_time(
    meter: Meter, memory: InMemoryExporter
) -> None:
    def stream() -> Any:
        while True:
            yield {"choices": [{"index": 0, "delta": {"content": "x"}}]}

    def leave() -> float:
        got = wrap(returning(stream), lambda: meter)("gpt-4o", HI)
        next(got)
        got.close()
        return time.monotonic()

    leave()
    time.sleep(1.3)
    memory.clear()
    left = leave()
    while not memory.calls and time.monotonic() < left + 5:
        time.sleep(0.005)

    assert len(memory.calls) == 1
    assert time.monotonic() - left < 1.0  # 0.2 s by design, with room for a busy machine
