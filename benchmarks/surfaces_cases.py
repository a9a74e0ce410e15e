"""The 22 ways of calling OpenAI of the surfaces' table, as a user writes them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "What is the capital of France, and since when?"}],
}
RESPONSES: dict[str, Any] = {"model": "gpt-4o", "input": "What is the capital of France?"}
USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


class City(BaseModel):
    """What ``parse`` is asked for."""

    city: str


class Case(NamedTuple):
    """One way of calling.

    Attributes:
        name: As the table has it.
        call: Given a client, it gives the objects that the user got and what was read from them.
        behaviour: Of the server.
        told: Whether the provider's usage has come to the client when the call ends.
        wrong: Whether the call ends in an error or cancelled.
        retries: How often the client tries again.
    """

    name: str
    call: Callable[[Any], Any]
    behaviour: str = "ok"
    told: bool = True
    wrong: bool = False
    retries: int = 0

    @property
    def is_async(self) -> bool:
        """Whether it takes an asynchronous client."""
        return asyncio.iscoroutinefunction(self.call)


def plain(client: Any) -> Any:
    got = client.chat.completions.create(**CHAT)
    return [got], got.choices[0].message.content


async def aplain(client: Any) -> Any:
    got = await client.chat.completions.create(**CHAT)
    return [got], got.choices[0].message.content


def texts(stream: Any, most: int = 1000) -> str:
    """Read a chat stream, or the first chunks of it."""
    read = ""
    for number, chunk in enumerate(stream, 1):
        read += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        if number == most:
            break
    return read


async def atexts(stream: Any) -> str:
    """Read a chat stream."""
    read = ""
    async for chunk in stream:
        read += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    return read


def streamed(client: Any) -> Any:
    stream = client.chat.completions.create(**CHAT, **USAGE)
    return [stream], texts(stream)


def untold(client: Any) -> Any:
    stream = client.chat.completions.create(**CHAT, stream=True)
    return [stream], texts(stream)


async def astreamed(client: Any) -> Any:
    stream = await client.chat.completions.create(**CHAT, **USAGE)
    return [stream], await atexts(stream)


def closed_early(client: Any) -> Any:
    stream = client.chat.completions.create(**CHAT, **USAGE)
    read = texts(stream, 5)
    stream.close()
    return [stream], read


def cut(client: Any) -> Any:
    stream = client.chat.completions.create(**CHAT, **USAGE)
    try:
        return [stream], texts(stream)
    except Exception as error:  # whichever the SDK raises: that is what is compared
        return [stream, error], "cut"


async def cancelled(client: Any) -> Any:
    stream = await client.chat.completions.create(**CHAT, **USAGE)
    task = asyncio.ensure_future(atexts(stream))
    await asyncio.sleep(0.2)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        await stream.close()
        return [stream, error], "cancelled"


def never_read(client: Any) -> Any:
    stream = client.chat.completions.create(**CHAT, **USAGE)
    kind = type(stream)
    del stream
    gc.collect()
    return [kind], ""


def refused(client: Any) -> Any:
    try:
        return [client.chat.completions.create(**CHAT)], "not refused"
    except Exception as error:
        return [error], str(getattr(error, "status_code", None))


def raw(client: Any) -> Any:
    got = client.chat.completions.with_raw_response.create(**CHAT)
    return [got, got.parse()], got.headers["content-type"]


def raw_stream(client: Any) -> Any:
    got = client.chat.completions.with_raw_response.create(**CHAT, **USAGE)
    stream = got.parse()
    return [got, stream], texts(stream)


def streaming_response(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(**CHAT) as got:
        return [got], b"".join(got.iter_bytes()).decode()


def parsed(client: Any) -> Any:
    got = client.chat.completions.parse(**CHAT, response_format=City)
    return [got], got.choices[0].message.parsed.city


def helper(client: Any) -> Any:
    manager = client.chat.completions.stream(**CHAT, stream_options=USAGE["stream_options"])
    with manager as stream:
        events = [event.type for event in stream]
        return [manager, stream], f"{events} {stream.get_final_completion().usage}"


def responses(client: Any) -> Any:
    got = client.responses.create(**RESPONSES)
    return [got], got.output_text


def responses_stream(client: Any) -> Any:
    stream = client.responses.create(**RESPONSES, stream=True)
    return [stream], str([event.type for event in stream])


def responses_raw_stream(client: Any) -> Any:
    got = client.responses.with_raw_response.create(**RESPONSES, stream=True)
    stream = got.parse()
    return [got, stream], str([event.type for event in stream])


def responses_helper(client: Any) -> Any:
    manager = client.responses.stream(**RESPONSES)
    with manager as stream:
        events = [event.type for event in stream]
        return [manager, stream], f"{events} {stream.get_final_response().usage}"


def embeddings(client: Any) -> Any:
    got = client.embeddings.create(
        model="text-embedding-3-small", input="Paris", encoding_format="float"
    )
    return [got], str(got.data[0].embedding)


def completions(client: Any) -> Any:
    got = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="The capital is")
    return [got], got.choices[0].text


CASES = (
    Case("chat", plain),
    Case("chat, async", aplain),
    Case("chat, refused (429)", refused, "refuse", told=False, wrong=True),
    Case("chat, second attempt", plain, "retry", retries=1),
    Case("chat stream with usage", streamed),
    Case("chat stream without usage", untold, told=False),
    Case("chat stream, async", astreamed),
    Case("chat stream closed early", closed_early, told=False),
    Case("chat stream cut off", cut, "cut", told=False, wrong=True),
    Case("chat stream cancelled", cancelled, "slow", told=False, wrong=True),
    Case("chat stream never read", never_read, told=False),
    Case("chat `with_raw_response`", raw),
    Case("chat stream `with_raw_response`", raw_stream),
    Case("chat `with_streaming_response`", streaming_response),
    Case("chat `parse`", parsed, "json"),
    Case("chat `stream` helper", helper),
    Case("responses", responses),
    Case("responses stream", responses_stream),
    Case("responses stream `with_raw_response`", responses_raw_stream),
    Case("responses `stream` helper", responses_helper),
    Case("embeddings", embeddings),
    Case("completions (legacy)", completions),
)


class Got(NamedTuple):
    """What a user got of a call: the types of the objects, and what they read."""

    kinds: list[str]
    text: str


def run(case: Case, client: Any) -> Got:
    """Make one call."""
    made: Callable[[Any], Awaitable[Any]] = case.call
    objects, text = asyncio.run(_and_close(made, client)) if case.is_async else case.call(client)
    kinds = [each if isinstance(each, type) else type(each) for each in objects]
    return Got([f"{kind.__module__}.{kind.__qualname__}" for kind in kinds], text)


async def _and_close(call: Callable[[Any], Awaitable[Any]], client: Any) -> Any:
    async with client:
        return await call(client)
