"""``ConversationManager`` with the metered completion."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from costspan.calling import acompletion, completion
from costspan.core import conversation

if TYPE_CHECKING:
    from costspan.middleware.meter import Meter


class ConversationManager(conversation.ConversationManager):
    """A conversation of several turns, metered.

    Args:
        model: Model with its provider prefix (``anthropic/claude-sonnet-4-5``).
        system_message: Text of the system message, kept by ``clear_history``.
        meter: The Meter to use; by default the one that the configuration describes.
        defaults: Parameters for every turn (``max_tokens=200``).
    """

    def __init__(
        self,
        model: str,
        system_message: str | None = None,
        *,
        meter: Meter | None = None,
        **defaults: Any,
    ) -> None:
        super().__init__(
            model,
            system_message,
            completion=functools.partial(completion, meter=meter),
            acompletion=functools.partial(acompletion, meter=meter),
            **defaults,
        )
