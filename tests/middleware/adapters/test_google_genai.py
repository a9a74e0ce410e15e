"""google-genai: who is asked, what is recorded, and that nothing else changes.

The ways out of the plain surfaces are in tests/sdks/test_google_genai.py, calls of several requests
in test_google_hops.py.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from google_asking import (
    CALLING,
    FIRST_USD,
    MODEL,
    PATH,
    SAYING,
    SECOND_USD,
    TOOLS,
    _aplain,
    frame,
    new,
    only,
    play,
)

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer


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
