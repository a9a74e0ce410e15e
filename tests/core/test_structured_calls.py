"""Structured output over real HTTP: plain, streamed, several answers, beside the official SDKs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from anthropic import Anthropic
from openai import OpenAI

from costspan.core.completion import acompletion, completion
from costspan.core.errors import (
    BadRequestError,
    JSONSchemaValidationError,
    UnsupportedParamsError,
)

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO: list[Any] = [{"role": "user", "content": "Who?"}]
ANN = '{"name": "Ann", "age": 35}'


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    age: int | None


def chat_body(*texts: str, reason: str = "stop") -> dict[str, object]:
    choices = [
        {"index": i, "message": {"role": "assistant", "content": t}, "finish_reason": reason}
        for i, t in enumerate(texts)
    ]
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    top = {"id": "c1", "object": "chat.completion", "created": 5, "model": "gpt-4o"}
    return {**top, "choices": choices, "usage": usage}


def message_body(text: str) -> dict[str, object]:
    usage = {"input_tokens": 5, "output_tokens": 7}
    top = {"id": "m1", "type": "message", "role": "assistant", "model": "claude-x"}
    end = {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    return {**top, "content": [{"type": "text", "text": text}], **end}


def ask(server: FrameServer, model: str = "openai/gpt-4o", **arguments: Any) -> Any:
    return completion(model, HELLO, base_url=server.url, api_key="k", num_retries=0, **arguments)


def test_openais_sdk_sends_and_reads_the_same(frame_server: FrameServer) -> None:
    frame_server.json("/chat/completions", chat_body(ANN))
    ours = ask(frame_server, response_format=Person)
    with OpenAI(api_key="k", base_url=frame_server.url) as client:
        theirs = client.chat.completions.parse(
            model="gpt-4o", messages=HELLO, response_format=Person
        )
    first, second = frame_server.requests
    assert {**first.json, "stream": False} == second.json
    assert ours.parsed == theirs.choices[0].message.parsed == Person(name="Ann", age=35)


def test_anthropics_sdk_sends_and_reads_the_same(frame_server: FrameServer) -> None:
    frame_server.json("/v1/messages", message_body(ANN))
    ours = ask(frame_server, "anthropic/claude-x", response_format=Person, max_tokens=50)
    with Anthropic(api_key="k", base_url=frame_server.url) as client:
        theirs = client.messages.parse(
            model="claude-x", messages=HELLO, max_tokens=50, output_format=Person
        )
    first, second = frame_server.requests
    assert first.json["output_config"] == second.json["output_config"]
    assert "anthropic-beta" not in first.headers
    assert ours.parsed == theirs.parsed_output == Person(name="Ann", age=35)


def test_asynchronously(frame_server: FrameServer) -> None:
    frame_server.json("/chat/completions", chat_body(ANN))
    wanted: dict[str, Any] = {"response_format": Person, "base_url": frame_server.url}
    reply = asyncio.run(acompletion("openai/gpt-4o", HELLO, api_key="k", **wanted))
    assert reply.parsed == Person(name="Ann", age=35)


def test_every_answer_is_read(frame_server: FrameServer) -> None:
    frame_server.json("/chat/completions", chat_body(ANN, '{"name": "Bob", "age": null}'))
    reply = ask(frame_server, response_format=Person, n=2)
    assert [choice.parsed.name for choice in reply.choices] == ["Ann", "Bob"]


def test_every_answer_of_a_fan_out_is_read(frame_server: FrameServer) -> None:
    frame_server.json("/v1/messages", message_body(ANN))
    reply = ask(frame_server, "anthropic/claude-x", response_format=Person, n=3)
    assert [choice.parsed for choice in reply.choices] == [Person(name="Ann", age=35)] * 3


def test_streams(frame_server: FrameServer) -> None:
    def frame(**delta: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return b"data: " + json.dumps({"id": "c1", "choices": [choice]}).encode() + b"\n\n"

    frames = [frame(content=ANN[:9]), frame(content=ANN[9:]), b"data: [DONE]\n\n"]
    frame_server.script("/chat/completions", frames=frames)
    stream = ask(frame_server, response_format=Person, stream=True)
    first = next(iter(stream))
    assert first.choices[0].delta.content == ANN[:9]
    with pytest.raises(JSONSchemaValidationError):  # not all of it is there
        _ = stream.reply.parsed
    for _ in stream:
        pass
    assert stream.reply.parsed == Person(name="Ann", age=35)
    assert stream.reply.parsed is stream.reply.parsed


@pytest.mark.parametrize("name", ["json_object", "json_schema"])
def test_mappings_are_decoded_and_not_checked(frame_server: FrameServer, name: str) -> None:
    frame_server.json("/chat/completions", chat_body('{"a": [1, 2.5]}'))
    wanted = {"type": name, "json_schema": {"name": "n", "schema": Person.model_json_schema()}}
    reply = ask(frame_server, response_format=wanted)
    assert reply.parsed == {"a": [1, 2.5]}
    assert frame_server.requests[0].json["response_format"] == wanted


def test_a_paid_reply_is_never_lost(frame_server: FrameServer) -> None:
    frame_server.json("/chat/completions", chat_body('{"name": "Jo', reason="length"))
    reply = ask(frame_server, response_format=Person)
    assert reply.usage.total_tokens == 12
    with pytest.raises(JSONSchemaValidationError, match="raise max_tokens") as caught:
        _ = reply.parsed
    assert caught.value.text == '{"name": "Jo'
    assert (caught.value.provider, caught.value.model) == ("openai", "gpt-4o")


def test_nothing_is_sent_for_what_is_no_format(frame_server: FrameServer) -> None:
    for wrong in (dict, Person(name="A", age=1), "json"):
        with pytest.raises(BadRequestError, match="response_format"):
            ask(frame_server, response_format=wrong)
    with pytest.raises(UnsupportedParamsError, match="response_format"):
        ask(frame_server, "anthropic/claude-x", response_format={"type": "json_object"})
    assert frame_server.requests == []


def test_a_dropped_format_is_read_all_the_same(frame_server: FrameServer) -> None:
    frame_server.json("/v1/messages", message_body(f"```json\n{ANN}\n```"))
    reply = ask(
        frame_server,
        "anthropic/claude-x",
        response_format={"type": "json_object"},
        drop_params=True,
    )
    assert reply.dropped_params == ("response_format",)
    assert reply.parsed == {"name": "Ann", "age": 35}


def test_fallbacks_are_asked_in_their_own_words(frame_server: FrameServer) -> None:
    frame_server.json("/chat/completions", {"error": {"message": "no"}}, 500)
    frame_server.json("/v1/messages", message_body(ANN))
    other = {"model": "anthropic/claude-x", "base_url": frame_server.url, "api_key": "k"}
    reply = ask(frame_server, response_format=Person, fallbacks=[other])
    assert reply.provider == "anthropic"
    assert reply.parsed == Person(name="Ann", age=35)
    assert "response_format" in frame_server.requests[0].json
    assert "output_config" in frame_server.requests[1].json
