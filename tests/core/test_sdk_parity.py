"""The official SDKs and our core read the same bytes alike: text, usage and family of errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import anthropic
import botocore.session
import openai
import pytest
from google import genai
from google.genai import types as genai_types
from streams import RECORDED

from costspan.core import errors
from costspan.core.completion import acompletion, completion

if TYPE_CHECKING:
    from tests.conftest import FrameServer

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


def test_openai_chat(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    frame_server.json(CHAT, chat_body)
    base_url = f"{frame_server.url}/v1"
    with openai.OpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
        theirs = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}], max_tokens=5
        )
    ours = completion(
        "openai/m",
        [{"role": "user", "content": "Hello"}],
        max_tokens=5,
        base_url=base_url,
        api_key="k",
    )
    first, second = frame_server.requests
    assert first.json == second.json
    assert first.headers["authorization"] == second.headers["authorization"]
    assert ours.choices[0].message.content == theirs.choices[0].message.content
    assert (ours.id, ours.model, ours.created) == (theirs.id, theirs.model, theirs.created)
    assert ours.choices[0].finish_reason == theirs.choices[0].finish_reason
    assert ours.usage is not None
    assert theirs.usage is not None
    assert ours.usage.prompt_tokens == theirs.usage.prompt_tokens
    assert ours.usage.completion_tokens == theirs.usage.completion_tokens
    assert ours.usage.total_tokens == theirs.usage.total_tokens


async def test_openai_chat_stream(frame_server: FrameServer, chat_frames: list[bytes]) -> None:
    frame_server.script(CHAT, frames=chat_frames, gzip=True)
    base_url = f"{frame_server.url}/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
        chunks = await client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        theirs = [chunk async for chunk in chunks]
    stream = await acompletion(
        "openai/m",
        [{"role": "user", "content": "Hello"}],
        stream=True,
        stream_options={"include_usage": True},
        base_url=base_url,
        api_key="k",
    )
    ours = [chunk async for chunk in stream]
    assert frame_server.requests[0].json == frame_server.requests[1].json
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert [c.delta.content for c in our.choices] == [c.delta.content for c in their.choices]
        assert [c.finish_reason for c in our.choices] == [c.finish_reason for c in their.choices]
    assert ours[-1].usage is not None
    assert theirs[-1].usage is not None
    assert ours[-1].usage.total_tokens == theirs[-1].usage.total_tokens == 17


def test_anthropic_messages(frame_server: FrameServer, message_body: dict[str, object]) -> None:
    frame_server.json(MESSAGES, message_body)
    with anthropic.Anthropic(base_url=frame_server.url, api_key="k", max_retries=0) as client:
        theirs = client.messages.create(
            model="m",
            max_tokens=5,
            system=[{"type": "text", "text": "Be brief."}],
            messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        )
    ours = completion(
        "anthropic/m",
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        max_tokens=5,
        base_url=frame_server.url,
        api_key="k",
    )
    first, second = frame_server.requests
    assert first.json == second.json
    (block,) = theirs.content
    assert block.type == "text"
    assert ours.choices[0].message.content == block.text
    assert ours.usage is not None
    assert theirs.usage.cache_read_input_tokens is not None
    whole_prompt = theirs.usage.input_tokens + theirs.usage.cache_read_input_tokens
    assert ours.usage.prompt_tokens == whole_prompt
    assert ours.usage.completion_tokens == theirs.usage.output_tokens


def test_anthropic_stream(frame_server: FrameServer, message_frames: list[bytes]) -> None:
    frame_server.script(MESSAGES, frames=message_frames)
    with (
        anthropic.Anthropic(base_url=frame_server.url, api_key="k", max_retries=0) as client,
        client.messages.stream(
            model="m", max_tokens=5, messages=[{"role": "user", "content": "Hello"}]
        ) as theirs,
    ):
        their_text = "".join(theirs.text_stream)
        their_usage = theirs.get_final_message().usage
    stream = completion(
        "anthropic/m",
        [{"role": "user", "content": "Hello"}],
        stream=True,
        base_url=frame_server.url,
        api_key="k",
    )
    our_text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert our_text == their_text == "Größe 🎈"
    assert stream.reply.usage is not None
    assert stream.reply.usage.completion_tokens == their_usage.output_tokens == 7


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
    ],
)
def test_errors_have_the_names_that_the_sdks_give_them(
    status: int, name: str, frame_server: FrameServer
) -> None:
    body = {"error": {"message": "no", "type": "t", "code": None}}
    messages: Any = [{"role": "user", "content": "Hello"}]
    for path in (CHAT, MESSAGES):
        frame_server.json(path, body, status=status)
    with (
        openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0) as client,
        pytest.raises(getattr(openai, name)),
    ):
        client.chat.completions.create(model="m", messages=messages)
    with (
        anthropic.Anthropic(base_url=frame_server.url, api_key="k", max_retries=0) as other,
        pytest.raises(getattr(anthropic, name)),
    ):
        other.messages.create(model="m", max_tokens=5, messages=messages)
    for model in ("openai/m", "anthropic/m"):
        with pytest.raises(getattr(errors, name)) as caught:
            completion(
                model, messages, base_url=f"{frame_server.url}/v1", api_key="k", num_retries=0
            )
        assert type(caught.value).__name__ == name


class Read(NamedTuple):
    """What a stream said."""

    text: str
    reasoning: str
    calls: list[tuple[str, object]]
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None


def by_openai_chat(url: str) -> Read:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "Hello"}]
        with client.chat.completions.stream(model="m", messages=messages) as events:
            reply: Any = events.until_done().current_completion_snapshot
    message, usage = reply.choices[0].message, reply.usage
    functions = [call.function for call in message.tool_calls]
    return Read(
        message.content,
        message.reasoning_content,
        [(each.name, json.loads(each.arguments)) for each in functions],
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens_details.cached_tokens,
    )


def by_openai_responses(url: str) -> Read:
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client,
        client.responses.stream(model="m", input="Hello") as events,
    ):
        reply: Any = events.get_final_response()
    calls = [item for item in reply.output if item.type == "function_call"]
    return Read(
        reply.output_text,
        "".join(part.text for part in reply.output[0].summary),
        [(each.name, json.loads(each.arguments)) for each in calls],
        reply.usage.input_tokens,
        reply.usage.output_tokens,
        reply.usage.input_tokens_details.cached_tokens,
    )


def by_anthropic(url: str) -> Read:
    messages: Any = [{"role": "user", "content": "Hello"}]
    with (
        anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=5, messages=messages) as events,
    ):
        reply: Any = events.get_final_message()
    thought, text, *calls = reply.content
    cached = reply.usage.cache_read_input_tokens
    return Read(
        text.text,
        thought.thinking,
        [(each.name, each.input) for each in calls],
        reply.usage.input_tokens + cached,
        reply.usage.output_tokens,
        cached,
    )


def by_genai(url: str) -> Read:
    options = genai_types.HttpOptions(base_url=url, api_version="v1beta")
    client = genai.Client(api_key="k", http_options=options)
    replies: Any = list(client.models.generate_content_stream(model="m", contents="Hello"))
    client.close()
    parts = [part for reply in replies for part in reply.candidates[0].content.parts]
    calls = [part.function_call for part in parts if part.function_call]
    usage = replies[-1].usage_metadata
    return Read(
        "".join(part.text for part in parts if part.text and not part.thought),
        "".join(part.text for part in parts if part.text and part.thought),
        [(each.name, each.args) for each in calls],
        usage.prompt_token_count,
        usage.candidates_token_count + usage.thoughts_token_count,
        usage.cached_content_token_count,
    )


def by_botocore(url: str) -> Read:
    client = botocore.session.Session().create_client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )
    asked = [{"role": "user", "content": [{"text": "Hello"}]}]
    events: Any = list(client.converse_stream(modelId="m", messages=asked)["stream"])
    client.close()
    deltas = [e["contentBlockDelta"] for e in events if "contentBlockDelta" in e]
    starts = [e["contentBlockStart"] for e in events if "contentBlockStart" in e]
    calls = [
        (
            start["start"]["toolUse"]["name"],
            json.loads(
                "".join(
                    each["delta"]["toolUse"]["input"]
                    for each in deltas
                    if each["contentBlockIndex"] == start["contentBlockIndex"]
                )
            ),
        )
        for start in starts
    ]
    thoughts = [each["delta"].get("reasoningContent", {}) for each in deltas]
    usage = events[-1]["metadata"]["usage"]
    return Read(
        "".join(each["delta"].get("text", "") for each in deltas),
        "".join(each.get("text", "") for each in thoughts),
        calls,
        usage["inputTokens"] + usage["cacheReadInputTokens"],
        usage["outputTokens"],
        usage["cacheReadInputTokens"],
    )


SDKS: dict[str, Callable[[str], Read]] = {
    "chat": by_openai_chat,
    "responses": by_openai_responses,
    "messages": by_anthropic,
    "gemini": by_genai,
    "converse": by_botocore,
}


@pytest.mark.parametrize("name", SDKS)
def test_streams_with_thoughts_and_tool_calls(name: str, frame_server: FrameServer) -> None:
    recorded = RECORDED[name]
    headers = {"content-type": recorded.content_type}
    frame_server.script(recorded.path, frames=recorded.frames, headers=headers)
    theirs = SDKS[name](frame_server.url)
    base_url = frame_server.url + recorded.base
    stream = completion(
        recorded.model,
        [{"role": "user", "content": "Hello"}],
        stream=True,
        base_url=base_url,
        api_key="k",
        **recorded.arguments,
    )
    list(stream)
    message, usage = stream.reply.choices[0].message, stream.reply.usage
    assert usage is not None
    functions = [call.function for call in message.tool_calls or ()]
    assert theirs == Read(
        message.content or "",
        message.reasoning_content or "",
        [(each.name or "", json.loads(each.arguments or "")) for each in functions],
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens_details.cached_tokens,
    )
