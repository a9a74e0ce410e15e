"""Clients of mistralai: its own API, and those for Azure and Google Cloud.

Its parts (``client.chat`` and the like) are made when they are first asked for, which imports their
modules; so they are watched when they are made. Checked with mistralai 3.7 (2026-11).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from costspan.middleware.adapters.methods import asked_of, watch_method
from costspan.middleware.adapters.patching import (
    is_replaced,
    leave_bound,
    preceded,
    replace,
    restore,
)
from costspan.middleware.meter import MeterSource
from costspan.middleware.request import AskedCall
from costspan.middleware.running import count_sending

_ANSWERS = ("complete", "complete_async", "stream", "stream_async")
_TURNS = tuple(
    f"{turn}{stream}{way}"
    for turn in ("start", "append", "restart")
    for stream in ("", "_stream")
    for way in ("", "_async")
)
_CREATE = ("create", "create_async")
_PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Chat": ("chat", _ANSWERS),
    "Agents": ("chat", _ANSWERS),
    "Fim": ("completions", _ANSWERS),
    "Embeddings": ("embeddings", _CREATE),
    "Responses": ("responses", _CREATE),
    "Conversations": ("conversations", _TURNS),
}
"""Class of a part -> api, methods. ``parse`` and ``run_async`` call these."""

_MAKERS = (("Azure", "azure"), ("GCP", "vertex"), ("GoogleCloud", "vertex"))
"""Part of the name of a client's class -> whose service it calls where its base URL is unknown."""

_WATCHED = frozenset((*_PARTS, "Beta"))


def fits(target: Any) -> bool:
    """Whether an object is a client: its classes are told by name, to import nothing."""
    return "sdk_configuration" in getattr(target, "__dict__", ()) and any(
        base.__name__.startswith("Mistral") for base in type(target).__mro__
    )


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place: the parts that it has, and those that it makes later."""
    _watch(client, client, meter)
    # There is no public way to see each request of a call: it is the SDK's own hook before each.
    hooks = vars(client.sdk_configuration).get("_hooks")
    if hasattr(hooks, "before_request"):
        counted = preceded(hooks.before_request, count_sending)
        replace(client, hooks, "before_request", counted)


detach = restore
is_attached = is_replaced
watch_bound = leave_bound


def _watch(client: Any, part: Any, meter: MeterSource) -> None:
    """Watch the methods of a client or of a part of it, and of the parts of that."""
    api, methods = _PARTS.get(type(part).__name__, ("", ()))
    for name in methods:
        if hasattr(part, name):
            watch_method(client, part, name, meter, functools.partial(_read, client, api, name))
    for held, inner in list(vars(part).items()):
        if type(inner).__name__ in _WATCHED and held != "parent_ref":
            _watch(client, inner, meter)
    if hasattr(part, "dynamic_import"):
        replace(client, part, "dynamic_import", _importing(client, part.dynamic_import, meter))


def _importing(client: Any, load: Callable[..., Any], meter: MeterSource) -> Callable[..., Any]:
    """The SDK's own import of the module of a part, whose class is to make a watched part."""

    @functools.wraps(load)
    def loaded(*args: Any, **kwargs: Any) -> _Classes:
        return _Classes(client, load(*args, **kwargs), meter)

    return loaded


class _Classes:
    """Stands in for the module of a part while the SDK takes the class of the part from it."""

    def __init__(self, client: Any, module: Any, meter: MeterSource) -> None:
        self._client = client
        self._module = module
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        kind = getattr(self._module, name)
        return functools.partial(self._make, kind) if name in _WATCHED else kind

    def _make(self, kind: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        part = kind(*args, **kwargs)
        guard = self._meter().guard
        guard.run("watch a part of a client", _watch, self._client, part, self._meter)
        return part


def _read(
    client: Any, api: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> AskedCall:
    body = {**kwargs, "input": kwargs["inputs"]} if "inputs" in kwargs else kwargs
    base_url = kwargs.get("server_url") or client.sdk_configuration.get_server_details()[0]
    kind = type(client).__name__
    maker = next((provider for part, provider in _MAKERS if part in kind), "mistral")
    return asked_of(api, body, str(base_url), maker, "stream" in name)
