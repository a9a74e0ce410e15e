"""LiteLLM's functions, watched: one call each, its usage and its invoice."""

from __future__ import annotations

import gc
import os
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import litellm_wire as wire
import openai
import pytest
from litellm_watch import Watch, buckets, is_gpt

from costspan.middleware.record import Call

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # LiteLLM's own
    pytest.mark.usefixtures("collected"),
]


def _is_claude(call: Call, cost: Decimal = wire.CLAUDE_TOKENS_USD) -> None:
    assert (call.status, call.cost_status, call.cost_usd) == ("ok", "priced", cost)
    assert buckets(call) == wire.CLAUDE_BUCKETS
    assert (call.last.provider, call.model) == ("anthropic", "claude-sonnet-4-5-20250929")
    assert (call.last.api, call.last.model_requested) == ("chat", "anthropic/claude-sonnet-4-5")
    assert call.last.endpoint == "127.0.0.1"


def test_anthropic_cache_tokens_are_not_counted_twice(watch: Watch) -> None:
    """LiteLLM adds them to ``prompt_tokens``."""
    watch.answers("/v1/messages", wire.CLAUDE)
    reply = watch.wrapped(litellm.completion)(**watch.claude())
    assert type(reply) is litellm.ModelResponse
    assert reply.usage.prompt_tokens == 1230
    _is_claude(watch.call(), wire.CLAUDE_USD)


def test_gemini_thoughts_are_counted_once(watch: Watch) -> None:
    watch.answers("/v1beta/models/gemini-2.5-flash:generateContent", wire.GEMINI)
    base = {"api_key": "k", "api_base": f"{watch.server.url}/v1beta", "messages": wire.ASK}
    watch.wrapped(litellm.completion)(model="gemini/gemini-2.5-flash", **base)
    call = watch.call()
    assert buckets(call) == wire.GEMINI_BUCKETS
    assert (call.cost_usd, call.cost_status) == (wire.GEMINI_USD, "priced")
    assert call.last.provider == "google"


USAGE: tuple[dict[str, Any], ...] = ({}, {"stream_options": {"include_usage": True}})


@pytest.mark.parametrize("options", USAGE, ids=["not-asked", "asked"])
def test_streams_have_a_cost_litellm_13264(watch: Watch, options: dict[str, Any]) -> None:
    """LL#13264, LL#7790: no cost on streams, cache details missing: set when the stream ends."""
    watch.answers("/v1/messages", wire.CLAUDE_FRAMES)
    stream = watch.wrapped(litellm.completion)(**watch.claude(stream=True, **options))
    assert type(stream) is litellm.CustomStreamWrapper
    assert [c.choices[0].delta.content for c in stream if c.choices][:2] == ["Hel", "lo"]
    call = watch.call()
    _is_claude(call)
    assert (call.ended_by, call.streaming) == ("exhausted", True)
    assert call.ttft_us is not None


@pytest.mark.parametrize("options", USAGE, ids=["not-asked", "asked"])
async def test_async_streams_are_recorded_once_litellm_7260(
    watch: Watch, options: dict[str, Any]
) -> None:
    """LL#7260: the hook of an asynchronous stream was never called."""
    watch.answers("/v1/messages", wire.CLAUDE_FRAMES)
    stream = await watch.wrapped(litellm.acompletion)(**watch.claude(stream=True, **options))
    assert type(stream) is litellm.CustomStreamWrapper
    assert [chunk async for chunk in stream]
    _is_claude(watch.call())


@pytest.mark.parametrize("options", USAGE, ids=["not-asked", "asked"])
def test_a_usage_that_litellm_made_up_is_an_estimate(watch: Watch, options: dict[str, Any]) -> None:
    """LL#35785: the last chunk has ``choices: []``; the server sent no usage at all."""
    watch.answers("/v1/chat/completions", wire.GPT_FRAMES_WITHOUT_USAGE)
    list(watch.wrapped(litellm.completion)(**watch.gpt(stream=True, **options)))
    call = watch.call()
    assert call.last.usage is not None
    assert (call.last.usage.source, call.last.usage.flags) == ("estimated", ("no_usage",))
    assert call.model == "gpt-4o-mini-2024-07-18"


def _close(stream: Any) -> None:
    next(stream)
    stream.close()


def _with(stream: Any) -> None:
    with stream:
        next(stream)


def _break(stream: Any) -> None:
    for _ in stream:
        break


@pytest.mark.parametrize("leave", [_close, _with, _break])
def test_client_disconnect_litellm_14457(watch: Watch, leave: Callable[[Any], None]) -> None:
    """LL#14457, LL#37558, LL#36008, LL#13245: usage of a stream that was left is lost."""
    watch.answers("/v1/messages", wire.CLAUDE_FRAMES)
    stream = watch.wrapped(litellm.completion)(**watch.claude(stream=True))
    leave(stream)
    del stream
    gc.collect()
    call = watch.call()
    assert call.status == "interrupted"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"
    assert call.last.usage.buckets["tokens.in.cache_read"] == 1000
    assert call.cost_usd is not None


async def test_async_disconnect_litellm_14457(watch: Watch) -> None:
    watch.answers("/v1/messages", wire.CLAUDE_FRAMES)
    stream = await watch.wrapped(litellm.acompletion)(**watch.claude(stream=True))
    await anext(stream)
    await stream.aclose()
    call = watch.call()
    assert (call.status, call.ended_by) == ("interrupted", "closed")
    assert call.last.usage is not None
    assert call.last.usage.buckets["tokens.in.cache_write.1h"] == 50


def test_errors_pass_and_say_what_they_are(watch: Watch) -> None:
    watch.server.reset()
    watch.server.json("/v1/chat/completions", wire.REFUSED, 400)
    with pytest.raises(litellm.BadRequestError):
        watch.wrapped(litellm.completion)(**watch.gpt())
    call = watch.call()
    assert (call.status, call.cost_usd) == ("error", None)
    assert call.error is not None
    assert call.error.http_status == 400


def test_a_mock_is_free(watch: Watch) -> None:
    watch.wrapped(litellm.completion)(**watch.gpt(mock_response="x"))
    assert watch.call().cost_status == "free"
    list(watch.wrapped(litellm.completion)(**watch.gpt(mock_response="x", stream=True)))
    assert watch.call().cost_status == "free"


@pytest.mark.parametrize("stream", [False, True])
def test_a_cache_hit_is_free(watch: Watch, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # LiteLLM 1.110 imports it on a cache hit; it is one of the packages of its proxy.
    monkeypatch.setitem(sys.modules, "soundfile", types.ModuleType("soundfile"))
    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
    ask = watch.wrapped(litellm.completion)
    arguments = watch.gpt(caching=True, stream=stream)
    answer = wire.GPT_FRAMES if stream else wire.GPT
    watch.answers("/v1/chat/completions", answer)
    for status in ("priced", "free"):
        reply = ask(**arguments)
        if stream:
            list(reply)
        assert watch.call().cost_status == status
    assert len(watch.server.requests) == 1


def test_tags_as_litellms_users_write_them(watch: Watch) -> None:
    metadata = {"tags": ["job:nightly", "plain"], "team": "search"}
    watch.wrapped(litellm.completion)(**watch.gpt(mock_response="x", metadata=metadata))
    assert watch.call().tags == {"job": "nightly", "request_tags": "plain", "team": "search"}


def test_embedding_and_responses(watch: Watch) -> None:
    watch.answers("/v1/embeddings", wire.EMBEDDING)
    base = {"api_key": "k", "api_base": f"{watch.server.url}/v1"}
    watch.wrapped(litellm.embedding)(model="openai/text-embedding-3-small", input=["a"], **base)
    call = watch.call()
    assert (call.last.api, call.cost_usd) == ("embeddings", wire.EMBEDDING_USD)
    watch.answers("/v1/responses", wire.RESPONSE)
    watch.wrapped(litellm.responses)(model="openai/gpt-4o-mini", input="a", **base)
    is_gpt(watch.call())
    watch.answers("/v1/responses", wire.RESPONSE_FRAMES)
    list(
        watch.wrapped(litellm.responses)(model="openai/gpt-4o-mini", input="a", stream=True, **base)
    )
    is_gpt(watch.call())


async def test_anthropic_messages(watch: Watch) -> None:
    watch.answers("/v1/messages", wire.CLAUDE)
    await watch.wrapped(litellm.anthropic_messages)(**watch.claude(max_tokens=9))
    call = watch.call()
    assert (call.last.api, call.cost_usd) == ("messages", wire.CLAUDE_USD)


@pytest.mark.parametrize("stream", [False, True])
def test_litellm_over_a_wrapped_client_is_one_call_litellm_1787(watch: Watch, stream: bool) -> None:
    """LL#1787, L#1872, L#9344: LiteLLM and the SDK beneath it were counted twice."""
    client = watch.wrapped(openai.OpenAI(api_key="k", base_url=f"{watch.server.url}/v1"))
    watch.answers("/v1/chat/completions", wire.GPT_FRAMES if stream else wire.GPT)
    ask = watch.wrapped(litellm.completion)
    reply = ask(model="gpt-4o-mini", messages=wire.ASK, client=client, stream=stream)
    if stream:
        list(reply)
    is_gpt(watch.call())
    client.close()
