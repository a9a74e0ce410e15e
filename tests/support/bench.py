"""Wrapped clients of openai and anthropic at one server, for tests that look at single calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": HI}
STREAM: dict[str, Any] = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "hi"}
MSG: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": HI}
CHAT_PATH, RESPONSES_PATH, MESSAGES_PATH = "/v1/chat/completions", "/v1/responses", "/v1/messages"


class Bench:
    """Clients of one server, made once, whose calls go to a Meter of each test."""

    def __init__(self, server: FrameServer) -> None:
        self.server = server
        self.memory = InMemoryExporter()
        self.meter = Meter(exporters=[self.memory])
        base, key, retries = f"{server.url}/v1", "k", 0
        self.openai = openai.OpenAI(base_url=base, api_key=key, max_retries=retries)
        self.plain = openai.OpenAI(base_url=base, api_key=key, max_retries=retries)
        self.claude = anthropic.Anthropic(base_url=server.url, api_key=key, max_retries=retries)
        self.plain_claude = anthropic.Anthropic(
            base_url=server.url, api_key=key, max_retries=retries
        )
        for client in (self.openai, self.claude):
            wrap(client, lambda: self.meter)

    def answer(self, path: str, answer: Any, **script: Any) -> None:
        """Be answered with a body or frames."""
        if isinstance(answer, dict):
            self.server.json(path, answer)
        else:
            self.server.script(path, frames=answer, **script)

    def hold(self, path: str, frames: list[bytes]) -> None:
        """Be answered with the first frames, and then with nothing until the client leaves."""
        self.server.script(path, frames=[b"".join(frames), b"\n"], pause_s=30)

    def only(self) -> Call:
        """The one record."""
        self.meter.flush()
        assert self.meter.guard.failures == {}
        (call,) = self.memory.calls
        return call
