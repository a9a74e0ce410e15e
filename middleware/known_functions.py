"""Functions of LiteLLM and any-llm: what their names say of what they ask for.

Many of them take ``*args``, so that neither the api nor the names of the arguments can be told from
outside. Checked with litellm 1.110 and any-llm 1.40 (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class KnownFunction(NamedTuple):
    """What is known of a function.

    Attributes:
        api: Canonical api.
        names: Names of its arguments by position.
    """

    api: str
    names: tuple[str, ...]


_PACKAGES = ("litellm", "any_llm")
_ASKED = ("model", "messages")
_FUNCTIONS: Mapping[str, KnownFunction] = {
    "completion": KnownFunction("chat", _ASKED),
    "text_completion": KnownFunction("completions", ("prompt", "model")),
    "embedding": KnownFunction("embeddings", ("model", "input")),
    "responses": KnownFunction("responses", ("input", "model")),
    "messages": KnownFunction("messages", _ASKED),
    "anthropic_messages": KnownFunction("messages", ("max_tokens", "messages", "model")),
    "rerank": KnownFunction("rerank", ("model", "query", "documents")),
}
"""By name; each has an asynchronous sister with an ``a`` before it."""


def known_api(name: object) -> str | None:
    """The api of a function of LiteLLM by its name; None for a name that is not known."""
    known = _named(name)
    return known.api if known is not None else None


def known_function(function: Any) -> KnownFunction | None:
    """What is known of a function or bound method; None for all but those of these packages."""
    known = package_of(function) in _PACKAGES
    return _named(getattr(function, "__name__", None)) if known else None


def _named(name: object) -> KnownFunction | None:
    if not isinstance(name, str):
        return None
    return _FUNCTIONS.get(name) or _FUNCTIONS.get(name.removeprefix("a"))


def package_of(function: Any) -> str:
    """The package of a function, or of the class of the object that it is bound to."""
    owner = getattr(function, "__self__", None)
    module = getattr(function if owner is None else type(owner), "__module__", None)
    return module.partition(".")[0] if isinstance(module, str) else ""


def methods_of(target: Any) -> list[str]:
    """The names of the methods of an object that are known by name."""
    names = [name for plain in _FUNCTIONS for name in (plain, f"a{plain}")]
    return [name for name in names if callable(getattr(target, name, None))]


def with_provider(arguments: Mapping[str, Any], owner: object) -> Mapping[str, Any]:
    """Arguments of any-llm with their provider, which may stand in the model or in the object.

    Args:
        arguments: Names to values.
        owner: The instance of ``AnyLLM`` that is asked; None for the functions of the package,
            whose model may be written ``provider:model``.
    """
    model = arguments.get("model")
    maker = getattr(owner, "PROVIDER_NAME", None)
    if isinstance(maker, str):
        return {**arguments, "provider": maker}
    if arguments.get("provider") or not isinstance(model, str):
        return arguments
    provider, colon, rest = model.partition(":")
    if not colon or "/" in provider:
        return arguments
    return {**arguments, "provider": provider, "model": rest}
