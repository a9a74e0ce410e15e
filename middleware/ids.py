"""Call ids: in the order of time, or the same wherever the same call is seen.

UUID version 7 is made here because Python gained one only in 3.14.
"""

from __future__ import annotations

import os
from hashlib import sha1
from uuid import UUID, SafeUUID

_VERSION_7 = 0x7 << 76
_VERSION_5 = 0x5 << 76
_VERSION_AND_VARIANT = (0xF << 76) | (0x3 << 62)
_REPEATABLE = UUID("0d4f1a5e-6a0c-5e0b-8d6e-3b0c9f2a7d41").bytes
_VARIANT_10 = 0x2 << 62
_RANDOM_62 = (1 << 62) - 1
_RANDOM_12 = 0xFFF << 64
_RANDOM_BYTES = 10
_AT_ONCE = 256


class CallIds:
    """Makes ids from random bytes that it asks the operating system for 256 ids at a time.

    Asking gives up the interpreter's lock, which beside one busy thread can take 5 ms to get back.
    """

    def __init__(self) -> None:
        self._pool: list[int] = []
        self._pid = 0

    def new(self, unix_ns: int, pid: int) -> UUID:
        """Make a UUID version 7 (RFC 9562, 5.7).

        Args:
            unix_ns: Wall clock in nanoseconds since the epoch; the id carries its milliseconds,
                so ids sort by start time.
            pid: The process's id; a forked child must not go on with its parent's bytes.

        Returns:
            The id, with 74 random bits.
        """
        if pid != self._pid:
            self._pool, self._pid = [], pid
        try:
            random = self._pool.pop()
        except IndexError:
            self._pool = _random_numbers()
            random = self._pool.pop()
        millis = (unix_ns // 1_000_000) & ((1 << 48) - 1)
        value = (millis << 80) | _VERSION_7 | (random & _RANDOM_12) | _VARIANT_10
        return _uuid(value | (random & _RANDOM_62))


def repeatable_id(identity: str) -> UUID:
    """The id of a call that may be seen more than once: a UUID version 5 (RFC 9562, 5.5).

    Args:
        identity: What names the call wherever it is seen.

    Returns:
        The same id for the same identity, in every process.
    """
    digest = sha1(_REPEATABLE + identity.encode(), usedforsecurity=False).digest()
    value = int.from_bytes(digest[:16], "big") & ~_VERSION_AND_VARIANT
    return _uuid(value | _VERSION_5 | _VARIANT_10)


def _random_numbers() -> list[int]:
    data = os.urandom(_RANDOM_BYTES * _AT_ONCE)
    return [
        int.from_bytes(data[start : start + _RANDOM_BYTES], "big")
        for start in range(0, len(data), _RANDOM_BYTES)
    ]


def _uuid(value: int) -> UUID:
    """``UUID(int=value)`` without its checks of six other spellings: 0.3 instead of 1.2 us."""
    made = object.__new__(UUID)
    object.__setattr__(made, "int", value)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made
