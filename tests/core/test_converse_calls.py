"""Calls to Bedrock over real HTTP, beside those of botocore's own client on the same bytes."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from aws_wire import FRAMES, event, exception
from botocore.config import Config
from botocore.exceptions import EventStreamError

from costspan.core.completion import acompletion, completion
from costspan.core.errors import APIError, NotFoundError

if TYPE_CHECKING:
    from tests.conftest import FrameServer

MODEL = "anthropic.claude-sonnet-4-6-v1:0"
PATH = "/model/anthropic.claude-sonnet-4-6-v1%3A0/converse"
HELLO = [{"role": "user", "content": "Hello"}]
HELLO_TURN = {"role": "user", "content": [{"text": "Hello"}]}
USAGE = {
    "inputTokens": 3,
    "outputTokens": 7,
    "totalTokens": 1510,
    "cacheReadInputTokens": 1200,
    "cacheWriteInputTokens": 300,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 300}],
}
BODY = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Größe 🎈"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 5},
    "serviceTier": {"type": "flex"},
}
STREAM = [
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Grö"}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "ße 🎈"}),
    event("contentBlockStop", contentBlockIndex=0),
    event("messageStop", stopReason="end_turn"),
    event("metadata", usage=USAGE, metrics={"latencyMs": 5}, serviceTier={"type": "flex"}),
]
PNG = base64.b64encode(b"\x89PNG").decode()
TOOL = {
    "type": "function",
    "function": {"name": "now", "description": "The time.", "parameters": {"type": "object"}},
}
TOOL_SPEC = {
    "toolSpec": {
        "name": "now",
        "description": "The time.",
        "inputSchema": {"json": {"type": "object"}},
    }
}
CALL = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"UTC"}'}}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def theirs(frame_server: FrameServer) -> Iterator[Any]:
    """botocore's own client."""
    client = botocore.session.get_session().create_client(
        "bedrock-runtime",
        endpoint_url=frame_server.url,
        config=Config(retries={"max_attempts": 0}),
    )
    yield client
    client.close()


def their_stream(client: Any) -> Iterator[Any]:
    with closing(client.converse_stream(modelId=MODEL, messages=[HELLO_TURN])["stream"]) as events:
        yield from events


def ours(server: FrameServer, messages: Any = HELLO, **arguments: Any) -> Any:
    return completion(
        f"bedrock/{MODEL}", messages, base_url=server.url, api_key="bedrock-api-key", **arguments
    )


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        ({"messages": HELLO}, {"messages": [HELLO_TURN]}),
        (
            {
                "messages": [
                    {"role": "system", "content": "Be brief.", "cache_control": {"type": "e"}},
                    *HELLO,
                ],
                "max_tokens": 50,
                "temperature": 0.5,
                "top_p": 0.5,
                "stop": ["\n"],
                "service_tier": "flex",
                "reasoning_effort": "low",
            },
            {
                "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
                "messages": [HELLO_TURN],
                "inferenceConfig": {
                    "maxTokens": 50,
                    "temperature": 0.5,
                    "topP": 0.5,
                    "stopSequences": ["\n"],
                },
                "serviceTier": {"type": "flex"},
                "outputConfig": {"effort": "low"},
            },
        ),
        (
            {
                "messages": [
                    *HELLO,
                    {"role": "assistant", "tool_calls": [CALL]},
                    {"role": "tool", "tool_call_id": "t1", "content": "noon"},
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "image_url",
                                "image_url": {"url": f"data:image/png;base64,{PNG}"},
                            }
                        ],
                    },
                ],
                "tools": [TOOL],
                "tool_choice": "required",
                "thinking_budget": 2000,
            },
            {
                "messages": [
                    HELLO_TURN,
                    {
                        "role": "assistant",
                        "content": [
                            {
                                "toolUse": {
                                    "toolUseId": "t1",
                                    "name": "now",
                                    "input": {"zone": "UTC"},
                                }
                            }
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}},
                            {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
                        ],
                    },
                ],
                "toolConfig": {"tools": [TOOL_SPEC], "toolChoice": {"any": {}}},
                "additionalModelRequestFields": {
                    "thinking": {"type": "enabled", "budget_tokens": 2000}
                },
            },
        ),
    ],
)
def test_the_same_request_as_botocore_sends_and_the_same_answer(
    arguments: dict[str, Any], same: dict[str, Any], frame_server: FrameServer, theirs: Any
) -> None:
    frame_server.json(PATH, BODY, headers={"content-type": "application/json"})
    answer = theirs.converse(modelId=MODEL, **same)
    reply = ours(frame_server, **arguments)
    first, second = frame_server.requests
    assert second.json == first.json
    assert second.path == first.path
    assert reply.choices[0].message.content == answer["output"]["message"]["content"][0]["text"]
    assert reply.service_tier == answer["serviceTier"]["type"] == "flex"
    assert reply.id is None
    _check_usage(reply, answer["usage"])


def _check_usage(reply: Any, said: Any) -> None:
    """3 fresh, 1200 read from the cache, 300 written to it for an hour, 7 out."""
    assert reply.usage.prompt_tokens == 1503
    assert reply.usage.prompt_tokens_details.cached_tokens == said["cacheReadInputTokens"] == 1200
    assert reply.usage.completion_tokens == said["outputTokens"] == 7
    assert reply.usage.total_tokens == said["totalTokens"] == 1510
    assert reply.meters.buckets == {
        "tokens.in.text": 3,
        "tokens.in.cache_read": 1200,
        "tokens.in.cache_write.5m": 0,
        "tokens.in.cache_write.1h": 300,
        "tokens.out.text": 7,
    }
    assert reply.meters.flags == ()


def test_the_same_stream(frame_server: FrameServer, theirs: Any) -> None:
    frame_server.script(f"{PATH}-stream", headers=FRAMES, frames=STREAM)
    their_events = list(their_stream(theirs))
    their_text = "".join(
        each["contentBlockDelta"]["delta"]["text"]
        for each in their_events
        if "contentBlockDelta" in each
    )
    with ours(frame_server, stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    first, second = frame_server.requests
    assert second.json == first.json
    assert second.path == first.path
    assert text == their_text == "Größe 🎈"
    assert stream.reply.choices[0].finish_reason == "stop"
    _check_usage(stream.reply, their_events[-1]["metadata"]["usage"])


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_stream_in_any_pieces(size: int, frame_server: FrameServer) -> None:
    body = b"".join(STREAM)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    frame_server.script(f"{PATH}-stream", headers=FRAMES, frames=pieces)
    stream = await acompletion(
        f"bedrock/{MODEL}",
        HELLO,
        base_url=frame_server.url,
        api_key="k",
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == "Größe 🎈"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 1503


async def test_a_whole_answer_asynchronously(frame_server: FrameServer) -> None:
    frame_server.json(PATH, BODY)
    reply = await acompletion(f"bedrock/{MODEL}", HELLO, base_url=frame_server.url, api_key="k")
    assert reply.choices[0].message.content == "Größe 🎈"
    assert reply.provider == "aws"


def test_an_exception_in_a_stream(frame_server: FrameServer, theirs: Any) -> None:
    broken = [*STREAM[:2], exception("throttlingException", message="Too many tokens.")]
    frame_server.script(f"{PATH}-stream", headers=FRAMES, frames=broken)
    stream = ours(frame_server, stream=True)
    assert next(stream).choices[0].delta.role == "assistant"
    assert next(stream).choices[0].delta.content == "Grö"
    with pytest.raises(APIError) as caught:
        next(stream)
    with pytest.raises(EventStreamError, match="throttlingException"):
        list(their_stream(theirs))
    assert caught.value.provider == "aws"
    assert stream.reply.choices[0].message.content == "Grö"


def test_a_stream_that_is_cut_keeps_what_came_and_knows_no_usage(
    frame_server: FrameServer,
) -> None:
    half = [STREAM[0], STREAM[1] + STREAM[2][:30]]
    frame_server.script(f"{PATH}-stream", headers=FRAMES, frames=half)
    with ours(frame_server, stream=True) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Grö"
    assert stream.reply.usage is None
    assert not stream.seen.complete


def test_a_refused_request(frame_server: FrameServer) -> None:
    said = {"message": "The model does not exist."}
    kind = {"x-amzn-errortype": "ResourceNotFoundException:http://internal.amazon.com/"}
    frame_server.json(PATH, said, status=404, headers=kind)
    with pytest.raises(NotFoundError, match="does not exist"):
        ours(frame_server)


def test_a_reply_goes_back_as_history(frame_server: FrameServer) -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"text": "Let me see."},
        {"toolUse": {"toolUseId": "t1", "name": "now", "input": {"zone": "UTC"}}},
    ]
    frame_server.json(
        PATH,
        {**BODY, "output": {"message": {"role": "assistant", "content": content}}},
    )
    reply = ours(frame_server, tools=[TOOL])
    dumped = reply.choices[0].message.model_dump(exclude_none=True)
    for message in (reply.choices[0].message, json.loads(json.dumps(dumped))):
        ours(
            frame_server,
            [*HELLO, message, {"role": "tool", "tool_call_id": "t1", "content": "noon"}],
            tools=[TOOL],
        )
        sent: Any = frame_server.requests[-1].json["messages"]
        assert sent[1] == {"role": "assistant", "content": content}
