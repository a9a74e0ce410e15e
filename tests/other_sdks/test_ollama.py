"""Every surface of the ollama SDK, on every way out, and what is particular about it."""

from __future__ import annotations

import gc
import inspect
import json
import weakref
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ollama
import pytest
from bed import Bed
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "llama3.2", "messages": HI}
GENERATE: dict[str, Any] = {"model": "llama3.2", "prompt": "hi"}
EMBED: dict[str, Any] = {"model": "all-minilm", "input": "hi"}

TOP: dict[str, object] = {"model": "llama3.2", "created_at": "2026-11-25T12:00:00Z"}
END: dict[str, object] = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 5_000_000,
    "prompt_eval_count": 26,
    "eval_count": 7,
}
BUCKETS = {"tokens.in.text": 26, "tokens.out.text": 7}
NDJSON = {"content-type": "application/x-ndjson"}


def said(content: str) -> dict[str, object]:
    return {**TOP, "message": {"role": "assistant", "content": content}, "done": False}


def lines(*events: dict[str, object]) -> list[bytes]:
    return [json.dumps(event).encode() + b"\n" for event in events]


CHAT_BODY = {**said("Hello."), **END}
CHAT_STREAM = lines(said("Hel"), said("lo."), {**said(""), **END})
GENERATED = {**TOP, "response": "Hello.", **END}
GENERATE_STREAM = lines(
    {**TOP, "response": "", "thinking": "Hm.", "done": False},
    {**TOP, "response": "Hello.", "done": False},
    {**TOP, "response": "", **END},
)
EMBED_BODY = {
    "model": "all-minilm",
    "embeddings": [[0.5, -0.25]],
    "total_duration": 5_000_000,
    "prompt_eval_count": 3,
}


def client(url: str) -> ollama.Client:
    return ollama.Client(host=url)


def async_client(url: str) -> ollama.AsyncClient:
    return ollama.AsyncClient(host=url)


async def aread(opening: Any) -> list[Any]:
    return [part async for part in await opening]


def surface(name: str, ask: Any, answer: Any, make: Any = client, **fields: Any) -> Surface:
    common: dict[str, Any] = {
        "path": "/api/chat",
        "provider": "ollama",
        "buckets": BUCKETS,
        "cost_usd": Decimal(0),
        "cost_status": "free",
        "error": (404, {"error": "model 'llama3.2' not found"}),
    }
    return Surface(name, make, ask, answer=answer, **{**common, **fields})


def stream(name: str, opening: Any, answer: Any, make: Any = client, **fields: Any) -> Surface:
    def ask(client: Any) -> Any:
        return aread(opening(client)) if fields.get("is_async") else list(opening(client))

    return surface(
        name, ask, answer, make, open=opening, lazy=True, headers=NDJSON, first=2, **fields
    )


EMBEDS: dict[str, Any] = {"path": "/api/embed", "buckets": {"tokens.in.text": 3}}

SURFACES = [
    surface("chat", lambda c: c.chat(**CHAT), CHAT_BODY),
    surface("chat by position", lambda c: c.chat("llama3.2", HI), CHAT_BODY),
    surface("chat async", lambda c: c.chat(**CHAT), CHAT_BODY, async_client, is_async=True),
    stream("chat stream", lambda c: c.chat(**CHAT, stream=True), CHAT_STREAM),
    stream(
        "chat stream async",
        lambda c: c.chat(**CHAT, stream=True),
        CHAT_STREAM,
        async_client,
        is_async=True,
    ),
    surface("generate", lambda c: c.generate(**GENERATE), GENERATED, path="/api/generate"),
    stream(
        "generate stream",
        lambda c: c.generate(**GENERATE, stream=True),
        GENERATE_STREAM,
        path="/api/generate",
    ),
    stream(
        "generate stream async",
        lambda c: c.generate(**GENERATE, stream=True),
        GENERATE_STREAM,
        async_client,
        is_async=True,
        path="/api/generate",
    ),
    surface("embed", lambda c: c.embed(**EMBED), EMBED_BODY, **EMBEDS),
    surface(
        "embed async", lambda c: c.embed(**EMBED), EMBED_BODY, async_client, is_async=True, **EMBEDS
    ),
    # The older method's server counts nothing.
    surface(
        "embeddings",
        lambda c: c.embeddings("all-minilm", "hi"),
        {"embedding": [0.5, -0.25]},
        path="/api/embeddings",
        buckets=None,
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


def weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    return city


def test_what_is_asked(bed: Bed, server: FrameServer) -> None:
    server.json("/api/chat", CHAT_BODY)
    message = ollama.Message(role="user", content="hi")
    with wrap(client(server.url), lambda: bed.meter) as watched:
        reply = watched.chat("llama3.2", [message], tools=[weather])
    assert reply["message"]["content"] == reply.message.content == "Hello."
    (call,) = bed.calls(1)
    assert (call.operation, call.last.api, call.model) == ("chat", "ollama", "llama3.2")
    assert call.last.finish_reasons == ("stop",)
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("host", "model", "provider"),
    [
        ("localhost", "llama3.2", "ollama"),
        # Models of other makers run here, on the user's own machine.
        ("localhost", "gpt-oss:20b", "ollama"),
        ("localhost", "mistral-small", "ollama"),
        # A local server hands these on: https://docs.ollama.com/cloud
        ("localhost", "gpt-oss:120b-cloud", "ollama-cloud"),
        ("localhost", "glm-4.6:cloud", "ollama-cloud"),
        ("ollama.com", "gpt-oss:120b", "ollama-cloud"),
    ],
)
def test_whose_model_it_is(
    bed: Bed, server: FrameServer, host: str, model: str, provider: str
) -> None:
    # Through a proxy that answers for every host.
    server.json(f"http://{host}:11434/api/chat", {**CHAT_BODY, "model": model})
    http = ollama.Client(host=f"http://{host}:11434", proxy=server.url)
    with wrap(http, lambda: bed.meter) as watched:
        watched.chat(model=model, messages=HI)
    (call,) = bed.calls(1)
    assert (call.last.provider, call.last.endpoint) == (provider, host)
    # What the cloud takes is unknown, and not nothing.
    assert call.cost_status == ("free" if provider == "ollama" else "unpriced")


def test_a_count_that_is_missing_is_unknown(bed: Bed, server: FrameServer) -> None:
    server.json("/api/chat", {**said("Hello."), "done": True, "eval_count": 7})
    with wrap(client(server.url), lambda: bed.meter) as watched:
        watched.chat(**CHAT)
    (call,) = bed.calls(1)
    assert call.usage is not None
    assert call.usage.buckets == {"tokens.out.text": 7}


def test_what_brings_no_tokens_is_not_recorded(bed: Bed, server: FrameServer) -> None:
    server.json("/api/tags", {"models": []})
    server.json("/api/ps", {"models": []})
    with wrap(client(server.url), lambda: bed.meter) as watched:
        assert watched.list().models == watched.ps().models == []
    assert bed.calls(0) == ()


def test_functions_of_the_module(bed: Bed, server: FrameServer) -> None:
    server.json("/api/chat", CHAT_BODY)
    server.script("/api/generate", headers=NDJSON, frames=GENERATE_STREAM)
    # As those of the module are: bound methods of a client.
    with client(server.url) as bare:
        chat, generate = bare.chat, bare.generate
        ours, other = wrap(chat, lambda: bed.meter), wrap(generate, lambda: bed.meter)
        assert ours("llama3.2", HI) == chat("llama3.2", HI)
        parts = other("llama3.2", "hi", stream=True)
        assert inspect.isgenerator(parts)
        assert list(parts) == list(generate("llama3.2", "hi", stream=True))
    assert [call.last.provider for call in bed.calls(2)] == ["ollama", "ollama"]
    assert wrap(ours, lambda: bed.meter) is ours
    assert unwrap(ours) == chat
    assert inspect.signature(ours) == inspect.signature(chat)


@pytest.mark.parametrize("name", ["chat", "generate", "embed", "embeddings"])
def test_the_modules_own_functions_can_be_wrapped(bed: Bed, name: str) -> None:
    function = getattr(ollama, name)
    assert inspect.ismethod(function)
    assert unwrap(wrap(function, lambda: bed.meter)) == function


def test_unwrapping_leaves_nothing(bed: Bed, server: FrameServer) -> None:
    for make in (client, async_client):
        watched = make(server.url)
        before = dict(vars(watched))
        for _ in range(3):
            assert wrap(watched, lambda: bed.meter) is watched
            assert wrap(watched, lambda: bed.meter) is watched
            assert unwrap(watched) is watched
            assert dict(vars(watched)) == before


def test_a_dropped_client_is_freed(bed: Bed, server: FrameServer) -> None:
    server.json("/api/chat", CHAT_BODY)
    with wrap(client(server.url), lambda: bed.meter) as watched:
        watched.chat(**CHAT)
    bed.calls(1)
    alive = weakref.ref(watched)
    del watched
    gc.collect()
    assert alive() is None


def test_a_dropped_stream_is_freed_without_the_collector(bed: Bed, server: FrameServer) -> None:
    server.script("/api/chat", headers=NDJSON, frames=CHAT_STREAM[:2], cut=True)
    gc.disable()
    try:
        with wrap(client(server.url), lambda: bed.meter) as watched:
            stream = watched.chat(**CHAT, stream=True)
            next(stream)
            alive = weakref.ref(stream)
            del stream
            assert alive() is None
            (call,) = bed.calls(1)
    finally:
        gc.enable()
    assert (call.status, call.ended_by) == ("interrupted", "closed")


def test_an_error_in_a_line_of_a_stream(bed: Bed, server: FrameServer) -> None:
    frames = lines(said("Hel"), {"error": "the runner was killed"})
    server.script("/api/chat", headers=NDJSON, frames=frames)
    with wrap(client(server.url), lambda: bed.meter) as watched:
        stream = watched.chat(**CHAT, stream=True)
        next(stream)
        with pytest.raises(ollama.ResponseError, match="killed"):
            next(stream)
    (call,) = bed.calls(1)
    assert (call.status, call.ended_by) == ("error", "raised")
    assert call.error is not None
    assert call.error.type == "ollama.ResponseError"


def test_openllmetry_3421_methods_stay_what_they_are(bed: Bed, server: FrameServer) -> None:
    for make in (client, async_client):
        bare, watched = make(server.url), wrap(make(server.url), lambda: bed.meter)
        for name in ("chat", "generate", "embed", "embeddings"):
            mine, theirs = getattr(watched, name), getattr(bare, name)
            assert inspect.iscoroutinefunction(mine) == inspect.iscoroutinefunction(theirs)
            assert inspect.signature(mine) == inspect.signature(theirs)


def test_the_sdk_still_has_what_is_relied_on() -> None:
    """A name of the SDK without a promise: the HTTP client that has its address."""
    assert str(client("http://127.0.0.1:1")._client.base_url) == "http://127.0.0.1:1"
