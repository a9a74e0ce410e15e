"""Reading what is asked for from the arguments of a function, whichever it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from costspan.middleware.known_functions import known_function, package_of, with_provider
from costspan.middleware.request import AskedCall, RequestReader, from_arguments

_PROVIDER_OF_SDK = {"openai": "openai", "anthropic": "anthropic"}
"""Package of the client that a bound method belongs to -> its provider."""


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
