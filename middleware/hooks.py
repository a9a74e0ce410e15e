"""Hooks: functions of the user's own that are told how a call goes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from costspan.middleware.guard import Guard
from costspan.middleware.last import begun_here, put_back
from costspan.middleware.record import NOTHING, Call, OpenCall
from costspan.pricing.types import Estimate

HOOKS = ("on_start", "on_first_token", "on_end", "on_error")

_told_now: ContextVar[tuple[Hooks, ...]] = ContextVar("costspan_told_now", default=())
"""Whose hooks run in this context: what a hook asks of a model is not told to it in its turn."""


class StartedCall(NamedTuple):
    """A call that has not ended yet, frozen as it is when a hook is told. No content.

    Attributes:
        call_id: Time-ordered UUID; the finished `Call` has the same.
        operation, provider, api, model: What is asked of whom.
        started_at: UTC instant.
        streaming: Whether a stream was asked for.
        tags: The user's tags.
        estimate: What is said of it before it runs; None where that was not possible.
        endpoint, port: The server, where known.
        request_params: Sampling parameters and the like.
        ttft_us: Microseconds from the start to the first chunk; None before it.
    """

    call_id: UUID
    operation: str
    provider: str
    api: str
    model: str
    started_at: datetime
    streaming: bool
    tags: Mapping[str, str]
    estimate: Estimate | None
    endpoint: str | None
    port: int | None
    request_params: Mapping[str, object] = NOTHING
    ttft_us: int | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy it; a read-only mapping can be neither."""
        params = dict(self.request_params)
        return StartedCall, tuple(self._replace(tags=dict(self.tags), request_params=params))


class Hooks:
    """Tells the user's hooks; an exporter like the others, under the same guard.

    Args:
        hooks: Objects with any of the methods ``on_start(StartedCall)``,
            ``on_first_token(StartedCall)``, ``on_end(Call)`` and ``on_error(Call)``.
        guard: Counts and logs what a hook raises.

    Raises:
        ValueError: A hook with another name, none at all, an asynchronous one, a class, or
            something that is no list of hooks.
    """

    def __init__(self, hooks: Iterable[object], guard: Guard) -> None:
        if not isinstance(hooks, Iterable):
            raise ValueError(f"hooks {hooks!r}: give a list of them")
        self._guard = guard
        listeners = [(hook, _checked(hook)) for hook in hooks]
        self._by_name = {
            name: [
                (f"hook {name} of {type(hook).__name__}", methods[name])
                for hook, methods in listeners
                if name in methods
            ]
            for name in HOOKS
        }

    @property
    def hears_first_token(self) -> bool:
        """Whether any hook wants to know of first chunks."""
        return bool(self._by_name["on_first_token"])

    @property
    def are_running(self) -> bool:
        """Whether this code is called by one of the hooks, or is a task that one has started."""
        return self in _told_now.get()

    def __bool__(self) -> bool:
        return any(self._by_name.values())

    def start(self, call: OpenCall) -> None:
        """A call is about to run."""
        if self._by_name["on_start"] and not self.are_running:
            self._tell("on_start", _frozen(call))

    def first_chunk(self, call: OpenCall) -> None:
        """The first chunk of a stream has come."""
        self._tell("on_first_token", _frozen(call))

    def finish(self, record: Call) -> None:
        """A call has ended: ``on_error`` if it failed, then ``on_end`` however it did."""
        if record.status == "error":
            self._tell("on_error", record)
        self._tell("on_end", record)

    def _tell(self, name: str, record: StartedCall | Call) -> None:
        former, begun = _told_now.get(), begun_here()
        try:
            _told_now.set((*former, self))
            for step, method in self._by_name[name]:
                self._guard.run(step, method, record)
        finally:
            _told_now.set(former)
            put_back(begun)


def _frozen(call: OpenCall) -> StartedCall:
    return StartedCall(
        call.call_id,
        call.operation,
        call.provider,
        call.api,
        call.model,
        call.started_at,
        call.streaming,
        call.tags,
        call.estimate,
        call.endpoint,
        call.port,
        call.request_params,
        call.ttft_us,
    )


def _checked(hook: object) -> Mapping[str, Callable[[Any], object]]:
    """The methods of one hook object by name."""
    allowed = ", ".join(HOOKS)
    if inspect.isclass(hook):
        raise ValueError(f"hook {hook.__qualname__}: it is a class, give an instance of it")
    names = [name for name in dir(hook) if name.startswith("on_")]
    for name in names:
        method = getattr(hook, name)
        if name not in HOOKS:
            raise ValueError(f"hook {hook!r}: unknown name {name!r}; allowed are {allowed}")
        if not callable(method) or inspect.iscoroutinefunction(method):
            raise ValueError(
                f"hook {hook!r}: {name} must be a plain function; it is called where the call "
                "ends, and nothing would await it"
            )
    if not names:
        raise ValueError(f"hook {hook!r}: it has none of {allowed}")
    return {name: getattr(hook, name) for name in names}
