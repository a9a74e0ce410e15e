"""Exceptions by which the user, not the provider, ends a call."""

from __future__ import annotations

_BUILT_IN = (KeyboardInterrupt, SystemExit, GeneratorExit)
# By name, because importing asyncio for its class costs every program 40 ms at start.
_BY_NAME = frozenset({"CancelledError", "Cancelled"})


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is a cancellation: of asyncio, trio, futures or the interpreter."""
    return isinstance(error, _BUILT_IN) or any(
        kind.__name__ in _BY_NAME for kind in type(error).__mro__
    )
