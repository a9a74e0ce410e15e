"""Remembering which of many ids have been seen, in bounded memory."""

from __future__ import annotations


class RecentIds:
    """The newest ids of many: a set that forgets, half of it at a time.

    Args:
        limit: How many are remembered at most; half as many at least.
    """

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def __contains__(self, identity: str) -> bool:
        # 64 bits, salted: two of 100,000 collide once in 4 thousand million.
        number = hash(identity)
        return number in self._newer or number in self._older

    def add(self, identity: str) -> bool:
        """Remember an id; whether it is new."""
        if identity in self:
            return False
        if len(self._newer) >= self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(hash(identity))
        return True
