"""The faults of a mock server of others: our errors against those of the official SDKs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import openai
import pytest
from official import FORMATS, KEY

from costspan.core import errors
from costspan.core.completion import acompletion, completion
from costspan.core.errors import APIConnectionError, APIError

if TYPE_CHECKING:
    from tests.services.conftest import AIMock

pytestmark = pytest.mark.services

# Status: our class, then the SDKs' where they have no class of that name.
CLASSES: dict[int, tuple[str, dict[str, str]]] = {
    400: ("BadRequestError", {}),
    401: ("AuthenticationError", {}),
    403: ("PermissionDeniedError", {}),
    404: ("NotFoundError", {}),
    429: ("RateLimitError", {}),
    500: ("InternalServerError", {}),
    503: ("ServiceUnavailableError", {"openai": "InternalServerError"}),
    529: ("OverloadedError", {"openai": "InternalServerError"}),
}
SDKS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "google"}
# The others tell failures apart by a number in the error only.
ONE_CLASS = {"converse": "ClientError", "cohere": "HTTPStatusError", "ollama": "HTTPStatusError"}


def theirs(name: str, status: int) -> str:
    """The name of the SDK's class."""
    sdk = SDKS.get(name)
    if sdk == "google":
        return "ClientError" if status < 500 else "ServerError"
    ours, other = CLASSES[status]
    return other.get(sdk, ours) if sdk else ONE_CLASS[name]


def arguments(name: str, server: AIMock, question: str, test_id: str = "any") -> dict[str, Any]:
    """The arguments of a completion."""
    way = FORMATS[name]
    return {
        "model": way.model,
        "messages": [{"role": "user", "content": question}],
        "base_url": server.url + way.path,
        "api_key": KEY,
        "extra_headers": {"x-test-id": test_id, "x-request-id": f"req-{test_id}"},
        **way.arguments,
    }


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("name", FORMATS)
def test_classes_of_errors(name: str, status: int, stream: bool, aimock: AIMock) -> None:
    way, question = FORMATS[name], f"fail with {status}"
    test_id = f"{name}-{status}-{stream}"
    asked = {**arguments(name, aimock, question, test_id), "stream": stream}
    with pytest.raises(APIError) as ours:
        completion(**asked, num_retries=0)
    assert type(ours.value) is getattr(errors, CLASSES[status][0])
    assert ours.value.status_code == status
    assert ours.value.retry_after_s == (7 if status == 429 else None)
    assert ours.value.request_id == f"req-{test_id}"
    assert ours.value.attempts == 1
    assert len(aimock.requests(test_id)) == 1
    with pytest.raises(way.errors) as caught:
        way.ask(aimock.url, question, stream and way.streams)
    assert type(caught.value).__name__ == theirs(name, status)


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("name", FORMATS)
async def test_classes_of_errors_asynchronously(name: str, status: int, aimock: AIMock) -> None:
    with pytest.raises(APIError) as caught:
        await acompletion(**arguments(name, aimock, f"fail with {status}"), num_retries=0)
    assert type(caught.value) is getattr(errors, CLASSES[status][0])
    assert caught.value.status_code == status


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", FORMATS)
def test_too_fast_once_is_waited_for_as_asked(name: str, stream: bool, aimock: AIMock) -> None:
    test_id = f"once-{name}-{stream}"
    if not FORMATS[name].streams and stream:
        stream = False
    asked = arguments(name, aimock, "too fast once", test_id)
    begin = time.monotonic()
    if stream:
        opened = completion(**asked, stream=True)
        list(opened)
        reply = opened.reply
    else:
        reply = completion(**asked)
    waited_s = time.monotonic() - begin
    assert reply.choices[0].message.content == "Now it works."
    assert len(reply.attempts) == len(aimock.requests(test_id)) == 2
    first, second = reply.attempts
    assert isinstance(first.error, errors.RateLimitError)
    assert first.wait_s is not None
    assert waited_s >= first.wait_s >= 1
    assert second.error is None


async def test_too_fast_once_asynchronously(aimock: AIMock) -> None:
    asked = arguments("chat", aimock, "too fast once", "once-async")
    begin = time.monotonic()
    reply = await acompletion(**asked)
    assert time.monotonic() - begin >= 1
    assert reply.choices[0].message.content == "Now it works."
    assert len(reply.attempts) == 2


def test_the_sdk_waits_as_well(aimock: AIMock) -> None:
    """What is compared with: OpenAI's SDK makes the same two requests by default."""
    headers = {"x-test-id": "once-openai"}
    messages: Any = [{"role": "user", "content": "too fast once"}]
    with openai.OpenAI(base_url=f"{aimock.url}/v1", api_key=KEY, default_headers=headers) as client:
        reply = client.chat.completions.create(model="m", messages=messages)
    assert reply.choices[0].message.content == "Now it works."
    assert len(aimock.requests("once-openai")) == 2


@pytest.mark.parametrize(("status", "requests"), [(500, 3), (503, 3), (400, 1), (401, 1), (404, 1)])
def test_what_is_safe_to_repeat_is_repeated_twice(
    status: int, requests: int, aimock: AIMock
) -> None:
    test_id = f"default-{status}"
    with pytest.raises(APIError) as caught:
        completion(**arguments("chat", aimock, f"fail with {status}", test_id))
    assert caught.value.attempts == requests
    assert len(aimock.requests(test_id)) == requests


WHOLE = (
    "The first words come through, and more and more of them, until all at once, in the middle "
    "of a sentence that would have been a long one, the connection is gone."
)
BROKEN = {"chat": "APIConnectionError", "responses": "APIConnectionError"}
"""Our class has OpenAI's name; the other SDKs let the HTTP library's error through."""


@pytest.mark.parametrize("question", ["truncate the stream", "drop the connection"])
@pytest.mark.parametrize("name", [name for name, way in FORMATS.items() if way.streams])
def test_what_came_before_the_connection_broke_is_kept(
    name: str, question: str, aimock: AIMock
) -> None:
    opened = completion(**arguments(name, aimock, question), stream=True)
    got: list[str] = []
    with pytest.raises(APIConnectionError) as ours:
        got.extend(c.delta.content or "" for chunk in opened for c in chunk.choices)
    text = opened.reply.choices[0].message.content
    assert text == "".join(got)
    assert text
    assert WHOLE.startswith(text)
    assert text != WHOLE
    assert not opened.seen.complete
    assert opened.reply.choices[0].finish_reason is None
    assert ours.value.__cause__ is not None
    with pytest.raises(FORMATS[name].errors) as caught:
        FORMATS[name].ask(aimock.url, question, True)
    assert type(caught.value).__name__ == BROKEN.get(name, "RemoteProtocolError")


@pytest.mark.parametrize("question", ["truncate the stream", "drop the connection"])
@pytest.mark.parametrize("name", [name for name, way in FORMATS.items() if way.streams])
async def test_what_came_before_is_kept_asynchronously(
    name: str, question: str, aimock: AIMock
) -> None:
    opened = await acompletion(**arguments(name, aimock, question), stream=True)
    with pytest.raises(APIConnectionError):
        [chunk async for chunk in opened]
    text = opened.reply.choices[0].message.content
    assert text
    assert WHOLE.startswith(text)
