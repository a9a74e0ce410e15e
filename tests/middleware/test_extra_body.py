"""What a user adds to a request's body by the SDK's ``extra_body`` is read as part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
import wire

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.tags import tags
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ({"metadata": {"tags": ["job:x", "urgent"]}}, {"job": "x", "request_tags": "urgent"}),
        ({"metadata": {"tags": ["team:other"]}}, {"team": "other"}),
        ({"metadata": {"user_id": "someone@example.org"}}, {}),
        ({"metadata": "none"}, {}),
        (None, {}),
    ],
)  # fmt: skip
def test_tags_for_a_gateway_are_tags_of_the_call(
    extra: dict[str, object] | None,
    found: dict[str, str],
    frame_server: FrameServer,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    client = wrap(openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k"), lambda: meter)

    with tags(team="search"):
        client.chat.completions.create(**ASKED, extra_body=extra)

    assert memory.last is not None
    assert memory.last.tags == {"team": "search", **found}


def test_a_tier_asked_for_in_the_extra_body_is_known(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    client = wrap(openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k"), lambda: meter)

    client.chat.completions.create(**ASKED, extra_body={"service_tier": "flex"})

    assert memory.last is not None
    assert memory.last.last.context == {"requested_service_tier": "flex"}
