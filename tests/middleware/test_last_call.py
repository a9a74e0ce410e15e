"""``last_call``: the cost at hand, of this context alone."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from costspan.middleware.last import forget, last_call
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

MODEL, MESSAGES = "gpt-4o", [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def _own_context() -> None:
    """No record of an earlier test is in the way."""
    forget()


def reply(prompt_tokens: int) -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "a"}}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": 0,
            "total_tokens": prompt_tokens,
        },
    }


def asking(meter: Meter) -> Any:
    return wrap(lambda model, messages, tokens: reply(tokens), lambda: meter)


def cost() -> Decimal | None:
    call = last_call()
    return None if call is None else call.cost_usd


def test_nothing_before_the_first_call_and_the_newest_after(meter: Meter) -> None:
    ask = asking(meter)
    assert last_call() is None
    ask(MODEL, MESSAGES, 1000)
    assert cost() == Decimal("0.0025")  # $2.50 per million tokens
    ask(MODEL, MESSAGES, 2000)
    call = last_call()
    assert call is not None
    assert (call.cost_usd, call.model) == (Decimal("0.005"), MODEL)
    assert call.usage is not None
    assert call.usage.input_tokens == 2000
    assert call.estimate is not None


def test_the_outermost_call_counts(meter: Meter) -> None:
    ask = asking(meter)

    def agent(model: str, messages: object) -> Any:
        ask(model, messages, 1000)
        return ask(model, messages, 2000)

    wrap(agent, lambda: meter)(MODEL, MESSAGES)

    call = last_call()
    assert call is not None
    assert len(call.requests) == 2
    assert call.cost_usd == Decimal("0.0075")
    assert call.usage is not None
    assert call.usage.input_tokens == 3000


def test_a_stream_that_is_left_early(meter: Meter) -> None:
    def stream(model: str, messages: object, stream: bool = True) -> Iterator[Any]:
        for text in "abc":
            delta = {"index": 0, "delta": {"content": text}}
            yield {"object": "chat.completion.chunk", "model": MODEL, "choices": [delta]}

    for _ in wrap(stream, lambda: meter)(MODEL, MESSAGES):
        break

    call = last_call()
    assert call is not None
    assert call.status == "interrupted"


def test_an_open_stream_does_not_hide_the_one_that_was_left_before_it(meter: Meter) -> None:
    def stream(model: str, messages: object, stream: bool = True) -> Generator[Any, None, None]:
        yield {"object": "chat.completion.chunk", "model": MODEL, "choices": []}
        yield {"object": "chat.completion.chunk", "model": MODEL, "choices": []}

    asking(meter)(MODEL, MESSAGES, 1000)
    for _ in wrap(stream, lambda: meter)(MODEL, MESSAGES):
        break
    left = last_call()
    assert left is not None
    assert left.status == "interrupted"

    still_open = wrap(stream, lambda: meter)(MODEL, MESSAGES)
    next(still_open)
    assert last_call() is left
    still_open.close()
    assert last_call() is not left


def test_a_failed_call_counts(meter: Meter) -> None:
    def failing(model: str, messages: object) -> Any:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        wrap(failing, lambda: meter)(MODEL, MESSAGES)
    call = last_call()
    assert call is not None
    assert (call.status, call.cost_usd) == ("error", None)


async def test_tasks_see_their_own(meter: Meter) -> None:
    async def answer(model: str, messages: object, tokens: int) -> Any:
        await asyncio.sleep(0.001 * (tokens / 1000))
        return reply(tokens)

    ask = wrap(answer, lambda: meter)

    async def task(tokens: int) -> Decimal | None:
        await ask(MODEL, MESSAGES, tokens)
        await asyncio.sleep(0.01)
        return cost()

    found = await asyncio.gather(*[task(1000 * n) for n in (4, 3, 2, 1)])

    assert found == [Decimal("0.0100"), Decimal("0.0075"), Decimal("0.0050"), Decimal("0.0025")]
    assert last_call() is None


def test_threads_see_their_own_unless_given_the_context(meter: Meter) -> None:
    ask = asking(meter)
    ask(MODEL, MESSAGES, 1000)
    found: list[Decimal | None] = []
    context = contextvars.copy_context()
    for target in (lambda: found.append(cost()), lambda: context.run(lambda: found.append(cost()))):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

    assert found == [None, Decimal("0.0025")]


def test_what_others_left_to_be_settled_is_not_ours(meter: Meter) -> None:
    def stream(model: str, messages: object, stream: bool = True) -> Iterator[Any]:
        yield {"object": "chat.completion.chunk", "model": MODEL, "choices": []}
        yield {"object": "chat.completion.chunk", "model": MODEL, "choices": []}

    def elsewhere() -> None:
        for _ in wrap(stream, lambda: meter)(MODEL, MESSAGES):
            break

    contextvars.Context().run(elsewhere)  # ended, and not settled yet
    assert last_call() is None
