"""What the wrapping benchmarks call: SDK clients over a transport in memory.

The transport hands out an unread byte stream, as a socket does: given ``content``, a mock's
response counts as read already, and the SDK takes another way than it takes in life.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import httpx2
import openai
from completion_answers import chat_frames, chat_reply, messages_reply

KEY = "sk-benchmark"
QUESTION = "What is the capital of France, and since when?"
CHAT_BODY = [json.dumps(chat_reply()).encode()]
MESSAGES_BODY = [json.dumps(messages_reply()).encode()]


def untold_frames(chunks: int) -> list[bytes]:
    """A chat stream that nobody asked the usage of: no ``usage: null`` in each chunk."""
    *frames, _, done = chat_frames(chunks)
    return [*(frame.replace(b',"usage":null', b"") for frame in frames), done]


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames

    def __iter__(self) -> Iterator[bytes]:
        yield from self.frames

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for frame in self.frames:
            yield frame

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Transport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Answers each request with the same frames: one is a whole body, more are a stream."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames
        kind = "application/json" if len(frames) == 1 else "text/event-stream"
        self.headers = {"content-type": kind, "x-request-id": "req_1"}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer."""
        return httpx2.Response(200, headers=self.headers, stream=_Body(self.frames))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer."""
        return httpx2.Response(200, headers=self.headers, stream=_Body(self.frames))


def openai_client(frames: list[bytes]) -> openai.OpenAI:
    """A client that is answered with these frames."""
    return openai.OpenAI(api_key=KEY, http_client=httpx2.Client(transport=Transport(frames)))


def async_openai_client(frames: list[bytes]) -> openai.AsyncOpenAI:
    """The same, asynchronous."""
    http = httpx2.AsyncClient(transport=Transport(frames))
    return openai.AsyncOpenAI(api_key=KEY, http_client=http)


def anthropic_client(frames: list[bytes]) -> anthropic.Anthropic:
    """A client that is answered with these frames."""
    return anthropic.Anthropic(api_key=KEY, http_client=httpx2.Client(transport=Transport(frames)))


def chat(text: str = QUESTION, *, stream: bool = False) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``."""
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    return {**asked, "stream": True} if stream else asked


def messages(*, stream: bool = False) -> dict[str, Any]:
    """Arguments of ``messages.create``."""
    return {**chat(stream=stream), "model": "claude-sonnet-5", "max_tokens": 300}


REPLY = chat_reply()
CHUNKS = [json.loads(frame[6:]) for frame in list(chat_frames(240))[:-1]]


def function(model: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    """A plain function that answers at once."""
    return REPLY


def generator(chunks: int) -> Any:
    """A generator function with so many chunks."""

    def stream(model: str, messages: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        yield from CHUNKS[:chunks]

    return stream
