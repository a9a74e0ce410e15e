"""What a call asks for, read from the user's own arguments or from the wire body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from costspan.core.endpoints import provider_from_url, split_model
from costspan.core.errors import BadRequestError
from costspan.core.naming import canonical_provider, known_providers
from costspan.middleware.record import NOTHING
from costspan.middleware.tags import metadata_tags
from costspan.pricing.situation import region_of_host

OPERATIONS: Mapping[str, str] = {
    "completions": "text_completion",
    "embeddings": "embeddings",
    "generateContent": "generate_content",
    "rerank": "rerank",
}
"""Api -> OpenTelemetry operation name, where it is not ``chat``."""

UNKNOWN_PROVIDER = "unknown"

_PARAMS = {
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "n",
    "stop",
    "stop_sequences",
    "service_tier",
    "reasoning_effort",
    "previous_response_id",
    "dimensions",
    "encoding_format",
}
_EMBEDS = frozenset(("dimensions", "encoding_format"))
_MAX_TOKENS = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
_TELLING = frozenset({*_PARAMS, *_MAX_TOKENS, "reasoning", "response_format"})


class AskedCall(NamedTuple):
    """What one call asks for.

    Attributes:
        provider: Canonical provider id; `UNKNOWN_PROVIDER` when nothing tells it.
        api: Canonical api name.
        model: Model without a routing prefix, as the provider will see it.
        model_requested: Model as the user wrote it.
        body: The wire body or the call's keyword arguments; read for the estimate, never kept.
        streaming: Whether a stream was asked for.
        endpoint: Host of the server, if known.
        port: Port of the server, if known.
        params: Sampling parameters and the like; no content.
        context: What price depends on and only the caller knows (asked tier, region of the host).
        is_request: Whether the call is one request to a provider, and not a function that may
            make several: no other call is part of it.
        tags: Tags that the arguments carry; they win over those of the context.
        unbilled: Whether the arguments say that nobody is asked, as LiteLLM's ``mock_response``.
    """

    provider: str
    api: str
    model: str
    model_requested: str
    body: Mapping[str, Any]
    streaming: bool = False
    endpoint: str | None = None
    port: int | None = None
    params: Mapping[str, object] = NOTHING
    context: Mapping[str, object] = NOTHING
    is_request: bool = False
    tags: Mapping[str, str] = NOTHING
    unbilled: bool = False

    @property
    def operation(self) -> str:
        """OpenTelemetry's name of the operation."""
        return OPERATIONS.get(self.api, "chat")


RequestReader: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], AskedCall | None]
"""Reads what is asked for from the arguments of a call; None for calls that are not recorded."""


def from_wire(
    api: str,
    body: Mapping[str, Any],
    base_url: str,
    default: str | None,
    *,
    cloud: str | None = None,
) -> AskedCall:
    """Read a request at an SDK's HTTP choke point.

    Args:
        api: Canonical api of the path that is called.
        body: The JSON body as it will be sent.
        base_url: Where it is sent.
        default: The provider that the SDK was made for, taken when neither the host nor the
            model's name tells the provider; None if the SDK serves many.
        cloud: The cloud that the client is made for, taken when the host does not tell the
            provider, whoever made the model.
    """
    model = _text(body.get("model"))
    provider = provider_from_url(base_url) or cloud or _provider_of_model(model) or default
    endpoint, port = _server(base_url)
    return AskedCall(
        provider=provider or UNKNOWN_PROVIDER,
        api=api,
        model=model,
        model_requested=model,
        body=body,
        streaming=body.get("stream") is True,
        endpoint=endpoint,
        port=port,
        params=_params(body),
        context=context_of(body, provider, endpoint),
        is_request=True,
        tags=_listed_tags(body) if "metadata" in body else NOTHING,
    )


def _listed_tags(body: Mapping[str, Any]) -> Mapping[str, str]:
    """The tags as LiteLLM's users write them; other metadata on the wire is the provider's."""
    metadata = body["metadata"]
    if isinstance(metadata, Mapping) and "tags" in metadata:
        return metadata_tags({"tags": metadata["tags"]})
    return NOTHING


def from_arguments(
    arguments: Mapping[str, Any], default: str | None = None, api: str | None = None
) -> AskedCall:
    """Read a request from the keyword arguments of a completion function.

    Args:
        arguments: Parameter names to values, as the function was called.
        default: The provider if neither the arguments nor the model's name tell it.
        api: Canonical api; by default the one that the arguments are those of.
    """
    requested = _text(arguments.get("model"))
    base_url = _text(arguments.get("base_url") or arguments.get("api_base"))
    provider, model = _split(requested)
    named = _text(arguments.get("custom_llm_provider") or arguments.get("provider"))
    if named:  # LiteLLM's way to say it, and any-llm's
        provider, model = (
            canonical_provider(named),
            unprefixed(canonical_provider(named), requested),
        )
    provider = (provider_from_url(base_url) if base_url else None) or provider or default
    endpoint, port = _server(base_url)
    return AskedCall(
        provider=provider or UNKNOWN_PROVIDER,
        api=api or _api(arguments, provider),
        model=model,
        model_requested=requested,
        body=arguments,
        streaming=arguments.get("stream") is True,
        endpoint=endpoint,
        port=port,
        params=_params(arguments),
        context=context_of(arguments, provider, endpoint),
        tags=metadata_tags(arguments["metadata"]) if "metadata" in arguments else NOTHING,
        unbilled=arguments.get("mock_response") is not None,
    )


def served_by(asked: AskedCall, name: str, base_url: str) -> AskedCall:
    """The same request when it is known who has answered it.

    Args:
        asked: What was asked for.
        name: The provider in any spelling.
        base_url: Where it was sent; its host goes before the name. Empty if nothing tells it.
    """
    provider = provider_from_url(base_url) or canonical_provider(name)
    endpoint, port = _server(base_url)
    return asked._replace(
        provider=provider,
        model=unprefixed(provider, asked.model),
        endpoint=endpoint or asked.endpoint,
        port=port if endpoint else asked.port,
    )


@lru_cache(maxsize=256)
def _server(url: str) -> tuple[str | None, int | None]:
    """Host and port of an address; None where it tells none."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:  # no address at all: the call itself will say so
        return None, None


def _api(arguments: Mapping[str, Any], provider: str | None) -> str:
    if "messages" in arguments:
        return "messages" if provider == "anthropic" else "chat"
    if "input" in arguments:
        embeds = "embed" in _text(arguments.get("model")) or not _EMBEDS.isdisjoint(arguments)
        return "embeddings" if embeds else "responses"
    return "completions" if "prompt" in arguments else "chat"


@lru_cache(maxsize=1024)  # a name of no declared family takes 100 us to be told what it is near to
def _split(model: str) -> tuple[str | None, str]:
    if not model:
        return None, model
    try:
        return split_model(model)
    except BadRequestError:
        return _split_prefix(model)


def _split_prefix(model: str) -> tuple[str | None, str]:
    """LiteLLM has prefixes of known providers that our own names lack (``cohere_chat/``)."""
    prefix, _, rest = model.partition("/")
    provider = canonical_provider(prefix)
    return (provider, rest) if rest and provider in known_providers() else (None, model)


def provider_of_reply(api: str, model: str | None) -> str | None:
    """The provider that a reply's model or format names, where nothing else has told it."""
    return _provider_of_model(model or "") or ("anthropic" if api == "messages" else None)


def _provider_of_model(model: str) -> str | None:
    """The provider of a bare model name of a declared family; gateways' own names have none."""
    return None if "/" in model else _split(model)[0]


@lru_cache(maxsize=1024)
def unprefixed(provider: str, requested: str) -> str:
    """The model that was asked for, without a prefix that says no more than its provider."""
    owner, model = _split(requested)
    return model if owner == provider else requested


def _params(body: Mapping[str, Any]) -> Mapping[str, object]:
    if _TELLING.isdisjoint(body):
        return NOTHING
    params: dict[str, object] = {}
    for name in body.keys() & _PARAMS:
        value = body[name]
        if isinstance(value, (str, int, float)) or (
            isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        ):
            params[name] = value
    for name in body.keys() & _MAX_TOKENS:
        if isinstance(body[name], int):
            params["max_tokens"] = body[name]
    effort = _inner(body, "reasoning", "effort")
    if effort:
        params["reasoning_effort"] = effort
    shape = _inner(body, "response_format", "type")
    if shape:
        params["output_type"] = "json" if "json" in shape else "text"
    return params


def _inner(body: Mapping[str, Any], name: str, key: str) -> str:
    found = body.get(name)
    return _text(found.get(key)) if isinstance(found, Mapping) else ""


def context_of(
    body: Mapping[str, Any], provider: str | None, host: str | None
) -> Mapping[str, object]:
    """What price depends on and only the caller knows: the tier asked for, the host's region."""
    if host is None and not ("service_tier" in body or "vertex_location" in body):
        return NOTHING
    tier = _text(body.get("service_tier"))
    region = _text(body.get("vertex_location"))  # as LiteLLM calls it
    if host and provider and not region:
        region = region_of_host(provider, host) or ""
    if not tier and not region:
        return NOTHING
    said = {"requested_service_tier": tier, "region": region}
    return {name: value for name, value in said.items() if value}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
