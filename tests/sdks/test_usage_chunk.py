"""``Meter(include_usage=True)``: the usage is recorded, the user sees what he asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.decoders import SSEDecoder
from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.adapters.stainless_usage import UsageHider
from costspan.middleware.live import LiveCall
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.request import from_wire
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

PATH, LEGACY_PATH = "/v1/chat/completions", "/v1/completions"
ASKED: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
}
WITH = wire.CHAT_STREAM
WITHOUT = [frame.replace(b', "usage": null', b"") for frame in (*WITH[:-2], WITH[-1])]
"""The same stream as the server sends it where nobody asks."""

LEGACY_TEXT = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1_764_000_000,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "text": "Three.", "finish_reason": "stop", "logprobs": None}],
}
LEGACY_WITH = [
    *wire.sse(
        {**LEGACY_TEXT, "usage": None},
        {
            **LEGACY_TEXT,
            "choices": [],
            "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
        },
    ),
    b"data: [DONE]\n\n",
]
REFUSED = {"error": {"message": "Unknown field: stream_options", "type": "invalid_request_error"}}

# gpt-4o: 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens;
# gpt-3.5-turbo-instruct: 10 x $1.50 + 4 x $2.
USD, LEGACY_USD = Decimal("0.003"), Decimal("0.000023")


@pytest.fixture
def meter(memory: InMemoryExporter) -> Meter:
    return Meter(exporters=[memory], include_usage=True)


def unwrapped(server: FrameServer, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0, **options)


@pytest.fixture
def client(frame_server: FrameServer, meter: Meter) -> Iterator[openai.OpenAI]:
    with wrap(unwrapped(frame_server), lambda: meter) as client:
        yield client


def only(meter: Meter, memory: InMemoryExporter) -> Call:
    meter.flush()
    assert meter.guard.failures == {}
    (call,) = memory.calls
    return call


def check_usage(call: Call, cost_usd: Decimal = USD) -> None:
    assert (call.status, call.cost_status, call.cost_usd) == ("ok", "priced", cost_usd)
    assert call.last.usage is not None
    assert call.last.usage.source == "provider"


def iterated(client: openai.OpenAI) -> list[str]:
    return [chunk.to_json() for chunk in client.chat.completions.create(**ASKED)]


def by_raw_lines(client: openai.OpenAI) -> list[str]:
    with client.chat.completions.with_streaming_response.create(**ASKED) as response:
        return list(response.iter_lines())


def by_raw_bytes(client: openai.OpenAI) -> list[str]:
    with client.chat.completions.with_streaming_response.create(**ASKED) as response:
        return [b"".join(response.iter_bytes()).decode()]


def by_raw_response(client: openai.OpenAI) -> list[str]:
    raw = client.chat.completions.with_raw_response.create(**ASKED)
    return [chunk.to_json() for chunk in raw.parse()]


def by_helper(client: openai.OpenAI) -> list[str]:
    with client.chat.completions.stream(model="gpt-4o", messages=ASKED["messages"]) as stream:
        seen = [event.type for event in stream]
        return [*seen, stream.get_final_completion().to_json()]


WAYS = (iterated, by_raw_lines, by_raw_bytes, by_raw_response, by_helper)


@pytest.mark.parametrize("way", WAYS)
def test_the_user_sees_what_he_would_see_without_it(
    frame_server: FrameServer,
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    way: Any,
) -> None:
    # Both times the chunks hold "usage": null or not alike: that member may be seen.
    frame_server.script(PATH, frames=[*WITH[:-2], WITH[-1]])
    frame_server.script(PATH, frames=WITH)
    with unwrapped(frame_server) as plain:
        expected = way(plain)

    assert way(client) == expected
    check_usage(only(meter, memory))
    without, asking = (request.json for request in frame_server.requests)
    assert asking == {**without, "stream_options": {"include_usage": True}}
    assert frame_server.requests[1].headers["accept-encoding"] == "identity"


async def test_the_same_with_an_asynchronous_client(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(PATH, frames=WITH)
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        stream = await client.chat.completions.create(**ASKED)
        assert type(stream) is openai.AsyncStream
        assert [len(chunk.choices) async for chunk in stream] == [1, 1, 1, 1]
    check_usage(only(meter, memory))


def test_legacy_completions(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(LEGACY_PATH, frames=LEGACY_WITH)
    model = "gpt-3.5-turbo-instruct"
    chunks = list(client.completions.create(model=model, prompt="hi", stream=True))
    assert [chunk.choices[0].text for chunk in chunks] == ["Three."]
    check_usage(only(meter, memory), LEGACY_USD)


def test_an_azure_client(frame_server: FrameServer, meter: Meter, memory: InMemoryExporter) -> None:
    """Azure's first chunk has no choices either, and is the user's to see."""
    filtered = wire.chat_chunk(choices=[], prompt_filter_results=[{"prompt_index": 0}])
    path = "/openai/deployments/gpt-4o/chat/completions"
    frame_server.script(path, frames=[*wire.sse(filtered), *WITH])
    made = openai.AzureOpenAI(
        azure_endpoint=frame_server.url, api_version="2026-10-01", api_key="k", max_retries=0
    )
    with wrap(made, lambda: meter) as client:
        chunks = list(client.chat.completions.create(**ASKED))
    assert [len(chunk.choices) for chunk in chunks] == [0, 1, 1, 1, 1]
    check_usage(only(meter, memory))
    assert frame_server.requests[0].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"include_usage": True}, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": False}),
    ],
)
@pytest.mark.parametrize("extra", [False, True])
def test_what_the_user_has_decided_is_left_alone(
    frame_server: FrameServer,
    client: openai.OpenAI,
    options: dict[str, bool],
    sent: dict[str, bool],
    extra: bool,
) -> None:
    frame_server.script(PATH, frames=WITH)
    told: dict[str, Any] = {"stream_options": options}
    chunks = list(
        client.chat.completions.create(**ASKED, extra_body=told)
        if extra
        else client.chat.completions.create(**ASKED, **told)
    )
    assert len(chunks) == 5
    assert frame_server.requests[0].json["stream_options"] == sent


@pytest.mark.parametrize("extra", [False, True])
def test_other_stream_options_are_kept_and_nothing_of_the_users_is_changed(
    frame_server: FrameServer,
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    extra: bool,
) -> None:
    frame_server.script(PATH, frames=WITH)
    options: dict[str, Any] = {"include_obfuscation": False}
    told: dict[str, Any] = {"stream_options": options}
    headers = {"X-Mine": "1"}
    stream = (
        client.chat.completions.create(**ASKED, extra_body=told, extra_headers=headers)
        if extra
        else client.chat.completions.create(**ASKED, **told, extra_headers=headers)
    )
    assert len(list(stream)) == 4
    check_usage(only(meter, memory))
    sent = frame_server.requests[0]
    assert sent.json["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert sent.headers["x-mine"] == "1"
    assert (options, headers) == ({"include_obfuscation": False}, {"X-Mine": "1"})


def test_it_is_off_by_default_and_for_everything_but_streams_of_completions(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    """LF#992, LL#35290: a request that was changed unasked breaks callers."""
    frame_server.script(PATH, frames=WITHOUT)
    with wrap(unwrapped(frame_server), lambda: Meter(exporters=[memory])) as client:
        list(client.chat.completions.create(**ASKED))
    frame_server.json("/v1/embeddings", wire.EMBEDDING_BODY)
    frame_server.script("/v1/responses", frames=wire.RESPONSES_STREAM)
    frame_server.script("/v1/messages", frames=wire.MESSAGE_STREAM)
    with wrap(unwrapped(frame_server), lambda: meter) as client:
        client.embeddings.create(model="text-embedding-3-small", input="hi")
        list(client.responses.create(model="gpt-4o", input="hi", stream=True))
    claude = anthropic.Anthropic(base_url=frame_server.url, api_key="k", max_retries=0)
    with wrap(claude, lambda: meter) as other:
        list(
            other.messages.create(
                model="claude-sonnet-5", max_tokens=9, messages=ASKED["messages"], stream=True
            )
        )
    assert not any("stream_options" in request.json for request in frame_server.requests)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("copied", [False, True])
def test_a_server_that_refuses_is_asked_again_without_it_and_remembered(
    frame_server: FrameServer,
    client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    status: int,
    copied: bool,
) -> None:
    frame_server.json(PATH, REFUSED, status=status)
    frame_server.script(PATH, frames=WITHOUT)
    for _ in range(2):
        asking = client.with_options(timeout=9) if copied else client
        assert len(list(asking.chat.completions.create(**ASKED))) == 4

    meter.flush()
    assert [call.status for call in memory.calls] == ["ok", "ok"]
    assert [call.retries for call in memory.calls] == [1, 0]
    told = ["stream_options" in request.json for request in frame_server.requests]
    assert told == [True, False, False]


async def test_a_refusal_met_by_an_asynchronous_client(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, REFUSED, status=400)
    frame_server.script(PATH, frames=WITHOUT)
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        stream = await client.chat.completions.create(**ASKED)
        assert [len(chunk.choices) async for chunk in stream] == [1, 1, 1, 1]
    assert only(meter, memory).status == "ok"


def test_another_refusal_reaches_the_user_at_once(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json(PATH, {"error": {"message": "messages: too many"}}, status=400)
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**ASKED)
    assert raised.value.__context__ is None or isinstance(
        raised.value.__context__, httpx2.HTTPStatusError
    )
    assert len(frame_server.requests) == 1
    assert only(meter, memory).status == "error"


def test_a_provider_that_is_known_not_to_have_it_is_not_asked(meter: Meter) -> None:
    """Mistral's row in core/endpoints.toml."""
    sent: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=b"".join(WITHOUT)
        )

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        wrap(
            openai.OpenAI(base_url="https://api.mistral.ai/v1", api_key="k", http_client=http),
            lambda: meter,
        ) as client,
    ):
        assert len(list(client.chat.completions.create(**ASKED))) == 4
    assert "stream_options" not in sent[0]


def test_a_body_that_is_compressed_all_the_same_shows_the_chunk(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(PATH, frames=WITH, gzip=True)
    assert len(list(client.chat.completions.create(**ASKED))) == 5
    check_usage(only(meter, memory))


def test_chunks_come_when_the_server_sends_them(
    frame_server: FrameServer, client: openai.OpenAI
) -> None:
    frame_server.script(PATH, frames=WITH, pause_s=0.05)
    arrived = []
    for _ in client.chat.completions.create(**ASKED):
        arrived.append(time.perf_counter())
    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    assert len(gaps) == 3
    assert all(gap > 0.02 for gap in gaps)


def test_a_stream_that_is_cut_raises_as_it_would(
    frame_server: FrameServer, client: openai.OpenAI, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.script(PATH, frames=[*WITH[:2], WITH[2][:20]], cut=True)
    seen = []
    stream = client.chat.completions.create(**ASKED)

    def read() -> None:
        for chunk in stream:
            seen.append(chunk.choices[0].delta.content)

    with pytest.raises(openai.APIConnectionError):
        read()
    assert seen == ["One ", "two "]
    call = only(meter, memory)
    assert call.last.usage is not None
    assert (call.status, call.last.usage.source) == ("error", "partial")


ENDINGS = (b"\n", b"\r\n", b"\r")
LONG = [
    b": a comment\n\n",
    *wire.sse(wire.chat_chunk(choices=[], prompt_filter_results=[])),
    *wire.sse(
        wire.chat_chunk(choices=[{"index": 0, "delta": {"content": '"usage" "choices": []'}}])
    ),
    b'event: chunk\nid: 1\ndata: {"choices":\ndata: [{"index": 0}]}\n\n',
    *WITH,
]


def events_of(data: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    return [event.raw for event in (*decoder.feed(data), *decoder.flush())]


@given(
    cuts=st.lists(st.integers(0, 3_000), max_size=12),
    ending=st.sampled_from(ENDINGS),
    data=st.data(),
)
def test_any_split_of_the_bytes_gives_the_events_without_the_one(
    cuts: list[int], ending: bytes, data: st.DataObject
) -> None:
    whole = b"".join(LONG).replace(b"\n", ending)
    if data.draw(st.booleans()):
        whole = whole.rstrip(b"\r\n")  # the last blank line is often missing
    points = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    frames = [whole[begin:end] for begin, end in pairwise(points)]

    meter = Meter()
    call = LiveCall(meter, from_wire("chat", ASKED, "https://api.openai.com/v1", None), {})
    hider = UsageHider(call)
    passed = [*map(hider.feed, frames), hider.flush()]

    hidden = WITH[-2].removeprefix(b"data: ").strip()
    expected = [event for event in events_of(whole) if event != hidden]
    assert events_of(b"".join(passed)) == expected
    assert call.seen.usage == wire.OPENAI_USAGE
    assert meter.guard.failures == {}
    call.end("value")


def test_no_more_is_kept_back_than_an_event_that_is_not_complete() -> None:
    meter = Meter()
    call = LiveCall(meter, from_wire("chat", ASKED, "https://api.openai.com/v1", None), {})
    hider = UsageHider(call)
    for frame in WITH:
        assert hider.feed(frame[:9]) == b""
        assert hider.feed(frame[9:]) == (b"" if frame == WITH[-2] else frame)
    call.end("value")
