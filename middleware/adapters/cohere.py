"""Clients of cohere: both versions of its API, sync and async, also those for AWS and OCI.

Its public methods are watched, those of ``client.v2`` and those of ``client.with_raw_response``.
Checked with cohere 7.3 (2026-11).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from costspan.middleware.adapters.cohere_raw import watch_raw
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
from costspan.middleware.running import innermost_call

_ANSWERS = ("chat", "chat_stream", "generate", "generate_stream")
_APIS = {"embed": "embeddings", "rerank": "rerank"}
_ELSEWHERE = (("Bedrock", "aws"), ("Sagemaker", "sagemaker"), ("Oci", "oci"))
"""Part of the name of a client's class -> whose service it calls, whatever its base URL says."""


def fits(target: Any) -> bool:
    """Whether an object is a client, by what it can do."""
    kind = type(target)
    return all(callable(getattr(kind, name, None)) for name in ("chat", "embed", "rerank"))


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place, and its part for the second version of the API."""
    for part in (client, client.v2) if hasattr(type(client), "v2") else (client,):
        for name in (*_ANSWERS, *_APIS):
            _watch(client, part, name, meter)
    _count_attempts(client)


detach = restore
is_attached = is_replaced
watch_bound = leave_bound


def _watch(client: Any, part: Any, name: str, meter: MeterSource) -> None:
    method = getattr(type(part), name, None)
    if method is None:
        return
    version = "cohere-v2" if method.__module__.startswith("cohere.v2") else "cohere-v1"
    read = functools.partial(_read, name, version, *_where(client))
    watch_method(client, part, name, meter, read, _always if name.endswith("_stream") else None)
    # The first version's embed asks several times, in threads that do not know who asks.
    if hasattr(type(part), "with_raw_response") and (name, version) != ("embed", "cohere-v1"):
        watch_raw(client, part.with_raw_response, name, meter, read)


def _always(kwargs: Mapping[str, Any]) -> bool:
    return True


def _read(
    name: str,
    version: str,
    base_url: str,
    maker: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> AskedCall:
    body = {**kwargs, "input": kwargs["texts"]} if kwargs.get("texts") else kwargs
    api = _APIS.get(name, version)
    return asked_of(api, body, base_url, maker, name.endswith("_stream"))


def _where(client: Any) -> tuple[str, str]:
    """Where the client sends to, and whose service that is.

    There is no public way to its base URL; it is unknown where the private one is gone.
    """
    names = [base.__name__ for base in type(client).__mro__]
    for part, provider in _ELSEWHERE:
        if any(part in name for name in names):
            return "", provider
    base_url = getattr(getattr(client, "_client_wrapper", None), "get_base_url", None)
    return str(base_url()) if base_url is not None else "", "cohere"


def _count_attempts(client: Any) -> None:
    """Note how many requests went before; the SDK repeats a request by calling itself."""
    http = getattr(getattr(client, "_client_wrapper", None), "httpx_client", None)
    request = getattr(http, "request", None)
    if request is not None:
        replace(client, http, "request", preceded(request, _count))


def _count(*_: Any, retries: object = 0, **__: Any) -> None:
    call = innermost_call()
    if call is not None and isinstance(retries, int):
        call.retries = retries
