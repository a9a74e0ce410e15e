"""``ConversationManager`` with the metered completion, and what a conversation has cost."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar, Self

from costspan import calling
from costspan.core import conversation
from costspan.core.tally import Tally, count
from costspan.middleware.request import from_arguments
from costspan.middleware.switch import disabled
from costspan.pricing.types import Cost

if TYPE_CHECKING:
    from costspan.core.reply import Reply
    from costspan.core.turns import Entry
    from costspan.core.types import JSON
    from costspan.middleware.meter import Meter


@dataclass
class SpendTally(Tally):
    """What replies used and cost.

    Attributes:
        cost_usd: US dollars of the replies whose cost is known; None where none is.
        unpriced_replies: Replies whose cost is unknown, or known in part only.
    """

    cost_usd: Decimal | None = None
    unpriced_replies: int = 0

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        super().add(reply)
        cost = reply.cost if isinstance(reply.cost, Cost) else None
        if cost is not None and cost.total is not None:
            self.cost_usd = (self.cost_usd or Decimal()) + cost.total
        if cost is None or cost.status in ("unpriced", "partial"):
            self.unpriced_replies += 1

    def dump(self) -> dict[str, object]:
        """The sums as plain JSON."""
        cost = None if self.cost_usd is None else str(self.cost_usd)
        return {**super().dump(), "cost_usd": cost, "unpriced_replies": self.unpriced_replies}

    @classmethod
    def restored(cls, said: Mapping[str, object]) -> Self:
        """The sums that `dump` gave."""
        tally = super().restored(said)
        if said.get("cost_usd") is not None:
            tally.cost_usd = _amount(said["cost_usd"])
        tally.unpriced_replies = (
            count(said, "unpriced_replies") if "unpriced_replies" in said else tally.replies
        )
        return tally


def _amount(said: object) -> Decimal:
    try:
        amount = Decimal(said) if isinstance(said, str) else Decimal("nan")
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise ValueError("cost_usd is no amount")
    return amount


class ConversationManager(conversation.ConversationManager):
    """A conversation of several turns, metered.

    As many of the latest turns are sent as the model's window holds, where the catalogue knows it.

    Args:
        model: Model with its provider prefix (``anthropic/claude-sonnet-4-5``).
        system_message: Text of the system message, kept by ``clear_history``.
        meter: The Meter to use; by default the one that the configuration describes.
        max_history_tokens: Most tokens that are sent, counted as `costspan.estimate` counts them.
            The oldest turns are left out; never a system message, nor the turn being sent.
        max_age_s: Turns in which nothing was said for so many seconds are not sent.
        defaults: Parameters for every turn (``max_tokens=200``).
    """

    _tally_type: ClassVar[type[SpendTally]] = SpendTally
    _tally: SpendTally

    def __init__(
        self,
        model: str,
        system_message: str | None = None,
        *,
        meter: Meter | None = None,
        max_history_tokens: int | None = None,
        max_age_s: float | None = None,
        **defaults: Any,
    ) -> None:
        self._meter = meter
        super().__init__(
            model,
            system_message,
            completion=functools.partial(calling.completion, meter=meter),
            acompletion=functools.partial(calling.acompletion, meter=meter),
            token_counter=functools.partial(_count_tokens, meter),
            context_window=functools.partial(_context_window, meter),
            max_history_tokens=max_history_tokens,
            max_age_s=max_age_s,
            **defaults,
        )

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars of all replies so far whose cost is known.

        0 before the first one, None where no reply's cost is known. `unpriced_replies` says how
        many are missing in it. Requests that failed before there was a reply are not in it; the
        ledger has them.
        """
        return self._tally.cost_usd if self.replies else Decimal()

    @property
    def unpriced_replies(self) -> int:
        """How many replies have no known cost, or a part of it only (streams left early too)."""
        return self._tally.unpriced_replies

    def _fits(self, entries: Sequence[Entry], limit: int, arguments: Mapping[str, Any]) -> bool:
        """Whether messages, and what else of the arguments the model reads, are short enough."""
        messages = [entry.message for entry in entries]
        read = {name: arguments[name] for name in _READ_BY_MODEL if arguments.get(name)}
        most = _most_tokens(messages, read)
        if most is not None and most <= limit:
            return True
        return _count_tokens(self._meter, self.model, messages, **read) <= limit


_READ_BY_MODEL = ("tools", "functions", "response_format", "thinking")

# More than any tokenizer or provider makes of them: tokens for a byte of text, for what stands
# around a message, and for what tools bring along.
_TOKENS_PER_BYTE, _TOKENS_AROUND, _TOKENS_OF_TOOLS = 2, 100, 2000


def _most_tokens(messages: Sequence[JSON], read: Mapping[str, Any]) -> int | None:
    """What plain texts cannot exceed, without a vocabulary (a quarter of a second to load)."""
    if not all(isinstance(message.get("content", ""), str) for message in messages):
        return None
    written = len(json.dumps([messages, read], default=repr))
    around = _TOKENS_AROUND * (len(messages) + 1) + (_TOKENS_OF_TOOLS if read else 0)
    return _TOKENS_PER_BYTE * written + around


def _count_tokens(meter: Meter | None, model: str, messages: list[JSON], **read: Any) -> int:
    said = calling.estimate(model=model, messages=messages, meter=meter, **read)
    return said.input_tokens.likely


def _context_window(meter: Meter | None, model: str) -> int | None:
    """The window that the catalogue knows of a model."""
    if disabled():
        return None
    in_force = calling.meter_source(meter)()
    asked = from_arguments({"model": model})
    alias = in_force.aliases.get(asked.model)
    facts = in_force.catalogue.facts(
        provider=alias.provider if alias else asked.provider,
        model=alias.model if alias else asked.model,
        at=datetime.now(UTC),
    )
    return int(facts["context_window"]) if facts.get("context_window") else None
