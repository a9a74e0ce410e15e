"""`completion` and `acompletion`: one call for every provider, over httpx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Unpack, overload

from costspan.core.attempts import Opened, way
from costspan.core.driver import adrive, drive
from costspan.core.params import CompletionArguments
from costspan.core.plan import prepare
from costspan.core.reply import Reply
from costspan.core.stream import AsyncStream, Stream


@overload
def completion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[False] | None = False,
    **arguments: Unpack[CompletionArguments],
) -> Reply: ...


@overload
def completion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[True],
    **arguments: Unpack[CompletionArguments],
) -> Stream: ...


def completion(
    model: str, messages: Sequence[Any], *, stream: bool | None = False, **arguments: Any
) -> Reply | Stream:
    """Ask a model to complete a conversation.

    Args:
        model: ``provider/model``, as in ``anthropic/claude-sonnet-4-5``; the provider may be left
            out for names that declare it (``gpt-``, ``claude-``).
        messages: The conversation in OpenAI's shape, oldest first.
        stream: Return a `Stream` of chunks. The provider is always asked to send the usage, where
            it can; the chunk for it is shown only where ``stream_options`` asks for it.
        **arguments: Parameters, address, key, policy and the like: see `CompletionArguments` and
            `CompletionParams`.

    Returns:
        A `Reply`, or with ``stream`` a `Stream`.

    Raises:
        APIError: One of its subclasses says what failed; see `costspan.core.errors`.
    """
    client, mock = arguments.pop("client", None), arguments.pop("mock_response", None)
    plan = prepare(model, messages, stream=bool(stream), mocked=mock is not None, **arguments)
    first = plan.candidate(plan.targets[0])
    if mock is not None:
        from costspan.core.mock import MockClient

        client = MockClient(mock, first.exchange.request.model)
    found = drive(way(plan, first), client, stream=plan.stream)
    return Stream(found) if isinstance(found, Opened) else found


@overload
async def acompletion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[False] | None = False,
    **arguments: Unpack[CompletionArguments],
) -> Reply: ...


@overload
async def acompletion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[True],
    **arguments: Unpack[CompletionArguments],
) -> AsyncStream: ...


async def acompletion(
    model: str, messages: Sequence[Any], *, stream: bool | None = False, **arguments: Any
) -> Reply | AsyncStream:
    """Ask a model to complete a conversation, without blocking the event loop (asyncio).

    The same as `completion` in its arguments and errors.

    Returns:
        A `Reply`, or with ``stream`` an `AsyncStream`.
    """
    client, mock = arguments.pop("client", None), arguments.pop("mock_response", None)
    plan = prepare(model, messages, stream=bool(stream), mocked=mock is not None, **arguments)
    first = plan.candidate(plan.targets[0])
    if mock is not None:
        from costspan.core.mock import AsyncMockClient

        client = AsyncMockClient(mock, first.exchange.request.model)
    found = await adrive(way(plan, first), client, stream=plan.stream)
    return AsyncStream(found) if isinstance(found, Opened) else found
