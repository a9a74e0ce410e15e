"""The shared clients: connections are kept and used again, many at once, and given back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from costspan.core import clients
from costspan.core.completion import acompletion

if TYPE_CHECKING:
    import pytest

    from tests.conftest import FrameServer

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
MESSAGES = [{"role": "user", "content": "Well?"}]
DATA = b'data: {"choices": [{"index": 0, "delta": {"content": "Yes."}}]}\n\n'


async def ask(server: FrameServer) -> None:
    """One whole answer."""
    reply = await acompletion("openai/m", MESSAGES, base_url=f"{server.url}/v1", api_key="k")
    assert reply.choices[0].message.content == "Yes."


async def test_a_second_burst_opens_no_connection(frame_server: FrameServer) -> None:
    frame_server.script("/v1/chat/completions", frames=[DATA], delay_s=0.05)
    for _ in range(2):
        calls = (
            acompletion(
                "openai/m", MESSAGES, base_url=f"{frame_server.url}/v1", api_key="k", stream=True
            )
            for _ in range(40)
        )
        for stream in await asyncio.gather(*calls):
            assert [chunk.choices[0].delta.content async for chunk in stream] == ["Yes."]
    assert len({request.connection for request in frame_server.requests}) == 40


async def test_one_call_after_the_other_uses_one_connection(frame_server: FrameServer) -> None:
    frame_server.json("/v1/chat/completions", REPLY)
    await asyncio.gather(*(ask(frame_server) for _ in range(10)))
    burst = {request.connection for request in frame_server.requests}
    for _ in range(5):
        await ask(frame_server)
    later = {request.connection for request in frame_server.requests[10:]}
    assert len(later) == 1
    assert later < burst


async def test_clients_of_a_burst_are_closed_after_a_while(
    frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_server.json("/v1/chat/completions", REPLY)
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(ask(frame_server) for _ in range(12)))
    shares = clients._shares[loop]
    assert len(shares) == 3
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now + 61)
    closed = [share.client for share in shares[1:]]
    for _ in closed:
        await ask(frame_server)
    assert len(shares) == 1
    assert all(client.is_closed for client in closed)


async def test_an_open_stream_counts_until_it_is_left(frame_server: FrameServer) -> None:
    frame_server.script("/v1/chat/completions", frames=[DATA])
    base_url = f"{frame_server.url}/v1"
    streams = [
        await acompletion("openai/m", MESSAGES, base_url=base_url, api_key="k", stream=True)
        for _ in range(5)
    ]
    shares = clients._shares[asyncio.get_running_loop()]
    assert [share.at_once for share in shares] == [4, 1]
    for stream in streams:
        await stream.aclose()
    assert [share.at_once for share in shares] == [0, 0]
