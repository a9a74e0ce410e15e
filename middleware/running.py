"""Which wrapped call runs in this context, so that calls within calls are told apart."""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.middleware.live import LiveCall

running: ContextVar[weakref.ref[LiveCall] | None] = ContextVar("costspan_running", default=None)
"""A weak reference: tasks copy their context, and a copy must not keep a call from ending.

Whoever sets it puts the former value back in a ``finally`` by ``set``, not by a token: an interrupt
that falls between the setting and the keeping of the token would leave it set for good.
"""


def innermost_call() -> LiveCall | None:
    """The wrapped call that runs this code, if any: also one that is a single request."""
    reference = running.get()
    return reference() if reference is not None else None


def count_sending(*_: object, **__: object) -> None:
    """An SDK is about to send a request: those of a call after its first are repeated ones.

    Args:
        _, __: Whatever the place at which the SDK sends is given.
    """
    call = innermost_call()
    if call is not None:
        call.sent += 1
        call.retries = call.sent - 1


def running_call() -> LiveCall | None:
    """The wrapped call that this code is part of, if any.

    A task that was started within a call and goes on after it is not part of it any more. A call
    made while a single request to a provider runs (by a signal handler) is not part of that.
    """
    call = innermost_call()
    if call is None or not call.is_open or call.asked.is_request:
        return None
    return call
