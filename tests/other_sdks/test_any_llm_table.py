"""Every surface of any-llm's functions and instances, on every way out."""

from __future__ import annotations

from typing import Any

import any_llm
import litellm_wire as wire
import pytest
import stainless
from bed import Bed
from functions import Functions, functions_of, wrapping
from surfaces import Surface, Way, check, rows

# It leaves clients to the garbage collector, after their loop.
pytestmark = pytest.mark.filterwarnings("ignore")

CHAT_PATH, MESSAGES_PATH = "/v1/chat/completions", "/v1/messages"
ONCE = {"max_retries": 0}

functions = functions_of(
    any_llm,
    *("completion", "responses", "messages", "embedding"),
    *("acompletion", "aresponses", "amessages", "aembedding"),
)


def gpt(c: Functions, **more: Any) -> dict[str, Any]:
    base = {"api_key": "k", "api_base": f"{c.url}/v1", "client_args": ONCE}
    return {"model": "openai:gpt-4o-mini", **base, **more}


def claude(c: Functions, **more: Any) -> dict[str, Any]:
    base = {"api_key": "k", "api_base": c.url, "client_args": ONCE, "messages": wire.ASK}
    return {"model": "anthropic:claude-sonnet-4-5", **base, **more}


def instance(url: str) -> any_llm.AnyLLM:
    return any_llm.AnyLLM.create("openai", api_key="k", api_base=f"{url}/v1", **ONCE)


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
            lambda c: c.completion(**gpt(c, messages=wire.ASK, stream=True)),
            lambda c: c.acompletion(**gpt(c, messages=wire.ASK, stream=True)),
        ),
    ),
    *both(
        "completion stream without usage",
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
        cost_usd=wire.CLAUDE_TOKENS_USD,  # any-llm hands no web searches on
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
        "messages",
        MESSAGES_PATH,
        wire.CLAUDE,
        ask=(
            lambda c: c.messages(**claude(c, max_tokens=9)),
            lambda c: c.amessages(**claude(c, max_tokens=9)),
        ),
        provider="anthropic",
        buckets=wire.MESSAGES_BUCKETS,
        cost_usd=wire.CLAUDE_USD,
    ),
    *both(
        "messages stream",
        MESSAGES_PATH,
        wire.CLAUDE_FRAMES,
        open=(
            lambda c: c.messages(**claude(c, max_tokens=9, stream=True)),
            lambda c: c.amessages(**claude(c, max_tokens=9, stream=True)),
        ),
        provider="anthropic",
        buckets=wire.MESSAGES_BUCKETS,
        cost_usd=wire.CLAUDE_TOKENS_USD,
    ),
    *both(
        "responses",
        "/v1/responses",
        wire.RESPONSE,
        ask=(
            lambda c: c.responses(**gpt(c, input_data="a")),
            lambda c: c.aresponses(**gpt(c, input_data="a")),
        ),
    ),
    *both(
        "responses stream",
        "/v1/responses",
        wire.RESPONSE_FRAMES,
        open=(
            lambda c: c.responses(**gpt(c, input_data="a", stream=True)),
            lambda c: c.aresponses(**gpt(c, input_data="a", stream=True)),
        ),
    ),
    *both(
        "embedding",
        "/v1/embeddings",
        wire.EMBEDDING,
        ask=(
            lambda c: c.embedding(
                **gpt(c, model="openai:text-embedding-3-small", inputs="a"),
            ),
            lambda c: c.aembedding(
                **gpt(c, model="openai:text-embedding-3-small", inputs="a"),
            ),
        ),
        buckets={"tokens.in.text": 8},
        cost_usd=wire.EMBEDDING_USD,
    ),
    *both(
        "instance",
        CHAT_PATH,
        wire.GPT,
        ask=(
            lambda c: c.completion(model="gpt-4o-mini", messages=wire.ASK),
            lambda c: c.acompletion(model="gpt-4o-mini", messages=wire.ASK),
        ),
        clients=(instance, instance),
        wrap=Surface.wrap,
    ),
    *both(
        "instance stream",
        CHAT_PATH,
        wire.GPT_FRAMES,
        open=(
            lambda c: c.completion(model="gpt-4o-mini", messages=wire.ASK, stream=True),
            lambda c: c.acompletion(model="gpt-4o-mini", messages=wire.ASK, stream=True),
        ),
        clients=(instance, instance),
        wrap=Surface.wrap,
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)
