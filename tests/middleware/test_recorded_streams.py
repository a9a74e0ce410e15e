"""Recorded streams pass byte by byte, and the SDKs read the same events, however they are cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench import ASKED, MSG, STREAM, Bench
from streams import RECORDED

FORMATS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "chat": (lambda client: client.chat.completions, STREAM),
    "responses": (lambda client: client.responses, {**ASKED, "stream": True}),
    "messages": (lambda client: client.messages, {**MSG, "stream": True}),
}
"""Format -> the resource of a client, and what it is asked."""


def written(body: bytes, how: str) -> bytes:
    """A stream as other servers write it."""
    if how == "crlf":
        return body.replace(b"\n", b"\r\n")
    if how == "comments":
        return b": hello\n\n" + body.replace(b"\n\n", b"\n\n: ping\n\n")
    return body


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("how", ["lf", "crlf", "comments"])
@pytest.mark.parametrize("name", FORMATS)
def test_recorded_streams_pass_byte_by_byte(bench: Bench, name: str, how: str, gzip: bool) -> None:
    recorded, (resource, asked) = RECORDED[name], FORMATS[name]
    whole = written(recorded.body, how)
    # Every character of more than one byte is split somewhere.
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    kind = {"content-type": "text/event-stream"}
    bench.server.script(recorded.path, frames=pieces, gzip=gzip, headers=kind)
    pair = (bench.plain_claude, bench.claude) if name == "messages" else (bench.plain, bench.openai)
    octets, events = [], []
    for client in pair:
        with resource(client).with_streaming_response.create(**asked) as response:
            octets.append(list(response.iter_bytes()))
        events.append([repr(event) for event in resource(client).create(**asked)])

    assert octets[0] == octets[1]
    assert b"".join(octets[1]) == whole
    assert events[0] == events[1]
    bench.meter.flush()
    assert bench.meter.guard.failures == {}
    assert [call.status for call in bench.memory.calls] == ["ok", "ok"]
    for call in bench.memory.calls:
        usage = call.last.usage
        assert usage is not None
        assert (usage.source, usage.input_tokens, usage.output_tokens) == ("provider", 10, 7)
