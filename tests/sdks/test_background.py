"""Responses in background mode: one call, from the creation to the answer that a poll shows."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openai
import pytest
import wire

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.pending import pending_of
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

PATH, ONE = "/v1/responses", "/v1/responses/resp_1"
ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "hi", "background": True}

# gpt-4o: 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens.
USD = Decimal("0.003")

DONE = {**wire.RESPONSES_BODY, "background": True, "completed_at": 1_764_000_060}
QUEUED = {**DONE, "status": "queued", "output": [], "usage": None, "completed_at": None}
IN_PROGRESS = {**QUEUED, "status": "in_progress"}


def streamed(*, final: dict[str, object] = DONE) -> list[bytes]:
    """The events of the answer, as a response in the background sends them."""
    kind = f"response.{final['status']}"
    return [
        *wire.named({"type": "response.created", "sequence_number": 0, "response": QUEUED}),
        *wire.RESPONSES_STREAM[1:4],
        *wire.named({"type": kind, "sequence_number": 4, "response": final}),
    ]


@pytest.fixture
def client(frame_server: FrameServer, meter: Meter) -> Iterator[openai.OpenAI]:
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    with wrap(made, lambda: meter) as client:
        yield client


@pytest.fixture
def other_process(frame_server: FrameServer) -> Iterator[openai.OpenAI]:
    """A client of the same server that another Meter knows nothing of."""
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    with made as client:
        yield client


def recorded(meter: Meter, memory: InMemoryExporter) -> list[Call]:
    meter.flush()
    assert meter.guard.failures == {}
    return list(memory.calls)


def only(meter: Meter, memory: InMemoryExporter) -> Call:
    (call,) = recorded(meter, memory)
    return call


def check_answer(call: Call) -> None:
    assert (call.status, call.cost_status, call.cost_usd) == ("ok", "priced", USD)
    assert call.last.response_id == "resp_1"
    assert call.last.usage is not None
    assert call.last.usage.source == "provider"


def test_a_polled_response_is_one_call_with_its_true_duration(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, QUEUED)
    for body in (QUEUED, IN_PROGRESS):
        frame_server.json(ONE, body)
    frame_server.script(ONE, frames=[json.dumps(DONE).encode()], delay_s=0.1)

    response = client.responses.create(**ASKED)
    while response.status in ("queued", "in_progress"):
        assert recorded(meter, memory) == []
        response = client.responses.retrieve(response.id)

    call = only(meter, memory)
    check_answer(call)
    assert call.latency_us >= 100_000
    assert call.estimate is not None
    client.responses.retrieve("resp_1")
    assert len(recorded(meter, memory)) == 1


async def test_a_polled_response_of_an_asynchronous_client(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, QUEUED)
    frame_server.json(ONE, IN_PROGRESS)
    frame_server.json(ONE, DONE)
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        response = await client.responses.create(**ASKED)
        while response.status in ("queued", "in_progress"):
            response = await client.responses.retrieve(response.id)
    check_answer(only(meter, memory))


def test_the_raw_ways_to_create_and_poll(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, QUEUED)
    frame_server.json(ONE, IN_PROGRESS)
    frame_server.json(ONE, DONE)
    raw = client.responses.with_raw_response.create(**ASKED)
    assert raw.parse().status == "queued"
    polled = client.responses.with_raw_response.retrieve("resp_1")
    assert polled.parse().status == "in_progress"
    assert recorded(meter, memory) == []
    with client.responses.with_streaming_response.retrieve("resp_1") as response:
        assert response.parse().status == "completed"
    check_answer(only(meter, memory))


def test_a_response_that_was_completed_at_once(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, DONE)
    frame_server.json(ONE, DONE)
    client.responses.create(**ASKED)
    client.responses.retrieve("resp_1")
    check_answer(only(meter, memory))


ENDS: dict[str, tuple[dict[str, object], tuple[str, str, Decimal | None]]] = {
    "incomplete": (
        {**DONE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        ("ok", "priced", USD),
    ),
    "failed": (
        {
            **DONE,
            "status": "failed",
            "output": [],
            "usage": None,
            "error": {"code": "server_error", "message": "no"},
        },
        ("error", "unpriced", None),
    ),
    "cancelled": ({**QUEUED, "status": "cancelled"}, ("cancelled", "unpriced", None)),
    "cancelled, with its usage": ({**DONE, "status": "cancelled"}, ("cancelled", "priced", USD)),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_last_status_ends_the_call(
    frame_server: FrameServer,
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    name: str,
) -> None:
    body, expected = ENDS[name]
    frame_server.json(PATH, QUEUED)
    frame_server.json(ONE, body)
    client.responses.create(**ASKED)
    client.responses.retrieve("resp_1")
    call = only(meter, memory)
    assert (call.status, call.cost_status, call.cost_usd) == expected


def test_cancelling_ends_the_call_too(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, QUEUED)
    frame_server.json(f"{ONE}/cancel", {**DONE, "status": "cancelled", "usage": None})
    client.responses.create(**ASKED)
    client.responses.cancel("resp_1")
    assert only(meter, memory).status == "cancelled"


def test_what_is_no_retrieval_passes(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(f"{ONE}/input_items", {"object": "list", "data": [], "has_more": False})
    frame_server.json(ONE, {"id": "resp_1", "object": "response", "deleted": True})
    frame_server.json("/v1/chat/completions/chatcmpl-1", wire.CHAT_BODY)
    list(client.responses.input_items.list("resp_1"))
    client.responses.delete("resp_1")
    client.chat.completions.retrieve("chatcmpl-1")
    assert recorded(meter, memory) == []


def test_a_response_in_the_foreground_is_not_recorded_when_it_is_retrieved(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, wire.RESPONSES_BODY)
    frame_server.json(ONE, {**wire.RESPONSES_BODY, "background": False})
    client.responses.create(model="gpt-4o", input="hi")
    client.responses.retrieve("resp_1")
    check_answer(only(meter, memory))


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_created_in_another_process_is_recorded_once(
    frame_server: FrameServer,
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    stream: bool,
) -> None:
    if stream:
        frame_server.script(ONE, frames=streamed())
    else:
        frame_server.json(ONE, IN_PROGRESS)
        frame_server.json(ONE, DONE)
    for _ in range(3):
        got = client.responses.retrieve("resp_1", stream=stream)
        if stream:
            assert len(list(got)) == 5

    call = only(meter, memory)
    check_answer(call)
    assert call.started_at == datetime.fromtimestamp(1_764_000_000, UTC)
    assert call.latency_us == 60_000_000
    assert call.call_id.version == 5

    again = InMemoryExporter()
    other = Meter(exporters=[again])
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    with wrap(made, lambda: other) as second:
        got = second.responses.retrieve("resp_1", stream=stream)
        list(got) if stream else None
    assert only(other, again).call_id == call.call_id


def test_a_stream_read_to_its_end(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(PATH, frames=streamed())
    frame_server.json(ONE, DONE)
    assert len(list(client.responses.create(**ASKED, stream=True))) == 5
    client.responses.retrieve("resp_1")
    call = only(meter, memory)
    check_answer(call)
    assert call.streaming


@pytest.mark.parametrize("way", ["cut", "close", "drop"])
@pytest.mark.parametrize("then", ["stream", "poll"])
def test_a_stream_that_is_left_goes_on_when_it_is_taken_up_again(
    frame_server: FrameServer,
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    way: str,
    then: str,
) -> None:
    frames = streamed()
    frame_server.script(PATH, frames=frames if way != "cut" else frames[:2], cut=way == "cut")
    if then == "stream":
        frame_server.script(ONE, frames=frames[2:])
    else:
        frame_server.json(ONE, DONE)

    stream = client.responses.create(**ASKED, stream=True)
    assert next(stream).type == "response.created"
    if way == "cut":
        with pytest.raises(openai.APIConnectionError):
            list(stream)
    elif way == "close":
        stream.close()
    del stream
    gc.collect()
    assert recorded(meter, memory) == []

    if then == "stream":
        rest = client.responses.retrieve("resp_1", stream=True, starting_after=1)
        assert len(list(rest)) == 3
    else:
        client.responses.retrieve("resp_1")
    call = only(meter, memory)
    check_answer(call)
    assert call.streaming


async def test_an_asynchronous_stream_that_is_left_goes_on(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(PATH, frames=streamed())
    frame_server.script(ONE, frames=streamed()[2:])
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        async with await client.responses.create(**ASKED, stream=True) as stream:
            async for _ in stream:
                break
        assert recorded(meter, memory) == []
        rest = await client.responses.retrieve("resp_1", stream=True, starting_after=1)
        assert len([event async for event in rest]) == 3
    check_answer(only(meter, memory))


def test_what_is_never_retrieved_is_shown_at_the_end_without_a_price(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, QUEUED)
    client.responses.create(**ASKED)
    meter.close()
    call = only(meter, memory)
    assert (call.status, call.ended_by) == ("interrupted", "exit")
    assert (call.last.usage, call.cost_usd, call.cost_status) == (None, None, "unpriced")


PROGRAM = """
import sys, openai
from costspan.exporters.jsonlines import JsonLinesExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

meter = Meter(exporters=[JsonLinesExporter(sdk_version="t")])
client = wrap(openai.OpenAI(base_url=sys.argv[1], api_key="k"), lambda: meter)
client.responses.create(model="gpt-4o", input="hi", background=True)
"""


def test_what_is_never_retrieved_is_shown_at_the_exit_of_the_program(
    frame_server: FrameServer,
) -> None:
    frame_server.json(PATH, QUEUED)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"{frame_server.url}/v1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert '"ended_by":"exit"' in line
    assert '"cost_status":"unpriced"' in line


def test_of_more_than_a_thousand_open_ones_the_oldest_ends_as_it_is(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, QUEUED)
    client.responses.create(**ASKED)
    pending = pending_of(meter)
    oldest = pending.get("resp_1")
    assert oldest is not None
    for number in range(1_000):
        pending.hold(f"resp_other_{number}", oldest)
    call = only(meter, memory)
    assert (call.ended_by, call.cost_status) == ("dropped", "unpriced")
    assert pending.get("resp_1") is None


def test_a_prompt_is_not_kept_for_as_long_as_the_answer_takes(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter
) -> None:
    frame_server.json(PATH, QUEUED)
    client.responses.create(**ASKED)
    call = pending_of(meter).get("resp_1")
    assert call is not None
    assert call.asked.body == {}
