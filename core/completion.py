"""`completion` and `acompletion`: one call for every provider, over httpx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack, overload

from costspan.core import transport
from costspan.core.assembly import Exchange, no_completion, reply_from_body
from costspan.core.auth import authorisation
from costspan.core.decoders import Event
from costspan.core.endpoints import api_key_for, resolve
from costspan.core.errors import APIError, BadRequestError
from costspan.core.failures import error_from_response
from costspan.core.legacy import tool_turns, tools_from_functions
from costspan.core.params import (
    ApiKey,
    CompletionArguments,
    checked_messages,
    checked_params,
)
from costspan.core.protocols import load_protocol
from costspan.core.reply import Reply
from costspan.core.request import Request, WireRequest
from costspan.core.stream import AsyncStream, Stream

_DEFAULT_TIMEOUT_S = 600.0


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
        **arguments: Parameters, address, key and the like: see `CompletionArguments` and
            `CompletionParams`.

    Returns:
        A `Reply`, or with ``stream`` a `Stream`.

    Raises:
        APIError: One of its subclasses says what failed; see `costspan.core.errors`.
    """
    client = arguments.pop("client", None)
    call, exchange = prepare(model, messages, stream=bool(stream), **arguments)
    response = transport.send(call, client, stream=bool(stream))
    if response.status_code >= 300:
        try:
            response.read()
        except transport.wire_errors(response) as error:
            raise transport.wire_error(error, call.provider, call.model) from error
        raise _failure(response, call, exchange)
    return Stream(response, exchange) if stream else _reply(response, exchange)


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
    client = arguments.pop("client", None)
    call, exchange = prepare(model, messages, stream=bool(stream), **arguments)
    response = await transport.asend(call, client, stream=bool(stream))
    if response.status_code >= 300:
        try:
            await response.aread()
        except transport.wire_errors(response) as error:
            raise transport.wire_error(error, call.provider, call.model) from error
        raise _failure(response, call, exchange)
    return AsyncStream(response, exchange) if stream else _reply(response, exchange)


def prepare(
    model: str,
    messages: Sequence[Any],
    *,
    stream: bool,
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    api_base: str | None = None,
    timeout: Any = _DEFAULT_TIMEOUT_S,
    drop_params: bool | None = False,
    extra_body: Mapping[str, object] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    **params: object,
) -> tuple[transport.Call, Exchange]:
    """All that comes before the network: check, resolve, translate. Arguments as `completion`."""
    if base_url and api_base and base_url != api_base:
        raise BadRequestError("base_url and api_base are one argument: give one of them")
    if not isinstance(model, str) or not model:
        raise BadRequestError("model must be a name, as in openai/gpt-4o")
    endpoint, bare = resolve(model, base_url=base_url or api_base)
    given = checked_params(params)
    legacy = "functions" in given
    request = Request(
        model=bare,
        messages=tool_turns(checked_messages(messages)),
        stream=stream,
        params=tools_from_functions(given) if legacy else given,
        extra_body=extra_body or {},
        extra_headers=extra_headers or {},
        drop_params=bool(drop_params),
        legacy_functions=legacy,
    )
    protocol = load_protocol(endpoint.protocol)
    wire = protocol.encode(request, endpoint)
    key = api_key_for(endpoint, api_key() if callable(api_key) else api_key)
    exchange = Exchange(request, endpoint, protocol, wire.dropped)
    return _call(wire, key, timeout, exchange), exchange


def _call(wire: WireRequest, key: str | None, timeout: Any, exchange: Exchange) -> transport.Call:
    endpoint, model = exchange.endpoint, exchange.request.model
    url = endpoint.url(wire.path, model=model, query=wire.query)
    body = transport.encoded(wire.body)
    return transport.Call(
        url=url,
        headers={
            **authorisation(endpoint, key, url=url, body=body),
            **_lowered(wire.headers),
        },
        body=body,
        timeout=timeout,
        provider=endpoint.provider,
        model=exchange.request.model,
        key=key,
    )


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with names in lower case, so that the caller's win over ours in any spelling."""
    return {name.lower(): value for name, value in headers.items()}


def _reply(response: transport.Response, exchange: Exchange) -> Reply:
    body = Event("", response.content).json()
    if body is None:
        raise no_completion(exchange)
    return reply_from_body(body, exchange)


def _failure(response: transport.Response, call: transport.Call, exchange: Exchange) -> APIError:
    return error_from_response(
        response.status_code,
        response.headers,
        response.content,
        provider=call.provider,
        model=call.model,
        key_variables=exchange.endpoint.key,
        secret=call.key,
    )
