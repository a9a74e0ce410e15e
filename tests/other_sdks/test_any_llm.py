"""any-llm's functions and its ``AnyLLM`` instances, watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import any_llm
import litellm_wire as wire
import pytest

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

# It leaves clients to the garbage collector, after their loop.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("collected"),
]


def _gpt(server: FrameServer, **more: Any) -> dict[str, Any]:
    return {"messages": wire.ASK, "api_key": "k", "api_base": f"{server.url}/v1", **more}


@pytest.mark.parametrize(
    "model", [{"model": "openai:gpt-4o-mini"}, {"model": "gpt-4o-mini", "provider": "openai"}]
)
def test_completion(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter, model: dict[str, Any]
) -> None:
    ask = wrap(any_llm.completion, lambda: meter)
    shared_frame_server.reset()
    shared_frame_server.json("/v1/chat/completions", wire.GPT)
    ask(**model, **_gpt(shared_frame_server))
    call = memory.calls[-1]
    assert (call.last.provider, call.model) == ("openai", "gpt-4o-mini-2024-07-18")
    assert (call.cost_usd, call.cost_status) == (wire.GPT_USD, "priced")
    shared_frame_server.reset()
    shared_frame_server.script("/v1/chat/completions", frames=wire.GPT_FRAMES)
    assert list(ask(**model, **_gpt(shared_frame_server, stream=True)))
    assert [each.cost_usd for each in memory.calls] == [wire.GPT_USD] * 2


def test_anthropic_cache_tokens_are_not_counted_twice(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    """any-llm adds them to ``prompt_tokens``, and hands no web searches on."""
    shared_frame_server.reset()
    shared_frame_server.json("/v1/messages", wire.CLAUDE)
    arguments = _gpt(shared_frame_server, api_base=shared_frame_server.url)
    wrap(any_llm.completion, lambda: meter)(model="anthropic:claude-sonnet-4-5", **arguments)
    assert memory.calls[-1].cost_usd == wire.CLAUDE_TOKENS_USD


async def test_an_asynchronous_stream_stays_itself(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    server = shared_frame_server
    ask: Any = any_llm.acompletion
    arguments = _gpt(server, model="openai:gpt-4o-mini", stream=True)
    server.reset()
    server.script("/v1/chat/completions", frames=wire.GPT_FRAMES)
    plain = await ask(**arguments)
    await plain.aclose()
    for reads, status in ((99, "ok"), (1, "interrupted")):
        server.reset()
        server.script("/v1/chat/completions", frames=wire.GPT_FRAMES)
        stream = await wrap(ask, lambda: meter)(**arguments)
        assert type(stream) is type(plain)
        async for _ in stream:
            reads -= 1
            if not reads:
                break
        await stream.aclose()
        meter.flush()
        assert memory.calls[-1].status == status
    assert memory.calls[0].cost_usd == wire.GPT_USD


def test_embedding_responses_and_instances(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    server = shared_frame_server
    base: dict[str, Any] = {"api_key": "k", "api_base": f"{server.url}/v1"}
    server.reset()
    server.json("/v1/embeddings", wire.EMBEDDING)
    wrap(any_llm.embedding, lambda: meter)("openai:text-embedding-3-small", "a", **base)
    server.json("/v1/responses", wire.RESPONSE)
    wrap(any_llm.responses, lambda: meter)("openai:gpt-4o-mini", "a", **base)
    server.json("/v1/chat/completions", wire.GPT)
    instance = any_llm.AnyLLM.create("openai", **base)
    assert wrap(instance, lambda: meter) is instance
    instance.completion(model="gpt-4o-mini", messages=wire.ASK)
    assert [(call.last.api, call.cost_usd) for call in memory.calls] == [
        ("embeddings", wire.EMBEDDING_USD),
        ("responses", wire.GPT_USD),
        ("chat", wire.GPT_USD),
    ]
    unwrap(instance)
    server.json("/v1/chat/completions", wire.GPT)
    instance.completion(model="gpt-4o-mini", messages=wire.ASK)
    assert len(memory.calls) == 3
