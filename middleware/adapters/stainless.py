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
from costspan.middleware.adapters.patching import (
    is_replaced,
    leave_bound,
    preceded,
    replace,
    restore,
)
from costspan.middleware.adapters.stainless_later import looking_later
from costspan.middleware.adapters.stainless_spans import watch_native_spans
from costspan.middleware.adapters.stainless_usage import asking_for_usage
from costspan.middleware.automatic import gives_way
from costspan.middleware.functions import watch_function
from costspan.middleware.meter import MeterSource
from costspan.middleware.request import AskedCall, RequestReader, from_wire
from costspan.middleware.running import count_sending

_PROVIDER_OF_SDK = {"anthropic": "anthropic", "groq": "groq"}
_CLOUD_OF_CLIENT = (
    ("Azure", "azure"),
    ("Bedrock", "aws"),
    ("Vertex", "vertex"),
    ("Foundry", "azure"),
)
_REGION_OF_CLOUD = {"aws": "aws_region", "vertex": "region"}
"""Cloud -> attribute in which Anthropic's client keeps the region that it asks."""


def fits(target: Any) -> bool:
    """Whether an object is a client of this family, by what it can do."""
    return (
        not inspect.isclass(target)
        and all(callable(getattr(target, name, None)) for name in ("request", "post", "copy"))
        and hasattr(target, "base_url")
    )


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place, and the copies that ``copy`` and ``with_options`` make of it."""
    _attach(client, meter, set())


def _attach(client: Any, meter: MeterSource, refusing: set[str]) -> None:
    """The same.

    Args:
        refusing: Base URLs of servers that refuse to be asked for the usage of streams, as far as
            the client and its copies have found out.
    """
    watch_native_spans(client)
    request = asking_for_usage(client, client.request, meter, refusing)
    request = looking_later(request, meter, functools.partial(_asked_before, client))
    replace(client, client, "request", watch_function(request, meter, _reader(client)))
    for name in ("copy", "with_options"):
        replace(client, client, name, _copying(getattr(client, name), meter, refusing))
    if hasattr(client, "_prepare_request"):
        # The SDK's own hook for a request that is about to be sent: it is called for each attempt.
        prepare = preceded(client._prepare_request, count_sending)
        replace(client, client, "_prepare_request", prepare)


detach = restore
is_attached = is_replaced
watch_bound = leave_bound


def _copying(
    copy: Callable[..., Any], meter: MeterSource, refusing: set[str]
) -> Callable[..., Any]:
    @functools.wraps(copy)
    def copied(*args: Any, **kwargs: Any) -> Any:
        client = copy(*args, **kwargs)
        meter().guard.run("watch a copy of a client", follow, client)
        return client

    def follow(client: Any) -> None:
        if gives_way(client, meter) and is_attached(client):
            detach(client)
        if not is_attached(client):
            _attach(client, meter, refusing)

    return copied


def _reader(client: Any) -> RequestReader:
    """How to read what is asked of one client; texts that stay the same are made once."""
    provider, cloud = _provider_of(client), _cloud_of(client)
    region = getattr(client, _REGION_OF_CLOUD.get(cloud or "", ""), None)
    base: tuple[Any, str] = (None, "")

    def read(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall | None:
        """What is asked for; None for paths that bring no completion, which pass unwatched."""
        nonlocal base
        options = kwargs["options"] if "options" in kwargs else args[1]
        body = options.json_data
        api = _api_of(options.method, options.url)
        if api is None or (type(body) is not dict and not isinstance(body, Mapping)):
            return None
        if options.extra_json:
            body = {**body, **options.extra_json}
        url = client.base_url
        if url is not base[0]:
            base = url, str(url)
        asked = from_wire(api, body, base[1], provider, cloud=cloud)
        if region is None or "region" in asked.context:
            return asked
        return asked._replace(context={**asked.context, "region": region})

    return read


def _asked_before(client: Any, api: str, answer: Mapping[str, Any]) -> AskedCall:
    """What was asked for, from the answer that came later."""
    provider, cloud = _provider_of(client), _cloud_of(client)
    body = {"model": answer.get("model")}
    return from_wire(api, body, str(client.base_url), provider, cloud=cloud)


@functools.lru_cache(maxsize=256)
def _api_of(method: str, url: object) -> str | None:
    return api_from_path(str(url)) if method.lower() == "post" else None


def _provider_of(client: Any) -> str | None:
    """The provider that an SDK is made for; None if it serves many."""
    return _PROVIDER_OF_SDK.get(type(client).__module__.partition(".")[0])


def _cloud_of(client: Any) -> str | None:
    """The cloud that a client's class asks, which bills for the models of others."""
    name = type(client).__name__
    return next((cloud for part, cloud in _CLOUD_OF_CLIENT if part in name), None)
