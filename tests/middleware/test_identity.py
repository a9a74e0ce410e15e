"""What is wrapped stays what it is, and nothing is left behind when it is wrapped no more."""

from __future__ import annotations

import functools
import gc
import inspect
import pickle
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
import wire
from bench import CHAT, CHAT_PATH, HI, MESSAGES_PATH, MSG, STREAM, Bench

from costspan.middleware.meter import Meter
from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLIENTS: list[Callable[[], Any]] = [
    lambda: openai.OpenAI(api_key="k"),
    lambda: openai.AsyncOpenAI(api_key="k"),
    lambda: openai.AzureOpenAI(api_key="k", azure_endpoint="https://a", api_version="1"),
    lambda: anthropic.Anthropic(api_key="k"),
    lambda: anthropic.AsyncAnthropic(api_key="k"),
]


@pytest.mark.parametrize("make", CLIENTS)
def test_a_client_is_the_same_object_and_as_before_when_unwrapped(
    meter: Meter, make: Callable[[], Any]
) -> None:
    client = make()
    kind, before = type(client), dict(vars(client))
    bound = [inspect.signature(getattr(client, name)) for name in ("request", "post", "copy")]
    assert wrap(client, lambda: meter) is client
    assert type(client) is kind
    assert [
        inspect.signature(getattr(client, name)) for name in ("request", "post", "copy")
    ] == bound
    assert inspect.iscoroutinefunction(client.request) == inspect.iscoroutinefunction(kind.request)
    once = dict(vars(client))
    assert wrap(client, lambda: meter) is client
    assert vars(client) == once

    assert unwrap(client) is client
    assert list(vars(client)) == list(before)
    assert all(vars(client)[name] is value for name, value in before.items())
    assert unwrap(client) is client


def test_a_copy_is_wrapped_and_can_be_unwrapped_alone(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    copied = bench.openai.with_options(timeout=9)
    unwrap(copied)
    copied.chat.completions.create(**CHAT)
    assert bench.memory.calls == ()
    bench.openai.chat.completions.create(**CHAT)
    bench.only()


def plain(model: str, messages: list[Any], *, stop: str | None = None) -> dict[str, Any]:
    """A completion."""
    return dict(wire.CHAT_BODY)


async def coroutine(model: str, messages: list[Any], *, stop: str | None = None) -> dict[str, Any]:
    """A completion."""
    return dict(wire.CHAT_BODY)


def generator(model: str, messages: list[Any], *, stop: str = "") -> Iterator[dict[str, Any]]:
    """A completion."""
    yield wire.CHAT_TEXT[0]


async def async_generator(
    model: str, messages: list[Any], *, stop: str = ""
) -> AsyncIterator[dict[str, Any]]:
    """A completion."""
    yield wire.CHAT_TEXT[0]


class Asker:
    """Has methods that complete."""

    def ask(self, model: str, messages: list[Any]) -> dict[str, Any]:
        """A completion."""
        return dict(wire.CHAT_BODY)

    def __call__(self, model: str, messages: list[Any]) -> dict[str, Any]:
        """A completion."""
        return dict(wire.CHAT_BODY)


FUNCTIONS: list[Callable[..., Any]] = [plain, coroutine, generator, async_generator, Asker().ask]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_reads_as_before(meter: Meter, function: Callable[..., Any]) -> None:
    watched = wrap(function, lambda: meter)
    assert watched is not function
    assert wrap(watched, lambda: meter) is watched
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        assert getattr(watched, name) == getattr(function, name)
    assert inspect.signature(watched) == inspect.signature(function)
    for told in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        assert told(watched) == told(function)
    assert unwrap(watched) == function
    assert unwrap(function) is function


@pytest.mark.parametrize(
    "target", [Asker(), functools.partial(plain, "gpt-4o")], ids=["object", "partial"]
)
def test_other_callables_keep_their_signature(bench: Bench, target: Any) -> None:
    watched = wrap(target, lambda: bench.meter)
    assert inspect.signature(watched) == inspect.signature(target)
    given: dict[str, Any] = {"messages": HI}
    if isinstance(target, Asker):
        given["model"] = "gpt-4o"
    assert watched(**given) == wire.CHAT_BODY
    assert bench.only().last.model_requested == "gpt-4o"


def test_a_function_wrapped_in_place_pickles_by_its_name(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = wrap(plain, lambda: meter)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__, sys))
    monkeypatch.setattr(sys.modules[__name__], "plain", watched, raising=False)
    assert pickle.loads(pickle.dumps(watched)) is watched


def test_results_pickle_to_the_same_bytes(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    replies = [client.chat.completions.create(**CHAT) for client in (bench.plain, bench.openai)]
    assert pickle.dumps(replies[0]) == pickle.dumps(replies[1])
    assert vars(replies[0]) == vars(replies[1])


@pytest.mark.parametrize("make", [CLIENTS[0], CLIENTS[4], lambda: plain])
def test_wrapping_and_unwrapping_a_thousand_times_leaves_nothing(
    meter: Meter, make: Callable[[], Any]
) -> None:
    target = make()

    def round_trips(count: int) -> None:
        for _ in range(count):
            assert unwrap(wrap(target, lambda: meter)) is target

    round_trips(20)
    assert _growth(lambda: round_trips(1000)) < 20_000


def _growth(work: Callable[[], None]) -> int:
    """Bytes that are held after some work and were not before."""
    Meter().estimate(CHAT)  # loads the vocabulary, which a thread would else do meanwhile
    gc.collect()
    gc.freeze()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def test_two_thousand_streams_leave_nothing() -> None:
    """Without what is kept on purpose: no exporter holds the records."""
    unheard = Meter()
    watched = wrap(generator, lambda: unheard)

    def streams(count: int) -> None:
        for turn in range(count):
            stream = watched("gpt-4o", HI)
            next(iter(stream))
            if turn % 2:
                list(stream)
        unheard.flush()

    streams(50)
    assert _growth(lambda: streams(2000)) < 50_000


def test_streams_of_a_client_leave_nothing(bench: Bench) -> None:
    bench.meter = Meter()
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)

    def streams(count: int) -> None:
        for _ in range(count):
            for _ in bench.openai.chat.completions.create(**STREAM):
                pass
        bench.server.requests.clear()

    streams(10)
    assert _growth(lambda: streams(60)) < 30_000


@pytest.mark.parametrize("make", ["claude", "openai"])
def test_a_dropped_stream_is_freed_as_early_as_without_us(bench: Bench, make: str) -> None:
    """anthropic 2 frees it without the cyclic collector; openai 3 itself makes a cycle."""
    bench.hold(MESSAGES_PATH, wire.MESSAGE_STREAM[:5])
    bench.hold(CHAT_PATH, wire.CHAT_STREAM[:2])

    def freed(client: Any) -> bool:
        if make == "claude":
            stream = client.messages.create(**MSG, stream=True)
        else:
            stream = client.chat.completions.create(**STREAM)
        next(stream)
        response = weakref.ref(stream.response)
        gone = weakref.ref(stream)
        del stream
        return gone() is None and response() is None

    gc.collect()
    gc.disable()
    try:
        expected = freed(bench.plain_claude if make == "claude" else bench.plain)
        assert freed(getattr(bench, make)) == expected
        if make == "claude" and int(anthropic.__version__.partition(".")[0]) >= 2:
            assert expected
            assert bench.only().status == "interrupted"
    finally:
        gc.enable()
        gc.collect()
