"""Turns for wire formats whose roles must alternate, and that keep system messages apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from costspan.core.protocols.message_parts import unknown_role
from costspan.core.types import JSON

Block: TypeAlias = "dict[str, object]"
BlocksOf: TypeAlias = Callable[[JSON], "list[Block] | None"]
"""Makes the content blocks of a message; None leaves the message out."""


def alternating_turns(
    messages: Sequence[JSON], blocks_of: Mapping[str, BlocksOf]
) -> tuple[list[Block], list[Block]]:
    """Split messages into system blocks and turns.

    All system and developer messages go into the system blocks, in order. Neighbours of one role
    become one turn, and tool results are part of the user's next turn, because the API wants the
    roles to alternate.

    Args:
        messages: The conversation.
        blocks_of: By role (``system``, ``user``, ``assistant``, ``tool``), what makes blocks.

    Returns:
        The system blocks and the turns.

    Raises:
        BadRequestError: A role is unknown.
    """
    system: list[Block] = []
    turns: list[Block] = []
    last: list[Block] = []
    for message in messages:
        role = "system" if message["role"] == "developer" else message["role"]
        if not isinstance(role, str) or role not in blocks_of:
            raise unknown_role(role)
        blocks = blocks_of[role](message)
        if blocks is None:
            continue
        side = "user" if role == "tool" else role
        if side == "system":
            system += blocks
        elif turns and turns[-1]["role"] == side:
            last += blocks
        else:
            last = blocks
            turns.append({"role": side, "content": last})
    return system, turns
