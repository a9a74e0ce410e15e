"""``tagged`` and tags across generators, threads and contexts."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.middleware.tagged import tagged
from costspan.middleware.tags import TagError, current_tags, parse_tags, tags


def now() -> dict[str, str]:
    return dict(current_tags())


@tagged(feature="summary", user=42)
def plain(text: str) -> dict[str, str]:
    """Say it shortly."""
    return {**now(), "text": text}


@tagged(feature="summary")
async def coroutine() -> dict[str, str]:
    await asyncio.sleep(0)
    return now()


@tagged(feature="summary")
def generator() -> Iterator[dict[str, str]]:
    yield now()
    yield now()


@tagged(feature="summary")
async def async_generator() -> AsyncIterator[dict[str, str]]:
    yield now()
    await asyncio.sleep(0)
    yield now()


def test_a_function_keeps_its_name_and_signature() -> None:
    assert plain("x") == {"feature": "summary", "user": "42", "text": "x"}
    assert now() == {}
    assert (plain.__name__, plain.__doc__) == ("plain", "Say it shortly.")
    assert list(inspect.signature(plain).parameters) == ["text"]
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)


async def test_a_coroutine() -> None:
    assert await coroutine() == {"feature": "summary"}
    assert now() == {}


def test_a_generators_tags_do_not_reach_the_loop_that_reads_it() -> None:
    found = [(inside, now()) for inside in generator()]
    assert found == [({"feature": "summary"}, {})] * 2


async def test_an_asynchronous_generators_neither() -> None:
    found = [(inside, now()) async for inside in async_generator()]
    assert found == [({"feature": "summary"}, {})] * 2


def test_what_is_sent_thrown_and_returned_passes_through() -> None:
    @tagged(a=1)
    def talking() -> Generator[object, object, str]:
        got = yield "first"
        try:
            yield got
        except KeyError:
            yield now()
        return "done"

    running = talking()
    assert next(running) == "first"
    assert running.send("second") == "second"
    assert running.throw(KeyError("x")) == {"a": "1"}
    with pytest.raises(StopIteration, match="done"):
        next(running)


async def test_an_asynchronous_one_takes_what_is_sent_and_thrown() -> None:
    @tagged(a=1)
    async def talking() -> AsyncGenerator[object, object]:
        got = yield "first"
        try:
            yield got
        except KeyError:
            yield now()

    running = talking()
    assert await anext(running) == "first"
    assert await running.asend("second") == "second"
    assert await running.athrow(KeyError("x")) == {"a": "1"}
    assert [item async for item in running] == []


def test_a_tag_that_cannot_be_stored_is_refused_at_the_decorator() -> None:
    with pytest.raises(TagError, match="257 characters"):
        tagged(note="x" * 257)


def test_a_thread_gets_the_tags_with_a_copy_of_the_context() -> None:
    with ThreadPoolExecutor(1) as pool, tags(team="search"):
        assert pool.submit(now).result() == {}
        assert pool.submit(contextvars.copy_context().run, now).result() == {"team": "search"}


def holding(**values: object) -> Generator[None, None, None]:
    with tags(**values):
        yield


def test_opentelemetry_2606_a_block_is_left_in_another_context() -> None:
    running = holding(a=1)
    contextvars.copy_context().run(next, running)
    with tags(b=2):
        running.close()  # "was created in a different Context", with a token
        assert now() == {"b": "2"}
    assert now() == {}


def test_openllmetry_3255_a_generator_closed_late_leaves_nothing_behind() -> None:
    running = holding(a=1)
    next(running)
    with tags(b=2):
        running.close()
        assert now() == {"b": "2"}
    assert now() == {}


@given(st.permutations(range(4)))
def test_blocks_left_in_any_order_leave_nothing(order: list[int]) -> None:
    blocks = [ExitStack() for _ in range(4)]
    for number, block in enumerate(blocks):
        block.enter_context(tags(**{f"t{number}": number, "shared": number}))
    opened = set(range(4))
    for number in order:
        blocks[number].close()
        opened.discard(number)
        expected = {f"t{each}": str(each) for each in opened}
        if opened:
            expected["shared"] = str(max(opened))
        assert now() == expected
    assert now() == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("team=search,env=prod", {"team": "search", "env": "prod"}),
        (" team = search , , url=a=b ", {"team": "search", "url": "a=b"}),
        ("", {}),
        ("empty=", {"empty": ""}),
    ],
)
def test_tags_of_the_environment(text: str, found: dict[str, str]) -> None:
    assert parse_tags(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [("team", "write tags as name=value"), ("=x", "name=value"), ("a=" + "x" * 257, "257")],
)
def test_tags_of_the_environment_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(TagError, match=said):
        parse_tags(text)
