"""``tagged``: tags for every call that a function makes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from costspan.middleware.relay import Relayed, relaying, relaying_async
from costspan.middleware.tags import check_tags, tags

F = TypeVar("F", bound=Callable[..., Any])


def tagged(**values: object) -> Callable[[F], F]:
    """Tag every call that the decorated function makes, and what it calls.

    Args:
        values: Tag names and values, as for `costspan.tags`.

    Returns:
        A decorator for functions of any kind. The tags of a generator are in force while it runs,
        and not in the loop that reads it.

    Raises:
        TagError: A tag that cannot be stored; said where the function is decorated.

    Example:
        >>> import costspan
        >>> @costspan.tagged(feature="summary")
        ... def summarise(text): ...
    """
    checked = check_tags(values)

    def decorate(function: F) -> F:
        if inspect.isasyncgenfunction(function):
            run: Any = _async_generator(function, checked)
        elif inspect.isgeneratorfunction(function):
            run = _generator(function, checked)
        elif inspect.iscoroutinefunction(function):
            run = _coroutine(function, checked)
        else:
            run = _plain(function, checked)
        return cast(F, functools.update_wrapper(run, function))

    return decorate


def _plain(function: Callable[..., Any], values: Mapping[str, str]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with tags(**values):
            return function(*args, **kwargs)

    return run


def _coroutine(function: Callable[..., Any], values: Mapping[str, str]) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        with tags(**values):
            return await function(*args, **kwargs)

    return run


def _generator(function: Callable[..., Any], values: Mapping[str, str]) -> Callable[..., Any]:
    in_tags = _plain(lambda method, *value: method(*value), values)
    return relaying(lambda *args, **kwargs: Relayed(function(*args, **kwargs), in_tags))


def _async_generator(function: Callable[..., Any], values: Mapping[str, str]) -> Callable[..., Any]:
    async def step(method: Callable[..., Any], *value: Any) -> Any:
        return await method(*value)

    in_tags = _coroutine(step, values)
    return relaying_async(lambda *args, **kwargs: Relayed(function(*args, **kwargs), in_tags))
