"""Endpoints: which provider a model name means, and where and how to reach it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from costspan.core.endpoint import NO_SETTINGS, Endpoint, address
from costspan.core.errors import AuthenticationError, BadRequestError
from costspan.core.naming import canonical_provider

COMPATIBLE = "openai-compatible"
"""The provider of a base URL that no row claims."""

NO_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({})
"""No endpoints of one's own; read-only, because it is shared."""


@cache
def _rows() -> Mapping[str, Endpoint]:
    import tomllib

    text = Path(__file__).with_name("endpoints.toml").read_text("utf-8")
    return {name: described(name, fields) for name, fields in tomllib.loads(text).items()}


def described(name: str, fields: Mapping[str, object]) -> Endpoint:
    """The endpoint that a table of the file describes."""
    frozen = {
        field: _frozen(value) for field, value in fields.items() if field not in ("source", "date")
    }
    return Endpoint(canonical_provider(name), **frozen)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return tuple(value) if isinstance(value, list) else value


@cache
def _row_names() -> Mapping[str, str]:
    """Row by each of its spellings."""
    return {each: name for name, row in _rows().items() for each in (name, *row.names)}


def _row_name(provider: str) -> str | None:
    """The row that a spelling of a provider's name means."""
    spellings = _row_names()
    return spellings.get(provider.lower()) or spellings.get(canonical_provider(provider))


def _completable() -> list[str]:
    return sorted(_rows())


def endpoint(
    provider: str, *, base_url: str | None = None, settings: Mapping[str, str] = NO_SETTINGS
) -> Endpoint:
    """The endpoint of a provider.

    Args:
        provider: Any known spelling of the provider's name.
        base_url: Another address that speaks the provider's wire format. What only the
            provider's own server wants is then not assumed.
        settings: What the address needs to know, as far as the caller gave it (``region``).

    Raises:
        BadRequestError: No row has this name, it cannot be completed with, or its base URL is
            neither given nor in its environment variable, or a setting of it is not known.
    """
    name = _row_name(provider)
    row = _rows()[name] if name else None
    if name is None or row is None:
        raise _no_endpoint(provider)
    if base_url:
        return _row_elsewhere(name, base_url).with_settings(settings)
    found = (os.environ.get(each, "").strip().rstrip("/") for each in row.base_url_variables)
    from_environment = next(filter(None, found), None)
    if from_environment:
        row = replace(row, base_url=address(from_environment) + row.base_path)
    if row.base_url is None:
        cure = "".join(f" or set {variable}" for variable in row.base_url_variables)
        raise BadRequestError(f"{name} has no common address: give base_url={cure}")
    return row.with_settings(settings)


@lru_cache(maxsize=256)
def _row_elsewhere(name: str, base_url: str) -> Endpoint:
    return _elsewhere(_rows()[name], base_url)


def _elsewhere(row: Endpoint, base_url: str) -> Endpoint:
    """A row at another address, without the quirks of the provider's own server if it is none."""
    found = replace(row, base_url=address(base_url), base_url_global=None)
    if found.protocol != "chat" and base_url.rstrip("/").endswith("/openai"):
        # The door for OpenAI's clients, as Google has one.
        found = replace(found, protocol="chat", paths={}, auth="bearer")
    if provider_from_url(base_url) == row.provider:
        return found
    return replace(
        found,
        key_required=False,
        include_usage=True,
        max_tokens_field="",
        renamed={},
        unsupported=(),
        unsupported_in_messages=(),
    )


def _near(name: str) -> list[str]:
    import difflib

    return difflib.get_close_matches(name.lower(), _completable(), n=3, cutoff=0.6)


def _no_endpoint(provider: str) -> BadRequestError:
    near = _near(provider)
    reason = f"did you mean {' or '.join(near)}?" if near else "no row has this name"
    return BadRequestError(
        f"no endpoint for the provider {provider!r}: {reason}. For a server that speaks OpenAI's "
        f"wire format give base_url=. Providers: {', '.join(_completable())}",
        provider=canonical_provider(provider),
    )


def api_key_for(row: Endpoint, given: str | None) -> str | None:
    """The API key for a request: the one that was given, else the one in the environment.

    Raises:
        AuthenticationError: The server needs a key and there is none, or no header can carry it.
    """
    found = (os.environ.get(variable, "").strip() for variable in row.key)
    key = (given or "").strip() or next(filter(None, found), None)
    if key and not (key.isascii() and key.isprintable()):
        # The HTTP library would say so with the key in its message.
        raise AuthenticationError(
            f"the API key for {row.provider} holds a line break or another character that no "
            "header can carry: copy it again",
            provider=row.provider,
        )
    # AWS takes a signature in its place.
    if key or not row.key_required or row.auth == "aws":
        return key
    cure = f"set {' or '.join(row.key)}, or " if row.key else ""
    raise AuthenticationError(
        f"no API key for {row.provider}: {cure}pass api_key=",
        provider=row.provider,
    )


def split_model(model: str, *, base_url: str | None = None) -> tuple[str, str]:
    """Which provider a model name means, and the model as that provider spells it.

    ``anthropic/claude-x`` names its provider; ``openrouter/openai/gpt-4o`` keeps all after the
    first slash; a bare name counts where a row declares its family (``gpt-``, ``claude-``).

    Args:
        model: The name as the user wrote it.
        base_url: The address that the request goes to, if the user gave one. A name of no known
            provider then goes there whole, and the host decides the provider.

    Returns:
        Canonical provider id, and the model without its prefix.

    Raises:
        BadRequestError: The name says no provider.
    """
    name, rest = _split(model, base_url)
    owner = provider_from_url(base_url) if base_url else None
    return owner or canonical_provider(name), rest


def resolve(
    model: str,
    *,
    base_url: str | None = None,
    settings: Mapping[str, str] = NO_SETTINGS,
    own: Mapping[str, Endpoint] = NO_ENDPOINTS,
) -> tuple[Endpoint, str]:
    """The endpoint that a model name means, and the model without its prefix.

    Args:
        model, base_url: As in `split_model`.
        settings: As in `endpoint`.
        own: Endpoints of the caller's own by the name before the slash; they win over the rows.

    Raises:
        BadRequestError: As in `split_model` and `endpoint`.
    """
    prefix, slash, bare = model.partition("/")
    if slash and prefix in own:
        row = own[prefix]
        if not isinstance(row, Endpoint):
            raise BadRequestError(
                f"endpoints[{prefix!r}] must be a costspan.Endpoint, as in "
                f"Endpoint({prefix!r}, base_url='https://llm.example.com/v1')"
            )
        return (_elsewhere(row, base_url) if base_url else row).with_settings(settings), bare
    name, rest = _split(model, base_url)
    row = endpoint(name, base_url=base_url, settings=settings)
    owner = provider_from_url(base_url) if base_url else None
    if owner and owner != row.provider:
        # openai/deepseek-chat at DeepSeek's address: the prefix says the wire format, the host
        # whose key and whose prices these are.
        row = replace(row, provider=owner, key=_rows()[owner].key)
    return row, rest


def row_name_of(model: str, base_url: str | None, own: Mapping[str, Endpoint]) -> str:
    """The name of the row, or of the caller's own endpoint, that a model name means.

    Raises:
        BadRequestError: As in `split_model`.
    """
    prefix, slash, _ = model.partition("/")
    return prefix if slash and prefix in own else _split(model, base_url)[0]


def _split(model: str, base_url: str | None) -> tuple[str, str]:
    """The name of the row, or a provider as written that has none, and the bare model."""
    prefix, slash, rest = model.partition("/")
    if slash and rest and (name := _row_names().get(prefix.lower())):
        return name, rest
    if base_url and (owner := provider_from_url(base_url)):
        return owner, model
    lower = model.lower()
    for name, row in _rows().items():
        if lower.startswith(row.models) and not lower.startswith(row.not_models):
            return name, model
    if base_url:
        return COMPATIBLE, model
    near = _near(prefix)
    hint = f" (did you mean {near[0]}/{rest}?)" if slash and near else ""
    raise BadRequestError(
        f"the model {model!r} does not say its provider{hint}: write provider/model, as in "
        f"openai/gpt-4o, or give base_url=. Providers: {', '.join(_completable())}",
        model=model,
    )


@lru_cache(maxsize=256)
def provider_from_url(url: str) -> str | None:
    """The canonical provider that owns the host of a URL, or None if no row claims it.

    Local servers are told apart by port alone, so an address on the loopback is nobody's.
    """
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:  # no address at all
        return None
    return _owner(host) if host else None


@cache
def _host_patterns() -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    plain: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    for provider, row in _rows().items():
        own_host = row.host if row.key_required and "{" not in (row.base_url or "") else None
        own = (own_host,) if own_host else ()
        for host in (*own, *row.hosts):
            if "*" in host:
                patterns.append((host, provider))
            else:
                plain[host] = provider
    return plain, tuple(patterns)


def _owner(host: str) -> str | None:
    plain, patterns = _host_patterns()
    if host in plain:
        return plain[host]
    return next((provider for pattern, provider in patterns if fnmatchcase(host, pattern)), None)
