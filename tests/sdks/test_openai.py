"""Every surface that the openai SDKs 1 and 3 share, on every way out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openai
import pytest
import stainless
import wire
from bed import Bed
from pydantic import BaseModel
from stainless import check_attempts, final, octets, raw, raw_stream
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": HI}
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
CHAT_STREAM: dict[str, Any] = {**CHAT, **USAGE, "stream": True}
ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "hi"}
PROMPT: dict[str, Any] = {"model": "gpt-3.5-turbo-instruct", "prompt": "hi"}
EMBED: dict[str, Any] = {
    "model": "text-embedding-3-small",
    "input": "hi",
    "encoding_format": "float",
}

CHAT_PATH, RESPONSES_PATH = "/v1/chat/completions", "/v1/responses"
COMPLETIONS_PATH, EMBEDDINGS_PATH = "/v1/completions", "/v1/embeddings"
AZURE_PATH = "/openai/deployments/gpt-4o/chat/completions"

BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100}
# gpt-4o-2024-08-06, at openai and at azure: 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per
# million tokens.
USD = Decimal("0.003")

PLAIN_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
COMPLETION: dict[str, Any] = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1_764_000_000,
    "model": "gpt-3.5-turbo-instruct:20230824-v2",
    "choices": [{"text": "One two.", "index": 0, "logprobs": None, "finish_reason": "stop"}],
    "usage": PLAIN_USAGE,
}
COMPLETION_STREAM = [
    *wire.sse(
        *(
            {
                **COMPLETION,
                "choices": [{"text": word, "index": 0, "logprobs": None, "finish_reason": end}],
                "usage": None,
            }
            for word, end in (("One ", None), ("two", None), (".", "stop"))
        ),
        {**COMPLETION, "choices": [], "usage": PLAIN_USAGE},
    ),
    b"data: [DONE]\n\n",
]


class Answer(BaseModel):
    """A shape that a reply is parsed into."""

    text: str


def with_text(body: Any, text: str) -> Any:
    """A reply or its frames with another text, which is written in one piece."""
    if isinstance(body, list):
        return [with_text(frame, text) for frame in body]
    if isinstance(body, bytes):
        return body.replace(b"One two three.", text.replace('"', '\\"').encode())
    if isinstance(body, dict):
        return {name: with_text(value, text) for name, value in body.items()}
    return text if body == "One two three." else body


PARSED_TEXT = '{"text": "yes"}'


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def async_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def azure(url: str) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(
        azure_endpoint=url, api_key="k", api_version="2024-10-21", max_retries=0
    )


def async_azure(url: str) -> openai.AsyncAzureOpenAI:
    return openai.AsyncAzureOpenAI(
        azure_endpoint=url, api_key="k", api_version="2024-10-21", max_retries=0
    )


def both(name: str, path: str, answer: Any, **fields: Any) -> list[Surface]:
    """A surface of both clients, whose answer is one of gpt-4o unless fields say otherwise."""
    clients = fields.pop("clients", (client, async_client))
    shared = {"provider": "openai", "buckets": BUCKETS, "cost_usd": USD, **fields}
    return stainless.both(name, clients, path=path, answer=answer, **shared)


SURFACES = [
    *both("chat", CHAT_PATH, wire.CHAT_BODY, ask=lambda c: c.chat.completions.create(**CHAT)),
    *both(
        "chat stream",
        CHAT_PATH,
        wire.CHAT_STREAM,
        open=lambda c: c.chat.completions.create(**CHAT_STREAM),
    ),
    *both(
        "chat stream without usage",
        CHAT_PATH,
        wire.CHAT_STREAM[:-2] + wire.CHAT_STREAM[-1:],
        open=lambda c: c.chat.completions.create(**CHAT, stream=True),
        buckets=None,
    ),
    *both(
        "chat parse",
        CHAT_PATH,
        with_text(wire.CHAT_BODY, PARSED_TEXT),
        ask=lambda c: c.chat.completions.parse(**CHAT, response_format=Answer),
    ),
    *both(
        "chat helper",
        CHAT_PATH,
        wire.CHAT_STREAM,
        ask=final(lambda c: c.chat.completions.stream(**CHAT, **USAGE), "get_final_completion"),
        open=lambda c: c.chat.completions.stream(**CHAT, **USAGE),
    ),
    *both(
        "chat raw",
        CHAT_PATH,
        wire.CHAT_BODY,
        ask=raw(lambda c: c.chat.completions.with_raw_response.create(**CHAT)),
    ),
    *both(
        "chat raw stream",
        CHAT_PATH,
        wire.CHAT_STREAM,
        open=raw_stream(lambda c: c.chat.completions.with_raw_response.create(**CHAT_STREAM)),
    ),
    *both(
        "chat streaming response",
        CHAT_PATH,
        wire.CHAT_STREAM,
        open=lambda c: c.chat.completions.with_streaming_response.create(**CHAT_STREAM),
        items=octets,
    ),
    *both(
        "beta chat parse",
        CHAT_PATH,
        with_text(wire.CHAT_BODY, PARSED_TEXT),
        ask=lambda c: c.beta.chat.completions.parse(**CHAT, response_format=Answer),
    ),
    *both(
        "responses", RESPONSES_PATH, wire.RESPONSES_BODY, ask=lambda c: c.responses.create(**ASKED)
    ),
    *both(
        "responses stream",
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        open=lambda c: c.responses.create(**ASKED, stream=True),
        first=4,
    ),
    *both(
        "responses parse",
        RESPONSES_PATH,
        with_text(wire.RESPONSES_BODY, PARSED_TEXT),
        ask=lambda c: c.responses.parse(**ASKED, text_format=Answer),
    ),
    *both(
        "responses helper",
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        ask=final(lambda c: c.responses.stream(**ASKED), "get_final_response"),
        open=lambda c: c.responses.stream(**ASKED),
        first=4,
    ),
    *both(
        "responses raw",
        RESPONSES_PATH,
        wire.RESPONSES_BODY,
        ask=raw(lambda c: c.responses.with_raw_response.create(**ASKED)),
    ),
    *both(
        "responses raw stream",
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        open=raw_stream(lambda c: c.responses.with_raw_response.create(**ASKED, stream=True)),
        first=4,
    ),
    *both(
        "responses streaming response",
        RESPONSES_PATH,
        wire.RESPONSES_STREAM,
        open=lambda c: c.responses.with_streaming_response.create(**ASKED, stream=True),
        items=octets,
        first=4,
    ),
    *both(
        "embeddings",
        EMBEDDINGS_PATH,
        wire.EMBEDDING_BODY,
        ask=lambda c: c.embeddings.create(**EMBED),
        buckets={"tokens.in.text": 8},
        cost_usd=Decimal("0.00000016"),  # $0.02 per million tokens
    ),
    *both(
        "embeddings raw",
        EMBEDDINGS_PATH,
        wire.EMBEDDING_BODY,
        ask=raw(lambda c: c.embeddings.with_raw_response.create(**EMBED)),
        buckets={"tokens.in.text": 8},
        cost_usd=Decimal("0.00000016"),
    ),
    *both(
        "completions",
        COMPLETIONS_PATH,
        COMPLETION,
        ask=lambda c: c.completions.create(**PROMPT),
        buckets={"tokens.in.text": 1000, "tokens.out.text": 100},
        cost_usd=Decimal("0.0017"),  # 1000 x $1.50 + 100 x $2 per million tokens
    ),
    *both(
        "completions stream",
        COMPLETIONS_PATH,
        COMPLETION_STREAM,
        open=lambda c: c.completions.create(**PROMPT, **USAGE, stream=True),
        buckets={"tokens.in.text": 1000, "tokens.out.text": 100},
        cost_usd=Decimal("0.0017"),
    ),
    *both(
        "azure chat",
        AZURE_PATH,
        wire.CHAT_BODY,
        ask=lambda c: c.chat.completions.create(**CHAT),
        clients=(azure, async_azure),
        provider="azure",
    ),
    *both(
        "azure chat stream",
        AZURE_PATH,
        wire.CHAT_STREAM,
        open=lambda c: c.chat.completions.create(**CHAT_STREAM),
        clients=(azure, async_azure),
        provider="azure",
    ),
    *both(
        "chat of a copy",
        CHAT_PATH,
        wire.CHAT_BODY,
        ask=lambda c: c.with_options(timeout=9).copy().chat.completions.create(**CHAT),
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


@pytest.mark.parametrize("surface", SURFACES[:4], ids=lambda s: s.name)
def test_attempts_of_the_sdk_are_one_call(bed: Bed, surface: Surface) -> None:
    check_attempts(surface, bed)


def test_paths_without_a_completion_pass_unrecorded(
    bed: Bed, shared_frame_server: FrameServer
) -> None:
    shared_frame_server.reset()
    shared_frame_server.json("/v1/models", {"object": "list", "data": []})
    bed.memory.clear()
    with wrap(client(shared_frame_server.url), lambda: bed.meter) as asked:
        asked.models.list()

    assert bed.calls(0) == ()
