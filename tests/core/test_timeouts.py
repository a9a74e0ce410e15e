"""How long a request may take: to connect, to its first byte, between two reads, and in all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.errors import APIConnectionError, APITimeoutError, Timeout
from costspan.core.policy import Policy
from costspan.core.timeouts import Limits

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
SSE = {"content-type": "text/event-stream"}
LATE_S = 0.4
"""What a busy machine may add to a limit."""


async def ask(url: str, how: str, policy: Policy, *, stream: bool = True, **given: Any) -> str:
    """The text of an answer, asked for in one of the four ways."""
    library = {"httpx": httpx, "httpx2": httpx2}[how.removesuffix(" async")]
    given = {"base_url": f"{url}/v1", "api_key": "k", "policy": policy, "stream": stream, **given}
    if not how.endswith("async"):
        return await asyncio.to_thread(ask_blocking, library, given)
    async with library.AsyncClient(verify=False) as client:
        found: Any = await acompletion("openai/m", HELLO, client=client, **given)
        if not stream:
            return str(found.choices[0].message.content)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in found if chunk.choices]
        return "".join(pieces)


def ask_blocking(library: Any, given: dict[str, Any]) -> str:
    with library.Client(verify=False) as client:
        found: Any = completion("openai/m", HELLO, client=client, **given)
        if not given["stream"]:
            return str(found.choices[0].message.content)
        return "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)


WAYS = ["httpx", "httpx2", "httpx async", "httpx2 async"]


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def full() -> Iterator[str]:
    """The address of a server whose queue is full, so that connecting to it takes for ever."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("script", "limits", "argument", "limit_s"),
    [
        pytest.param({"delay_s": 5}, {"first_token_timeout_s": 0.2}, "first_token", 0.2, id="head"),
        pytest.param(
            {"frames": [b"", b": x\n\n"], "pause_s": 5},
            {"first_token_timeout_s": 0.2, "between_tokens_timeout_s": 9},
            "first_token",
            0.2,
            id="first byte of the body",
        ),
        pytest.param(
            {"frames": [b": x\n\n", b": y\n\n"], "pause_s": 5},
            {"first_token_timeout_s": 9, "between_tokens_timeout_s": 0.2},
            "between_tokens",
            0.2,
            id="second piece",
        ),
        pytest.param(
            {"frames": [b": x\n\n"] * 60, "pause_s": 0.06},
            {"deadline_s": 0.5, "between_tokens_timeout_s": 2},
            "deadline",
            0.5,
            id="deadline of a trickling stream",
        ),
        pytest.param(
            {"frames": [b": x\n\n"] * 2500, "pause_s": 0.001},
            {"deadline_s": 0.5},
            "deadline",
            0.5,
            id="deadline of a quick stream",
        ),
        pytest.param({"delay_s": 5}, {"deadline_s": 0.2}, "deadline", 0.2, id="deadline of a head"),
    ],
)
async def test_limits_of_streams(
    how: str,
    script: dict[str, Any],
    limits: dict[str, Any],
    argument: str,
    limit_s: float,
    frame_server: FrameServer,
) -> None:
    frame_server.script(CHAT, headers=SSE, **script)
    began = time.monotonic()
    with pytest.raises(Timeout, match=f"{limit_s} seconds.*: raise {argument}") as caught:
        await ask(frame_server.url, how, Policy(**limits))
    took_s = time.monotonic() - began
    assert limit_s - 0.01 <= took_s < limit_s + LATE_S
    assert (caught.value.answered, caught.value.sent, caught.value.model) == (False, True, "m")
    assert frame_server.wait_hung_up()


@pytest.mark.parametrize("how", WAYS)
async def test_the_deadline_of_a_body_that_trickles(how: str, frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b"{", *[b" "] * 60], pause_s=0.06)
    began = time.monotonic()
    with pytest.raises(Timeout, match=r"not done within 0\.5 seconds: raise deadline_s"):
        await ask(frame_server.url, how, Policy(deadline_s=0.5), stream=False)
    assert 0.49 <= time.monotonic() - began < 0.5 + LATE_S
    assert frame_server.wait_hung_up()


@pytest.mark.parametrize("how", WAYS)
async def test_a_slow_stream_within_its_limits(
    how: str, frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    frame_server.script(CHAT, frames=chat_frames, delay_s=0.6, pause_s=0.02)
    limits = Policy(first_token_timeout_s=5, between_tokens_timeout_s=0.4, deadline_s=20)
    assert await ask(frame_server.url, how, limits) == "Größe 🎈"


@pytest.mark.parametrize("how", WAYS)
async def test_what_is_not_streamed_comes_when_it_is_complete(
    how: str, frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.script(
        CHAT, frames=[json.dumps(chat_body).encode(), b" "], delay_s=0.3, pause_s=0.3
    )
    limits = Policy(first_token_timeout_s=0.1, between_tokens_timeout_s=0.1, deadline_s=20)
    assert await ask(frame_server.url, how, limits, stream=False) == "Größe 🎈"


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_limits_end_with_their_request_though_the_connection_goes_on(
    library: Any, frame_server: FrameServer, chat_frames: list[bytes], chat_body: dict[str, object]
) -> None:
    frame_server.script(CHAT, frames=chat_frames)
    frame_server.script(
        CHAT, frames=[b"", json.dumps(chat_body).encode()], delay_s=0.3, pause_s=0.3
    )
    frame_server.script(CHAT, frames=chat_frames, pause_s=5)
    limited = Policy(between_tokens_timeout_s=0.1, deadline_s=0.25, max_retries=0)
    given: dict[str, Any] = {"base_url": f"{frame_server.url}/v1", "api_key": "k"}
    with library.Client(verify=False) as client:
        given["client"] = client
        list(completion("openai/m", HELLO, stream=True, policy=limited, **given))
        reply = completion("openai/m", HELLO, **given)
        assert reply.choices[0].message.content == "Größe 🎈"
        with pytest.raises(Timeout, match=r"0\.1 seconds in the middle of a stream"):
            list(completion("openai/m", HELLO, stream=True, policy=limited, **given))
    assert [each.connection for each in frame_server.requests] == [1, 1, 1]


async def test_limits_end_with_their_request_asynchronously(
    frame_server: FrameServer, chat_frames: list[bytes], chat_body: dict[str, object]
) -> None:
    frame_server.script(CHAT, frames=chat_frames)
    frame_server.script(
        CHAT, frames=[b"", json.dumps(chat_body).encode()], delay_s=0.3, pause_s=0.3
    )
    limited = Policy(between_tokens_timeout_s=0.1, deadline_s=0.25, max_retries=0)
    given: dict[str, Any] = {"base_url": f"{frame_server.url}/v1", "api_key": "k"}
    stream: Any = await acompletion("openai/m", HELLO, stream=True, policy=limited, **given)
    async for _ in stream:
        pass
    reply: Any = await acompletion("openai/m", HELLO, **given)
    assert reply.choices[0].message.content == "Größe 🎈"
    assert [each.connection for each in frame_server.requests] == [1, 1]


@pytest.mark.parametrize("how", WAYS)
async def test_a_connection_that_takes_too_long_is_tried_again(how: str, full: str) -> None:
    policy = Policy(connect_timeout_s=0.15, first_wait_s=0.01, max_retries=1)
    with pytest.raises(APITimeoutError, match=r"0\.15 seconds: raise connect_timeout_s") as caught:
        await ask(full, how, policy)
    assert (caught.value.attempts, caught.value.sent) == (2, False)


def test_a_timeout_after_sending_is_tried_again_only_where_wanted(silent: str) -> None:
    given: dict[str, Any] = {"base_url": silent, "api_key": "k", "timeout": 0.1}
    for retry_timeouts, attempts in ((False, 1), (True, 3)):
        policy = Policy(retry_timeouts=retry_timeouts, first_wait_s=0.01)
        with pytest.raises(Timeout, match="raise timeout=") as caught:
            completion("openai/m", HELLO, policy=policy, **given)
        assert (caught.value.attempts, caught.value.sent) == (attempts, True)


def test_a_deadline_holds_over_all_attempts(silent: str) -> None:
    policy = Policy(retry_timeouts=True, first_wait_s=0.01, max_retries=50, deadline_s=0.5)
    began = time.monotonic()
    with pytest.raises(Timeout) as caught:
        completion("openai/m", HELLO, base_url=silent, api_key="k", timeout=0.1, policy=policy)
    assert time.monotonic() - began < 0.5 + LATE_S
    assert 2 <= caught.value.attempts <= 5


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(APIConnectionError) as caught:
        completion("m", HELLO, base_url=f"http://127.0.0.1:{port}", num_retries=0)
    assert (caught.value.answered, caught.value.sent) == (False, False)


async def test_a_limited_request_can_be_cancelled(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b"{", b"}"], pause_s=9)
    policy = Policy(deadline_s=60)
    task = asyncio.create_task(ask(frame_server.url, "httpx async", policy, stream=False))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert frame_server.wait_hung_up()


@pytest.mark.parametrize("stream", [False, True])
def test_control_c_ends_a_limited_request(stream: bool, frame_server: FrameServer) -> None:
    frame_server.script(CHAT, headers=SSE, frames=[b": x\n\n", b": y\n\n"], pause_s=9)
    program = f"""
from costspan.core.completion import completion
from costspan.core.policy import Policy
policy = Policy(deadline_s=60, retry_timeouts=True)
try:
    list(completion("openai/m", [{{"role": "user", "content": "Hi"}}], stream={stream},
                    base_url="{frame_server.url}/v1", api_key="k", policy=policy))
except KeyboardInterrupt:
    print("interrupted")
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    while not frame_server.requests:
        time.sleep(0.02)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=5)
    assert (said.strip(), running.returncode) == ("interrupted", 0)
    assert frame_server.wait_hung_up()
    assert len(frame_server.requests) == 1


def test_a_call_without_limits_loads_nothing_of_them(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    program = f"""
import sys
from costspan.core.completion import completion
completion("openai/m", [{{"role": "user", "content": "Hi"}}],
           base_url="{frame_server.url}/v1", api_key="k")
print([name for name in ("tenacity", "costspan.core.timeouts") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


class Clock:
    """Time that stands still until it is moved."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def limits_of(clock: Clock, *, stream: bool = True, left_s: float = 10, **said: Any) -> Limits:
    policy = Policy(deadline_s=left_s, **said)
    found = Limits(policy, clock() + left_s, stream=stream, provider="p", model="m", clock=clock)
    found.take_over({"timeout": {"connect": 5.0, "read": 7.0, "write": None, "pool": 20.0}})
    return found


def test_the_narrowest_limit_holds_at_each_step() -> None:
    clock = Clock()
    limits = limits_of(
        clock, connect_timeout_s=2, first_token_timeout_s=4, between_tokens_timeout_s=1
    )
    assert dict(limits) == {"connect": 2, "read": 4, "write": 10, "pool": 10}
    clock.now_s += 3
    assert dict(limits) == {"connect": 2, "read": 1, "write": 7, "pool": 7}
    limits.began = True
    assert limits["read"] == 1
    clock.now_s += 6.5
    assert dict(limits) == {"connect": 0.5, "read": 0.5, "write": 0.5, "pool": 0.5}


def test_without_a_stream_only_the_deadline_holds() -> None:
    limits = limits_of(Clock(), stream=False, first_token_timeout_s=1, between_tokens_timeout_s=1)
    assert limits["read"] == 7
    limits.began = True
    assert limits["read"] == 7


@pytest.mark.parametrize(("phase", "sent"), [("connect", False), ("pool", False), ("read", True)])
def test_nothing_left_is_an_error_at_once(phase: str, sent: bool) -> None:
    clock = Clock()
    limits = limits_of(clock)
    clock.now_s += 10
    with pytest.raises(Timeout, match="not done within 10 seconds: raise deadline_s") as caught:
        limits[phase]
    assert caught.value.sent is sent
