"""Which pieces of a stream bring nothing but words, told from their bytes without parsing them.

Nearly all of a stream is such pieces. Their words are only counted if the provider sends no usage,
so they are held as they came, and read only then.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from costspan.core.decoders import Event
from costspan.core.observation import Observation
from costspan.core.protocols import load

_LINE_FEED = b"\n"
_BLANK_LINE = b"\n\n"


class _Words(NamedTuple):
    """How one writer of a format writes a piece of words: this stands in it, and none of those."""

    has: bytes
    lacks: tuple[bytes, ...]


_WRITERS = {
    "chat": (
        _Words(b'"finish_reason":null', (b'"usage":{', b'"error"', b'_reason":"')),
        _Words(b'"finish_reason": null', (b'"usage": {', b'"error"', b'_reason": "')),
    ),
    "messages": (_Words(b'"content_block_delta"', (b'"usage"', b'"error"')),),
    "responses": (
        _Words(b'"response.output_text.delta"', (b'"response":', b'"error"')),
        _Words(b'"response.function_call_arguments.delta"', (b'"response":', b'"error"')),
    ),
}
"""By api. OpenAI and Anthropic write JSON without spaces, Python's servers (vLLM) with them."""


def brings_only_words(api: str, data: bytes) -> bool:
    """Whether bytes of a stream are one whole event that brings words and nothing else.

    Args:
        api: Canonical api name.
        data: Bytes as they came, following whole events.

    Returns:
        True only where that is certain: what is written in another way has to be read.
    """
    if not data.endswith(_BLANK_LINE) or data.count(_LINE_FEED) != 2 + data.startswith(b"event:"):
        return False
    for writer in _WRITERS.get(api, ()):
        if writer.has in data:
            for mark in writer.lacks:
                if mark in data:
                    break
            else:
                return True
            break
    return False


def read_held(seen: Observation) -> None:
    """Read what is held of a stream, for counting its words."""
    held, seen.held = seen.held, []
    protocol = load(seen.api)
    for event in _parsed(held):
        protocol.observe(event, seen)


def _parsed(held: list[bytes]) -> list[dict[str, object]]:
    """The events as JSON objects: all at once, which takes a third of the time of one by one."""
    datas = [piece.partition(b"data:")[2] for piece in held]
    try:
        found = orjson.loads(b"[%b]" % b",".join(datas))
    except orjson.JSONDecodeError:  # one of them is none, or is what only Python's parser reads
        found = [Event("", data).json() for data in datas]
    return [event for event in found if isinstance(event, dict)]
