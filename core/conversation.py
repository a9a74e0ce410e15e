"""A conversation of several turns, kept with its history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from costspan.core.errors import APIResponseValidationError, BadRequestError
from costspan.core.reply import Reply
from costspan.core.types import JSON


class ConversationManager:
    """Sends messages in the context of what was said before.

    Args:
        model: The model, as `completion` takes it.
        system_message: What sets the model's behaviour; `clear_history` keeps it.
        completion: What completes a conversation.
        acompletion: The same for `asend_message`.
        **defaults: Arguments of every call (``temperature`` ...).
    """

    def __init__(
        self,
        model: str,
        system_message: str | None = None,
        *,
        completion: Callable[..., Reply],
        acompletion: Callable[..., Awaitable[Reply]] | None = None,
        **defaults: Any,
    ) -> None:
        self.model = model
        self.messages: list[JSON] = []
        self._completion = completion
        self._acompletion = acompletion
        self._defaults = defaults
        if system_message:
            self.add_message("system", system_message)

    def add_message(self, role: str, content: Any) -> None:
        """Add a message to the history without sending it."""
        self.messages.append({"role": role, "content": content})

    def send_message(self, text: str, **arguments: Any) -> tuple[str, Reply]:
        """Send a message of the user's and wait for the answer.

        Args:
            text: What the user says.
            **arguments: Arguments of this call, before the defaults.

        Returns:
            The text of the answer, empty where it has none (tool calls only), and the reply.

        Raises:
            APIError: The call failed; the history is as it was.
        """
        turns = self._with(text)
        reply = self._completion(self.model, turns, **self._arguments(arguments))
        return self._keep(turns, reply), reply

    async def asend_message(self, text: str, **arguments: Any) -> tuple[str, Reply]:
        """The same as `send_message`, without blocking the event loop."""
        if self._acompletion is None:
            raise TypeError("give acompletion= to ConversationManager to use asend_message")
        turns = self._with(text)
        reply = await self._acompletion(self.model, turns, **self._arguments(arguments))
        return self._keep(turns, reply), reply

    def get_history(self) -> list[JSON]:
        """A copy of the messages so far."""
        return [dict(message) for message in self.messages]

    def clear_history(self) -> None:
        """Forget all messages but the system message."""
        first = self.messages[:1]
        self.messages = first if first and first[0]["role"] == "system" else []

    def _arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        merged = {**self._defaults, **arguments}
        if merged.get("stream"):
            raise BadRequestError(
                "a conversation takes whole replies: call completion(..., stream=True) with "
                "get_history() and add the answer with add_message"
            )
        return merged

    def _with(self, text: str) -> list[JSON]:
        return [*self.messages, {"role": "user", "content": text}]

    def _keep(self, turns: list[JSON], reply: Reply) -> str:
        """Take over the turn once it has succeeded, with what a next turn needs (tool calls)."""
        if not reply.choices:
            raise APIResponseValidationError("the reply holds no answer", model=self.model)
        message = reply.choices[0].message
        self.messages = [*turns, {"role": "assistant", **message.model_dump(exclude_none=True)}]
        return message.content or ""
