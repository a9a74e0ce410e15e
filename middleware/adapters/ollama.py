"""Clients of ollama, sync and async, and its module-level functions, which are methods of one.

Checked with ollama 0.6 (2026-11).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from costspan.middleware.adapters.methods import asked_of, watch_method, watched_method
from costspan.middleware.adapters.patching import is_replaced, restore
from costspan.middleware.meter import MeterSource
from costspan.middleware.request import AskedCall

_METHODS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "chat": ("ollama", ("model", "messages")),
    "generate": ("ollama", ("model", "prompt", "suffix")),
    "embed": ("embeddings", ("model", "input")),
    "embeddings": ("embeddings", ("model", "prompt")),
}
"""Method -> api, names of the positional parameters."""

_CLOUD_HOSTS = ("ollama.com", "www.ollama.com", "api.ollama.com")


def fits(target: Any) -> bool:
    """Whether an object is a client: its classes are told by name, to import nothing."""
    return any(base.__name__ in ("Client", "AsyncClient") for base in type(target).__mro__)


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place."""
    for name in _METHODS:
        watch_method(client, client, name, meter, functools.partial(_read, client, name), _streams)


detach = restore
is_attached = is_replaced


def watch_bound(function: Any, meter: MeterSource) -> Any | None:
    """Watch one bound method alone, as ``ollama.chat`` is; None for methods without tokens."""
    name = function.__name__
    if name not in _METHODS:
        return None
    read = functools.partial(_read, function.__self__, name)
    return watched_method(function, meter, read, _streams)


def _streams(kwargs: Mapping[str, Any]) -> bool:
    return bool(kwargs.get("stream"))


def _read(client: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall:
    api, names = _METHODS[name]
    body = {**dict(zip(names, args, strict=False)), **kwargs} if args else kwargs
    asked = asked_of(api, body, _base_url(client), "ollama", _streams(kwargs))
    cloud = asked.endpoint in _CLOUD_HOSTS or _is_of_the_cloud(asked.model)
    return asked._replace(provider="ollama-cloud") if cloud else asked


def _is_of_the_cloud(model: str) -> bool:
    """Whether a local server only hands a model's calls on: https://docs.ollama.com/cloud."""
    tag = model.partition(":")[2]
    return tag == "cloud" or tag.endswith("-cloud")


def _base_url(client: Any) -> str:
    """Where the client sends to. There is no public way; unknown where the private one is gone."""
    return str(getattr(getattr(client, "_client", None), "base_url", ""))
