"""Results that are still to come: the futures and tasks of asyncio and of thread pools."""

from __future__ import annotations

from typing import Any

from costspan.middleware.live import LiveCall
from costspan.middleware.seeing import see_value


def watch_future(call: LiveCall, future: Any) -> None:
    """End the call when a future is done; the user keeps the very same future."""
    future.add_done_callback(lambda done: call.guarded("watch a future", _done, call, done))


def _done(call: LiveCall, future: Any) -> None:
    if future.cancelled():
        call.end("cancelled")
        return
    error = future.exception()
    if error is not None:
        call.fail(error)
        return
    see_value(call, future.result())
    call.end("value")
