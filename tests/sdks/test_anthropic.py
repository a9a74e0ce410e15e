"""Every surface of the anthropic SDK 2, on every way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest
import wire
from bed import Bed
from claude import HI, MSG, PATH, SURFACES, USD, client
from stainless import repeating
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


@pytest.mark.parametrize(
    "surface", [repeating(each) for each in SURFACES[:4]], ids=lambda s: s.name
)
def test_attempts_of_the_sdk_are_one_call(
    bed: Bed, shared_frame_server: FrameServer, surface: Surface
) -> None:
    expected = bed.play(surface, "ok", wrapped=False, refusals=2)
    assert len(shared_frame_server.requests) == 3
    assert bed.play(surface, "ok", wrapped=True, refusals=2) == expected
    (call,) = bed.calls(1)
    assert (call.retries, call.status, call.cost_usd) == (2, "ok", USD)


WANTS_TOOL = {
    **wire.MESSAGE_BODY,
    "id": "msg_0",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}],
    "stop_reason": "tool_use",
}


@anthropic.beta_tool
def lookup() -> str:
    """Look it up."""
    return "42"


def test_each_turn_of_a_tool_runner_is_a_call(bed: Bed, shared_frame_server: FrameServer) -> None:
    replies: list[Any] = []
    for wrapped in (False, True):
        shared_frame_server.reset()
        shared_frame_server.json(PATH, WANTS_TOOL)
        shared_frame_server.json(PATH, wire.MESSAGE_BODY)
        with client(shared_frame_server.url) as asked:
            if wrapped:
                wrap(asked, lambda: bed.meter)
            bed.memory.clear()
            runner = asked.beta.messages.tool_runner(**MSG, tools=[lookup])
            replies.append([repr(message) for message in runner])

    assert replies[0] == replies[1]
    first, second = bed.calls(2)
    assert (first.last.response_id, second.last.response_id) == ("msg_0", "msg_1")
    assert (first.cost_usd, second.cost_usd) == (USD, USD)


def test_paths_without_a_completion_pass_unrecorded(
    bed: Bed, shared_frame_server: FrameServer
) -> None:
    shared_frame_server.reset()
    shared_frame_server.json("/v1/messages/count_tokens", {"input_tokens": 8})
    bed.memory.clear()
    with wrap(client(shared_frame_server.url), lambda: bed.meter) as asked:
        counted = asked.messages.count_tokens(model="claude-sonnet-5", messages=HI)
        asked.beta.messages.count_tokens(model="claude-sonnet-5", messages=HI)

    assert counted.input_tokens == 8
    assert bed.calls(0) == ()
