"""Chat and embeddings models of LangChain: the SDK clients that they hold are watched.

So every request is one call, also those of agents, batches and structured output, and the model
itself stays as it is. Checked with langchain-openai 1.7 and langchain-anthropic 1.7 (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from costspan.middleware.adapters import Adapter, adapter_of
from costspan.middleware.adapters.patching import leave_bound
from costspan.middleware.meter import MeterSource

_CLIENTS = (
    "root_client",
    "root_async_client",
    "client",
    "async_client",
    "_client",
    "_async_client",
)
"""Where the models of the integration packages keep their clients; ``client`` may be a part of one
(``client.chat.completions``), which knows its client as ``_client``."""


def fits(target: Any) -> bool:
    """Whether an object is such a model: told by the name of its base class, to import nothing."""
    return any(
        base.__name__ in ("BaseLanguageModel", "Embeddings") for base in type(target).__mro__
    )


def attach(client: Any, meter: MeterSource) -> None:
    """Watch the clients of a model in place.

    Raises:
        TypeError: It holds no client of an SDK that can be watched.
    """
    found = list(_clients(client))
    if not found:
        raise TypeError(
            f"cannot wrap {type(client).__qualname__}: it holds no client of an SDK that can be "
            "watched; wrap what sends its requests, or its invoke method"
        )
    for adapter, sdk_client in found:
        if not adapter.is_attached(sdk_client):
            adapter.attach(sdk_client, meter)


def detach(client: Any) -> None:
    """Undo `attach`."""
    for adapter, sdk_client in _clients(client):
        if adapter.is_attached(sdk_client):
            adapter.detach(sdk_client)


def is_attached(client: Any) -> bool:
    """Whether all clients of the model are watched already."""
    found = list(_clients(client))
    return bool(found) and all(adapter.is_attached(sdk_client) for adapter, sdk_client in found)


watch_bound = leave_bound


def _clients(model: Any) -> Iterator[tuple[Adapter, Any]]:
    """The clients of a model, each once; those that it makes when first asked for are made."""
    seen: set[int] = set()
    for name in _CLIENTS:
        held = getattr(model, name, None)
        for candidate in (held, getattr(held, "_client", None)):
            adapter = adapter_of(candidate)
            if adapter is not None and not fits(candidate):
                if id(candidate) not in seen:
                    seen.add(id(candidate))
                    yield adapter, candidate
                break
