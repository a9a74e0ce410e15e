"""`embedding` and `aembedding`: vectors of texts from every provider, over httpx."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack, cast

from costspan.core import transport
from costspan.core.assembly import Exchange
from costspan.core.attempt import Attempt
from costspan.core.attempts import raise_if_failed, way
from costspan.core.decoders import Event
from costspan.core.driver import adrive, drive
from costspan.core.embedding_reply import Embedding, EmbeddingReply, EmbeddingUsage
from costspan.core.endpoints import resolve
from costspan.core.errors import BadRequestError
from costspan.core.observation import Observation
from costspan.core.params import ServerArguments, unknown_argument
from costspan.core.plan import DEFAULT_TIMEOUT_S, Candidate, Plan, candidate_of, policy_of
from costspan.core.protocols import Protocol
from costspan.core.protocols.embeddings import EmbeddingProtocol, embedding_protocol
from costspan.core.request import Request
from costspan.core.targets import Target, target_of

if TYPE_CHECKING:
    from costspan.core.endpoint import Endpoint
    from costspan.core.policy import Policy

_FORMATS = ("float", "base64")

EmbeddingInput: TypeAlias = "str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]"
"""A text or texts; or one or more of them as token ids, which OpenAI's wire format takes."""


class EmbeddingParams(TypedDict, total=False):
    """Parameters of embeddings. None means not given.

    Attributes:
        dimensions: Length of the vectors, at least 1, for models that can shorten them.
        encoding_format: ``float``, or ``base64`` for the vectors as text, as the provider sends
            them. Where not given, numbers are returned, however they travel.
        input_type: What the texts are for: ``search_document``, ``search_query``,
            ``classification``, ``clustering`` (Cohere, Gemini).
        user: Who the end user is, for the provider's abuse checks.
        metadata: Not sent: tags for the caller's own accounting, as in `completion`.
    """

    dimensions: int | None
    encoding_format: str | None
    input_type: str | None
    user: str | None
    metadata: Mapping[str, object] | None


class EmbeddingArguments(EmbeddingParams, ServerArguments, total=False):
    """All keyword arguments of `embedding`."""


_ARGUMENTS = ("model", "input", *EmbeddingArguments.__annotations__)


def embedding(
    model: str, input: EmbeddingInput, **arguments: Unpack[EmbeddingArguments]
) -> EmbeddingReply:
    """Get the vectors of one or more texts.

    Args:
        model: ``provider/model``, as in ``openai/text-embedding-3-small``.
        input: A text or a list of texts. Providers bound their number in one request (OpenAI
            2048, Gemini 100, Cohere 96, Titan 1); what is too much is refused by them.
        **arguments: Parameters, address, key and the like: see `EmbeddingArguments`.

    Returns:
        The vectors in the order of the texts, in OpenAI's shape.

    Raises:
        APIError: One of its subclasses says what failed; see `costspan.core.errors`.
    """
    client = arguments.pop("client", None)
    plan, candidate = prepare(model, input, **arguments)
    return cast(EmbeddingReply, drive(way(plan, candidate, _reply), client, stream=False))


async def aembedding(
    model: str, input: EmbeddingInput, **arguments: Unpack[EmbeddingArguments]
) -> EmbeddingReply:
    """Get the vectors of one or more texts, without blocking the event loop (asyncio).

    The same as `embedding` in its arguments, result and errors.
    """
    client = arguments.pop("client", None)
    plan, candidate = prepare(model, input, **arguments)
    return cast(EmbeddingReply, await adrive(way(plan, candidate, _reply), client, stream=False))


def prepare(
    model: str,
    input: EmbeddingInput,
    *,
    timeout: object = DEFAULT_TIMEOUT_S,
    drop_params: bool | None = False,
    policy: Policy | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    endpoints: Mapping[str, Endpoint] | None = None,
    **arguments: Any,
) -> tuple[Plan, Candidate]:
    """All that comes before the network: check, resolve, translate. Arguments as `embedding`."""
    for name in arguments:
        if name not in EmbeddingArguments.__annotations__:
            raise unknown_argument(name, _ARGUMENTS)
    target, params = target_of(model, arguments)
    params = {"input": _checked_input(input), **_checked_params(params)}
    plan = Plan(
        messages=(),
        params=params,
        stream=False,
        drop_params=bool(drop_params),
        timeout=timeout,
        policy=policy_of(policy, num_retries, max_retries),
        mocked=False,
        targets=(target,),
        own=endpoints or {},
    )
    return plan, _candidate(plan, target)


def _candidate(plan: Plan, target: Target) -> Candidate:
    endpoint, model = resolve(
        target.model, base_url=target.base_url, settings=target.settings, own=plan.own
    )
    protocol = embedding_protocol(endpoint)
    endpoint = replace(endpoint, protocol="embeddings")
    request = Request(
        model=model,
        messages=(),
        params=plan.params,
        extra_body=target.extra_body,
        extra_headers=target.extra_headers,
        drop_params=plan.drop_params,
    )
    wire = protocol.encode(request, endpoint)
    exchange = Exchange(request, endpoint, cast(Protocol, protocol), wire.dropped)
    return candidate_of(target, exchange, wire)


def _reply(
    response: transport.Response,
    call: transport.Call,
    exchange: Exchange,
    history: Sequence[Attempt],
) -> EmbeddingReply:
    """The reply in a response to the last attempt.

    Raises:
        APIError: The response is an error, or holds no embeddings.
    """
    raise_if_failed(response, call, exchange)
    endpoint, request = exchange.endpoint, exchange.request
    protocol = cast(EmbeddingProtocol, exchange.protocol)
    body = Event("", response.content).json()
    history[-1].seen = seen = Observation("embeddings")
    data = protocol.read(body, response.headers, seen) if body else None
    if body is not None and data is None and seen.error_type:
        raise exchange.error(body, seen, call.key)
    if data is None or not (request.params.get("encoding_format") == "base64" or _decoded(data)):
        raise exchange.unreadable("list of embeddings")
    meters = seen.usage_of(endpoint.provider)
    return EmbeddingReply(
        data=data,
        model=seen.model or request.model,
        usage=EmbeddingUsage.of(meters),
        meters=meters,
        provider=endpoint.provider,
        endpoint=endpoint.host,
        port=endpoint.port,
        raw=body,
        dropped_params=exchange.dropped,
        attempts=history,
    )


def _decoded(data: Sequence[Embedding]) -> bool:
    """Make numbers of the vectors that came as text, float32 in base64; whether they all are."""
    for each in data:
        if isinstance(each.embedding, str):
            try:
                each.embedding = _floats(each.embedding)
            except ValueError:
                return False
    return True


def _checked_input(given: object) -> object:
    """The input, a list where it is more than one text.

    Raises:
        BadRequestError: It is no text, no list of texts, and no token ids.
    """
    if isinstance(given, str):
        return given
    found = list(given) if isinstance(given, Sequence) and not isinstance(given, bytes) else []
    kinds = {type(each) for each in found}
    if kinds and (kinds <= {str} or kinds <= {int} or kinds <= {list, tuple}):
        return found
    raise BadRequestError(
        "input must be a text, a list of texts, or token ids: "
        + ("it is empty" if given == [] else f"it is a {type(given).__name__}")
        + (f" of {', '.join(sorted(kind.__name__ for kind in kinds))}" if kinds else "")
    )


def _checked_params(params: Mapping[str, object]) -> dict[str, object]:
    """The parameters that were given, without those that are None and without ``metadata``.

    Raises:
        BadRequestError: A name is unknown or a value is out of its range.
    """
    for name in params:
        if name not in EmbeddingParams.__annotations__:
            raise unknown_argument(name, _ARGUMENTS)
    given = {k: v for k, v in params.items() if v is not None and k != "metadata"}
    length = given.get("dimensions", 1)
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise BadRequestError(f"dimensions={length!r} is out of range: it must be 1 or more")
    encoding = given.get("encoding_format", "float")
    if encoding not in _FORMATS:
        raise BadRequestError(f"encoding_format={encoding!r}: it must be float or base64")
    return given


def _floats(text: str) -> list[float]:
    numbers = array("f")
    numbers.frombytes(b64decode(text, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
