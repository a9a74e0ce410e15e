"""``costspan.litellm_callback``: each call of LiteLLM once, without a ``wrap``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import litellm_wire as wire
import pytest
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.types_utils.utils import get_instance_fn

import costspan
from costspan.exporters.memory import InMemoryExporter
from costspan.meter import set_default_meter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # LiteLLM's own
    pytest.mark.usefixtures("collected"),
]

SETTLED_S = 0.2
"""How long a second record would take to come after the first."""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryExporter]:
    memory = InMemoryExporter()
    former = set_default_meter(Meter(exporters=[memory]))
    monkeypatch.setattr(litellm, "callbacks", [get_instance_fn("costspan.litellm_callback")])
    yield memory
    set_default_meter(former)


def _only(memory: InMemoryExporter) -> Call:
    deadline = time.monotonic() + 5
    while not memory.calls and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(SETTLED_S)
    (call,) = memory.calls
    return call


async def _only_async(memory: InMemoryExporter) -> Call:
    deadline = time.monotonic() + 5
    while not memory.calls and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    await asyncio.sleep(SETTLED_S)
    (call,) = memory.calls
    return call


def _claude(server: FrameServer, stream: bool = False, **more: Any) -> dict[str, Any]:
    server.reset()
    if stream:
        server.script("/v1/messages", frames=wire.CLAUDE_FRAMES)
    else:
        server.json("/v1/messages", wire.CLAUDE)
    base = {"api_key": "k", "api_base": server.url, "messages": wire.ASK, "stream": stream}
    return {"model": "anthropic/claude-sonnet-4-5", **base, **more}


def test_the_proxy_finds_the_instance() -> None:
    """``callbacks: costspan.litellm_callback``, by LiteLLM's own rules."""
    found = get_instance_fn("costspan.litellm_callback")
    assert isinstance(found, CustomLogger)
    assert found is costspan.litellm_callback


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_recorded_once(
    shared_frame_server: FrameServer, memory: InMemoryExporter, stream: bool
) -> None:
    metadata = {"tags": ["job:nightly"], "team": "search"}
    arguments = _claude(shared_frame_server, stream, metadata=metadata, litellm_session_id="s1")
    reply = litellm.completion(**arguments)
    if stream:
        list(reply)
    call = _only(memory)
    assert call.cost_usd == (wire.CLAUDE_TOKENS_USD if stream else wire.CLAUDE_USD)
    assert (call.last.provider, call.model) == ("anthropic", "claude-sonnet-4-5-20250929")
    assert (call.streaming, call.status) == (stream, "ok")
    assert call.tags == {"job": "nightly", "team": "search", "session_id": "s1"}
    assert call.session_id == "s1"
    assert call.latency_us > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_the_async_hook_is_called_once_litellm_7260(
    shared_frame_server: FrameServer, memory: InMemoryExporter, stream: bool
) -> None:
    """LL#7260: the hook of an asynchronous stream was never called."""
    reply: Any = await litellm.acompletion(**_claude(shared_frame_server, stream))
    if stream:
        assert [chunk async for chunk in reply]
    call = await _only_async(memory)
    assert call.cost_usd == (wire.CLAUDE_TOKENS_USD if stream else wire.CLAUDE_USD)


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_wrapped_is_not_recorded_twice(
    shared_frame_server: FrameServer, memory: InMemoryExporter, stream: bool
) -> None:
    meter = Meter(exporters=[memory])
    reply = wrap(litellm.completion, lambda: meter)(**_claude(shared_frame_server, stream))
    if stream:
        list(reply)
    assert _only(memory).last.model_requested == "anthropic/claude-sonnet-4-5"


async def test_what_is_wrapped_is_not_recorded_twice_async(
    shared_frame_server: FrameServer, memory: InMemoryExporter
) -> None:
    meter = Meter(exporters=[memory])
    await wrap(litellm.acompletion, lambda: meter)(**_claude(shared_frame_server))
    assert (await _only_async(memory)).cost_usd == wire.CLAUDE_USD


def test_a_failure(shared_frame_server: FrameServer, memory: InMemoryExporter) -> None:
    shared_frame_server.reset()
    shared_frame_server.json("/v1/chat/completions", wire.REFUSED, 400)
    base = {"api_key": "k", "api_base": f"{shared_frame_server.url}/v1", "messages": wire.ASK}
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(model="openai/gpt-4o-mini", **base)
    call = _only(memory)
    assert (call.status, call.cost_usd) == ("error", None)
    assert call.error is not None
    assert (call.error.type, call.error.http_status) == ("litellm.BadRequestError", 400)


def test_who_called_the_proxy_becomes_tags_and_keys_do_not(memory: InMemoryExporter) -> None:
    """With the arguments that LiteLLM's proxy gives to a callback."""
    now = datetime.now()
    known = {
        "user_api_key_hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "user_api_key_alias": "batch-job",
        "user_api_key_team_alias": "search",
        "user_api_key_user_email": "a@b.c",
        "requester_metadata": {"feature": "summary"},
    }
    hook: Any = costspan.litellm_callback
    hook.log_success_event(
        {
            "litellm_call_id": "proxy-1",
            "model": "gpt-4o-mini",
            "litellm_params": {"metadata": {"user_api_key": "sk-secret", **known}},
            "standard_logging_object": {
                "custom_llm_provider": "openai",
                "call_type": "acompletion",
                "metadata": known,
                "request_tags": ["job:nightly"],
            },
        },
        litellm.ModelResponse(**wire.GPT),
        now,
        now,
    )
    call = _only(memory)
    assert call.cost_usd == wire.GPT_USD
    assert call.tags == {
        "user_api_key_alias": "batch-job",
        "user_api_key_team_alias": "search",
        "feature": "summary",
        "job": "nightly",
    }


PROGRAM = """
import asyncio, sys, litellm, costspan
litellm.callbacks = [costspan.litellm_callback]
async def main():
    await litellm.acompletion(model="anthropic/claude-sonnet-4-5", api_key="k",
        api_base=sys.argv[1], messages=[{"role": "user", "content": "hi"}])
asyncio.run(main())
"""


def test_what_is_pending_is_recorded_at_exit(
    shared_frame_server: FrameServer, tmp_path: Path
) -> None:
    """LiteLLM runs the hooks of asynchronous calls in a worker, which the loop may outrun."""
    arguments = _claude(shared_frame_server)
    (tmp_path / "costspan.toml").write_text('exporters = ["jsonlines"]\n')
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, arguments["api_base"]],
        cwd=tmp_path,
        env={**os.environ, "COSTSPAN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 1, done.stderr
