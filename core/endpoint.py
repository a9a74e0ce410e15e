"""An endpoint: where a provider is reached and what its server wants."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from string import Formatter
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from costspan.core.errors import BadRequestError

_DEFAULT_PORTS = {"https": 443, "http": 80}
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
"""No settings; read-only, because it is shared."""


@lru_cache(maxsize=256)
def _server(base_url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(base_url)
    return parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def address(base_url: str) -> str:
    """A base URL without its closing slash.

    Raises:
        BadRequestError: It is no address.
    """
    try:
        parts = urlsplit(base_url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        said = base_url.rpartition("@")[2].partition("?")[0]  # the rest may be keys
        raise BadRequestError(
            f"base_url={said!r} is no address: write it as in https://llm.example.com/v1"
        )
    return base_url.rstrip("/")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is reached and what its server wants: one row of ``endpoints.toml``.

    Attributes:
        provider: Canonical provider id.
        names: Further spellings of the row's name in ``provider/model``.
        base_url: Where requests go, without a closing slash; None where the row has none. It may
            hold settings in braces (``{region}``).
        base_url_global: The same for the region ``global``, where that one has no place in it.
        base_url_variables: Environment variables that hold the base URL, first choice when set.
        base_path: Path between the host in that variable and the operation.
        settings: What the addresses need to know, by name: environment variables that may tell it.
        defaults: Settings that need not be told.
        paths: Path and query of an operation by api, where they are not the wire format's own;
            they may hold ``{model}`` and settings.
        key: Environment variables that may hold the API key; the first one set wins.
        key_required: Whether the server refuses requests without a key.
        auth: How the key travels: ``bearer``, ``aws`` (a bearer key, or else a signature with the
            credentials of the AWS tools), or the name of a header.
        protocol: Api name of the wire format.
        protocols: Further wire formats that the server speaks, chosen with ``api=``.
        models: Prefixes of bare model names that mean this provider.
        not_models: Exceptions to ``models``.
        hosts: Further hosts of the provider, as patterns.
        include_usage: Whether ``stream_options.include_usage`` is understood.
        max_tokens_field: The only name that the server takes for the bound of the output; empty
            where it takes what the caller gave.
        renamed: Parameters that the server has under another name.
        unsupported: Parameters that the server refuses, or ignores.
        unsupported_in_messages: Fields of messages that the server refuses.
        quirks: Further peculiarities, by the names that ``endpoints.toml`` explains.
        one_answer: Prefixes of models that give one answer a request, where others give ``n``.
        default_max_tokens: The bound sent where the wire format requires one and none was given.
    """

    provider: str
    names: tuple[str, ...] = ()
    base_url: str | None = None
    base_url_global: str | None = None
    base_url_variables: tuple[str, ...] = ()
    base_path: str = ""
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    key_required: bool = True
    auth: str = "bearer"
    protocol: str = "chat"
    protocols: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    not_models: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    include_usage: bool = True
    max_tokens_field: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()
    unsupported_in_messages: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    one_answer: tuple[str, ...] = ()
    default_max_tokens: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.key, str):  # one variable, written as in the configuration
            object.__setattr__(self, "key", (self.key,))

    @property
    def host(self) -> str | None:
        """Host of the base URL."""
        return _server(self.base_url)[0] if self.base_url else None

    @property
    def port(self) -> int | None:
        """Port of the base URL, the scheme's own where the URL names none."""
        return _server(self.base_url)[1] if self.base_url else None

    @property
    def shown(self) -> str:
        """The base URL as errors may show it: without a user and a query, which may be keys."""
        parts = urlsplit(self.base_url or "")
        netloc = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=netloc, query="", fragment="").geturl()

    def with_settings(self, given: Mapping[str, str]) -> Endpoint:
        """The endpoint with its settings filled in.

        Args:
            given: Settings by name, as the caller gave them; they win over the environment.

        Raises:
            BadRequestError: A setting that the address needs is not known.
        """
        if not self.settings:
            return self
        known = {name: found for name in self.settings if (found := self._setting(name, given))}
        base_url = self.base_url
        if self.base_url_global and known.get("region") == "global":
            base_url = self.base_url_global
        return replace(
            self,
            base_url=self._filled(base_url, known) if base_url else None,
            # Filled for good, so that nothing is asked of the environment again.
            settings={},
            defaults=known,
        )

    def _setting(self, name: str, given: Mapping[str, str]) -> str | None:
        found = (os.environ.get(variable, "").strip() for variable in self.settings[name])
        return given.get(name) or next(filter(None, found), None) or self.defaults.get(name)

    def _filled(self, template: str, known: Mapping[str, str]) -> str:
        for _, name, _, _ in Formatter().parse(template):
            if name and name not in known:
                variables = " or ".join(self.settings.get(name, ()))
                raise BadRequestError(
                    f"the address of {self.provider} needs a {name}: pass {name}="
                    + (f" or set {variables}" if variables else ""),
                    provider=self.provider,
                )
        return template.format_map(known)

    def url(self, path: str, *, model: str, query: Mapping[str, str] = NO_SETTINGS) -> str:
        """The address of an operation.

        A query of the base URL stays, and a version that it ends with is not repeated.

        Args:
            path: The wire format's own path.
            model: The model, for servers that have it in the path.
            query: What the operation adds to the query.
        """
        template = self.paths.get(self.protocol)
        if template:
            path = template.format_map({**self.defaults, "model": quote(model, safe="")})
        parts = urlsplit(self.base_url or "")
        prefix = parts.path.rstrip("/")
        for version in ("/v1", "/v2"):
            if path.startswith((version + "/", "/api/")):
                prefix = prefix.removesuffix(version)
        path, _, own = path.partition("?")
        pairs = [each for each in (parts.query, own) if each]
        pairs += [f"{quote(name)}={quote(value)}" for name, value in query.items()]
        return parts._replace(path=prefix + path, query="&".join(pairs)).geturl()
