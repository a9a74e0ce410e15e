"""``safe_completion`` with the metered completion."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costspan.calling import acompletion, completion
from costspan.core import safe

if TYPE_CHECKING:
    from costspan.core.reply import Reply
    from costspan.middleware.meter import Meter


def safe_completion(
    model: str, messages: Sequence[Any], *, meter: Meter | None = None, **params: Any
) -> Reply:
    """Complete a chat within limits, metered; an answer, or an error that says why there is none.

    Args:
        model: Model with its provider prefix (``anthropic/claude-sonnet-4-5``).
        messages: The conversation: a list of mappings with role and content.
        meter: The Meter to use; by default the one that the configuration describes.
        params: As for ``completion``. Defaults: ``max_tokens=1000``, ``temperature=0.7``,
            ``timeout=30`` and ``num_retries=5``; see `costspan.core.safe.safe_completion`.

    Returns:
        A reply in which at least one answer has text or calls a tool, with its ``cost``.

    Raises:
        InvalidMessagesError: A message is none; it is a `ValueError` too.
        AuthenticationError: The key for the model is missing or not valid.
        EmptyReplyError: There is no answer in the reply, which it carries: it was paid.
        APIError: What else failed, see `costspan.core.errors`.
    """
    metered = functools.partial(completion, meter=meter)
    return safe.safe_completion(model, messages, completion=metered, **params)


async def asafe_completion(
    model: str, messages: Sequence[Any], *, meter: Meter | None = None, **params: Any
) -> Reply:
    """Asynchronous `safe_completion`."""
    metered = functools.partial(acompletion, meter=meter)
    return await safe.asafe_completion(model, messages, acompletion=metered, **params)
