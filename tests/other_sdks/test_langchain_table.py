"""Chat and embeddings models of LangChain, on every way out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import litellm_wire as wire
import pytest
import stainless
from bed import Bed
from langchain_anthropic import ChatAnthropic
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings
from surfaces import Surface, Way, check, rows

pytestmark = pytest.mark.filterwarnings("ignore")  # LangChain's own

CHAT_PATH, MESSAGES_PATH = "/v1/chat/completions", "/v1/messages"


def gpt(url: str, **more: Any) -> Any:
    base: dict[str, Any] = {"api_key": "k", "base_url": f"{url}/v1", "max_retries": 0, **more}
    return ChatOpenAI(model="gpt-4o-mini", stream_usage=True, **base)


def patient_gpt(url: str) -> Any:
    return gpt(url, max_retries=2)


def gpt_by_responses(url: str) -> Any:
    return gpt(url, use_responses_api=True)


def claude(url: str) -> Any:
    base: dict[str, Any] = {"api_key": "k", "base_url": url, "max_retries": 0}
    return ChatAnthropic(model="claude-sonnet-4-5", **base)


def azure(url: str) -> Any:
    base: dict[str, Any] = {"api_key": "k", "azure_endpoint": url, "max_retries": 0}
    return AzureChatOpenAI(azure_deployment="gpt-4o-mini", api_version="2024-10-21", **base)


def embeddings(url: str) -> Any:
    base: dict[str, Any] = {"api_key": "k", "base_url": f"{url}/v1", "max_retries": 0}
    return OpenAIEmbeddings(
        model="text-embedding-3-small", check_embedding_ctx_length=False, **base
    )


def both(name: str, path: str, answer: Any, client: Any = gpt, **fields: Any) -> list[Surface]:
    """A surface of a model, asked both ways; each has a model of its own, with its clients."""
    shared = {
        "provider": "openai",
        "buckets": wire.GPT_BUCKETS,
        "cost_usd": wire.GPT_USD,
        **fields,
    }
    return stainless.both(name, (client, client), path=path, answer=answer, **shared)


INVOKE = (lambda m: m.invoke("hi"), lambda m: m.ainvoke("hi"))
STREAM = (lambda m: m.stream("hi"), lambda m: m.astream("hi"))
CLAUDE: dict[str, Any] = {
    "client": claude,
    "provider": "anthropic",
    "buckets": wire.MESSAGES_BUCKETS,
}

SURFACES = [
    *both("openai", CHAT_PATH, wire.GPT, ask=INVOKE),
    # One frame at first: Python's ``wait_for``, by which LangChain reads, swallows a cancellation
    # where the next has come already (https://github.com/python/cpython/issues/86296).
    *both("openai stream", CHAT_PATH, wire.GPT_FRAMES, open=STREAM, lazy=True, first=1),
    *both("openai responses", "/v1/responses", wire.RESPONSE, client=gpt_by_responses, ask=INVOKE),
    *both(
        "openai responses stream",
        "/v1/responses",
        wire.RESPONSE_FRAMES,
        client=gpt_by_responses,
        open=STREAM,
        lazy=True,
        first=1,
    ),
    *both("anthropic", MESSAGES_PATH, wire.CLAUDE, ask=INVOKE, cost_usd=wire.CLAUDE_USD, **CLAUDE),
    *both(
        "anthropic stream",
        MESSAGES_PATH,
        wire.CLAUDE_FRAMES,
        open=STREAM,
        lazy=True,
        cost_usd=wire.CLAUDE_TOKENS_USD,
        **CLAUDE,
    ),
    *both(
        "azure",
        "/openai/deployments/gpt-4o-mini/chat/completions",
        wire.GPT,
        client=azure,
        ask=INVOKE,
        provider="azure",
    ),
    *both(
        "embeddings",
        "/v1/embeddings",
        wire.EMBEDDING,
        client=embeddings,
        ask=(lambda m: m.embed_query("hi"), lambda m: m.aembed_query("hi")),
        buckets={"tokens.in.text": 8},
        cost_usd=wire.EMBEDDING_USD,
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


@pytest.mark.parametrize("surface", SURFACES[:4], ids=lambda s: s.name)
def test_attempts_of_the_model_are_one_call(bed: Bed, surface: Surface) -> None:
    patient = replace(surface, client=patient_gpt)
    expected = bed.play(patient, "ok", wrapped=False, refusals=2)
    assert bed.play(patient, "ok", wrapped=True, refusals=2) == expected
    (call,) = bed.calls(1)
    assert (call.retries, call.status, call.cost_usd) == (2, "ok", surface.cost_usd)
