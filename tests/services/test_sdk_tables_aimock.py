"""The SDKs' surfaces against a mock server of others, which writes the formats in its own way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import anthropic
import cohere
import openai
import pytest
from bed import Bed
from google import genai
from google.genai import types as genai_types
from mistralai.client import Mistral
from stainless import both
from surfaces import Surface, Way, check

if TYPE_CHECKING:
    from tests.services.conftest import AIMock

pytestmark = pytest.mark.services

PLAIN: dict[Way, str] = {
    "ok": "answer the table",
    "error": "refuse the table",
    "cut": "drop the table",
}
STREAM: dict[Way, str] = {**PLAIN, "cut": "cut the table"}
BUCKETS = {"tokens.in.text": 1000, "tokens.out.text": 100}

Ask: TypeAlias = Callable[[Any, str], Any]
"""Asks a client a question."""


class Elsewhere:
    """A server that answers by the question, with nothing to prepare."""

    def __init__(self, url: str) -> None:
        self.url = url

    def prepare(self, surface: Surface, way: Way, refusals: int) -> None:
        """Nothing: what the server does is told by the question."""

    def requests(self) -> list[tuple[object, ...]]:
        """Nothing: the requests are compared at the server that we script."""
        return []


@pytest.fixture(scope="module")
def bed(aimock: AIMock) -> Iterator[Bed]:
    """A bed whose server is the mock."""
    with Bed(Elsewhere(aimock.url)) as bed:
        yield bed


def said(reply: Any, read: Callable[[Any], Any]) -> Any:
    """Type and text of a reply: its time is of one answer only."""
    return type(reply), read(reply)


async def asaid(reply: Any, read: Callable[[Any], Any]) -> Any:
    """The same for a reply that is awaited."""
    return said(await reply, read)


def each(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What is iterated of a stream: type and text of each item."""

    def items(stream: Any) -> Iterator[Any]:
        for item in stream:
            yield said(item, read)

    async def aitems(stream: Any) -> AsyncIterator[Any]:
        async for item in stream:
            yield said(item, read)

    return lambda stream: aitems(stream) if hasattr(stream, "__aiter__") else items(stream)


def hi(question: str) -> list[Any]:
    """A conversation that begins with the question."""
    return [{"role": "user", "content": question}]


def four(
    name: str,
    way: Way,
    clients: tuple[Callable[[str], Any], Callable[[str], Any]],
    plain: tuple[Ask, Ask],
    stream: tuple[Ask, Ask],
    *,
    read: Callable[[Any], Any],
    read_item: Callable[[Any], Any],
    cost_usd: Decimal,
    streamed: dict[str, Any] | None = None,
) -> list[Surface]:
    """The plain and the streamed surface of both clients.

    Args:
        name: The SDK, and its provider.
        way: How the calls go.
        clients: How the two clients are made.
        plain, stream: How each of them is asked a question.
        read, read_item: The text of a reply, and of an item of a stream.
        cost_usd: US dollars of 1,000 tokens in and 100 out.
        streamed: What is different about the streamed ones.
    """
    shared: dict[str, Any] = {
        "path": "",
        "answer": {},
        "provider": name,
        "buckets": BUCKETS,
        "cost_usd": cost_usd,
    }
    asks = (
        lambda client: said(plain[0](client, PLAIN[way]), read),
        lambda client: asaid(plain[1](client, PLAIN[way]), read),
    )
    opens = (
        lambda client: stream[0](client, STREAM[way]),
        lambda client: stream[1](client, STREAM[way]),
    )
    shared_stream = {**shared, "items": each(read_item), **(streamed or {})}
    return [
        *both(name, clients, ask=asks, **shared),
        *both(f"{name} stream", clients, open=opens, **shared_stream),
    ]


def of_openai(way: Way) -> list[Surface]:
    def plain(client: Any, question: str) -> Any:
        return client.chat.completions.create(model="gpt-4o", messages=hi(question))

    def stream(client: Any, question: str) -> Any:
        return client.chat.completions.create(
            model="gpt-4o",
            messages=hi(question),
            stream=True,
            stream_options={"include_usage": True},
        )

    return four(
        "openai",
        way,
        (
            lambda url: openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0),
            lambda url: openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0),
        ),
        (plain, plain),
        (stream, stream),
        read=lambda reply: reply.choices[0].message,
        read_item=lambda chunk: chunk.choices,
        cost_usd=Decimal("0.0035"),  # 1000 x $2.50 + 100 x $10 per million tokens
    )


def of_anthropic(way: Way) -> list[Surface]:
    asked = {"model": "claude-sonnet-5", "max_tokens": 100}

    def plain(client: Any, question: str) -> Any:
        return client.messages.create(**asked, messages=hi(question))

    def stream(client: Any, question: str) -> Any:
        return client.messages.create(**asked, messages=hi(question), stream=True)

    return four(
        "anthropic",
        way,
        (
            lambda url: anthropic.Anthropic(base_url=url, api_key="k", max_retries=0),
            lambda url: anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0),
        ),
        (plain, plain),
        (stream, stream),
        read=lambda reply: reply.content,
        read_item=lambda event: getattr(event, "delta", event.type),
        cost_usd=Decimal("0.003"),  # 1000 x $2 + 100 x $10 per million tokens
    )


def of_google(way: Way) -> list[Surface]:
    model = "gemini-2.5-flash"

    def client(url: str) -> genai.Client:
        options = genai_types.HttpOptions(base_url=url, api_version="v1beta")
        return genai.Client(api_key="k", http_options=options)

    def plain(client: Any, question: str) -> Any:
        return client.models.generate_content(model=model, contents=question)

    def stream(client: Any, question: str) -> Any:
        return client.models.generate_content_stream(model=model, contents=question)

    return four(
        "google",
        way,
        (client, lambda url: client(url).aio),
        (plain, plain),
        (stream, stream),
        read=lambda reply: reply.text,
        read_item=lambda reply: reply.text,
        cost_usd=Decimal("0.00055"),  # 1000 x $0.30 + 100 x $2.50 per million tokens
    )


def of_mistral(way: Way) -> list[Surface]:
    model = "codestral-2508"

    def client(url: str) -> Mistral:
        return Mistral(api_key="k", server_url=url)

    return four(
        "mistral",
        way,
        (client, client),
        (
            lambda c, question: c.chat.complete(model=model, messages=hi(question)),
            lambda c, question: c.chat.complete_async(model=model, messages=hi(question)),
        ),
        (
            lambda c, question: c.chat.stream(model=model, messages=hi(question)),
            lambda c, question: c.chat.stream_async(model=model, messages=hi(question)),
        ),
        read=lambda reply: reply.choices[0].message,
        read_item=lambda event: event.data.choices,
        cost_usd=Decimal("0.00039"),  # 1000 x $0.30 + 100 x $0.90 per million tokens
        # The mock tells usage in OpenAI's way, when it is asked to.
        streamed={"buckets": None},
    )


def of_cohere(way: Way) -> list[Surface]:
    asked = {"model": "command-a-03-2025"}

    def plain(client: Any, question: str) -> Any:
        return client.chat(**asked, messages=hi(question))

    def stream(client: Any, question: str) -> Any:
        return client.chat_stream(**asked, messages=hi(question))

    return four(
        "cohere",
        way,
        (
            lambda url: cohere.ClientV2(api_key="k", base_url=url, max_retries=0),
            lambda url: cohere.AsyncClientV2(api_key="k", base_url=url, max_retries=0),
        ),
        (plain, plain),
        (stream, stream),
        read=lambda reply: reply.message,
        read_item=lambda event: getattr(event, "delta", None),
        cost_usd=Decimal("0.0035"),  # 1000 x $2.50 + 100 x $10 per million tokens
    )


SDKS = (of_openai, of_anthropic, of_google, of_mistral, of_cohere)


@pytest.mark.parametrize(
    ("surface", "way"),
    [
        pytest.param(surface, way, id=f"{surface.name}-{way}")
        for way in PLAIN
        for sdk in SDKS
        for surface in sdk(way)
    ],
)
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)
