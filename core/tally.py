"""What the replies of a conversation used, added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from costspan.core.reply import (
    CompletionTokensDetails,
    PromptTokensDetails,
    Reply,
    TokenUsage,
)
from costspan.core.shape import Shape


@dataclass
class Tally:
    """A sum over replies. A reply that does not say what it used is counted, not taken for zero.

    Attributes:
        replies: How many replies there were, those that came to nothing included.
        replies_without_usage: How many of them said nothing of their usage.
        usage: What the others used; None where none has said.
    """

    replies: int = 0
    replies_without_usage: int = 0
    usage: TokenUsage | None = None

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.replies += 1
        if reply.usage is None:
            self.replies_without_usage += 1
        else:
            self.usage = _added(self.usage, reply.usage)

    def dump(self) -> dict[str, object]:
        """The sums as plain JSON."""
        return {
            "replies": self.replies,
            "replies_without_usage": self.replies_without_usage,
            "usage": self.usage and self.usage.model_dump(),
        }

    @classmethod
    def restored(cls, said: Mapping[str, object]) -> Self:
        """The sums that `dump` gave.

        Raises:
            ValueError: A number is none.
        """
        usage = said.get("usage")
        return cls(
            count(said, "replies"),
            count(said, "replies_without_usage"),
            None if usage is None else _restored(_NO_USAGE, usage),
        )


_NO_USAGE = TokenUsage(None, None, None, PromptTokensDetails(), CompletionTokensDetails())


def count(said: Mapping[str, object], name: str) -> int:
    """A field that counts something.

    Raises:
        ValueError: It is no count.
    """
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is no count")
    return value


def _added(first: Any, second: Any) -> Any:
    """The sum of two usages field by field, where what only one of them says is what is known."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, Shape):
        return type(first)(**{name: _added(first[name], second[name]) for name in first})
    return first + second


def _restored(empty: Any, said: object) -> Any:
    if not isinstance(said, Mapping):
        raise ValueError("usage is no object")
    found = {}
    for name in empty:
        if isinstance(empty[name], Shape):
            found[name] = _restored(empty[name], said.get(name))
        elif said.get(name) is not None:
            found[name] = count(said, name)
    return replace(empty, **found)
