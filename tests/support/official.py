"""The same question put to a server by the official SDKs, and what they read in its answer.

Where there is no SDK in the environment (Cohere, Ollama), the body is read as its documentation
says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
import botocore.exceptions
import botocore.session
import httpx
import httpx2
import openai
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types

KEY = "key-of-the-tests"


@dataclass(frozen=True)
class Said:
    """What an answer says.

    Attributes:
        text: Its text.
        calls: Name and arguments of its tool calls.
        input_tokens, output_tokens: Its usage.
        call_ids: Ids of the tool calls; empty where the wire format has none.
    """

    text: str
    calls: tuple[tuple[str, object], ...]
    input_tokens: int | None
    output_tokens: int | None
    call_ids: tuple[str, ...] = ()


def openai_chat(url: str, question: str, stream: bool) -> Said:
    """By ``openai``; a stream by its helper, which joins the chunks."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": question}]}
        if stream:
            asked["stream_options"] = {"include_usage": True}
            with client.chat.completions.stream(**asked) as events:
                # Not the final completion: for an answer that met its bound that is an error.
                reply: Any = events.until_done().current_completion_snapshot
        else:
            reply = client.chat.completions.create(**asked)
    message, usage = reply.choices[0].message, reply.usage
    calls = message.tool_calls or ()
    return Said(
        message.content or "",
        tuple((call.function.name, json.loads(call.function.arguments)) for call in calls),
        usage.prompt_tokens,
        usage.completion_tokens,
        tuple(call.id for call in calls),
    )


def openai_responses(url: str, question: str, stream: bool) -> Said:
    """By ``openai``; a stream by its helper."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        if stream:
            with client.responses.stream(model="m", input=question) as events:
                reply: Any = events.get_final_response()
        else:
            reply = client.responses.create(model="m", input=question)
    calls = [item for item in reply.output if item.type == "function_call"]
    return Said(
        reply.output_text,
        tuple((call.name, json.loads(call.arguments)) for call in calls),
        reply.usage.input_tokens,
        reply.usage.output_tokens,
        tuple(call.call_id for call in calls),
    )


def anthropic_messages(url: str, question: str, stream: bool) -> Said:
    """By ``anthropic``; a stream by its helper."""
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0) as client:
        asked: dict[str, Any] = {
            "model": "m",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": question}],
        }
        if stream:
            with client.messages.stream(**asked) as events:
                reply: Any = events.get_final_message()
        else:
            reply = client.messages.create(**asked)
    calls = [block for block in reply.content if block.type == "tool_use"]
    return Said(
        "".join(block.text for block in reply.content if block.type == "text"),
        tuple((call.name, call.input) for call in calls),
        reply.usage.input_tokens,
        reply.usage.output_tokens,
        tuple(call.id for call in calls),
    )


def google_genai(url: str, question: str, stream: bool) -> Said:
    """By ``google-genai``, whose users join the chunks themselves."""
    options = genai_types.HttpOptions(base_url=url, api_version="v1beta")
    client = genai.Client(api_key=KEY, http_options=options)
    try:
        if stream:
            asked = client.models.generate_content_stream(model="m", contents=question)
            replies = list(asked)
        else:
            replies = [client.models.generate_content(model="m", contents=question)]
    finally:
        client.close()
    contents = [reply.candidates[0].content for reply in replies if reply.candidates]
    parts = [part for content in contents if content for part in content.parts or ()]
    calls = [part.function_call for part in parts if part.function_call]
    usage = replies[-1].usage_metadata
    assert usage is not None
    return Said(
        "".join(part.text for part in parts if part.text),
        tuple((call.name or "", call.args) for call in calls),
        usage.prompt_token_count,
        usage.candidates_token_count,
        tuple(call.id or "" for call in calls),
    )


def aws_converse(url: str, question: str, stream: bool) -> Said:
    """By ``botocore``; the mock's streams have frames that it refuses."""
    assert not stream
    client = botocore.session.Session().create_client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    messages = [{"role": "user", "content": [{"text": question}]}]
    try:
        reply = client.converse(modelId="m", messages=messages)
    finally:
        client.close()
    content = reply["output"]["message"]["content"]
    calls = [block["toolUse"] for block in content if "toolUse" in block]
    return Said(
        "".join(block.get("text", "") for block in content),
        tuple((call["name"], call["input"]) for call in calls),
        reply["usage"]["inputTokens"],
        reply["usage"]["outputTokens"],
        tuple(call["toolUseId"] for call in calls),
    )


def _posted(url: str, question: str, stream: bool) -> list[dict[str, Any]]:
    """The body, or the events of the body, as they stand on the wire."""
    messages = [{"role": "user", "content": question}]
    answer = httpx.post(url, json={"model": "m", "messages": messages, "stream": stream})
    answer.raise_for_status()
    lines = answer.text.splitlines() if stream else [answer.text]
    return [json.loads(line.removeprefix("data: ")) for line in lines if "{" in line]


def ollama_body(url: str, question: str, stream: bool) -> Said:
    """From the lines of the body: https://docs.ollama.com/api/chat."""
    lines = _posted(f"{url}/api/chat", question, stream)
    calls = [call["function"] for line in lines for call in line["message"].get("tool_calls", ())]
    return Said(
        "".join(line["message"]["content"] for line in lines),
        tuple((call["name"], call["arguments"]) for call in calls),
        lines[-1]["prompt_eval_count"],
        lines[-1]["eval_count"],
    )


def cohere_body(url: str, question: str, stream: bool) -> Said:
    """From the events of the body: https://docs.cohere.com/reference/chat-stream."""
    events = _posted(f"{url}/v2/chat", question, stream)
    end = events[-1]["delta"] if stream else events[0]
    messages = [e["delta"]["message"] for e in events if "message" in e.get("delta", ())]
    if stream:
        parts = [message["content"] for message in messages if message.get("content")]
        pieces = [
            (e.get("index"), e["delta"]["message"])
            for e in events
            if "call" in e["type"] and "delta" in e
        ]
        calls = _joined((index, message["tool_calls"]) for index, message in pieces)
    else:
        parts, calls = events[0]["message"]["content"], events[0]["message"]["tool_calls"]
    return Said(
        "".join(part.get("text", "") for part in parts),
        tuple((c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls),
        end["usage"]["tokens"]["input_tokens"],
        end["usage"]["tokens"]["output_tokens"],
        tuple(call["id"] for call in calls),
    )


def _joined(pieces: Iterable[tuple[object, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Tool calls of Cohere's, whose arguments come in pieces."""
    calls: dict[object, dict[str, Any]] = {}
    for index, piece in pieces:
        if "id" in piece:
            calls[index] = piece
        else:
            calls[index]["function"]["arguments"] += piece["function"]["arguments"]
    return list(calls.values())


@dataclass(frozen=True)
class Format:
    """A wire format, as our core and as others ask in it.

    Attributes:
        model, path: The model for our core, and what its base URL has behind the host.
        ask: Asks by the official SDK: address, question, whether streamed.
        errors: What the SDK raises.
        arguments: Further arguments for our core.
        streams: Whether the SDK reads the streams of the mock.
    """

    model: str
    path: str
    ask: Callable[[str, str, bool], Said]
    errors: tuple[type[Exception], ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = True


FORMATS = {
    "chat": Format("openai/m", "/v1", openai_chat, (openai.OpenAIError,)),
    "responses": Format(
        "openai/m", "/v1", openai_responses, (openai.OpenAIError,), {"api": "responses"}
    ),
    "messages": Format(
        "anthropic/m", "", anthropic_messages, (anthropic.AnthropicError, httpx2.HTTPError)
    ),
    "gemini": Format(
        "gemini/m", "/v1beta", google_genai, (genai_errors.APIError, httpx2.HTTPError)
    ),
    "converse": Format(
        "bedrock/m",
        "",
        aws_converse,
        (botocore.exceptions.ClientError,),
        {"region": "us-east-1"},
        streams=False,
    ),
    "cohere": Format("cohere/m", "", cohere_body, (httpx.HTTPError,)),
    "ollama": Format("ollama/m", "", ollama_body, (httpx.HTTPError,)),
}
