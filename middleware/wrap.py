"""``wrap``: a function or an SDK client goes in, the same type comes out, every call is watched."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from costspan.middleware.adapters import MeterSource, adapter_of
from costspan.middleware.automatic import gives_way
from costspan.middleware.functions import MARK, watch_function
from costspan.middleware.known_functions import known_function, package_of, with_provider
from costspan.middleware.request import AskedCall, RequestReader, from_arguments

T = TypeVar("T")

_PROVIDER_OF_SDK = {"openai": "openai", "anthropic": "anthropic"}


def wrap(target: T, meter: MeterSource) -> T:
    """Watch every call of a completion function or of an SDK client.

    Args:
        target: A function (also async, generator, bound method, any callable), or a client of an
            SDK that there is an adapter for.
        meter: Gives the Meter in force.

    Returns:
        A client: the very same object, now watched. A function: a new one with the same signature.
        What is wrapped already is given back as it is.

    Raises:
        TypeError: The target is neither, or a method of a client that asks nothing itself.
    """
    if inspect.isclass(target):
        raise TypeError(
            f"cannot wrap the class {target.__qualname__}: wrap an instance of it, "
            "or call costspan.instrument() before instances are made"
        )
    adapter = adapter_of(target)
    if adapter is not None:
        if gives_way(target, meter) and adapter.is_attached(target):
            adapter.detach(target)
        if not adapter.is_attached(target):
            adapter.attach(target, meter)
        return target
    if getattr(target, MARK, False):
        if not gives_way(target, meter):
            return target
        target = target.__wrapped__  # type: ignore[attr-defined]  # set by functools
    if not callable(target):
        raise TypeError(
            f"cannot wrap {target!r}: give a completion function, or a client of "
            "openai, anthropic, groq, google-genai, mistralai, cohere, ollama, litellm (Router), "
            "boto3 (bedrock-runtime) or a chat model of LangChain"
        )
    _refuse_manager(target)
    watched: T | None = _watch_bound(target, meter)
    if watched is None:
        watched = watch_function(target, meter, argument_reader(target))
    return watched


def _refuse_manager(function: Any) -> None:
    """Refuse ``client.messages.stream`` and the like: what they give asks when it is entered."""
    client = getattr(getattr(function, "__self__", None), "_client", None)
    if client is None or adapter_of(client) is None:
        return
    if "Manager" in str(inspect.signature(function).return_annotation):
        raise TypeError(
            f"cannot wrap {function.__qualname__}: it gives a manager, which asks only when it "
            "is entered; wrap the client instead, which watches that too"
        )


def _watch_bound(function: Any, meter: MeterSource) -> Any | None:
    """Watch a bound method of a client whose adapter reads its methods one by one."""
    owner = getattr(function, "__self__", None)
    adapter = adapter_of(owner) if inspect.ismethod(function) else None
    watch_bound = getattr(adapter, "watch_bound", None)
    return watch_bound(function, meter) if watch_bound is not None else None


def unwrap(target: T) -> T:
    """Undo `wrap`.

    Args:
        target: What `wrap` gave back.

    Returns:
        A client: the very same object, watched no more (copies of it that were made meanwhile stay
        watched). A function: the one that was wrapped. What is not wrapped is given back as it is.
    """
    adapter = adapter_of(target)
    if adapter is not None:
        if adapter.is_attached(target):
            adapter.detach(target)
        return target
    if getattr(target, MARK, False):
        inner: Any = target.__wrapped__  # type: ignore[attr-defined]  # set by functools
        owner = getattr(target, "__self__", None)
        unwatched: T = inner if owner is None else inner.__get__(owner)
        return unwatched
    return target


def argument_reader(function: Any) -> RequestReader:
    """How to read a call of this function; its parameters' names are looked up once."""
    names, defaults = _parameters(function)
    known, package = known_function(function), package_of(function)
    owner = package if hasattr(function, "__self__") else ""
    default = _PROVIDER_OF_SDK.get(owner)
    api = known.api if known is not None else None
    names = names or (known.names if known is not None else ())

    def read(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall:
        named = dict(zip(names, args, strict=False)) if args else {}
        arguments: Mapping[str, Any] = {**defaults, **named, **kwargs}
        if package == "any_llm":
            arguments = with_provider(arguments, getattr(function, "__self__", None))
        return from_arguments(arguments, default, api)

    return read


def _parameters(function: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of the positional parameters, and the defaults (also those of a ``partial``)."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return (), {}
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    defaults = {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty and isinstance(p.default, (str, int, float, list, dict))
    }
    if isinstance(function, functools.partial):  # its signature hides what is given by position
        defaults.update(zip(_parameters(function.func)[0], function.args, strict=False))
    return tuple(names), defaults
