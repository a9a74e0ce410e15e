"""Iterator objects that are no generators: the user's own object is watched where it is.

Its class gets methods that look for a call in the object's own ``__dict__``; they are made once
for each class and do nothing for objects that hold none. So type, identity, attributes and
lifetime stay what they are. A proxy stands in only for objects that can hold nothing (C types,
``__slots__``).
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from costspan.middleware.litellm_reply import CollectedChunks
from costspan.middleware.live import LiveCall
from costspan.middleware.relay import telling
from costspan.middleware.seeing import see_chunk
from costspan.middleware.streams import advance, advance_async

_KEY: Final = "__costspan_stream__"
_READY: Final = "__costspan_reports__"
_lock = threading.Lock()


class _Held:
    """What a watched iterator holds in its ``__dict__``: its call, while that is open.

    Attributes:
        call: The call.
        collected: What LiteLLM's streams keep of what they read; None for those of others.
        busy: Whether a step is on its way, so that methods which call each other report once.
    """

    __slots__ = ("busy", "call", "collected")

    def __init__(self, call: LiveCall, stream: object) -> None:
        self.call = call
        self.collected = CollectedChunks.of(call, stream)
        self.busy = False

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        # A copy of the iterator, or its pickle, is not watched.
        return type(None), ()

    def see(self, item: object) -> None:
        """An item has come."""
        see_chunk(self.call, item)
        if self.collected is not None:
            self.call.guarded("watch a stream", self.collected.read, self.call, item)

    def end(self, error: BaseException) -> None:
        """A step raised: the end of the stream, or what is wrong with it."""
        if not isinstance(error, (StopIteration, StopAsyncIteration)):
            self.call.fail(error)
            return
        if self.collected is not None:
            self.call.guarded("watch a stream", self.collected.end, self.call)
        self.call.end("exhausted")


def watch_iterator(call: LiveCall, stream: Any) -> Any:
    """Report what passes through an iterator object to the call.

    Returns:
        The very same object, or a stand-in for it where it can hold nothing.
    """
    fields = getattr(stream, "__dict__", None)
    held = _Held(call, stream)
    kind: type = type(stream)
    if type(fields) is not dict or _iterates_elsewhere(kind) or not _make_ready(kind):
        return IteratorProxy(held, stream)
    fields[_KEY] = held
    return stream


def _iterates_elsewhere(kind: type) -> bool:
    """Whether a loop over an object does not go through its own ``__next__``."""
    return inspect.isgeneratorfunction(getattr(kind, "__iter__", None)) or (
        inspect.isasyncgenfunction(getattr(kind, "__aiter__", None))
    )


def _make_ready(kind: type) -> bool:
    """Put the reporting methods into a class; False where it takes none."""
    if _READY in kind.__dict__:
        return True
    with _lock:
        try:
            for name, reporting in _REPORTING.items():
                _replace_method(kind, name, reporting)
            setattr(kind, _READY, True)  # last: what is not whole is done again
        except TypeError:  # a type made in C cannot be changed
            return False
    return True


def _replace_method(kind: type, name: str, reporting: Callable[[Any], Any]) -> None:
    """Replace a method in the class that defines it, so that all its subclasses share it."""
    owner = next((base for base in kind.__mro__ if name in base.__dict__), None)
    method = owner.__dict__[name] if owner is not None else None
    if method is None or hasattr(method, _READY):
        return
    if not inspect.isroutine(method):
        raise TypeError(f"{kind.__qualname__}.{name} is no method")
    replacement = functools.update_wrapper(reporting(method), method)
    setattr(replacement, _READY, True)
    # What a type made in C defines is replaced in the class that inherits it.
    setattr(owner if inspect.isfunction(method) else kind, name, replacement)


def _held(stream: Any) -> _Held | None:
    fields = getattr(stream, "__dict__", None)  # a class may share its methods with one without
    held: _Held | None = fields.get(_KEY) if fields else None
    return held if held is not None and not held.busy else None


def _next(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def reporting(self: Any) -> Any:
        held = _held(self)
        if held is None:
            return method(self)
        held.busy = True
        try:
            with telling(held.end):
                item = advance(held.call, method, self)
        finally:
            held.busy = False
        held.see(item)
        return item

    return reporting


def _anext(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def reporting(self: Any) -> Any:
        held = _held(self)
        return method(self) if held is None else _step(held, method, self)

    return _asynchronous(reporting) if inspect.iscoroutinefunction(method) else reporting


def _asynchronous(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same as a coroutine function, for those who ask what kind it is."""

    async def reporting(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return reporting


async def _step(held: _Held, method: Callable[..., Any], *stream: Any) -> Any:
    held.busy = True
    try:
        with telling(held.end):
            item = await advance_async(held.call, method, *stream)
    finally:
        held.busy = False
    held.see(item)
    return item


def _leave(method: Callable[..., Any]) -> Callable[..., Any]:
    """``close``, ``aclose``, and the end of ``with``, whose second argument is an exception."""

    def reporting(self: Any, *args: Any, **kwargs: Any) -> Any:
        held = _held(self)
        if held is None:
            return method(self, *args, **kwargs)
        return _left(held, args, lambda: method(self, *args, **kwargs))

    return _asynchronous(reporting) if inspect.iscoroutinefunction(method) else reporting


def _left(held: _Held, exc: tuple[Any, ...], leave: Callable[[], Any]) -> Any:
    error = exc[1] if len(exc) > 1 else None
    left = None
    try:
        left = leave()
    finally:
        if not hasattr(left, "__await__"):
            held.call.end_later("closed", error)
    return _aleft(held, error, left) if hasattr(left, "__await__") else left


async def _aleft(held: _Held, error: BaseException | None, leaving: Any) -> Any:
    try:
        return await leaving
    finally:
        held.call.end_later("closed", error)


_REPORTING: Final = {
    "__next__": _next,
    "__anext__": _anext,
    "close": _leave,
    "aclose": _leave,
    "__exit__": _leave,
    "__aexit__": _leave,
}


class IteratorProxy:
    """Stands in for an iterator object that nothing can be held in.

    Its class reads as the iterator's own; every other attribute is the iterator's.
    """

    def __init__(self, held: _Held, inner: Any) -> None:
        object.__setattr__(self, "_costspan_held", held)
        object.__setattr__(self, "_costspan_inner", inner)

    @property
    def __class__(self) -> type:
        return type(object.__getattribute__(self, "_costspan_inner"))

    @__class__.setter
    def __class__(self, value: type) -> None:  # pragma: no cover - demanded by the type checker
        raise TypeError("the class of a watched stream cannot be changed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._costspan_inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._costspan_inner, name, value)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        held = self._costspan_held
        with telling(held.end):
            item = advance(held.call, self._costspan_inner.__next__)
        held.see(item)
        return item

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await _step(self._costspan_held, self._costspan_inner.__anext__)

    def __enter__(self) -> Any:
        self._costspan_inner.__enter__()
        return self

    def __exit__(self, *exc: Any) -> Any:
        return _left(self._costspan_held, exc, lambda: self._costspan_inner.__exit__(*exc))

    async def __aenter__(self) -> Any:
        await self._costspan_inner.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        return await _left(self._costspan_held, exc, lambda: self._costspan_inner.__aexit__(*exc))

    def close(self) -> Any:
        """Close the iterator and end the call."""
        return _left(self._costspan_held, (), self._costspan_inner.close)

    def aclose(self) -> Any:
        """Close the asynchronous iterator and end the call."""
        return _left(self._costspan_held, (), self._costspan_inner.aclose)
