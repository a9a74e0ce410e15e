"""The messages of a conversation, and which of them are sent."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from costspan.core import turns
from costspan.core.turns import Entry
from costspan.core.types import JSON

Content: TypeAlias = "str | Sequence[JSON]"
"""What is said: a text, or parts in OpenAI's shape (text, image_url ...)."""

TokenCounter: TypeAlias = Callable[[str, list[JSON]], int]
"""Counts the tokens of messages for a model."""

ContextWindow: TypeAlias = Callable[[str], int | None]
"""Gives a model's window in tokens; None where it is unknown."""

# What is left of a window for the answer where nothing bounds it: for models of 2024 to 2026 an
# eighth is about their longest answer (gpt-4o 16,384 of 128,000; claude-sonnet-5 128,000 of a
# million).
_ANSWERS_SHARE = 8


class ConversationBusyError(RuntimeError):
    """A conversation was used while it waits for a reply."""


class History:
    """What was said, for one user at a time; see `ConversationManager` for the arguments."""

    def __init__(
        self,
        model: str,
        *,
        token_counter: TokenCounter | None = None,
        context_window: ContextWindow | None = None,
        max_history_tokens: int | None = None,
        max_age_s: float | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if max_history_tokens is not None and max_history_tokens < 1:
            raise ValueError(f"max_history_tokens={max_history_tokens}: at least 1")
        if max_age_s is not None and max_age_s <= 0:
            raise ValueError(f"max_age_s={max_age_s}: more than 0 seconds")
        if token_counter is None and max_history_tokens is not None:
            raise ValueError("max_history_tokens= needs token_counter=")
        self.model = model
        self.max_history_tokens = max_history_tokens
        self.max_age_s = max_age_s
        self._token_counter = token_counter
        self._context_window = context_window
        self._clock = clock
        self._entries: list[Entry] = []
        self._in_use = threading.Lock()

    @property
    def messages(self) -> tuple[JSON, ...]:
        """A copy of the messages so far; `add_message` adds to them."""
        return tuple(self.get_history())

    def get_history(self) -> list[JSON]:
        """A copy of the messages so far, which can be changed without changing these."""
        return [turns.plain(entry.message) for entry in self._entries]

    def add_message(self, role: str, content: Content | None, **more: Any) -> None:
        """Add a message to the history without sending it.

        Args:
            role: ``system``, ``developer``, ``user``, ``assistant`` or ``tool``.
            content: The text, or parts; None where there is none.
            **more: Further fields: ``tool_call_id`` of a result, ``tool_calls``, ``name``.

        Raises:
            ConversationBusyError: A message is being sent.
        """
        with self._alone():
            self._entries = [*self._entries, self._entry(role, content, more)]

    def clear_history(self) -> None:
        """Forget all messages but the system messages at the front.

        Raises:
            ConversationBusyError: A message is being sent.
        """
        with self._alone():
            self._entries = turns.leading_instructions(self._entries)

    def trim(self, max_tokens: int) -> int:
        """Forget the oldest turns until the history is at most ``max_tokens`` long.

        System messages and the last turn stay even where they are longer; a tool call and its
        result go together.

        Returns:
            How many messages are forgotten.

        Raises:
            ValueError: There is nothing that counts tokens.
            ConversationBusyError: A message is being sent.
        """
        if self._token_counter is None:
            raise ValueError("trim() needs token_counter=, given to the conversation")
        with self._alone():
            kept = turns.within_tokens(self._entries, lambda some: self._fits(some, max_tokens, {}))
            forgotten = len(self._entries) - len(kept)
            self._entries = kept
        return forgotten

    def _entry(self, role: str, content: object, more: Mapping[str, object]) -> Entry:
        message = {"role": role, "content": content, **more}
        given = {name: value for name, value in message.items() if value is not None}
        return Entry(turns.plain(given), self._clock())

    def _sent(self, entries: Sequence[Entry], arguments: Mapping[str, Any]) -> list[JSON]:
        """The messages to send: without what is too old, and as many as fit."""
        kept = list(entries)
        if self.max_age_s is not None:
            kept = turns.within_age(kept, self._clock() - int(self.max_age_s * 1e9))
        limit = self._limit(arguments)
        if limit is not None:
            kept = turns.within_tokens(kept, lambda some: self._fits(some, limit, arguments))
        return [entry.message for entry in kept]

    def _limit(self, arguments: Mapping[str, Any]) -> int | None:
        """Most tokens to send; None for any number."""
        if self._token_counter is None:
            return None
        window = self._context_window(self.model) if self._context_window else None
        if window is None:
            return self.max_history_tokens
        answer = arguments.get("max_completion_tokens") or arguments.get("max_tokens")
        room = window - (answer if isinstance(answer, int) else window // _ANSWERS_SHARE)
        return room if self.max_history_tokens is None else min(room, self.max_history_tokens)

    def _fits(self, entries: Sequence[Entry], limit: int, arguments: Mapping[str, Any]) -> bool:
        """Whether messages are short enough to be sent with these arguments."""
        assert self._token_counter is not None
        return self._token_counter(self.model, [entry.message for entry in entries]) <= limit

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Inside, nobody else uses the conversation."""
        if not self._in_use.acquire(blocking=False):
            raise ConversationBusyError(
                "this conversation waits for a reply: send one message at a time, read or close "
                "a stream first, and give another thread or task a conversation.fork()"
            )
        try:
            yield
        finally:
            self._in_use.release()
