"""Iterator objects are watched where they are: type, identity, lifetime and every way out."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap


def _chunk(text: str, reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"object": "chat.completion.chunk", "model": "gpt-4o-mini", "choices": [choice]}


CHUNKS = [_chunk("Hel"), _chunk("lo"), _chunk("", "stop")]


class Stream:
    """As an SDK's: no generator, no HTTP response."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.items = iter(CHUNKS)
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        try:
            return next(self.items)
        except StopIteration:
            self.close()
            if self.error is not None:
                raise self.error from None
            raise

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncStream:
    def __init__(self) -> None:
        self.items = iter(CHUNKS)
        self.waiting: asyncio.Event | None = None

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self.waiting is not None:
            await self.waiting.wait()
        try:
            return next(self.items)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        pass


class Child(Stream):
    """Its step calls that of its base, which is watched as well."""

    def __next__(self) -> dict[str, Any]:
        return super().__next__()


class Slots:
    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items = iter(CHUNKS)

    def __iter__(self) -> Slots:
        return self

    def __next__(self) -> dict[str, Any]:
        return next(self.items)


class OverC(map):  # type: ignore[type-arg]  # no generic at run time
    """A Python class whose step is made in C."""


class Elsewhere(Stream):
    """A loop over it does not go through its ``__next__``, as in openai's streams."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from CHUNKS


def _asked(memory: InMemoryExporter, stream: Any) -> Any:
    meter = Meter(exporters=[memory])

    def ask(model: str, messages: list[Any]) -> Any:
        return stream

    return wrap(ask, lambda: meter)("gpt-4o-mini", [])


def _only(memory: InMemoryExporter) -> Any:
    (call,) = memory.calls
    return call


def _settled(memory: InMemoryExporter) -> Any:
    from costspan.middleware.lifecycle import living_meters

    for meter in living_meters():
        meter.drain()
    return _only(memory)


def test_the_users_own_object_is_handed_back() -> None:
    memory, stream = InMemoryExporter(), Stream()
    got = _asked(memory, stream)
    assert got is stream
    assert type(got) is Stream
    assert isinstance(got, Stream)
    vars(got)["mark"] = 1  # attributes of the user's own stay possible
    assert list(got) == CHUNKS
    assert got.closed
    call = _only(memory)
    assert (call.status, call.ended_by, call.chunks) == ("ok", "exhausted", 3)


def test_other_objects_of_the_class_are_left_alone() -> None:
    memory = InMemoryExporter()
    list(_asked(memory, Stream()))
    memory.clear()
    other = Stream()
    assert list(other) == CHUNKS
    with other:
        pass
    assert vars(other).keys() == {"items", "error", "closed"}
    assert memory.calls == ()


def _close(stream: Stream) -> None:
    next(stream)
    stream.close()


def _with(stream: Stream) -> None:
    with stream as entered:
        assert entered is stream
        next(entered)


@pytest.mark.parametrize("leave", [_close, _with])
def test_a_stream_that_is_left_early(leave: Callable[[Stream], None]) -> None:
    memory = InMemoryExporter()
    leave(_asked(memory, Stream()))
    call = _settled(memory)
    assert (call.status, call.ended_by, call.chunks) == ("interrupted", "closed", 1)


@pytest.mark.parametrize("reads", [0, 1])
def test_a_dropped_stream_is_freed_at_once_and_recorded(reads: int) -> None:
    memory = InMemoryExporter()
    stream = _asked(memory, Stream())
    for _ in range(reads):
        next(stream)
    alive = weakref.ref(stream)
    gc.disable()
    try:
        del stream
        assert alive() is None
        call = _settled(memory)
    finally:
        gc.enable()
    assert (call.status, call.ended_by, call.chunks) == ("interrupted", "dropped", reads)


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("x"), "error"), (KeyboardInterrupt(), "cancelled")]
)
def test_errors_pass_as_the_same_object(error: BaseException, status: str) -> None:
    memory = InMemoryExporter()
    stream = _asked(memory, Stream(error))
    with pytest.raises(type(error)) as raised:
        list(stream)
    assert raised.value is error
    assert _only(memory).status == status


def test_a_step_that_calls_its_base_reports_once() -> None:
    memory = InMemoryExporter()
    list(_asked(memory, Stream()))
    memory.clear()
    assert list(_asked(memory, Child())) == CHUNKS
    assert _only(memory).chunks == 3


def test_an_asynchronous_stream_is_read_closed_and_cancelled() -> None:
    memory = InMemoryExporter()

    async def read() -> None:
        stream = _asked(memory, AsyncStream())
        assert type(stream) is AsyncStream
        assert [item async for item in stream] == CHUNKS

    async def close() -> None:
        stream = _asked(memory, AsyncStream())
        async for _ in stream:
            break
        await stream.aclose()

    async def cancel() -> None:
        inner = AsyncStream()
        inner.waiting = asyncio.Event()
        task = asyncio.create_task(anext(_asked(memory, inner)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for way, status in ((read, "ok"), (close, "interrupted"), (cancel, "cancelled")):
        asyncio.run(way())
        assert _settled(memory).status == status
        memory.clear()
    assert inspect.iscoroutinefunction(AsyncStream.__anext__)
    assert inspect.iscoroutinefunction(AsyncStream.aclose)


@pytest.mark.parametrize("make", [Slots, lambda: map(dict, CHUNKS), lambda: Elsewhere()])
def test_a_stand_in_where_nothing_can_be_held(make: Callable[[], Any]) -> None:
    memory, stream = InMemoryExporter(), make()
    got = _asked(memory, stream)
    assert got.__class__ is type(stream)
    assert list(got) == CHUNKS
    assert _only(memory).chunks == 3


def test_a_python_class_whose_step_is_made_in_c() -> None:
    memory = InMemoryExporter()
    stream = OverC(dict, CHUNKS)
    got = _asked(memory, stream)
    assert got is stream
    assert list(got) == CHUNKS
    assert _only(memory).chunks == 3
    assert list(map(dict, CHUNKS)) == CHUNKS


def test_a_copy_is_not_watched() -> None:
    memory = InMemoryExporter()
    stream = _asked(memory, Stream())
    twin = copy.copy(stream)
    assert list(stream) == CHUNKS
    assert list(twin) == []
    assert len(memory.calls) == 1


def test_a_thousand_streams_leave_one_layer() -> None:
    memory = InMemoryExporter()
    list(_asked(memory, Stream()))
    step = Stream.__next__
    for _ in range(1_000):
        stream = _asked(memory, Stream())
        next(stream)
        stream.close()
    assert Stream.__next__ is step
    assert not hasattr(inspect.unwrap(step), "__wrapped__")


def test_threads_that_meet_a_class_together_make_it_ready_once() -> None:
    class Fresh(Stream):
        def __next__(self) -> dict[str, Any]:
            return next(self.items)

    plain = Fresh.__next__
    memory = InMemoryExporter()
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        assert list(_asked(memory, Fresh())) == CHUNKS

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.calls) == 8
    assert [call.chunks for call in memory.calls] == [3] * 8
    assert Fresh.__next__.__wrapped__ is plain  # type: ignore[attr-defined]  # set by functools
