"""The way of a completion: repeated, rotated over keys, to other models, fanned out."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from costspan.core.breaker import CircuitBreaker
from costspan.core.completion import acompletion, completion
from costspan.core.errors import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    BadRequestError,
    CircuitOpenError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
)
from costspan.core.policy import Policy

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
QUICK = Policy(max_retries=2, first_wait_s=0.01, max_wait_s=0.02)


def fail(server: FrameServer, path: str, *statuses: int, **headers: str) -> None:
    for status in statuses:
        body = {"error": {"message": "no", "type": "t", "code": None}}
        server.json(path, body, status=status, headers=headers)


def ask(server: FrameServer, model: str = "openai/m", **arguments: Any) -> Any:
    given = {"base_url": f"{server.url}/v1", "api_key": "k", "policy": QUICK, **arguments}
    return completion(model, HELLO, **given)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_what_is_safe_is_repeated(
    status: int, frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    fail(frame_server, CHAT, status, status)
    frame_server.json(CHAT, chat_body)
    reply = ask(frame_server)
    assert reply.choices[0].message.content == "Größe 🎈"
    assert len(frame_server.requests) == 3
    errors = [attempt.error and attempt.error.status_code for attempt in reply.attempts]
    assert errors == [status, status, None]
    assert [attempt.wait_s is None for attempt in reply.attempts] == [False, False, True]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_what_would_fail_again_is_not_repeated(status: int, frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, status)
    with pytest.raises(APIError) as caught:
        ask(frame_server)
    assert len(frame_server.requests) == 1
    assert caught.value.attempts == 1


async def test_the_last_error_says_how_often_it_was_tried(frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, 429, 500, 529)
    with pytest.raises(OverloadedError) as caught:
        await acompletion(
            "openai/m", HELLO, base_url=f"{frame_server.url}/v1", api_key="k", policy=QUICK
        )
    assert caught.value.attempts == 3
    kinds = [type(attempt.error).__name__ for attempt in caught.value.history]
    assert kinds == ["RateLimitError", "InternalServerError", "OverloadedError"]


def test_retry_after_is_waited_for(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    fail(frame_server, CHAT, 429, **{"retry-after-ms": "300"})
    frame_server.json(CHAT, chat_body)
    began = time.monotonic()
    reply = ask(frame_server)
    assert time.monotonic() - began >= 0.3
    assert reply.attempts[0].wait_s >= 0.3


def test_a_wait_beyond_the_deadline_is_not_begun(frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, 429, **{"retry-after": "30"})
    began = time.monotonic()
    with pytest.raises(RateLimitError) as caught:
        ask(frame_server, policy=Policy(deadline_s=5))
    assert time.monotonic() - began < 5
    assert (caught.value.retry_after_s, caught.value.attempts) == (30, 1)


@pytest.mark.parametrize("argument", ["num_retries", "max_retries"])
def test_the_number_of_retries_alone(argument: str, frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, 500)
    given: dict[str, Any] = {argument: 1}
    with pytest.raises(InternalServerError):
        ask(frame_server, **given)
    assert len(frame_server.requests) == 2


def test_num_retries_and_max_retries_are_one_argument(frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="num_retries and max_retries are one argument"):
        ask(frame_server, num_retries=1, max_retries=2)


def test_a_refused_connection_is_repeated() -> None:
    with pytest.raises(APIConnectionError) as caught:
        completion("m", HELLO, base_url="http://127.0.0.1:9/v1", policy=QUICK)
    assert caught.value.attempts == 3


def test_a_connection_that_broke_after_sending_may_be_billed(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b'{"choices"'], cut=True)
    with pytest.raises(APIConnectionError) as caught:
        ask(frame_server)
    assert (caught.value.attempts, len(frame_server.requests)) == (1, 1)


def test_a_connection_that_the_server_has_given_up_is_made_again(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    class Stale(httpx.BaseTransport):
        def __init__(self) -> None:
            self.inner, self.times = httpx.HTTPTransport(), 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            self.times += 1
            if self.times == 1:
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            return self.inner.handle_request(request)

        def close(self) -> None:
            self.inner.close()

    frame_server.json(CHAT, chat_body)
    with httpx.Client(transport=Stale()) as client:
        reply = ask(frame_server, client=client)
    assert [a.error is None for a in reply.attempts] == [False, True]


def test_a_stream_is_repeated_until_it_has_begun(
    frame_server: FrameServer, chat_frames: list[bytes]
) -> None:
    fail(frame_server, CHAT, 503)
    frame_server.script(CHAT, frames=chat_frames)
    stream = ask(frame_server, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Größe 🎈"
    assert [a.error is None for a in stream.reply.attempts] == [False, True]


# Several keys


def sent_keys(server: FrameServer) -> list[str]:
    return [each.headers["authorization"].removeprefix("Bearer ") for each in server.requests]


@pytest.mark.parametrize("status", [401, 403, 429])
def test_the_next_key_is_taken_at_once(
    status: int, frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    fail(frame_server, CHAT, status, **{"retry-after": "30"})
    frame_server.json(CHAT, chat_body)
    began = time.monotonic()
    reply = ask(frame_server, api_key=["first-key", "second-key"])
    assert time.monotonic() - began < 5
    assert sent_keys(frame_server) == ["first-key", "second-key"]
    assert reply.choices[0].message.content == "Größe 🎈"
    assert [attempt.wait_s for attempt in reply.attempts] == [0, None]


def test_all_keys_refused(frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, 401)
    with pytest.raises(AuthenticationError) as caught:
        ask(frame_server, api_key=["first-key", "second-key"])
    assert sent_keys(frame_server) == ["first-key", "second-key"]
    assert caught.value.attempts == 2
    said = f"{caught.value!r} {caught.value} {caught.value.history!r} {caught.value.body!r}"
    assert "first-key" not in said
    assert "second-key" not in said


# Other models


def test_the_next_model_answers(frame_server: FrameServer, message_body: dict[str, object]) -> None:
    fail(frame_server, CHAT, 404)
    frame_server.json(MESSAGES, message_body)
    reply = ask(
        frame_server,
        fallbacks=[{"model": "anthropic/c", "base_url": frame_server.url, "api_key": "other"}],
    )
    assert (reply.provider, reply.choices[0].message.content) == ("anthropic", "Größe 🎈")
    assert [a.model_requested for a in reply.attempts] == ["openai/m", "anthropic/c"]
    assert isinstance(reply.attempts[0].error, NotFoundError)
    assert frame_server.requests[1].headers["x-api-key"] == "other"


def test_the_key_of_one_provider_never_goes_to_another(
    frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(frame_server, CHAT, 500)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", frame_server.url)
    with pytest.raises(AuthenticationError, match="ANTHROPIC_API_KEY"):
        ask(frame_server, fallbacks=["anthropic/c"], num_retries=0)
    assert len(frame_server.requests) == 1


def test_a_model_of_the_same_provider_is_reached_alike(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    fail(frame_server, CHAT, 429)
    frame_server.json(CHAT, chat_body)
    reply = ask(frame_server, fallbacks=["openai/m2"], num_retries=0, extra_headers={"x-a": "1"})
    assert [each.json["model"] for each in frame_server.requests] == ["m", "m2"]
    assert sent_keys(frame_server) == ["k", "k"]
    assert frame_server.requests[1].headers["x-a"] == "1"
    assert reply.attempts[1].model == "m2"


def test_a_fallback_can_have_parameters_of_its_own(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    fail(frame_server, CHAT, 400)
    frame_server.json(CHAT, chat_body)
    ask(frame_server, max_tokens=9, fallbacks=[{"model": "openai/m2", "max_tokens": 5}])
    assert [each.json["max_tokens"] for each in frame_server.requests] == [9, 5]


def test_litellm_all_models_fail_and_the_last_error_names_all(frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, 404, 429)
    with pytest.raises(RateLimitError) as caught:
        ask(frame_server, fallbacks=["openai/m2"], num_retries=0)
    (first,) = caught.value.failures
    assert isinstance(first, NotFoundError)
    assert any("NotFoundError" in note for note in caught.value.__notes__)
    assert caught.value.attempts == 2


def test_a_fallback_that_lacks_a_parameter_is_passed_over(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    fail(frame_server, CHAT, 500)
    frame_server.json(CHAT, chat_body)
    claude = {"model": "anthropic/c", "base_url": frame_server.url, "api_key": "k"}
    reply = ask(frame_server, seed=1, num_retries=0, fallbacks=[claude, "openai/m2"])
    assert reply.attempts[-1].model == "m2"
    assert len(frame_server.requests) == 2


@pytest.mark.parametrize("fallbacks", ["openai/m2", {"model": "m2"}])
def test_fallbacks_are_a_list(fallbacks: Any, frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="fallbacks must be a list"):
        ask(frame_server, fallbacks=fallbacks)


def test_a_wrong_argument_of_the_first_model_is_said_at_once(frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="temperature=3"):
        ask(frame_server, temperature=3, fallbacks=["openai/m2"])
    assert not frame_server.requests


# Several answers


def five(server: FrameServer, body: dict[str, object], delay_s: float = 0) -> None:
    for number in range(5):
        text = [{"type": "text", "text": f"slogan {number}"}]
        usage = {"input_tokens": 10 + number, "output_tokens": 5}
        frame = json.dumps({**body, "id": f"msg_{number}", "content": text, "usage": usage})
        server.script(MESSAGES, frames=[frame.encode()], delay_s=delay_s)


def test_guide_five_answers_of_a_claude_model(
    frame_server: FrameServer, message_body: dict[str, object]
) -> None:
    five(frame_server, message_body, delay_s=0.3)
    began = time.monotonic()
    reply = completion(
        "claude-x", HELLO, n=5, max_tokens=200, base_url=frame_server.url, api_key="k"
    )
    assert time.monotonic() - began < 1.2  # at once, and not one after the other: 1.5 s
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3, 4]
    texts = {choice.message.content for choice in reply.choices}
    assert texts == {f"slogan {number}" for number in range(5)}
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 10 + 11 + 12 + 13 + 14
    assert reply.usage.completion_tokens == 25
    assert reply.usage.total_tokens == 85
    assert len(reply.attempts) == len(frame_server.requests) == 5
    assert all("n" not in request.json for request in frame_server.requests)


async def test_five_answers_asynchronously(
    frame_server: FrameServer, message_body: dict[str, object]
) -> None:
    five(frame_server, message_body, delay_s=0.3)
    began = time.monotonic()
    reply = await acompletion("claude-x", HELLO, n=5, base_url=frame_server.url, api_key="k")
    assert time.monotonic() - began < 1.2
    assert len(reply.choices) == 5


def test_of_several_answers_one_fails(
    frame_server: FrameServer, message_body: dict[str, object]
) -> None:
    frame_server.json(MESSAGES, message_body)
    fail(frame_server, MESSAGES, 400)
    with pytest.raises(BadRequestError) as caught:
        completion("claude-x", HELLO, n=2, base_url=frame_server.url, api_key="k")
    # What the other one used is billed, and known.
    used = [attempt.meters.output_tokens for attempt in caught.value.history if attempt.meters]
    assert used == [7]


def test_several_answers_cannot_be_streamed_from_who_gives_one(frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError, match="n=2 cannot be streamed from anthropic"):
        completion("claude-x", HELLO, n=2, stream=True, base_url=frame_server.url, api_key="k")


async def test_a_cancelled_wait_ends_at_once(frame_server: FrameServer) -> None:
    fail(frame_server, CHAT, 429, **{"retry-after": "20"})
    task = asyncio.create_task(
        acompletion("openai/m", HELLO, base_url=f"{frame_server.url}/v1", api_key="k")
    )
    while not frame_server.requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1


def test_streams_that_break_open_the_breaker(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b'data: {"choices": []}\n\n'], cut=True)
    policy = Policy(max_retries=0, breaker=CircuitBreaker(failure_rate=0.4, min_calls=4))
    for _ in range(2):  # each counts as an answer that came, and as one that broke
        with pytest.raises(APIConnectionError, match="broke"):
            list(ask(frame_server, stream=True, policy=policy))
    with pytest.raises(CircuitOpenError, match=r"nothing is sent to 127\.0\.0\.1"):
        ask(frame_server, stream=True, policy=policy)
    assert len(frame_server.requests) == 2
