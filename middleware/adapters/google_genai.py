"""Clients of google-genai: a call is a public method of ``models``, its requests are the hops.

One ``generate_content`` makes several requests where functions are called automatically or an
answer is continued, and returns the last response alone (googleapis/python-genai#2838). So the
methods of ``client.models`` and ``client.aio.models`` are watched as functions, and each request
that ``_api_client`` makes meanwhile is noted in their call, with the usage that it brought. There
is no public place for that; the four methods hand on the JSON text of a response or of a chunk,
whatever HTTP library is under them.
Checked with google-genai 3.6 (2026-11).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from costspan.middleware.adapters.google_hops import (
    anote_request,
    anote_stream,
    bare_model,
    count_sending,
    note_request,
    note_stream,
)
from costspan.middleware.adapters.methods import Streams, asked_of, watch_method, watched_method
from costspan.middleware.adapters.patching import is_replaced, preceded, replace, restore
from costspan.middleware.meter import MeterSource
from costspan.middleware.request import AskedCall, RequestReader

_API_OF_METHOD = {
    "generate_content": "generateContent",
    "generate_content_stream": "generateContent",
    "embed_content": "embeddings",
}
_CONFIG = {
    "candidate_count": "n",
    "frequency_penalty": "frequency_penalty",
    "max_output_tokens": "max_output_tokens",
    "output_dimensionality": "dimensions",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "service_tier": "service_tier",
    "stop_sequences": "stop_sequences",
    "system_instruction": "system_instruction",
    "temperature": "temperature",
    "tools": "tools",
    "top_k": "top_k",
    "top_p": "top_p",
}
"""What is read of a configuration -> the name that it has in other requests."""

_NOTED: Final = {
    "request": note_request,
    "request_streamed": note_stream,
    "async_request": anote_request,
    "async_request_streamed": anote_stream,
}
_COUNTED: Final = ("_request_once", "_async_request_once")
"""What the SDK calls again to repeat a request."""
_LOCATION = re.compile(r"locations/([a-z0-9-]+)/")


class _Server(NamedTuple):
    """Whom a client asks.

    Attributes:
        base_url: Where it sends its requests, unless one of them says otherwise.
        provider: The provider where the address tells none.
        location: Vertex's location (``us-central1``, ``global``), if it has one.
    """

    base_url: str
    provider: str
    location: str | None


def fits(target: Any) -> bool:
    """Whether an object is a ``Client``, its ``aio``, or the ``models`` of either."""
    return "_api_client" in getattr(target, "__dict__", ()) and any(
        hasattr(type(target), name) for name in ("models", "generate_content")
    )


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place; chats and all else that is made of its ``models`` are included."""
    _note_requests(client._api_client)
    for models in _models_of(client):
        if not is_replaced(models):
            for name in _API_OF_METHOD:
                watch_method(models, models, name, meter, _reader(models, name), _streams(name))


def detach(client: Any) -> None:
    """Undo `attach`. One half of a client leaves the notes of requests to the other half."""
    for models in _models_of(client):
        restore(models)
    if hasattr(type(client), "aio"):
        restore(client._api_client)


def is_attached(client: Any) -> bool:
    """Whether all of the client is watched."""
    return all(is_replaced(models) for models in _models_of(client))


def watch_bound(function: Any, meter: MeterSource) -> Any | None:
    """Watch one bound method of ``models`` and not the others; None for those with no models."""
    models, name = function.__self__, function.__name__
    if name not in _API_OF_METHOD:
        return None
    _note_requests(models._api_client)
    return watched_method(function, meter, _reader(models, name), _streams(name))


def _models_of(client: Any) -> list[Any]:
    """Those that the methods are on: a client has one for itself and one for its ``aio``."""
    if not hasattr(type(client), "models"):
        return [client]
    return [client.models, *([client.aio.models] if hasattr(type(client), "aio") else ())]


def _note_requests(api_client: Any) -> None:
    if is_replaced(api_client):
        return
    for name, note in _NOTED.items():
        replace(api_client, api_client, name, note(getattr(api_client, name)))
    for name in _COUNTED:
        if hasattr(api_client, name):
            counted = preceded(getattr(api_client, name), count_sending)
            replace(api_client, api_client, name, counted)


def _streams(name: str) -> Streams | None:
    return (lambda _: True) if name.endswith("_stream") else None


def _reader(models: Any, name: str) -> RequestReader:
    server, api = _server_of(models._api_client), _API_OF_METHOD[name]
    return functools.partial(_read, server, api, name.endswith("_stream"))


def _server_of(api_client: Any) -> _Server:
    vertex = bool(api_client.vertexai)
    return _Server(
        api_client.get_read_only_http_options().get("base_url") or "",
        "vertex" if vertex else "google",
        api_client.location if vertex else None,
    )


def _read(
    server: _Server,
    api: str,
    streaming: bool,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> AskedCall:
    """What is asked for. All the methods take keywords only."""
    requested = kwargs.get("model")
    requested = requested if isinstance(requested, str) else ""
    config = _fields(kwargs.get("config"))
    said = {name: config.get(key) for key, name in _CONFIG.items()}
    body = {name: _plain(value) for name, value in said.items() if value is not None}
    body["model"] = requested
    body["contents"] = kwargs.get("contents")
    location = _LOCATION.search(requested)
    if location or server.location:
        body["vertex_location"] = location[1] if location else server.location
    base_url = _fields(config.get("http_options")).get("base_url") or server.base_url
    asked = asked_of(api, body, base_url, server.provider, streaming)
    return asked._replace(model=bare_model(requested), is_request=False)


def _fields(options: object) -> Mapping[str, Any]:
    """The fields of options, which are a dict or an object of the SDK."""
    return options if isinstance(options, Mapping) else getattr(options, "__dict__", {})


def _plain(value: object) -> object:
    """A value of an enumeration (the tier) as the word that is sent."""
    return value.value if isinstance(value, Enum) else value
