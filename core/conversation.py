"""A conversation of several turns, kept with its history."""

from __future__ import annotations

import contextlib
import copy
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Self, cast

from costspan.core import conversation_store, turns
from costspan.core.assembly import StreamAssembler
from costspan.core.errors import APIResponseValidationError, BadRequestError
from costspan.core.history import Content, ContextWindow, History, TokenCounter
from costspan.core.reply import Chunk, Reply, TokenUsage
from costspan.core.stream import AsyncStream, EndedBy, Stream
from costspan.core.tally import Tally
from costspan.core.turns import Entry


class ConversationManager(History):
    """Sends messages in the context of what was said before.

    A turn is kept once it has succeeded: after a failure, a Ctrl-C or a cancellation the history
    is as it was. One message is sent at a time; `fork` gives other threads and tasks
    conversations of their own.

    Args:
        model: The model, as `completion` takes it.
        system_message: What sets the model's behaviour; `clear_history` keeps it.
        completion: What completes a conversation.
        acompletion: The same for `asend_message` and `astream_message`.
        token_counter: Counts the tokens of messages; for `trim` and the limits.
        context_window: Gives a model's window in tokens, or None. What is sent then leaves room
            in it for an answer of ``max_tokens``, or of an eighth of it.
        max_history_tokens: Most tokens that are sent. The oldest turns are left out; never a
            system message, nor the turn that is being sent.
        max_age_s: Turns in which nothing was said for so many seconds are not sent.
        clock: Wall clock in nanoseconds since the epoch; for tests.
        **defaults: Arguments of every call (``temperature`` ...).

    Attributes:
        model, max_history_tokens, max_age_s: As given; they may be changed between turns.

    Raises:
        ValueError: A limit is none, or there is nothing that counts tokens for it.
    """

    _tally_type: ClassVar[type[Tally]] = Tally

    def __init__(
        self,
        model: str,
        system_message: str | None = None,
        *,
        completion: Callable[..., Reply | Stream],
        acompletion: Callable[..., Awaitable[Reply | AsyncStream]] | None = None,
        token_counter: TokenCounter | None = None,
        context_window: ContextWindow | None = None,
        max_history_tokens: int | None = None,
        max_age_s: float | None = None,
        clock: Callable[[], int] = time.time_ns,
        **defaults: Any,
    ) -> None:
        super().__init__(
            model,
            token_counter=token_counter,
            context_window=context_window,
            max_history_tokens=max_history_tokens,
            max_age_s=max_age_s,
            clock=clock,
        )
        self._completion = completion
        self._acompletion = acompletion
        self._defaults = defaults
        self._tally = self._tally_type()
        if system_message:
            self.add_message("system", system_message)

    @property
    def replies(self) -> int:
        """How many replies there were, also those of turns that were not kept."""
        return self._tally.replies

    @property
    def usage(self) -> TokenUsage | None:
        """What the replies used so far, as far as they said; None where none has."""
        return copy.deepcopy(self._tally.usage)

    @property
    def replies_without_usage(self) -> int:
        """How many replies said nothing of their usage, so that `usage` lacks them."""
        return self._tally.replies_without_usage

    def send_message(self, text: Content | None, **arguments: Any) -> tuple[str, Reply]:
        """Send a message of the user's and wait for the answer.

        Args:
            text: What the user says. None adds nothing and sends the history as it is: to go on
                once the results of tool calls were added.
            **arguments: Arguments of this call, before the defaults.

        Returns:
            The text of the answer, empty where it has none (tool calls only), and the reply. Of
            several answers (``n``) the first one is kept.

        Raises:
            APIError: The call failed; the history is as it was.
            ConversationBusyError: Another message is being sent.
        """
        with self._alone():
            given = self._given(arguments)
            turn = self._with(text)
            reply = cast(Reply, self._completion(self.model, self._sent(turn, given), **given))
            return self._keep(turn, reply), reply

    async def asend_message(self, text: Content | None, **arguments: Any) -> tuple[str, Reply]:
        """The same as `send_message`, without blocking the event loop."""
        complete = self._asynchronous("asend_message")
        with self._alone():
            given = self._given(arguments)
            turn = self._with(text)
            reply = cast(Reply, await complete(self.model, self._sent(turn, given), **given))
            return self._keep(turn, reply), reply

    def stream_message(self, text: Content | None, **arguments: Any) -> Stream:
        """Send a message of the user's and get the answer piece by piece.

        The turn is kept when the stream has been read to its end, or is left after the last piece
        of the answer. Left earlier, or failed, the history is as it was. Until the stream has
        ended nothing else can be sent: use it in ``with``.

        Args:
            text: As for `send_message`.
            **arguments: Arguments of this call, before the defaults.

        Returns:
            A stream of chunks; its ``reply`` is the whole answer at the end.

        Raises:
            APIError: The call failed; the history is as it was. Reading the stream raises it too.
            ConversationBusyError: Another message is being sent.
        """
        with contextlib.ExitStack() as held:
            held.enter_context(self._alone())
            given = self._given(arguments)
            turn = self._with(text)
            sent = self._sent(turn, given)
            stream = cast(Stream, self._completion(self.model, sent, stream=True, **given))
            stream.observers.append(_TurnKeeper(self, turn, stream.assembly, held.pop_all()))
        return stream

    async def astream_message(self, text: Content | None, **arguments: Any) -> AsyncStream:
        """The same as `stream_message`, for ``async with`` and ``async for``."""
        complete = self._asynchronous("astream_message")
        with contextlib.ExitStack() as held:
            held.enter_context(self._alone())
            given = self._given(arguments)
            turn = self._with(text)
            sent = self._sent(turn, given)
            stream = cast(AsyncStream, await complete(self.model, sent, stream=True, **given))
            stream.observers.append(_TurnKeeper(self, turn, stream.assembly, held.pop_all()))
        return stream

    def fork(self) -> Self:
        """A conversation of its own that starts with this one's history.

        It counts what it spends alone, from nothing: the sum over forks is what was paid.
        """
        other = copy.copy(self)
        other._entries = [Entry(turns.plain(each.message), each.at_ns) for each in self._entries]
        other._defaults = dict(self._defaults)
        other._tally = self._tally_type()
        other._in_use = threading.Lock()
        return other

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write history, model, parameters and what was spent to a JSON file of mode 0600.

        Keys, addresses, headers and what is no plain JSON are not written: give them to `load`.

        Raises:
            ConversationFileError: A message holds what JSON cannot say.
            OSError: The file cannot be written; what it held is still there.
        """
        limits = {"max_history_tokens": self.max_history_tokens, "max_age_s": self.max_age_s}
        defaults = {**self._defaults, **limits}
        saved = conversation_store.Saved(self.model, defaults, self._entries, self._tally)
        conversation_store.write(path, saved)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **arguments: Any) -> Self:
        """Go on with a conversation that was saved.

        Args:
            path: The file.
            **arguments: As for a new conversation, without model and system message. They stand
                before the saved ones; functions, keys and addresses come from here alone.

        Raises:
            ConversationFileError: The file holds no conversation, or one of a newer version.
            OSError: The file cannot be read.
        """
        saved = conversation_store.read(path, cls._tally_type)
        loaded = cls(saved.model, **{**saved.defaults, **arguments})
        loaded._entries, loaded._tally = list(saved.entries), saved.tally
        return loaded

    def _with(self, text: Content | None) -> list[Entry]:
        return self._entries if text is None else [*self._entries, self._entry("user", text, {})]

    def _given(self, arguments: dict[str, Any]) -> dict[str, Any]:
        given = {**self._defaults, **arguments}
        if given.pop("stream", False):
            raise BadRequestError(
                "send_message waits for the whole reply: use stream_message or astream_message"
            )
        return given

    def _asynchronous(self, name: str) -> Callable[..., Awaitable[Reply | AsyncStream]]:
        if self._acompletion is None:
            raise TypeError(f"give acompletion= to ConversationManager to use {name}")
        return self._acompletion

    def _keep(self, turn: list[Entry], reply: Reply) -> str:
        """Take over a turn that has succeeded, with what a next turn needs (tool calls)."""
        self._tally.add(reply)
        if not reply.choices:
            raise APIResponseValidationError("the reply holds no answer", model=self.model)
        message = reply.choices[0].message.model_dump(exclude_none=True)
        text = message.pop("content", None)
        self._entries = [*turn, self._entry("assistant", text, {**message, "role": "assistant"})]
        return reply.choices[0].message.content or ""


class _TurnKeeper:
    """Told by a stream how it ended; holds its assembly and not the stream, see `Observer`."""

    def __init__(
        self,
        conversation: ConversationManager,
        turn: list[Entry],
        assembly: StreamAssembler,
        held: contextlib.ExitStack,
    ) -> None:
        self._conversation = conversation
        self._turn = turn
        self._assembly = assembly
        self._held = held

    def chunk(self, chunk: Chunk) -> None:
        """Nothing is to be done for a chunk."""

    def end(self, ended_by: EndedBy, error: BaseException | None) -> None:
        """Keep the turn if the answer is whole, and let others use the conversation."""
        with self._held:
            reply = self._assembly.reply
            left = ended_by in ("closed", "dropped") and _is_whole(reply)
            if ended_by == "exhausted" or left:
                self._conversation._keep(self._turn, reply)
            else:
                self._conversation._tally.add(reply)


def _is_whole(reply: Reply) -> bool:
    return bool(reply.choices) and all(choice.finish_reason for choice in reply.choices)
