"""Hashed tags: their values are replaced by keyed hashes before anything sees them."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from costspan.middleware.config import ConfigError

KEY_VARIABLE = "COSTSPAN_HASH_KEY"
"""The environment variable with the key; in no file, so that a copied ledger does not bring it."""

MIN_KEY_BYTES = 16

_PREFIX = "h:"
_HEX_DIGITS = 32
_HASHED = re.compile(rf"{_PREFIX}[0-9a-f]{{{_HEX_DIGITS}}}")
_CACHED_VALUES = 4096


class TagHasher:
    """Replaces the values of some tags by keyed hashes.

    The same value of the same tag always gives the same hash under the same key, so reports by it
    still add up; without the key nobody can find out whose it is by trying names.
    """

    def __init__(self, names: Collection[str], key: bytes) -> None:
        """Keep the key in memory.

        Args:
            names: Of the tags; ``session_id`` and ``unit_id`` are tags too.
            key: At least `MIN_KEY_BYTES` long.
        """
        self._names = frozenset(names)

        @lru_cache(_CACHED_VALUES)
        def digest(name: str, value: str) -> str:
            # The length keeps apart what would read the same: ("ab", "c") and ("a", "bc").
            message = f"{len(name)}:{name}{value}".encode("utf-8", "surrogatepass")
            return _PREFIX + hmac.digest(key, message, "sha256").hex()[:_HEX_DIGITS]

        self._digest = digest

    def hashed(self, name: str, value: str) -> str:
        """The hash that stands for a value: ``h:`` and 32 hex digits of HMAC-SHA256."""
        return self._digest(name, value)

    def __call__(self, tags: Mapping[str, str]) -> Mapping[str, str]:
        """The tags with the values of the named ones hashed."""
        if self._names.isdisjoint(tags):
            return tags
        digest, names = self._digest, self._names
        return {
            name: digest(name, value) if name in names else value for name, value in tags.items()
        }


def tag_hasher(
    names: Collection[str], environ: Mapping[str, str] | None = None
) -> TagHasher | None:
    """What hashes these tags by the key in the environment; None where there are none to hash.

    Args:
        names: Of the tags.
        environ: Environment variables, ``os.environ`` by default.

    Raises:
        ConfigError: There is no key, or it is too short; or the names are no list.
    """
    if isinstance(names, str):
        raise ConfigError(f"hashed_tags = {names!r}: give a list of names of tags")
    if not names:
        return None
    key = os.fsencode((os.environ if environ is None else environ).get(KEY_VARIABLE, ""))
    if len(key) < MIN_KEY_BYTES:
        found = f"has {len(key)} bytes" if key else "is not set"
        raise ConfigError(
            f"hashed_tags ({', '.join(names)}) need a key, and {KEY_VARIABLE} {found}: set it to a "
            f"secret of at least {MIN_KEY_BYTES} bytes, for instance from: openssl rand -hex 32"
        )
    return TagHasher(names, key)


def is_hashed(value: str) -> bool:
    """Whether a value looks like one of our hashes."""
    return _HASHED.fullmatch(value) is not None


def without_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """No tags, for where it cannot be known which of them were to be hashed."""
    return {}
