"""``mock_response``: answers that stand ready, for tests. Nothing is sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from costspan.core import errors
from costspan.core.errors import APIError, BadRequestError
from costspan.core.reply import Reply
from costspan.core.types import JSON

MockResponse: TypeAlias = "str | JSON | Reply | Exception"
"""A text to answer, a whole body in OpenAI's shape, a reply, an error to raise, or its name
(``RateLimitError``, also with LiteLLM's ``litellm.`` before it)."""

_PIECES = re.compile(r"\S+\s*|\s+")


class MockClient:
    """Stands in for an HTTP client, and answers every request with the same in OpenAI's format.

    Args:
        answer: What is answered.
        model: The model that the answer names.
    """

    def __init__(self, answer: MockResponse, model: str) -> None:
        self._error = _error(answer)
        self._body = {} if self._error else _body(answer, model)

    def build_request(self, *_: Any, **__: Any) -> None:
        """Nothing is built, for nothing is sent."""

    def send(self, _: None, *, stream: bool) -> Response:
        """The answer, or the error that it is."""
        if self._error is not None:
            raise self._error
        return Response(self._body, stream=stream)


class AsyncMockClient(MockClient):
    """The same for `acompletion`."""

    async def send(self, _: None, *, stream: bool) -> Response:  # type: ignore[override]  # awaited
        """The answer, or the error that it is."""
        return super().send(_, stream=stream)


class Response:
    """Stands in for the HTTP library's response."""

    status_code = 200
    extensions: Mapping[str, object] = {}

    def __init__(self, body: JSON, *, stream: bool) -> None:
        kind = "text/event-stream" if stream else "application/json"
        self.headers = {"content-type": kind}
        self._frames = list(_frames(body)) if stream else [orjson.dumps(body)]

    @property
    def content(self) -> bytes:
        """The whole body."""
        return b"".join(self._frames)

    def iter_bytes(self) -> Iterator[bytes]:
        """The body in the pieces in which a server would send it."""
        return iter(self._frames)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The same, asynchronously."""
        for frame in self._frames:
            yield frame

    def close(self) -> None:
        """There is nothing to close."""

    async def aclose(self) -> None:
        """There is nothing to close."""


def _error(answer: MockResponse) -> Exception | None:
    if isinstance(answer, Exception):
        return answer
    name = answer.removeprefix("litellm.") if isinstance(answer, str) else ""
    kind = getattr(errors, name, None) if name.isidentifier() else None
    if isinstance(kind, type) and issubclass(kind, APIError):
        return kind("raised because of mock_response")
    return None


def _body(answer: MockResponse, model: str) -> JSON:
    if isinstance(answer, Reply):
        return answer.model_dump(exclude_none=True)
    if isinstance(answer, Mapping):
        return answer
    if not isinstance(answer, str):
        raise BadRequestError(
            "mock_response must be a text, a body in OpenAI's shape, a Reply, or an error"
        )
    message = {"role": "assistant", "content": answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "mock", "object": "chat.completion", "model": model, "choices": [choice]}


def _frames(body: JSON) -> Iterator[bytes]:
    """The body as a stream: the text in words, then the ends, then the usage."""
    choices = body.get("choices")
    head = {"id": body.get("id"), "object": "chat.completion.chunk", "model": body.get("model")}
    for choice in choices if isinstance(choices, list) else ():
        index, message = choice.get("index", 0), choice.get("message") or {}
        text = message.get("content")
        rest = {name: value for name, value in message.items() if name != "content"}
        for delta in (rest, *({"content": each} for each in _PIECES.findall(text or ""))):
            yield _frame({**head, "choices": [{"index": index, "delta": delta}]})
        end = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}
        yield _frame({**head, "choices": [end]})
    if body.get("usage"):
        yield _frame({**head, "choices": [], "usage": body["usage"]})
    yield b"data: [DONE]\n\n"


def _frame(event: JSON) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"
