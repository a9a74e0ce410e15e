"""`safe_completion` checks what is sent and what comes back."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from costspan.core.errors import (
    APIError,
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    EmptyReplyError,
    InvalidMessagesError,
    QuotaExceededError,
    RateLimitError,
)
from costspan.core.policy import Policy
from costspan.core.reply import Choice, Function, Message, Reply, ToolCall
from costspan.core.safe import asafe_completion, safe_completion

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI = [{"role": "user", "content": "Hi"}]
CHAT = "/v1/chat/completions"
CALLS = [ToolCall("t1", function=Function("now", "{}"))]


def reply(*messages: Message, finish_reason: str = "stop") -> Reply:
    choices = [Choice(index, each, finish_reason) for index, each in enumerate(messages)]
    return Reply(id="r1", model="m", provider="openai", choices=choices)


class Scripted:
    """A completion function that gives replies and raises errors in order, and notes the calls."""

    def __init__(self, *script: Reply | APIError) -> None:
        self.given: list[dict[str, Any]] = []
        self._script = list(script)

    def __call__(self, model: str, messages: Any, **arguments: Any) -> Reply:
        self.given.append(arguments)
        step = self._script.pop(0)
        if isinstance(step, APIError):
            raise step
        return step

    async def asynchronous(self, model: str, messages: Any, **arguments: Any) -> Reply:
        return self(model, messages, **arguments)


def given(model: str = "openai/m", **arguments: Any) -> dict[str, Any]:
    scripted = Scripted(reply(Message(content="Hi")))
    safe_completion(model, HI, completion=scripted, **arguments)
    return scripted.given[0]


USUAL = {"max_tokens": 1000, "temperature": 0.7, "timeout": 30, "num_retries": 5}
COOL = {name: value for name, value in USUAL.items() if name != "temperature"}


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, USUAL),
        ({"seed": 1}, {**USUAL, "seed": 1}),
        ({"temperature": 0.1, "timeout": 5}, {**USUAL, "temperature": 0.1, "timeout": 5}),
        ({"temperature": None}, {**USUAL, "temperature": None}),
        ({"max_tokens": 7}, {**USUAL, "max_tokens": 7}),
        (
            {"max_completion_tokens": 7},
            {"max_completion_tokens": 7, "temperature": 0.7, "timeout": 30, "num_retries": 5},
        ),
        # Thinking: no provider takes it together with a temperature, and it counts as output.
        (
            {"thinking_budget": 2000},
            {**COOL, "thinking_budget": 2000, "max_tokens": 3000},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {
                **COOL,
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "max_tokens": 2024,
            },
        ),
        ({"reasoning_effort": "low"}, {**COOL, "reasoning_effort": "low"}),
        ({"num_retries": 0}, {**USUAL, "num_retries": 0}),
    ],
)
def test_what_is_not_given_gets_a_default(arguments: dict[str, Any], sent: dict[str, Any]) -> None:
    assert given(**arguments) == sent


@pytest.mark.parametrize("name", ["max_retries", "policy"])
def test_another_way_to_say_how_often_to_repeat_is_left_alone(name: str) -> None:
    arguments: dict[str, Any] = {name: object()}
    sent = given(**arguments)
    assert "num_retries" not in sent


@pytest.mark.parametrize(
    ("model", "has"),
    [
        ("gpt-4o", True),
        ("openai/gpt-4o", True),
        ("openai/gpt-5-chat-latest", True),
        ("openai/gpt-oss-120b", True),
        ("anthropic/claude-sonnet-4-5", True),
        ("anthropic/claude-opus-4-6", True),
        ("gpt-5", False),
        ("openrouter/openai/gpt-5.2-mini", False),
        ("o3", False),
        ("azure/o4-mini", False),
        ("bedrock/us.anthropic.claude-opus-4-7", False),
    ],
)
def test_models_that_set_their_own_temperature_are_not_given_one(model: str, has: bool) -> None:
    assert ("temperature" in given(model)) is has


REFUSED = "Unsupported value: 'temperature' does not support 0.7 with this model"


async def test_a_model_that_refuses_our_temperature_is_asked_without_it() -> None:
    scripted = Scripted(BadRequestError(REFUSED), reply(Message(content="Hi")))
    safe_completion("openai/m", HI, completion=scripted)
    assert scripted.given == [USUAL, COOL]
    scripted = Scripted(BadRequestError(REFUSED), reply(Message(content="Hi")))
    await asafe_completion("openai/m", HI, acompletion=scripted.asynchronous)
    assert scripted.given == [USUAL, COOL]


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (BadRequestError(REFUSED), {"temperature": 0.7}),  # the caller's own
        (BadRequestError("no such tool"), {}),
        (QuotaExceededError("the temperature of your account is low"), {}),
    ],
)
def test_no_other_refusal_is_mended(error: APIError, arguments: dict[str, Any]) -> None:
    scripted = Scripted(error)
    with pytest.raises(type(error)):
        safe_completion("openai/m", HI, completion=scripted, **arguments)
    assert len(scripted.given) == 1


def test_it_is_asked_without_a_temperature_once_only() -> None:
    scripted = Scripted(BadRequestError(REFUSED), BadRequestError(REFUSED))
    with pytest.raises(BadRequestError, match="temperature"):
        safe_completion("openai/m", HI, completion=scripted)
    assert len(scripted.given) == 2


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (None, "must be a list of mappings, not NoneType"),
        ("Hi", "must be a list of mappings, not str"),
        ({"role": "user", "content": "Hi"}, "must be a list of mappings, not dict"),
        ([], "messages is empty"),
        (["Hi"], r"messages\[0\] must be a mapping with role and content, not str"),
        ([*HI, {"content": "Hi"}], r"messages\[1\] has no role"),
        ([*HI, {"role": "", "content": "Hi"}], r"messages\[1\] has no role"),
        ([*HI, {"role": 1, "content": "Hi"}], r"messages\[1\] has no role"),
        ([*HI, {"role": "user"}], r"messages\[1\] \(user\) has no content"),
        ([*HI, {"role": "user", "content": None}], r"messages\[1\] \(user\) has no content"),
        ([*HI, {"role": "assistant"}], r"messages\[1\] \(assistant\) has no content"),
        (
            [*HI, {"role": "assistant", "tool_calls": []}],
            r"messages\[1\] \(assistant\) has no content",
        ),
        ([*HI, {"role": "tool", "content": "12"}], r"messages\[1\] \(tool\) has no tool_call_id"),
    ],
)
async def test_messages_that_cannot_be_sent(messages: Any, said: str) -> None:
    scripted = Scripted()
    with pytest.raises(InvalidMessagesError, match=said) as raised:
        safe_completion("openai/m", messages, completion=scripted)
    with pytest.raises(InvalidMessagesError, match=said):
        await asafe_completion("openai/m", messages, acompletion=scripted.asynchronous)
    assert scripted.given == []
    assert isinstance(raised.value, BadRequestError)
    assert isinstance(raised.value, ValueError), "as in the guide"


@pytest.mark.parametrize(
    "messages",
    [
        HI,
        tuple(HI),
        [Message("user", "Hi")],
        [*HI, {"role": "assistant", "tool_calls": [{"id": "t1"}]}],
        [*HI, {"role": "assistant", "content": None, "function_call": {"name": "now"}}],
        [*HI, {"role": "tool", "content": "12:00", "tool_call_id": "t1"}],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        [{"role": "user", "content": ""}],
    ],
)
def test_messages_that_can_be_sent(messages: Any) -> None:
    scripted = Scripted(reply(Message(content="Hi")))
    assert safe_completion("openai/m", messages, completion=scripted).id == "r1"


@pytest.mark.parametrize(
    "found",
    [
        reply(Message(content="Hi")),
        reply(Message(content=None, tool_calls=CALLS), finish_reason="tool_calls"),
        reply(Message(content=None, audio={"id": "a"})),
        reply(Message(content=None, images=[{"type": "image_url"}])),
        reply(Message(content=""), Message(content="Hi")),
    ],
)
def test_an_answer_is_given_back_as_it_is(found: Reply) -> None:
    assert safe_completion("openai/m", HI, completion=Scripted(found)) is found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (reply(), "the reply holds no answer"),
        (reply(Message(content=None)), r"the answer is empty \(finish_reason 'stop'\)"),
        (reply(Message(content=" \n")), r"the answer is empty \(finish_reason 'stop'\)"),
        (reply(Message(), finish_reason="length"), "bound of the output .* raise max_tokens"),
        (reply(Message(), finish_reason="content_filter"), "content filter held it back"),
        (reply(Message(refusal="I will not.")), "the model refused to answer: .*refusal says why"),
    ],
)
async def test_an_empty_reply_is_an_error_that_carries_it(found: Reply, said: str) -> None:
    with pytest.raises(EmptyReplyError, match=said) as raised:
        safe_completion("openai/m", HI, completion=Scripted(found))
    with pytest.raises(EmptyReplyError, match=said):
        await asafe_completion("openai/m", HI, acompletion=Scripted(found).asynchronous)
    error = raised.value
    assert error.reply is found
    assert isinstance(error, APIResponseValidationError)
    assert (error.provider, error.model, error.request_id) == ("openai", "m", "r1")
    assert "I will not" not in str(error), "what the model said is not logged with the error"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.reply.id) == (str(error), "r1")


async def test_a_key_that_is_not_accepted_is_said_of_the_model(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, {"error": {"message": "Incorrect API key"}}, status=401)
    where: dict[str, Any] = {
        "base_url": f"{frame_server.url}/v1",
        "api_key": "sk-wrong",
        "num_retries": None,
    }
    with pytest.raises(AuthenticationError) as raised:
        safe_completion("openai/m", HI, **where)
    with pytest.raises(AuthenticationError):
        await asafe_completion("openai/m", HI, **where)
    error = raised.value
    assert str(error) == error.message
    assert error.message.startswith("missing or invalid key for openai/m: openai: Incorrect API")
    assert "OPENAI_API_KEY" in error.message
    assert "sk-wrong" not in error.message
    assert (error.status_code, error.provider) == (401, "openai")


def test_a_key_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(AuthenticationError, match=r"key for openai/m: no API key .*OPENAI_API_KEY"):
        safe_completion("openai/m", HI)


async def test_streams_cannot_be_checked() -> None:
    with pytest.raises(BadRequestError, match="checks whole replies"):
        safe_completion("openai/m", HI, stream=True)
    with pytest.raises(BadRequestError, match="checks whole replies"):
        await asafe_completion("openai/m", HI, stream=True)


async def test_rate_limits_are_waited_for(frame_server: FrameServer) -> None:
    body = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    for _ in range(2):
        frame_server.json(CHAT, {"error": {}}, status=429, headers={"retry-after-ms": "20"})
        frame_server.json(CHAT, body)
    where: dict[str, Any] = {"base_url": f"{frame_server.url}/v1"}
    first = safe_completion("m", HI, **where)
    second = await asafe_completion("m", HI, **where)
    assert first.choices[0].message.content == second.choices[0].message.content == "Hello"
    assert len(frame_server.requests) == 4
    assert [request.json["max_tokens"] for request in frame_server.requests] == [1000] * 4


async def test_rate_limits_that_do_not_end(frame_server: FrameServer) -> None:
    frame_server.json(CHAT, {"error": {}}, status=429, headers={"retry-after-ms": "1"})
    with pytest.raises(RateLimitError):
        safe_completion(
            "m",
            HI,
            base_url=f"{frame_server.url}/v1",
            policy=Policy(max_retries=3, first_wait_s=0.001),
        )
    assert len(frame_server.requests) == 4
