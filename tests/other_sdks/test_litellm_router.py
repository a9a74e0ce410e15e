"""LiteLLM's Router, watched in place: what it does for one question is one call."""

from __future__ import annotations

import gc
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import litellm_wire as wire
import pytest
from litellm_watch import Watch, is_gpt

from costspan.middleware.wrap import unwrap

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # LiteLLM's own
    pytest.mark.usefixtures("collected"),
]


def _router(watch: Watch) -> litellm.Router:
    def served(name: str, path: str) -> dict[str, Any]:
        base = {"api_key": "k", "api_base": watch.server.url + path}
        return {"model_name": name, "litellm_params": {"model": "openai/gpt-4o-mini", **base}}

    models = [served("fast", "/v1"), served("bad", "/bad")]
    return litellm.Router(model_list=models, fallbacks=[{"bad": ["fast"]}], num_retries=0)


def test_a_router_is_watched_in_place(watch: Watch) -> None:
    router = _router(watch)
    assert watch.wrapped(router) is router
    watch.answers("/v1/chat/completions", wire.GPT)
    router.completion("fast", wire.ASK)
    call = watch.call()
    is_gpt(call)
    assert call.last.model_requested == "fast"
    watch.answers("/v1/chat/completions", wire.GPT_FRAMES)
    list(router.completion("fast", wire.ASK, stream=True))
    is_gpt(watch.call())
    unwrap(router)
    watch.answers("/v1/chat/completions", wire.GPT)
    router.completion("fast", wire.ASK)
    assert watch.memory.calls == ()


def test_retries_and_fallbacks_are_one_call_litellm_2620(watch: Watch) -> None:
    """LL#2620: retries at two layers multiplied the calls."""
    router = watch.wrapped(_router(watch))
    watch.server.reset()
    watch.server.json("/bad/chat/completions", wire.REFUSED, 500)
    watch.server.json("/v1/chat/completions", wire.GPT)
    router.completion("bad", wire.ASK)
    assert len(watch.server.requests) == 2
    call = watch.call()
    is_gpt(call)
    assert call.retries == 1


def test_what_a_router_has_repeated_in_vain_is_counted(watch: Watch) -> None:
    base = {"api_key": "k", "api_base": f"{watch.server.url}/v1", "max_retries": 0}
    model = {"model_name": "fast", "litellm_params": {"model": "openai/gpt-4o-mini", **base}}
    router = watch.wrapped(
        litellm.Router(model_list=[model], num_retries=1, retry_after=0, disable_cooldowns=True)
    )
    watch.server.reset()
    watch.server.json("/v1/chat/completions", wire.REFUSED, 500)
    with pytest.raises(litellm.InternalServerError):
        router.completion("fast", wire.ASK)
    assert len(watch.server.requests) == 2
    call = watch.call()
    assert (call.last.provider, call.status, call.retries) == ("openai", "error", 1)


def test_a_router_that_is_wrapped_again_and_again_does_not_grow(watch: Watch) -> None:
    router = _router(watch)
    before = dict(vars(router))
    objects = []
    for times in (1, 200):
        for _ in range(times):
            watch.wrapped(router)
            held = dict(vars(router))
            assert vars(watch.wrapped(router)) == held
            unwrap(router)
            assert vars(router) == before
        del held
        gc.collect()
        objects.append(len(gc.get_objects()))
    assert objects[1] - objects[0] < 20


async def test_a_router_streams_asynchronously(watch: Watch) -> None:
    router = watch.wrapped(_router(watch))
    watch.answers("/v1/chat/completions", wire.GPT_FRAMES)
    assert [chunk async for chunk in await router.acompletion("fast", wire.ASK, stream=True)]
    is_gpt(watch.call())
