"""Keeps keys and signatures out of what a server says, for errors must not carry them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY_SHAPES = re.compile(
    r"""(?ix)
    \b(?:bearer\s+|(?:sk|pk|gsk|xai|hf|csk|fw|pplx|tgp|nvapi|r8)[-_]|AIza|ya29\.)[\w*.\-]{6,}
    | \b(?-i:AKIA|ASIA)(?-i:[A-Z0-9]{12,})          # ids of AWS access keys
    | \beyJ[\w\-]{8,}\.[\w\-.]{6,}                  # JSON web tokens
    | (?<=[?&]key=)[^&\s"']+                        # Gemini's key in an address
    | (?<=\bsignature=)[\w%+/=\-]{8,}               # AWS signatures, and what signs with them
    | (?<=\bcredential=)[\w%+/=\-]{8,}
    | (?<=\bx-amz-security-token[:=])[\w%+/=\-]{8,}
    """
)
_REDACTED = "[key removed]"
_SHORTEST_SECRET = 8  # local servers take keys like "none", which are words and no secrets


def redact(value: object, secret: str | None = None) -> object:
    """A copy of a decoded JSON value without ``secret`` and what looks like a key or signature.

    Args:
        value: The decoded value.
        secret: The key that was sent.
    """
    if isinstance(value, str):
        if secret and len(secret) >= _SHORTEST_SECRET:
            value = value.replace(secret, _REDACTED)
        return _KEY_SHAPES.sub(_REDACTED, value)
    if isinstance(value, Mapping):
        return {redact(key, secret): redact(each, secret) for key, each in value.items()}
    if isinstance(value, list):
        return [redact(each, secret) for each in value]
    return value
