"""Several keys of one provider: one that is refused rests, and the next one is taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

from costspan.core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)

Key: TypeAlias = str | Callable[[], str]
"""A key, or what is called before each request to get one that is still valid."""

ApiKey: TypeAlias = "Key | Sequence[Key] | KeyRing"
"""A key, or several that stand in for each other."""

_REST_OF_REFUSED_S = 3600.0


@dataclass(slots=True)
class _Resting:
    key: Key
    until: float = 0.0


class KeyRing:
    """Keys of one provider that stand in for each other.

    The first key that does not rest is used. On 401 and 403 it rests for an hour, on 429 as long
    as the provider says, else ``rest_s``. One object can serve many calls and threads, which then
    know of each other's refusals.

    Args:
        keys: The keys, or functions that return them; at least one.
        rest_s: Seconds that a key rests after 429 without a ``Retry-After``.
        clock: Seconds, monotonic; for tests.

    Raises:
        BadRequestError: There are no keys.
    """

    def __init__(
        self,
        keys: Iterable[Key],
        rest_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # A single key is no list of letters.
        self._keys = [_Resting(key) for key in ((keys,) if isinstance(keys, str) else keys)]
        if not self._keys:
            raise BadRequestError("a KeyRing needs at least one key")
        self._rest_s = rest_s
        self._clock = clock
        self._lock = Lock()

    def take(self, tried: Sequence[Key] = ()) -> Key:
        """The first key that is ready; if none is, the one that has rested most of its time.

        Args:
            tried: Keys that the same call has tried, and that are not ready for it.
        """
        with self._lock:
            ready = self._ready(tried)
            return ready[0] if ready else min(self._keys, key=lambda each: each.until).key

    def refused(self, key: Key, error: APIError, tried: Sequence[Key] = ()) -> bool:
        """Let a key rest if that is what the error asks for.

        Args:
            key: The key as `take` gave it.
            error: What the request failed with.
            tried: Keys that the same call has tried.

        Returns:
            Whether another key is ready, so that the request can be sent again at once.
        """
        if not isinstance(error, (AuthenticationError, PermissionDeniedError, RateLimitError)):
            return False
        refused = not isinstance(error, RateLimitError) or isinstance(error, QuotaExceededError)
        rest_s = _REST_OF_REFUSED_S if refused else error.retry_after_s or self._rest_s
        with self._lock:
            until = self._clock() + rest_s
            for each in self._keys:
                if each.key == key:
                    each.until = until
            return bool(self._ready((*tried, key)))

    def _ready(self, tried: Sequence[Key]) -> list[Key]:
        now = self._clock()
        return [each.key for each in self._keys if each.until <= now and each.key not in tried]

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"


class KeysOfCall:
    """The keys of one call, which tries each at most once between two waits.

    Args:
        ring: The keys, which other calls may use as well.
    """

    __slots__ = ("_ring", "_tried")

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._tried: list[Key] = []

    def take(self) -> Key:
        """The key for the next request."""
        return self._ring.take(self._tried)

    def refused(self, key: Key | None, error: APIError) -> bool:
        """Let the key rest if need be; whether another one is ready."""
        if key is None:
            return False
        another = self._ring.refused(key, error, self._tried)
        # Where there is none, what follows is a wait, and then all may be tried again.
        self._tried = [*self._tried, key] if another else []
        return another


class OneKey:
    """The one key of a call, or none, behind the same face."""

    __slots__ = ("_key",)

    def __init__(self, key: Key | None) -> None:
        self._key = key

    def take(self) -> Key | None:
        """The key."""
        return self._key

    def refused(self, _key: Key | None, _error: APIError) -> bool:
        """There is no other key."""
        return False


def ring_of(given: ApiKey | None) -> KeysOfCall | OneKey:
    """The keys to choose from, as the caller gave them."""
    if given is None or isinstance(given, str) or callable(given):
        return OneKey(given)
    return KeysOfCall(given if isinstance(given, KeyRing) else KeyRing(given))
