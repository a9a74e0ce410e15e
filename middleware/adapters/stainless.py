"""Clients of the SDK family that openai, anthropic, groq and others share: one request method.

Setting ``client.request`` on the instance catches every surface (create, parse, stream helpers, raw
responses), also of resources that were made before, because they look it up when they call.
Checked with openai 1.109 and 3.57, anthropic 0.125 and 2.13, groq 1.7 (2026-11).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from costspan.core.protocols import api_from_path
from costspan.middleware.adapters import MeterSource
from costspan.middleware.adapters.patching import is_replaced, replace, restore
from costspan.middleware.functions import watch_function
from costspan.middleware.request import AskedCall, from_wire
from costspan.middleware.running import running
from costspan.middleware.seeing import RETRY_HEADER

_PROVIDER_OF_SDK = {"anthropic": "anthropic", "groq": "groq"}
_PROVIDER_OF_CLIENT = (("Azure", "azure"), ("Bedrock", "aws"), ("Vertex", "vertex"))


def fits(target: Any) -> bool:
    """Whether an object is a client of this family, by what it can do."""
    return (
        not inspect.isclass(target)
        and all(callable(getattr(target, name, None)) for name in ("request", "post", "copy"))
        and hasattr(target, "base_url")
    )


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place, and the copies that ``copy`` and ``with_options`` make of it."""
    watched = watch_function(client.request, meter, functools.partial(_read, client))
    replace(client, client, "request", watched)
    for name in ("copy", "with_options"):
        replace(client, client, name, _copying(getattr(client, name), meter))
    if hasattr(client, "_prepare_request"):
        prepare = client._prepare_request
        counting = _acounting if inspect.iscoroutinefunction(prepare) else _counting
        replace(client, client, "_prepare_request", counting(prepare))


detach = restore
is_attached = is_replaced


def _copying(copy: Callable[..., Any], meter: MeterSource) -> Callable[..., Any]:
    @functools.wraps(copy)
    def copied(*args: Any, **kwargs: Any) -> Any:
        client = copy(*args, **kwargs)
        if not is_attached(client):
            attach(client, meter)
        return client

    return copied


def _counting(prepare: Callable[[Any], None]) -> Callable[[Any], None]:
    """The SDK's own hook for a request that is about to be sent: it tells how many went before."""

    @functools.wraps(prepare)
    def prepared(request: Any) -> None:
        _count(request)
        prepare(request)

    return prepared


def _acounting(prepare: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(prepare)
    async def prepared(request: Any) -> None:
        _count(request)
        await prepare(request)

    return prepared


def _count(request: Any) -> None:
    reference = running.get()
    call = reference() if reference is not None else None
    if call is not None:
        count = request.headers.get(RETRY_HEADER, "0")
        call.retries = int(count) if count.isdigit() else 0


def _read(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall | None:
    """What is asked for; None for paths that bring no completion, which pass unwatched."""
    options = kwargs["options"] if "options" in kwargs else args[1]
    body = options.json_data
    api = api_from_path(str(options.url).partition("?")[0])
    if api is None or options.method.lower() != "post" or not isinstance(body, Mapping):
        return None
    if isinstance(options.extra_json, Mapping):
        body = {**body, **options.extra_json}
    return from_wire(api, body, str(client.base_url), _provider_of(client))


def _provider_of(client: Any) -> str | None:
    """The provider that an SDK's client is made for; None if it serves many."""
    kind = type(client)
    for part, provider in _PROVIDER_OF_CLIENT:
        if part in kind.__name__:
            return provider
    return _PROVIDER_OF_SDK.get(kind.__module__.partition(".")[0])
