"""A Meter that keeps its calls in memory, and replies in the wire formats' shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest
from bench import Bench
from fixtures import memory as memory
from fixtures import meter as meter

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer


@pytest.fixture(scope="module")
def shared_bench(shared_frame_server: FrameServer) -> Iterator[Bench]:
    """The bench of a file."""
    bench = Bench(shared_frame_server)
    with bench.openai, bench.plain, bench.claude, bench.plain_claude:
        yield bench


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """The bench, with no answers and no calls."""
    shared_bench.server.reset()
    shared_bench.memory = InMemoryExporter()
    shared_bench.meter = Meter(exporters=[shared_bench.memory])
    return shared_bench


@pytest.fixture
async def async_openai(bench: Bench) -> AsyncIterator[openai.AsyncOpenAI]:
    """A wrapped asynchronous client of openai."""
    made = openai.AsyncOpenAI(base_url=f"{bench.server.url}/v1", api_key="k", max_retries=0)
    async with made as client:
        yield wrap(client, lambda: bench.meter)


@pytest.fixture
async def async_claude(bench: Bench) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """A wrapped asynchronous client of anthropic."""
    made = anthropic.AsyncAnthropic(base_url=bench.server.url, api_key="k", max_retries=0)
    async with made as client:
        yield wrap(client, lambda: bench.meter)
