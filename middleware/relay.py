"""Generators that hand on everything of an inner one, step by step, with work of ours around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, NamedTuple


class telling:
    """A block that tells of the exception that leaves it, which goes on as it is.

    Args:
        tell: Is given the exception; must not raise.
    """

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[BaseException], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._tell(error)


def _nothing(_: object) -> None:
    """Nobody is to be told."""


class Relayed(NamedTuple):
    """What is relayed, and how.

    Attributes:
        inner: The generator, asynchronous or not.
        around: Runs a method of it with its arguments; where it is asynchronous, a coroutine
            function that awaits it.
        see: Is shown each item.
        over: Is told of the end: the exception that left it, None if it was read to its end.
    """

    inner: Any
    around: Callable[..., Any]
    see: Callable[[Any], None] = _nothing
    over: Callable[[BaseException | None], None] = _nothing


def relaying(start: Callable[..., Relayed]) -> Callable[..., Generator[Any, Any, Any]]:
    """Make a generator function that does what ``yield from`` does.

    Args:
        start: Is given the arguments when the generator is first advanced.
    """

    def relay(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inner, around, see, over = start(*args, **kwargs)
        with telling(over):
            try:
                item = around(inner.__next__)
                while True:
                    see(item)
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as thrown:  # it is thrown into the inner one
                        item = around(inner.throw, thrown)
                    else:
                        item = around(inner.send, sent)
            except StopIteration as stop:
                returned = stop.value
            finally:
                around(inner.close)
        over(None)
        return returned

    return relay


def relaying_async(start: Callable[..., Relayed]) -> Callable[..., AsyncGenerator[Any, Any]]:
    """The same for asynchronous generators, which have no ``yield from``."""

    async def relay(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner, around, see, over = start(*args, **kwargs)
        with telling(over):
            try:
                item = await around(inner.__anext__)
                while True:
                    see(item)
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as thrown:
                        item = await around(inner.athrow, thrown)
                    else:
                        item = await around(inner.asend, sent)
            except StopAsyncIteration:
                pass
            finally:
                await around(inner.aclose)
        over(None)

    return relay
