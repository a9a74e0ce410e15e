"""Web applications that set up everything at import, before the server forks, as people do.

COSTSPAN_HOME says where the ledger is, PROVIDER_URL where the real client's provider answers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import openai

import costspan

REPLY: dict[str, Any] = {"object": "chat.completion", "model": "gpt-4o-mini", "choices": []}
client = costspan.wrap(openai.OpenAI(base_url=os.environ["PROVIDER_URL"], api_key="none"))
async_client = costspan.wrap(
    openai.AsyncOpenAI(base_url=os.environ["PROVIDER_URL"], api_key="none")
)


@costspan.wrap
def ask(model: str, messages: list[Any]) -> dict[str, Any]:
    """A gateway of one's own."""
    return {**REPLY, "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


# Recording has begun when the server forks: its segment, its thread and its lock are there.
with costspan.tags(session_id="import", unit_id=os.getpid()):
    ask("gpt-4o-mini", [])


def wsgi(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """``/sdk/3`` and ``/function/3`` record call 3; the answer is the worker's process id."""
    _, who, number = environ["PATH_INFO"].split("/")
    with costspan.tags(session_id=who, unit_id=number):
        if who == "sdk":
            client.chat.completions.create(model="gpt-4o", messages=[])
        else:
            ask("gpt-4o-mini", [])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """The same for asynchronous servers."""
    if scope["type"] != "http":
        return
    _, who, number = scope["path"].split("/")
    with costspan.tags(session_id=who, unit_id=number):
        if who == "sdk":
            await async_client.chat.completions.create(model="gpt-4o", messages=[])
        else:
            await asyncio.to_thread(ask, "gpt-4o-mini", [])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
