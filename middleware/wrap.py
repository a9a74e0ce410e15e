"""``wrap``: a function or an SDK client goes in, the same type comes out, every call is watched."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from costspan.middleware.adapters import Adapter, adapter_of
from costspan.middleware.arguments import argument_reader
from costspan.middleware.automatic import gives_way
from costspan.middleware.functions import MARK, watch_function
from costspan.middleware.meter import MeterSource

T = TypeVar("T")

_WRAPPABLE = (
    "a completion function, or a client of openai, anthropic, groq, google-genai, mistralai, "
    "cohere, ollama, litellm (Router), boto3 (bedrock-runtime) or a chat model of LangChain"
)


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
    if isinstance(target, (staticmethod, classmethod)):
        kind = type(target).__name__
        raise TypeError(f"cannot wrap a {kind}: write @{kind} above @costspan.wrap")
    adapter = adapter_of(target)
    if adapter is not None:
        _wrap_client(adapter, target, meter)
        return target
    if getattr(target, MARK, False):
        if not gives_way(target, meter):
            return target
        target = target.__wrapped__  # type: ignore[attr-defined]  # set by functools
    if not callable(target):
        raise TypeError(f"cannot wrap {_kind(target)}: give {_WRAPPABLE}")
    _refuse_manager(target)
    watched: T | None = _watch_bound(target, meter)
    if watched is None:
        watched = watch_function(target, meter, argument_reader(target))
    return watched


def _kind(target: object) -> str:
    """What something is, without its content."""
    if inspect.ismodule(target):
        return f"the module {target.__name__} (costspan.instrument() follows whole modules)"
    return f"an object of the type {type(target).__qualname__}"


def _wrap_client(adapter: Adapter, client: Any, meter: MeterSource) -> None:
    if gives_way(client, meter) and adapter.is_attached(client):
        adapter.detach(client)
    if not adapter.is_attached(client):
        adapter.attach(client, meter)


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
    return adapter.watch_bound(function, meter) if adapter is not None else None


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
