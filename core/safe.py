"""`safe_completion`: a completion with sensible limits that is checked before and after."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from costspan.core import completion as core
from costspan.core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    EmptyReplyError,
    InvalidMessagesError,
)
from costspan.core.reply import Choice, Reply

_MAX_TOKENS = 1000
_TEMPERATURE = 0.7
_TIMEOUT_S = 30
_RETRIES = 5

_THINKING = ("thinking", "thinking_budget", "reasoning_effort")
# Models that refuse any temperature but their own, as they have answered since 2025: OpenAI's that
# reason (github.com/BeehiveInnovations/pal-mcp-server/issues/78, tmc/langchaingo/issues/1355), and
# Claude from Opus 4.7 on (github.com/rocketride-org/rocketride-server/issues/1194, 2026-06-09).
# One that is missing here costs a refused request.
_OWN_TEMPERATURE = re.compile(r"(^|[/.])(o[134]\b|gpt-5(?!.*-chat)|claude-opus-4-[789])")


def safe_completion(
    model: str,
    messages: Sequence[Any],
    *,
    completion: Callable[..., Any] | None = None,
    **arguments: Any,
) -> Reply:
    """Complete a conversation within limits; give back an answer, or an error that says why not.

    Unless given, ``max_tokens`` is 1000 (on top of a thinking budget), ``temperature`` 0.7 (where
    the model takes one and no thinking is asked for) and ``timeout`` 30 seconds; a request is
    repeated up to 5 times where that is safe, rate limits above all.

    Args:
        model: As for `completion`.
        messages: The conversation: a list of mappings with role and content.
        completion: What completes it; by default the core's.
        **arguments: As for `completion`, but ``stream``. None leaves a default out.

    Returns:
        A reply in which at least one answer has text or calls a tool.

    Raises:
        InvalidMessagesError: A message is none; it is a `ValueError` too.
        AuthenticationError: The key for the model is missing or not valid.
        EmptyReplyError: There is no answer in the reply, which it carries.
        APIError: What else failed, see `costspan.core.errors`.
    """
    complete = completion or core.completion
    asked = _Asked(model, messages, arguments)
    while True:
        try:
            reply = complete(model, asked.messages, **asked.arguments)
        except APIError as error:
            if not asked.mended(error):
                raise
        else:
            return answered(reply)


async def asafe_completion(
    model: str,
    messages: Sequence[Any],
    *,
    acompletion: Callable[..., Awaitable[Any]] | None = None,
    **arguments: Any,
) -> Reply:
    """The same as `safe_completion`, without blocking the event loop."""
    complete = acompletion or core.acompletion
    asked = _Asked(model, messages, arguments)
    while True:
        try:
            reply = await complete(model, asked.messages, **asked.arguments)
        except APIError as error:
            if not asked.mended(error):
                raise
        else:
            return answered(reply)


class _Asked:
    """What is asked for, checked and completed by the defaults."""

    def __init__(self, model: str, messages: object, arguments: Mapping[str, Any]) -> None:
        if arguments.get("stream"):
            raise BadRequestError(
                "safe_completion checks whole replies: use completion(..., stream=True)"
            )
        self.model = model
        self.messages = checked(messages)
        self.arguments = {**_defaults(model, arguments), **arguments}
        self._own_temperature = "temperature" in self.arguments and "temperature" not in arguments

    def mended(self, error: APIError) -> bool:
        """Whether asking again, without a default that the model refuses, may help."""
        if isinstance(error, AuthenticationError):
            error.message = f"missing or invalid key for {self.model}: {error.message}"
            error.args = (error.message,)
        elif self._own_temperature and _refuses_temperature(error):
            self._own_temperature = False
            del self.arguments["temperature"]
            return True
        return False


def _defaults(model: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults for what was not given."""
    found: dict[str, Any] = {"timeout": _TIMEOUT_S}
    if "max_completion_tokens" not in arguments:
        found["max_tokens"] = _MAX_TOKENS + _thinking_budget(arguments)
    thinks = any(arguments.get(name) is not None for name in _THINKING)
    if not thinks and not _OWN_TEMPERATURE.search(model):
        found["temperature"] = _TEMPERATURE
    if arguments.keys().isdisjoint(("num_retries", "max_retries", "policy")):
        found["num_retries"] = _RETRIES
    return found


def _thinking_budget(arguments: Mapping[str, Any]) -> int:
    thinking, budget = arguments.get("thinking"), arguments.get("thinking_budget")
    if isinstance(thinking, Mapping):
        budget = thinking.get("budget_tokens")
    return budget if isinstance(budget, int) else 0


def _refuses_temperature(error: APIError) -> bool:
    return isinstance(error, BadRequestError) and "temperature" in error.message.lower()


def checked(messages: object) -> list[Any]:
    """The messages, each with a role and a content.

    Raises:
        InvalidMessagesError: There are none, or one lacks something; the text says which.
    """
    if not isinstance(messages, (list, tuple)):
        raise InvalidMessagesError(
            f"messages must be a list of mappings, not {type(messages).__name__}, "
            "as in [{'role': 'user', 'content': 'Hello'}]"
        )
    if not messages:
        raise InvalidMessagesError("messages is empty: give at least one message")
    for position, message in enumerate(messages):
        _check(message, position)
    return list(messages)


def _check(message: object, position: int) -> None:
    if hasattr(message, "model_dump"):
        message = message.model_dump()
    if not isinstance(message, Mapping):
        raise InvalidMessagesError(
            f"messages[{position}] must be a mapping with role and content, "
            f"not {type(message).__name__}"
        )
    role = message.get("role")
    if not isinstance(role, str) or not role:
        raise InvalidMessagesError(
            f"messages[{position}] has no role: system, developer, user, assistant or tool"
        )
    calls = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
    if message.get("content") is None and not calls:
        raise InvalidMessagesError(f"messages[{position}] ({role}) has no content")
    if role == "tool" and not message.get("tool_call_id"):
        raise InvalidMessagesError(
            f"messages[{position}] (tool) has no tool_call_id: the id of the call that it answers"
        )


def answered(reply: Reply) -> Reply:
    """The reply.

    Raises:
        EmptyReplyError: It holds no answer; the text says why, and what to do.
    """
    if any(map(_says_something, reply.choices)):
        return reply
    error = EmptyReplyError(
        _reason(reply.choices[0]) if reply.choices else "the reply holds no answer",
        provider=reply.provider or None,
        model=reply.model,
        request_id=reply.id,
    )
    error.reply = reply
    raise error


def _says_something(choice: Choice) -> bool:
    message = choice.message
    text = message.content is not None and message.content.strip()
    return bool(text or message.tool_calls or message.audio or message.images)


def _reason(choice: Choice) -> str:
    if choice.message.refusal:
        return "the model refused to answer: reply.choices[0].message.refusal says why"
    if choice.finish_reason == "length":
        return (
            "the answer is empty: the bound of the output was reached before it began, "
            "perhaps while thinking; raise max_tokens"
        )
    if choice.finish_reason == "content_filter":
        return "the answer is empty: the provider's content filter held it back"
    return f"the answer is empty (finish_reason {choice.finish_reason!r})"
