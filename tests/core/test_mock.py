"""``mock_response``: the same way of a completion, with nothing sent."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.errors import BadRequestError, RateLimitError, Timeout
from costspan.core.policy import Policy

HELLO = [{"role": "user", "content": "Hello"}]
QUICK = Policy(max_retries=1, first_wait_s=0.01, max_wait_s=0.02)


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-x", "claude-x"])
def test_a_text_without_a_key(model: str) -> None:
    reply = completion(model, HELLO, mock_response="Hi there.")
    assert reply.choices[0].message.content == "Hi there."
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is None  # nobody counted: LiteLLM says 10 and 20
    assert reply.attempts[0].mocked
    assert reply.model == model.rpartition("/")[2]  # as the model itself says its name


async def test_streams_of_words() -> None:
    stream = completion("openai/m", HELLO, stream=True, mock_response="Hi there.")
    assert [chunk.choices[0].delta.content for chunk in stream] == [None, "Hi ", "there.", None]
    assert stream.reply.choices[0].message.content == "Hi there."
    other = await acompletion("claude-x", HELLO, stream=True, mock_response="Hi there.")
    assert "".join([c.choices[0].delta.content or "" async for c in other]) == "Hi there."
    reply = await acompletion("claude-x", HELLO, mock_response="Hi there.")
    assert reply.choices[0].message.content == "Hi there."


def test_a_whole_body_and_a_reply() -> None:
    body: dict[str, Any] = {
        "id": "x",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
    reply = completion("openai/m", HELLO, mock_response=body)
    assert reply.usage is not None
    assert (reply.id, reply.usage.total_tokens) == ("x", 4)
    again = completion("openai/m", HELLO, mock_response=reply)
    assert again.choices[0].message.content == "A"
    streamed = completion("openai/m", HELLO, stream=True, mock_response=reply)
    assert [c.choices[0].delta.content for c in streamed][1] == "A"
    assert streamed.reply.usage is not None
    assert streamed.reply.usage.total_tokens == 4


@pytest.mark.parametrize("error", ["RateLimitError", "litellm.RateLimitError", RateLimitError("x")])
def test_errors_take_the_way_of_errors(error: Any) -> None:
    with pytest.raises(RateLimitError) as caught:
        completion("openai/m", HELLO, mock_response=error, policy=QUICK)
    assert caught.value.attempts == 2


def test_errors_of_the_users_own_are_raised_as_they_are() -> None:
    with pytest.raises(KeyError):
        completion("openai/m", HELLO, mock_response=KeyError("x"))
    with pytest.raises(Timeout):
        completion("openai/m", HELLO, mock_response="Timeout")
    wrong: Any = 5
    with pytest.raises(BadRequestError, match="mock_response must be"):
        completion("openai/m", HELLO, mock_response=wrong)


def test_arguments_are_checked_all_the_same() -> None:
    arguments: Any = {"temprature": 1}
    with pytest.raises(BadRequestError, match="temprature"):
        completion("openai/m", HELLO, mock_response="Hi", **arguments)


async def test_a_mock_of_bedrock_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    model = "bedrock/anthropic.claude-x"
    reply = completion(model, HELLO, region="us-east-1", mock_response="Hi.")
    assert reply.choices[0].message.content == "Hi."
    other = await acompletion(model, HELLO, region="us-east-1", n=2, mock_response="Hi.")
    assert [choice.message.content for choice in other.choices] == ["Hi.", "Hi."]
