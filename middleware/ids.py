"""Time-ordered call ids: UUID version 7, made here because Python gained one only in 3.14."""

from __future__ import annotations

import os
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT_10 = 0x2 << 62
_RANDOM_62 = (1 << 62) - 1
_RANDOM_12 = 0xFFF << 64


def new_call_id(unix_ns: int) -> UUID:
    """Make a UUID version 7 (RFC 9562, 5.7).

    Args:
        unix_ns: Wall clock in nanoseconds since the epoch; the id carries its milliseconds, so
            ids sort by start time.

    Returns:
        The id; its 74 random bits come from the operating system, so forked processes differ.
    """
    random = int.from_bytes(os.urandom(10), "big")
    millis = (unix_ns // 1_000_000) & ((1 << 48) - 1)
    value = (
        (millis << 80) | _VERSION_7 | (random & _RANDOM_12) | _VARIANT_10 | (random & _RANDOM_62)
    )
    return UUID(int=value)
