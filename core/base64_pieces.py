"""Joining pieces of base64 text: audio comes in pieces that were encoded one by one."""

from __future__ import annotations


def joined_base64(first: str, second: str) -> str:
    """One base64 text of two: the encoding of the bytes of the first and then of the second.

    Args:
        first, second: Base64 texts. Where one of them is none, the two are put together as they
            are, so that nothing is lost.
    """
    if not first.endswith("="):
        return first + second
    from base64 import b64decode, b64encode

    try:
        return b64encode(b64decode(first) + b64decode(second)).decode("ascii")
    except ValueError:
        return first + second
