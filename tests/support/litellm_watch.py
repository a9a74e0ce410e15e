"""LiteLLM's functions watched at one server, and what they left."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import litellm_wire as wire

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer


class Watch:
    """LiteLLM's functions wrapped, and what they left."""

    def __init__(self, server: FrameServer) -> None:
        self.server = server
        self.memory = InMemoryExporter()
        self.meter = Meter(exporters=[self.memory])

    def wrapped(self, target: Any) -> Any:
        return wrap(target, lambda: self.meter)

    def gpt(self, **more: Any) -> dict[str, Any]:
        base = {"api_key": "k", "api_base": f"{self.server.url}/v1", "messages": wire.ASK}
        return {"model": "openai/gpt-4o-mini", **base, **more}

    def claude(self, **more: Any) -> dict[str, Any]:
        base = {"api_key": "k", "api_base": self.server.url, "messages": wire.ASK}
        return {"model": "anthropic/claude-sonnet-4-5", **base, **more}

    def answers(self, path: str, answer: Mapping[str, Any] | Sequence[bytes]) -> None:
        self.server.reset()
        if isinstance(answer, Mapping):
            self.server.json(path, answer)
        else:
            self.server.script(path, frames=list(answer))

    def call(self) -> Call:
        deadline = time.monotonic() + 5  # LiteLLM's threads may hold a stream for a moment
        while not self.memory.calls and time.monotonic() < deadline:
            gc.collect()
            self.meter.flush()
        assert self.meter.guard.failures == {}
        (call,) = self.memory.calls
        self.memory.clear()
        return call


def buckets(call: Call) -> dict[str, Any]:
    """The tokens that the provider counted, without zeros."""
    assert call.last.usage is not None
    assert call.last.usage.source == "provider"
    return {meter: n for meter, n in call.last.usage.buckets.items() if n}


def is_gpt(call: Call) -> None:
    """Check the record of `litellm_wire.GPT`, plain or streamed."""
    assert (call.status, call.cost_status, call.cost_usd) == ("ok", "priced", wire.GPT_USD)
    assert buckets(call) == wire.GPT_BUCKETS
    assert (call.last.provider, call.model) == ("openai", "gpt-4o-mini-2024-07-18")
    assert len(call.requests) == 1
