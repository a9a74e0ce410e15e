"""A mock server of others answers our core and the official SDKs: they read the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from official import FORMATS, KEY, Format, Said

from costspan.core.completion import acompletion, completion
from costspan.core.reply import Reply

if TYPE_CHECKING:
    from tests.services.conftest import AIMock

pytestmark = [
    pytest.mark.services,
    # The mock's own word for an answer with tool calls, where Gemini says STOP.
    pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason"),
]

QUESTIONS = (
    "Tell me of the balloon",
    "What is the weather",
    "Say something and call",
    "Stop in the middle",
)
WAYS = [
    pytest.param(name, stream, id=f"{name}-{'stream' if stream else 'plain'}")
    for name, way in FORMATS.items()
    for stream in (False, True)
    if way.streams or not stream
]


def said(reply: Reply) -> Said:
    """What our reply says, in the terms of the others."""
    assert reply.usage is not None
    message = reply.choices[0].message
    functions = [call.function for call in message.tool_calls or ()]
    return Said(
        message.content or "",
        tuple((f.name or "", json.loads(f.arguments or "")) for f in functions),
        reply.usage.prompt_tokens,
        reply.usage.completion_tokens,
        tuple(call.id or "" for call in message.tool_calls or ()),
    )


def arguments(way: Format, server: AIMock, question: str) -> dict[str, Any]:
    """The arguments of a completion."""
    return {
        "model": way.model,
        "messages": [{"role": "user", "content": question}],
        "base_url": server.url + way.path,
        "api_key": KEY,
        **way.arguments,
    }


def check(ours: Reply, theirs: Said) -> None:
    found = said(ours)
    if not theirs.call_ids:
        # Nothing to compare with: OpenAI's shape needs ids that differ, whatever they are.
        assert len(set(found.call_ids)) == len(found.calls)
        theirs = replace(theirs, call_ids=found.call_ids)
    assert found == theirs


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("name", "stream"), WAYS)
def test_our_core_reads_what_the_sdk_reads(
    name: str, stream: bool, question: str, aimock: AIMock
) -> None:
    way = FORMATS[name]
    theirs = way.ask(aimock.url, question, stream)
    asked = arguments(way, aimock, question)
    if stream:
        opened = completion(**asked, stream=True)
        text = "".join(c.delta.content or "" for chunk in opened for c in chunk.choices)
        assert text == theirs.text
        assert opened.seen.complete
        check(opened.reply, theirs)
    else:
        check(completion(**asked), theirs)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("name", "stream"), WAYS)
async def test_our_core_reads_the_same_asynchronously(
    name: str, stream: bool, question: str, aimock: AIMock
) -> None:
    way = FORMATS[name]
    theirs = way.ask(aimock.url, question, stream)
    asked = arguments(way, aimock, question)
    if stream:
        opened = await acompletion(**asked, stream=True)
        pieces = [c.delta.content or "" async for chunk in opened for c in chunk.choices]
        assert "".join(pieces) == theirs.text
        check(opened.reply, theirs)
    else:
        check(await acompletion(**asked), theirs)


REASONS = {
    "Tell me of the balloon": "stop",
    "What is the weather": "tool_calls",
    "Stop in the middle": "length",
}
UNLIKE_THE_PROVIDER = {
    ("gemini", "What is the weather"),  # FUNCTION_CALL, which is no word of Gemini's
    ("ollama", "Stop in the middle"),  # stop for every answer
    ("responses", "Stop in the middle"),  # incomplete, without the details that say why
}


@pytest.mark.parametrize(
    ("name", "stream", "question"),
    [
        pytest.param(*way.values, question, id=f"{way.id}-{question}")
        for way in WAYS
        for question in REASONS
        if (way.values[0], question) not in UNLIKE_THE_PROVIDER
    ],
)
def test_finish_reasons_are_openais_words(
    name: str, stream: bool, question: str, aimock: AIMock
) -> None:
    asked = arguments(FORMATS[name], aimock, question)
    if stream:
        opened = completion(**asked, stream=True)
        list(opened)
        reply = opened.reply
    else:
        reply = completion(**asked)
    assert reply.choices[0].finish_reason == REASONS[question]


@pytest.mark.parametrize("stream", [False, True])
def test_reports_of_openrouter_are_kept(stream: bool, aimock: AIMock) -> None:
    """The amount that a gateway reports comes through with its details."""
    asked: dict[str, Any] = {
        "model": "openrouter/openai/m",
        "messages": [{"role": "user", "content": "What does it cost"}],
        "base_url": f"{aimock.url}/api/v1",
        "api_key": KEY,
    }
    if stream:
        opened = completion(**asked, stream=True)
        list(opened)
        reply = opened.reply
    else:
        reply = completion(**asked)
    assert reply.meters is not None
    assert str(reply.meters.served.reported_usd) == "0.000071"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (28, 38)
    assert reply.usage.prompt_tokens_details.cached_tokens == 12
    assert reply.usage.completion_tokens_details.reasoning_tokens == 20
