"""Clients of the SDK family that openai, anthropic, groq and others share: one request method.

Setting ``client.request`` on the instance catches every surface (create, parse, stream helpers, raw
responses), also of resources that were made before, because they look it up when they call.
Checked with openai 3.57 and anthropic 2.13 (2026-11).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from costspan.core.protocols import api_from_path
from costspan.middleware.functions import MARK, MeterSource, watch_function
from costspan.middleware.request import AskedCall, from_wire

T = TypeVar("T")

_ATTACHED = ("request", "copy", "with_options")
_PROVIDER_OF_SDK = {"anthropic": "anthropic", "groq": "groq"}
_PROVIDER_OF_CLIENT = (("Azure", "azure"), ("Bedrock", "aws"), ("Vertex", "vertex"))


def is_stainless_client(target: object) -> bool:
    """Whether an object is a client of this family, by what it can do."""
    return (
        not inspect.isclass(target)
        and all(callable(getattr(target, name, None)) for name in ("request", "post", "copy"))
        and hasattr(target, "base_url")
    )


def wrap_stainless_client(client: T, meter: MeterSource) -> T:
    """Watch a client in place, and the copies that ``copy`` and ``with_options`` make of it."""
    target: Any = client
    target.request = watch_function(target.request, meter, functools.partial(_read, target))
    for name in ("copy", "with_options"):
        setattr(target, name, _copying(getattr(target, name), meter))
    setattr(target, MARK, True)
    return client


def unwrap_stainless_client(client: T) -> T:
    """Undo `wrap_stainless_client`: the class's own methods show again."""
    for name in (*_ATTACHED, MARK):
        vars(client).pop(name, None)
    return client


def _copying(copy: Callable[..., Any], meter: MeterSource) -> Callable[..., Any]:
    @functools.wraps(copy)
    def copied(*args: Any, **kwargs: Any) -> Any:
        return wrap_stainless_client(copy(*args, **kwargs), meter)

    return copied


def _read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall | None:
    """What is asked for; None for paths that bring no completion, which pass unwatched."""
    options = kwargs["options"] if "options" in kwargs else args[1]
    body = options.json_data
    api = api_from_path(str(options.url).partition("?")[0])
    if api is None or options.method.lower() != "post" or not isinstance(body, Mapping):
        return None
    return from_wire(api, body, str(client.base_url), _provider_of(client))


def _provider_of(client: Any) -> str | None:
    """The provider that an SDK's client is made for; None if it serves many."""
    kind = type(client)
    for part, provider in _PROVIDER_OF_CLIENT:
        if part in kind.__name__:
            return provider
    return _PROVIDER_OF_SDK.get(kind.__module__.partition(".")[0])
