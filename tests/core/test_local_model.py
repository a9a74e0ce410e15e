"""A real model on the loopback: our core and the official SDKs read the same true counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import anthropic
import httpx
import openai
import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.reply import Reply
from costspan.local_model import MODEL, serve

PROMPT = "Count from one to twenty in words."
MESSAGES: Any = [{"role": "user", "content": PROMPT}]
MAX_TOKENS = 5


class Counts(NamedTuple):
    """What an answer used."""

    prompt: int | None
    completion: int | None


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of the model, which serves all three wire formats."""
    with serve() as address:
        yield address


@cache
def by_chat(url: str) -> Counts:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        reply = client.chat.completions.create(
            model=MODEL, messages=MESSAGES, temperature=0, max_tokens=MAX_TOKENS
        )
    assert reply.usage is not None
    return Counts(reply.usage.prompt_tokens, reply.usage.completion_tokens)


@cache
def by_responses(url: str) -> Counts:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        reply = client.responses.create(
            model=MODEL, input=PROMPT, temperature=0, max_output_tokens=MAX_TOKENS
        )
    assert reply.usage is not None
    return Counts(reply.usage.input_tokens, reply.usage.output_tokens)


@cache
def by_messages(url: str) -> Counts:
    with anthropic.Anthropic(base_url=url, api_key="k") as client:
        usage = client.messages.create(
            model=MODEL,
            messages=MESSAGES,
            max_tokens=MAX_TOKENS,
            # No argument of the SDK's any more, but one of this version of the API.
            extra_body={"temperature": 0},
        ).usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return Counts(usage.input_tokens + cached, usage.output_tokens)


FORMATS: dict[str, tuple[str, dict[str, str], Callable[[str], Counts]]] = {
    "chat": ("llama.cpp", {}, by_chat),
    "responses": ("openai", {"api": "responses"}, by_responses),
    "messages": ("anthropic", {}, by_messages),
}


# The server closes idle connections after the very 5 seconds for which httpx keeps them: on a busy
# machine a request may meet one that is being closed.
FRESH = httpx.Limits(max_keepalive_connections=0)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client that connects for each request."""
    with httpx.Client(limits=FRESH) as made:
        yield made


def arguments(name: str, url: str, max_tokens: int = MAX_TOKENS) -> dict[str, Any]:
    """The arguments of a completion in a wire format."""
    provider, more, _ = FORMATS[name]
    return {
        "model": f"{provider}/{MODEL}",
        "messages": MESSAGES,
        "base_url": f"{url}/v1",
        "api_key": "k",
        "temperature": 0,
        "max_tokens": max_tokens,
        **more,
    }


def check(reply: Reply, theirs: Counts) -> None:
    assert reply.choices[0].message.content
    # Of Responses this server says that they are complete even where they met their bound.
    bound = "stop" if reply.api == "responses" else "length"
    assert reply.choices[0].finish_reason == bound
    assert reply.usage is not None
    assert Counts(reply.usage.prompt_tokens, reply.usage.completion_tokens) == theirs
    assert theirs.completion == MAX_TOKENS
    assert reply.meters is not None
    assert reply.meters.flags == ()
    assert reply.model == MODEL


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_counts_as_the_sdk(name: str, url: str, client: httpx.Client) -> None:
    _, _, ask = FORMATS[name]
    asked = {**arguments(name, url), "client": client}
    check(completion(**asked), ask(url))
    stream = completion(**asked, stream=True)
    pieces = [c.delta.content or "" for chunk in stream for c in chunk.choices]
    assert "".join(pieces) == stream.reply.choices[0].message.content
    assert len([piece for piece in pieces if piece]) > 1
    check(stream.reply, ask(url))


@pytest.mark.parametrize("name", FORMATS)
async def test_the_same_counts_asynchronously(name: str, url: str) -> None:
    _, _, ask = FORMATS[name]
    async with httpx.AsyncClient(limits=FRESH) as client:
        asked = {**arguments(name, url), "client": client}
        check(await acompletion(**asked), ask(url))
        stream = await acompletion(**asked, stream=True)
        assert [chunk async for chunk in stream]
    check(stream.reply, ask(url))


@pytest.mark.parametrize("name", FORMATS)
def test_leaving_early(name: str, url: str, client: httpx.Client) -> None:
    asked = {**arguments(name, url, max_tokens=2000), "client": client}
    with completion(**asked, stream=True) as stream:
        first = next(c for chunk in stream for c in chunk.choices if c.delta.content)
    assert first.delta.content
    assert not stream.seen.complete
    reply = stream.reply
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason is None
    assert reply.usage is None or reply.usage.completion_tokens != 2000
    # The server is free again.
    check(completion(**{**asked, "max_tokens": MAX_TOKENS}), FORMATS[name][2](url))


def test_the_prompt_that_was_asked_before_is_read_from_the_cache(
    url: str, client: httpx.Client
) -> None:
    by_chat(url)
    reply = completion(**arguments("chat", url), client=client)
    assert reply.meters is not None
    cached = reply.meters.buckets["tokens.in.cache_read"]
    assert 0 < cached < (reply.meters.input_tokens or 0)
    assert reply.meters.input_tokens == cached + reply.meters.buckets["tokens.in.text"]
