"""Every surface of LiteLLM's functions and of its Router, on every way out."""

from __future__ import annotations

import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import litellm_wire as wire
import pytest
import stainless
from bed import Bed
from functions import Functions, functions_of, wrapping
from surfaces import Surface, Way, check, rows

pytestmark = pytest.mark.filterwarnings("ignore")  # LiteLLM's own

CHAT_PATH, MESSAGES_PATH = "/v1/chat/completions", "/v1/messages"
INSTRUCT = "text-completion-openai/gpt-3.5-turbo-instruct"
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}

functions = functions_of(
    litellm,
    *("completion", "text_completion", "embedding", "responses"),
    *("acompletion", "atext_completion", "aembedding", "aresponses"),
)


def gpt(c: Functions, **more: Any) -> dict[str, Any]:
    base = {"api_key": "k", "api_base": f"{c.url}/v1", "max_retries": 0}
    return {"model": "openai/gpt-4o-mini", **base, **more}


def claude(c: Functions, **more: Any) -> dict[str, Any]:
    base = {"api_key": "k", "api_base": c.url, "max_retries": 0, "messages": wire.ASK}
    return {"model": "anthropic/claude-sonnet-4-5", **base, **more}


def router(url: str) -> litellm.Router:
    base = {"api_key": "k", "api_base": f"{url}/v1", "max_retries": 0}
    model = {"model_name": "fast", "litellm_params": {"model": "openai/gpt-4o-mini", **base}}
    return litellm.Router(model_list=[model], num_retries=0, disable_cooldowns=True)


def both(name: str, path: str, answer: Any, **fields: Any) -> list[Surface]:
    """A surface of a function and of its asynchronous sister."""
    shared = {
        "provider": "openai",
        "buckets": wire.GPT_BUCKETS,
        "cost_usd": wire.GPT_USD,
        "wrap": wrapping,
        **fields,
    }
    clients = shared.pop("clients", (functions, functions))
    return stainless.both(name, clients, path=path, answer=answer, **shared)


SURFACES = [
    *both(
        "completion",
        CHAT_PATH,
        wire.GPT,
        ask=(
            lambda c: c.completion(**gpt(c, messages=wire.ASK)),
            lambda c: c.acompletion(**gpt(c, messages=wire.ASK)),
        ),
    ),
    *both(
        "completion stream",
        CHAT_PATH,
        wire.GPT_FRAMES,
        open=(
            lambda c: c.completion(**gpt(c, messages=wire.ASK, **STREAM)),
            lambda c: c.acompletion(**gpt(c, messages=wire.ASK, **STREAM)),
        ),
    ),
    *both(
        "completion stream, usage not asked for",
        CHAT_PATH,
        wire.GPT_FRAMES_WITHOUT_USAGE,
        open=(
            lambda c: c.completion(**gpt(c, messages=wire.ASK, stream=True)),
            lambda c: c.acompletion(**gpt(c, messages=wire.ASK, stream=True)),
        ),
        buckets=None,
    ),
    *both(
        "anthropic",
        MESSAGES_PATH,
        wire.CLAUDE,
        ask=(
            lambda c: c.completion(**claude(c)),
            lambda c: c.acompletion(**claude(c)),
        ),
        provider="anthropic",
        buckets=wire.CLAUDE_BUCKETS,
        cost_usd=wire.CLAUDE_USD,
    ),
    *both(
        "anthropic stream",
        MESSAGES_PATH,
        wire.CLAUDE_FRAMES,
        open=(
            lambda c: c.completion(**claude(c, stream=True)),
            lambda c: c.acompletion(**claude(c, stream=True)),
        ),
        provider="anthropic",
        buckets=wire.CLAUDE_BUCKETS,
        cost_usd=wire.CLAUDE_TOKENS_USD,
    ),
    *both(
        "embedding",
        "/v1/embeddings",
        wire.EMBEDDING,
        ask=(
            lambda c: c.embedding(**gpt(c, model="openai/text-embedding-3-small", input=["a"])),
            lambda c: c.aembedding(**gpt(c, model="openai/text-embedding-3-small", input=["a"])),
        ),
        buckets={"tokens.in.text": 8},
        cost_usd=wire.EMBEDDING_USD,
        # LiteLLM reads ``max_retries=0`` as its default here, and the SDK waits a second each time.
        without=("cut",),
    ),
    *both(
        "responses",
        "/v1/responses",
        wire.RESPONSE,
        ask=(
            lambda c: c.responses(**gpt(c, input="a")),
            lambda c: c.aresponses(**gpt(c, input="a")),
        ),
    ),
    *both(
        "responses stream",
        "/v1/responses",
        wire.RESPONSE_FRAMES,
        open=(
            lambda c: c.responses(**gpt(c, input="a", stream=True)),
            lambda c: c.aresponses(**gpt(c, input="a", stream=True)),
        ),
    ),
    *both(
        "text completion",
        "/v1/completions",
        wire.COMPLETION,
        ask=(
            lambda c: c.text_completion(**gpt(c, model=INSTRUCT, prompt="hi")),
            lambda c: c.atext_completion(**gpt(c, model=INSTRUCT, prompt="hi")),
        ),
        buckets=wire.COMPLETION_BUCKETS,
        cost_usd=wire.COMPLETION_USD,
    ),
    *both(
        "text completion stream",
        "/v1/completions",
        wire.COMPLETION_FRAMES,
        open=(
            lambda c: c.text_completion(**gpt(c, model=INSTRUCT, prompt="hi", **STREAM)),
            lambda c: c.atext_completion(**gpt(c, model=INSTRUCT, prompt="hi", **STREAM)),
        ),
        buckets=wire.COMPLETION_BUCKETS,
        cost_usd=wire.COMPLETION_USD,
        without=("close", "with"),  # LiteLLM's wrapper of these streams has no way to close it
    ),
    *both(
        "router",
        CHAT_PATH,
        wire.GPT,
        ask=(
            lambda c: c.completion("fast", wire.ASK),
            lambda c: c.acompletion("fast", wire.ASK),
        ),
        clients=(router, router),
        wrap=Surface.wrap,
        without=("cancel",),  # below: nothing has said who was to answer
    ),
    *both(
        "router stream",
        CHAT_PATH,
        wire.GPT_FRAMES,
        open=(
            lambda c: c.completion("fast", wire.ASK, **STREAM),
            lambda c: c.acompletion("fast", wire.ASK, **STREAM),
        ),
        clients=(router, router),
        wrap=Surface.wrap,
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


ROUTER = [surface for surface in SURFACES if surface.name in ("router", "async router")]


@pytest.mark.parametrize("surface", ROUTER, ids=lambda s: s.name)
def test_who_was_to_answer_is_unknown_where_a_router_is_interrupted(
    bed: Bed, surface: Surface
) -> None:
    expected = bed.play(surface, "cancel", wrapped=False)
    assert bed.play(surface, "cancel", wrapped=True) == expected
    (call,) = bed.calls(1)
    assert (call.last.provider, call.model, call.status) == ("unknown", "fast", "cancelled")
    assert (call.usage, call.cost_usd) == (None, None)
