"""Adapters: for each SDK, at which of its methods a client is watched.

One module for each, and beside it what only that one needs, under its name (``bedrock_streams``).
`methods` and `patching` are what they are made with.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol, cast

from costspan.middleware.meter import MeterSource


class Adapter(Protocol):
    """What a module of this folder does for the clients of one SDK."""

    def fits(self, target: Any) -> bool:
        """Whether an object is a client of this SDK. Runs no code of the object."""

    def attach(self, client: Any, meter: MeterSource) -> None:
        """Watch a client in place, by `patching.replace` and nothing else."""

    def detach(self, client: Any) -> None:
        """Undo `attach`."""

    def is_attached(self, client: Any) -> bool:
        """Whether the client is watched already."""

    def watch_bound(self, function: Any, meter: MeterSource) -> Any | None:
        """Watch one bound method of a client alone, which stays as it is.

        Returns:
            What to call instead of it; None where it is read like any other function, by its
            arguments.
        """


_BY_PACKAGE = {
    "google.genai": "google_genai",
    "mistralai": "mistral",
    "mistralai_azure": "mistral",
    "mistralai_gcp": "mistral",
    "cohere": "cohere",
    "ollama": "ollama",
    "botocore": "bedrock",
    "litellm": "litellm_router",
    "any_llm": "any_llm",
    "langchain_core": "langchain",
}
"""Package in which a client's class, or a base of it, is defined -> module of this folder."""

_STAINLESS = "stainless"


def adapter_of(target: object) -> Adapter | None:
    """The adapter for a client; None for what is no client of an SDK that we know.

    The package of the client's class decides, so nothing is imported that is not in use. The SDKs
    of the Stainless family (openai, anthropic, groq and many more) are told by what they can do.
    """
    kind: type = type(target)
    adapter = _adapter_of_class(kind)
    return adapter if adapter is not None and adapter.fits(target) else None


@lru_cache(maxsize=512)
def _adapter_of_class(kind: type) -> Adapter | None:
    for base in kind.__mro__:
        for package, name in _BY_PACKAGE.items():
            if base.__module__ == package or base.__module__.startswith(f"{package}."):
                return _load(name)
    return _load(_STAINLESS)


def _load(name: str) -> Adapter:
    return cast(Adapter, import_module(f"costspan.middleware.adapters.{name}"))
