"""Hooks: told once of each step, by frozen records, and never in the way of a call."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.hooks import StartedCall
from costspan.middleware.last import last_call
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

MESSAGES = [{"role": "user", "content": "a secret question"}]
REPLY = {
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "an answer"}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
CHUNK = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "a"}}]}


class Told:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, StartedCall | Call]] = []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def on_start(self, call: StartedCall) -> None:
        self.heard.append(("start", call))

    def on_first_token(self, call: StartedCall) -> None:
        self.heard.append(("first", call))

    def on_error(self, call: Call) -> None:
        self.heard.append(("error", call))

    def on_end(self, call: Call) -> None:
        self.heard.append(("end", call))


def answer(model: str, messages: object) -> Any:
    return REPLY


def stream(model: str, messages: object, stream: bool = True) -> Iterator[Any]:
    yield CHUNK
    yield CHUNK


def failing(model: str, messages: object) -> Any:
    raise ConnectionError("refused")


def test_a_plain_call_is_started_and_ended() -> None:
    told, memory = Told(), InMemoryExporter()
    meter = Meter(exporters=[memory], hooks=[told], tags={"team": "search"})

    wrap(answer, lambda: meter)("gpt-4o", MESSAGES)

    assert told.names == ["start", "end"]
    started, ended = told.heard[0][1], told.heard[1][1]
    assert isinstance(started, StartedCall)
    assert (started.provider, started.model, started.tags) == (
        "openai",
        "gpt-4o",
        {"team": "search"},
    )
    assert started.estimate is not None
    assert ended is memory.last
    assert ended.call_id == started.call_id
    assert "secret" not in repr(told.heard)


def test_a_stream_tells_of_its_first_token_once() -> None:
    told = Told()
    meter = Meter(hooks=[told])

    assert list(wrap(stream, lambda: meter)("gpt-4o", MESSAGES)) == [CHUNK, CHUNK]

    assert told.names == ["start", "first", "end"]
    first, ended = told.heard[1][1], told.heard[2][1]
    assert isinstance(first, StartedCall)
    assert first.ttft_us is not None
    assert isinstance(ended, Call)
    assert ended.ttft_us == first.ttft_us


def test_an_error_is_told_before_the_end() -> None:
    told = Told()
    meter = Meter(hooks=[told])

    with pytest.raises(ConnectionError):
        wrap(failing, lambda: meter)("gpt-4o", MESSAGES)

    assert told.names == ["start", "error", "end"]
    assert isinstance(told.heard[1][1], Call)
    assert told.heard[1][1].error is not None
    assert told.heard[1][1].error.type == "ConnectionError"


def test_a_call_within_a_call_tells_nothing_of_its_own() -> None:
    told = Told()
    meter = Meter(hooks=[told])
    inner = wrap(answer, lambda: meter)

    wrap(lambda model, messages: inner(model, messages), lambda: meter)("gpt-4o", MESSAGES)

    assert told.names == ["start", "end"]


def test_what_a_hook_raises_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: object) -> None:
        raise KeyError("mine")

    told, memory = Told(), InMemoryExporter()
    meter = Meter(exporters=[memory], hooks=[SimpleNamespace(on_end=broken), told])
    ask = wrap(answer, lambda: meter)

    with caplog.at_level(logging.WARNING, logger="costspan"):
        for _ in range(3):
            assert ask("gpt-4o", MESSAGES) is REPLY

    assert len(memory.calls) == 3
    assert told.names == ["start", "end"] * 3
    assert meter.guard.failures == {"hook on_end of SimpleNamespace": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "costspan: hook on_end of SimpleNamespace failed and was skipped (your call is not "
        "affected); further failures of this kind are only counted"
    ]


async def _asynchronous(call: object) -> None: ...


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (SimpleNamespace(on_finish=print), "unknown name 'on_finish'; allowed are on_start, on_f"),
        (SimpleNamespace(on_end=print, on_stop=print), "unknown name 'on_stop'"),
        (SimpleNamespace(end=print), "it has none of on_start, on_first_token, on_end, on_error"),
        (SimpleNamespace(on_end=7), "on_end must be a plain function"),
        (SimpleNamespace(on_end=_asynchronous), "nothing would await it"),
        (print, "it has none of"),
        (Told, "hook Told: it is a class, give an instance of it"),
    ],
)
def test_what_is_no_hook_is_refused_where_the_meter_is_made(hook: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Meter(hooks=[hook])


def test_a_stream_that_is_left_tells_of_its_end() -> None:
    told = Told()
    meter = Meter(hooks=[told])
    for _ in wrap(stream, lambda: meter)("gpt-4o", MESSAGES):
        break
    meter.drain(1)

    assert told.names == ["start", "first", "end"]


class Judge:
    """A hook that asks a model about every answer, as people do who have answers graded."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.started: list[str] = []
        self.ask: Any = None

    def on_start(self, call: StartedCall) -> None:
        self.started.append(call.model)
        self.ask("gpt-4o-mini", MESSAGES)

    def on_end(self, call: Call) -> None:
        self.ended.append(call.model)
        self.ask("gpt-4o-mini", MESSAGES)


def test_what_a_hook_asks_is_recorded_and_not_told_to_it() -> None:
    judge, other, memory = Judge(), Told(), InMemoryExporter()
    meter = Meter(exporters=[memory], hooks=[judge, other])
    judge.ask = wrap(lambda model, messages: {**REPLY, "model": model}, lambda: meter)

    judge.ask("gpt-4o", MESSAGES)
    meter.flush()

    assert [call.model for call in memory.calls] == ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]
    assert (judge.started, judge.ended) == (["gpt-4o"], ["gpt-4o"])
    assert other.names == ["start", "end"]
    call = last_call()
    assert call is not None
    assert call.model == "gpt-4o"  # the user's own, and not the hook's


def test_a_task_that_a_hook_starts_is_not_told_to_it_either() -> None:
    tasks: list[asyncio.Task[Any]] = []

    class Background:
        def on_end(self, call: Call) -> None:
            tasks.append(asyncio.get_running_loop().create_task(ask("gpt-4o-mini", MESSAGES)))

    async def answer(model: str, messages: object) -> Any:
        return REPLY

    memory = InMemoryExporter()
    meter = Meter(exporters=[memory], hooks=[Background()])
    ask = wrap(answer, lambda: meter)

    async def main() -> None:
        await ask("gpt-4o", MESSAGES)
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert (len(tasks), len(memory.calls)) == (1, 2)


def test_the_hooks_of_another_meter_are_told_of_what_a_hook_asks() -> None:
    told = Told()
    inner = wrap(answer, lambda: Meter(exporters=[InMemoryExporter()], hooks=[told]))
    judge = SimpleNamespace(on_end=lambda call: inner("gpt-4o", MESSAGES))
    wrap(answer, lambda: Meter(exporters=[InMemoryExporter()], hooks=[judge]))("gpt-4o", MESSAGES)

    assert told.names == ["start", "end"]


def test_what_a_hook_is_given_can_be_pickled_and_copied() -> None:
    told = Told()
    meter = Meter(exporters=[InMemoryExporter()], hooks=[told])
    wrap(answer, lambda: meter)("gpt-4o", MESSAGES)

    assert told.names == ["start", "end"]
    for _, record in told.heard:
        assert pickle.loads(pickle.dumps(record)) == record
        assert copy.deepcopy(record) == record


def test_hooks_that_are_no_list_are_refused() -> None:
    with pytest.raises(ValueError, match="give a list of them"):
        Meter(hooks=Told())  # type: ignore[arg-type]  # what is refused
