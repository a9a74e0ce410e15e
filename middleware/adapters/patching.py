"""Replacing methods of one object, putting back what was there, and what most replacements do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from costspan.middleware.meter import MeterSource

_REPLACED: Final = "__costspan_replaced__"
_MISSING: Final = object()


class _Replaced(NamedTuple):
    owner: Any
    name: str
    former: object


def replace(client: Any, owner: Any, name: str, value: object) -> None:
    """Set an attribute of one object, and note on the client how to undo it.

    Args:
        client: The client that is being watched; the note hangs on it.
        owner: The client, or a part of it (``client.chat``), whose attribute is set.
        name: Name of the attribute; the class's own stays as it is.
        value: What is found under that name from now on.
    """
    fields = vars(owner)
    vars(client).setdefault(_REPLACED, []).append(
        _Replaced(owner, name, fields.get(name, _MISSING))
    )
    fields[name] = value


def is_replaced(client: Any) -> bool:
    """Whether `replace` was used for this client."""
    return _REPLACED in getattr(client, "__dict__", ())


def restore(client: Any) -> None:
    """Undo every `replace` of a client, the newest first."""
    for owner, name, former in reversed(vars(client).pop(_REPLACED, [])):
        if former is _MISSING:
            vars(owner).pop(name, None)
        else:
            vars(owner)[name] = former


def preceded(function: Callable[..., Any], step: Callable[..., None]) -> Callable[..., Any]:
    """Make a function of the same kind that first runs a step of ours with the same arguments.

    Args:
        function: A function or coroutine function.
        step: What runs before it. It must not raise.
    """
    if inspect.iscoroutinefunction(function):

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            step(*args, **kwargs)
            return await function(*args, **kwargs)

        return functools.wraps(function)(awaited)

    def called(*args: Any, **kwargs: Any) -> Any:
        step(*args, **kwargs)
        return function(*args, **kwargs)

    return functools.wraps(function)(called)


def leave_bound(function: Any, meter: MeterSource) -> None:
    """`Adapter.watch_bound` for an SDK whose methods are read like any other function."""
