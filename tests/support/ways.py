"""Going a call's ways out as users do, and what they get: the same for sync and async surfaces."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, closing
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from surfaces import Surface, Way

Outcome: TypeAlias = tuple[object, object]
"""What the user got in the order it came, and the exception or None; comparable by ``==``."""

_OF_ONE_OBJECT = re.compile(
    r" at 0x[0-9a-f]+|'(date|x-request-id)': '[^']*'"
    r"|\bcreated(_at)?=\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
"""Words that differ from object to object, and from answer to answer, by themselves."""
_POLL_S, _AGAIN_S = 0.0005, 0.1
_FILES = ("sync.py", "socket.py", "ssl.py", "threading.py")
_FUNCTIONS = ("read", "readinto", "recv", "recv_into", "wait")
"""Where a thread stands that waits for the server: in httpcore, or in the standard library; or for
a thread of any-llm that does."""


def told(value: object) -> object:
    """What tells two results apart: types, values, order; of exceptions also their causes."""
    if isinstance(value, BaseException):
        cause = told(value.__cause__) if value.__cause__ is not None else None
        return type(value), told(value.args), _text(str(value)), cause
    if isinstance(value, (list, tuple)):
        return type(value), [told(item) for item in value]
    if isinstance(value, dict):
        return type(value), [(told(name), told(item)) for name, item in value.items()]
    return type(value), _text(repr(value))


def _text(text: str) -> str:
    return _OF_ONE_OBJECT.sub("", text)


def drive(surface: Surface, way: Way, client: Any, arrived: Callable[[], bool]) -> Outcome:
    """Go one way with a client.

    Args:
        surface: What is asked.
        way: How it goes.
        client: The client, wrapped or not.
        arrived: Whether the server has the request.
    """
    got: list[Any] = []
    try:
        if way == "cancel":
            waits = arrived if surface.open is None else lambda: len(got) > 1
            with _Interrupt(waits):
                _read(surface, client, got)
        elif way in ("ok", "error") and surface.ask is not None:
            got.append(surface.ask(client))
        elif surface.open is None or way in ("ok", "error", "cut"):
            _read(surface, client, got)
        else:
            _leave(surface, way, client, got)
    except BaseException as error:
        return told(got), told(error)
    return told(got), None


def _read(surface: Surface, client: Any, got: list[Any]) -> None:
    if surface.open is None:
        assert surface.ask is not None
        got.append(surface.ask(client))
        return
    opened = surface.open(client)
    stream = _entered(opened)
    got.append((type(opened), type(stream)))
    for item in surface.items(stream):
        got.append(item)


def _entered(opened: Any) -> Any:
    return opened.__enter__() if hasattr(opened, "__enter__") else opened


def _leave(surface: Surface, way: Way, client: Any, got: list[Any]) -> None:
    assert surface.open is not None
    opened = surface.open(client)
    if way == "with":
        with opened if hasattr(opened, "__enter__") else closing(opened) as stream:
            got.append(type(stream))
            got.append(next(iter(surface.items(stream))))
        return
    stream = _entered(opened)
    got.append(type(stream))
    if way == "close":
        got.append(next(iter(surface.items(stream))))
        stream.close()
    elif way == "break":
        for item in surface.items(stream):
            got.append(item)
            break
    elif way == "abandon":
        items = surface.items(stream)
        got.append(next(items if hasattr(items, "__next__") else iter(items)))


class _Interrupt:
    """Ctrl-C, sent while this thread waits for the server."""

    def __init__(self, waits: Callable[[], bool]) -> None:
        self._waits = waits
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(threading.get_ident(),))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self, waiting: int) -> None:
        former: object = None
        while not self._over.wait(_POLL_S):
            frame = sys._current_frames()[waiting]
            stands: object = (frame.f_code, frame.f_lasti)
            if self._waits() and stands == former and _waits_in(frame.f_code):
                # Again if it still stands there later: a signal that comes just before the thread
                # begins to wait does not wake it.
                signal.pthread_kill(waiting, signal.SIGINT)
                self._over.wait(_AGAIN_S)
                stands = None
            former = stands


def _waits_in(code: CodeType) -> bool:
    return code.co_filename.endswith(_FILES) and code.co_name in _FUNCTIONS


async def drive_async(
    surface: Surface, way: Way, client: Any, arrived: Callable[[], bool]
) -> Outcome:
    """The same for an asynchronous surface."""
    got: list[Any] = []
    try:
        if way == "cancel":
            waits = arrived if surface.open is None else lambda: len(got) > 1
            await _cancelled(_aread(surface, client, got), waits)
        elif way in ("ok", "error") and surface.ask is not None:
            got.append(await surface.ask(client))
        elif surface.open is None or way in ("ok", "error", "cut"):
            await _aread(surface, client, got)
        else:
            await _aleave(surface, way, client, got)
    except BaseException as error:
        return told(got), told(error)
    return told(got), None


async def _cancelled(reading: Any, waits: Callable[[], bool], timeout_s: float = 10) -> None:
    task = asyncio.create_task(reading)
    deadline = time.monotonic() + timeout_s
    while not waits() and not task.done() and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)
    task.cancel()
    await task


async def _aread(surface: Surface, client: Any, got: list[Any]) -> None:
    if surface.open is None:
        assert surface.ask is not None
        got.append(await surface.ask(client))
        return
    opened = await _opened(surface, client)
    stream = await _aentered(opened)
    got.append((type(opened), type(stream)))
    async for item in surface.items(stream):
        got.append(item)


async def _opened(surface: Surface, client: Any) -> Any:
    assert surface.open is not None
    opened = surface.open(client)
    return await opened if hasattr(opened, "__await__") else opened


async def _aentered(opened: Any) -> Any:
    return await opened.__aenter__() if hasattr(opened, "__aenter__") else opened


async def _aleave(surface: Surface, way: Way, client: Any, got: list[Any]) -> None:
    opened = await _opened(surface, client)
    if way == "with":
        async with opened if hasattr(opened, "__aenter__") else aclosing(opened) as stream:
            got.append(type(stream))
            got.append(await anext(aiter(surface.items(stream))))
        return
    stream = await _aentered(opened)
    got.append(type(stream))
    if way == "close":
        got.append(await anext(aiter(surface.items(stream))))
        await (stream.aclose() if hasattr(stream, "aclose") else stream.close())
    elif way == "break":
        async for item in surface.items(stream):
            got.append(item)
            break
    elif way == "abandon":
        items = surface.items(stream)
        got.append(await anext(items if hasattr(items, "__anext__") else aiter(items)))
