"""Calls of which the provider reports no usage: what we counted, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asking import returning

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import ProviderRequest
from costspan.middleware.request import from_arguments, from_wire
from costspan.middleware.wrap import wrap

HI = [{"role": "user", "content": "hi"}]


def answer(model: str) -> dict[str, Any]:
    """A chat completion without usage."""
    message = {"role": "assistant", "content": "Hello there."}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return {"id": "1", "object": "chat.completion", "model": model, "choices": choices}


class Unreadable(list[dict[str, str]]):
    """Messages that cannot be counted."""

    def __iter__(self) -> Iterator[dict[str, str]]:
        raise RuntimeError("not now")


def asked(meter: Meter, memory: InMemoryExporter, model: str, messages: Any) -> ProviderRequest:
    wrap(returning(lambda: answer(model)), lambda: meter)(model, messages)
    meter.flush()
    (call,) = memory.calls
    return call.last


@pytest.mark.parametrize(
    ("model", "source"),
    [("gpt-4o", "estimated"), ("gpt-5", "partial"), ("o3", "partial"), ("nobody-s", "estimated")],
)
def test_the_thoughts_of_a_model_are_billed_and_unseen(
    meter: Meter, memory: InMemoryExporter, model: str, source: str
) -> None:
    usage = asked(meter, memory, model, HI).usage
    assert usage is not None
    assert (usage.source, usage.flags) == (source, ("no_usage",))
    assert usage.buckets["tokens.in.text"] > 0


def test_an_input_that_nobody_counted_is_unknown(meter: Meter, memory: InMemoryExporter) -> None:
    request = asked(meter, memory, "gpt-4o", Unreadable(HI))
    assert request.usage is not None
    assert request.usage.flags == ("no_usage", "missing:input")
    assert set(request.usage.buckets) == {"tokens.out.text"}
    assert request.cost is not None
    assert (request.cost.status, request.cost.unpriced_meters) == ("partial", ("tokens.in.text",))


def test_the_region_that_a_host_promises_is_priced(meter: Meter, memory: InMemoryExporter) -> None:
    # gpt-5.4 since 2026-03-05: $2.50 in, 10% more for regional processing.
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}

    def ask(model: str, messages: Any, base_url: str) -> dict[str, Any]:
        return {**answer(model), "usage": usage}

    for base_url in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1"):
        wrap(ask, lambda: meter)("gpt-5.4", HI, base_url=base_url)
    meter.flush()
    world, europe = (call.last for call in memory.calls)
    assert (dict(world.context), dict(europe.context)) == ({}, {"region": "eu"})
    assert world.cost is not None
    assert europe.cost is not None
    assert world.cost.total is not None
    assert europe.cost.total == world.cost.total * 11 / 10


@pytest.mark.parametrize(
    ("base_url", "default", "context"),
    [
        ("https://us.api.openai.com/v1", "openai", {"region": "us"}),
        ("https://us-east5-aiplatform.googleapis.com/v1", "anthropic", {"region": "us-east5"}),
        ("https://aiplatform.eu.rep.googleapis.com/v1", "anthropic", {"region": "eu"}),
        ("https://aiplatform.googleapis.com/v1", "anthropic", {}),
        ("https://eu-west-1.api.x.ai/v1", "openai", {"region": "eu"}),
        ("http://127.0.0.1:8000/v1", "openai", {}),
    ],
)
def test_hosts_that_promise_a_region(base_url: str, default: str, context: dict[str, str]) -> None:
    asked = from_wire("chat", {"model": "m", "messages": HI}, base_url, default)
    assert asked.context == context


def test_an_address_that_is_none_is_left_to_the_call() -> None:
    asked = from_arguments({"model": "gpt-4o", "messages": HI, "base_url": "http://host:eighty"})
    assert (asked.provider, asked.endpoint, asked.port) == ("openai", None, None)


def test_the_place_that_litellm_is_told() -> None:
    arguments = {"model": "vertex_ai/claude-sonnet-4-5", "messages": HI}
    asked = from_arguments({**arguments, "vertex_location": "us-east5"})
    assert asked.context == {"region": "us-east5"}
