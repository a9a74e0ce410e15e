"""Type checkers see the user's own signature through ``wrap``.

The assertions are made by the checkers: by mypy, which reads all tests, and by pyright in
`tests/services/test_pyright.py`. Running them only shows that the values are what the types say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Literal, Protocol, assert_type, overload

import anthropic
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

import costspan


def ask(model: str, messages: list[str], *, stop: str | None = None) -> dict[str, int]:
    return {"usage": len(messages)}


@overload
def either(model: str, *, stream: Literal[True]) -> Iterator[str]: ...
@overload
def either(model: str, *, stream: Literal[False] = False) -> str: ...
def either(model: str, *, stream: bool = False) -> str | Iterator[str]:
    return iter(["a"]) if stream else "a"


async def ask_async(model: str) -> list[int]:
    return [1]


def parts(model: str) -> Iterator[str]:
    yield "a"


async def parts_async(model: str) -> AsyncIterator[str]:
    yield "a"


class Asker:
    def ask(self, model: str, n: int = 1) -> tuple[str, int]:
        return model, n


class Asking(Protocol):
    def __call__(self, model: str, messages: list[str], *, stop: str | None = None) -> object: ...


def test_functions() -> None:
    watched = costspan.wrap(ask)
    given: Asking = watched
    assert given is watched
    assert_type(watched("m", ["a"], stop=None), dict[str, int])
    assert_type(costspan.unwrap(watched)("m", []), dict[str, int])


def test_overloads() -> None:
    watched = costspan.wrap(either)
    assert_type(watched("m"), str)
    assert_type(watched("m", stream=True), Iterator[str])


async def test_async_functions() -> None:
    watched = costspan.wrap(ask_async)
    given: Callable[[str], Coroutine[Any, Any, list[int]]] = watched
    assert given is watched
    assert_type(await watched("m"), list[int])


async def test_generators() -> None:
    assert_type(costspan.wrap(parts)("m"), Iterator[str])
    assert_type(costspan.wrap(parts_async)("m"), AsyncIterator[str])
    assert list(costspan.wrap(parts)("m")) == ["a"]
    assert [part async for part in costspan.wrap(parts_async)("m")] == ["a"]


def test_bound_methods() -> None:
    assert_type(costspan.wrap(Asker().ask)("m", n=2), tuple[str, int])


def test_clients() -> None:
    client = costspan.wrap(openai.OpenAI(api_key="k"))
    assert_type(client, openai.OpenAI)
    assert_type(costspan.unwrap(client), openai.OpenAI)
    assert_type(costspan.wrap(anthropic.AsyncAnthropic(api_key="k")), anthropic.AsyncAnthropic)


def never_called(client: openai.OpenAI) -> None:
    """What the client's own overloads say stays so."""
    costspan.wrap(ask)(3, [])  # type: ignore[arg-type]  # as without us
    watched = costspan.wrap(client)
    create = costspan.wrap(watched.chat.completions.create)
    assert_type(create(model="m", messages=[]), ChatCompletion)
    assert_type(create(model="m", messages=[], stream=True), openai.Stream[ChatCompletionChunk])
