"""Requests as they go over the wire to Cohere, translated from OpenAI's terms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols import cohere_v2
from costspan.core.reply import Function, Message, ToolCall
from costspan.core.request import Request, WireRequest

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"zone": {"type": "string"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"UTC"}'}}


def function(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA, **fields}}


def wire(
    messages: Any = HELLO,
    *,
    stream: bool = False,
    drop: bool = False,
    extra_body: dict[str, Any] | None = None,
    **params: Any,
) -> WireRequest:
    request = Request(
        "command-a",
        messages,
        stream=stream,
        params=params,
        extra_body=extra_body or {},
        drop_params=drop,
    )
    return cohere_v2.encode(request, endpoint("cohere"))


def turns(*messages: dict[str, Any]) -> Any:
    return wire(messages).body["messages"]


def test_plain_request() -> None:
    sent = wire(temperature=0.5, max_tokens=100)
    assert (sent.path, sent.headers, sent.dropped) == ("/v2/chat", {}, ())
    assert sent.body == {
        "model": "command-a",
        "messages": HELLO,
        "stream": False,
        "temperature": 0.5,
        "max_tokens": 100,
    }
    row = endpoint("cohere")
    assert row.url(sent.path, model="command-a") == "https://api.cohere.com/v2/chat"


def test_stream_asks_for_no_usage_for_it_always_comes() -> None:
    sent = wire(stream=True, stream_options={"include_usage": True})
    assert sent.body == {"model": "command-a", "messages": HELLO, "stream": True}


def test_messages_of_all_roles() -> None:
    assert turns(
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        {
            "role": "user",
            "content": [
                "What is it?",
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://h/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
            ],
        },
        {"role": "assistant", "content": "A cat.", "annotations": [{}], "refusal": None},
    ) == [
        {"role": "system", "content": "A"},
        {"role": "system", "content": [{"type": "text", "text": "B"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "https://h/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {"role": "assistant", "content": "A cat."},
    ]


def test_tool_calls_and_results() -> None:
    document = {"type": "document", "document": {"id": "d1", "data": {"time": "noon"}}}
    mapping = {"id": "c2", "function": {"name": "f", "arguments": {"a": 1}}}
    assert turns(
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, mapping]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        {"role": "tool", "tool_call_id": "c2", "content": [document]},
    )[1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                CALL,
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a": 1}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        {"role": "tool", "tool_call_id": "c2", "content": [document]},
    ]


def test_a_reply_as_history_keeps_the_plan_of_its_tool_calls() -> None:
    call = ToolCall("c1", "function", Function("now", '{"zone":"UTC"}'))
    message = Message(role="assistant", tool_calls=[call], reasoning_content="I will look.")
    assert turns(message.model_dump(exclude_none=True)) == [
        {"role": "assistant", "tool_calls": [CALL], "tool_plan": "I will look."}
    ]
    theirs = {"role": "assistant", "tool_calls": [CALL], "tool_plan": "I will look."}
    assert turns(theirs) == [theirs]


def test_reasoning_without_tool_calls_stays_at_home() -> None:
    message = Message(role="assistant", content="Hi", reasoning_content="hm")
    assert turns(message.model_dump(exclude_none=True)) == [{"role": "assistant", "content": "Hi"}]


def test_an_answer_without_a_word_is_left_out() -> None:
    assert turns({"role": "assistant", "content": None}, *HELLO) == HELLO
    assert turns({"role": "user", "content": ""}) == [{"role": "user", "content": ""}]


def test_names_of_speakers_have_no_place_and_are_told_to_be_left_out() -> None:
    sent = wire([{"role": "user", "content": "Hello", "name": "Ann"}])
    assert (sent.body["messages"], sent.dropped) == (HELLO, ("messages.name",))


@pytest.mark.parametrize("choice", ["any", {"type": "web_search"}])
def test_tool_choices_that_cohere_lacks(choice: Any) -> None:
    with pytest.raises(BadRequestError, match="Cohere takes auto, required, none or a function"):
        wire(tools=[function("now")], tool_choice=choice)


@pytest.mark.parametrize(
    ("choice", "sent"), [("auto", None), ("required", "REQUIRED"), ("none", "NONE"), (None, None)]
)
def test_tools_and_tool_choice(choice: str | None, sent: str | None) -> None:
    params: dict[str, Any] = {"tool_choice": choice} if choice else {}
    body = wire(tools=[function("now", description="d")], **params).body
    assert body["tools"] == [
        {"type": "function", "function": {"name": "now", "description": "d", "parameters": SCHEMA}}
    ]
    assert body.get("tool_choice") == sent
    assert "strict_tools" not in body


def test_a_tool_that_is_named_is_demanded_by_offering_no_other() -> None:
    choice = {"type": "function", "function": {"name": "now"}}
    body = wire(tools=[function("then"), function("now")], tool_choice=choice).body
    assert body["tools"] == [function("now")]
    assert body["tool_choice"] == "REQUIRED"
    with pytest.raises(BadRequestError, match="'now', which is not among the tools"):
        wire(tools=[function("then")], tool_choice=choice)


def test_strictness_is_one_for_all_tools() -> None:
    strict, loose = function("now", strict=True), function("then", strict=False)
    body = wire(tools=[strict]).body
    assert (body["tools"], body["strict_tools"]) == ([function("now")], True)
    assert "strict_tools" not in wire(tools=[strict, loose]).body
    assert wire(tools=[{"type": "function", "function": {"name": "f"}}]).body["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
        }
    ]
    assert wire(tools=[], tool_choice="none").body == wire().body


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"top_p": 0.9}, {"p": 0.9}),
        ({"top_k": 5}, {"k": 5}),
        ({"seed": 1}, {"seed": 1}),
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"frequency_penalty": 0.5}, {"frequency_penalty": 0.5}),
        ({"presence_penalty": 1}, {"presence_penalty": 1}),
        ({"logprobs": True}, {"logprobs": True}),
        (
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "zone", "schema": SCHEMA, "strict": True},
                }
            },
            {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
        ),
        ({"thinking_budget": 500}, {"thinking": {"type": "enabled", "token_budget": 500}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 500}},
            {"thinking": {"type": "enabled", "token_budget": 500}},
        ),
        (
            {"thinking": {"type": "enabled", "token_budget": 500}},
            {"thinking": {"type": "enabled", "token_budget": 500}},
        ),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "enabled"}}),
        ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}),
    ],
)
def test_translated_parameters(params: dict[str, Any], fields: dict[str, Any]) -> None:
    plain = {"model": "command-a", "messages": HELLO, "stream": False}
    assert wire(**params).body == {**plain, **fields}


def test_extra_body_wins() -> None:
    sent = wire(temperature=0.5, extra_body={"temperature": 1, "safety_mode": "STRICT"}).body
    assert (sent["temperature"], sent["safety_mode"]) == (1, "STRICT")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"frequency_penalty": 1.5}, r"frequency_penalty=1\.5 is out of range.*from 0 to 1"),
        ({"presence_penalty": -0.5}, r"presence_penalty=-0\.5 is out of range.*from 0 to 1"),
        ({"top_p": 1}, r"top_p=1 is out of range.*from 0\.01 to 0\.99"),
        ({"top_k": 501}, r"top_k=501 is out of range.*from 0 to 500"),
        (
            {"thinking_budget": 1024, "max_tokens": 500},
            "thinking budget of 1024 tokens leaves nothing of max_tokens=500",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools of type function only"),
    ],
)
def test_ranges_that_are_narrower_here(params: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        wire(**params)


@pytest.mark.parametrize(
    "params",
    [
        {"n": 2},
        {"logit_bias": {"1": 1}},
        {"top_logprobs": 2},
        {"user": "u"},
        {"safety_identifier": "u"},
        {"parallel_tool_calls": False},
        {"reasoning_effort": "medium"},
        {"service_tier": "flex"},
        {"store": True},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy"}},
        {"prediction": {"type": "content"}},
        {"verbosity": "low"},
        {"web_search_options": {}},
        {"prompt_cache_key": "k"},
    ],
)
def test_parameters_that_cohere_lacks(params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(UnsupportedParamsError, match=f"cohere has no {name} in its cohere-v2 API"):
        wire(**params)
    sent = wire(drop=True, **params)
    assert sent.dropped == (name,)
    assert sent.body == wire().body


def test_what_an_endpoint_refuses_is_refused_here_too() -> None:
    row = replace(endpoint("cohere"), unsupported=("seed",))
    with pytest.raises(UnsupportedParamsError, match="no seed"):
        cohere_v2.encode(Request("m", HELLO, params={"seed": 1}), row)


def test_values_that_ask_for_nothing_are_no_error() -> None:
    sent = wire(
        n=1,
        logit_bias={},
        logprobs=False,
        top_logprobs=0,
        parallel_tool_calls=True,
        store=False,
        modalities=["text"],
        service_tier="auto",
        verbosity="medium",
        response_format={"type": "text"},
    )
    assert (sent.body, sent.dropped) == (wire().body, ())


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "narrator", "content": "x"}, "unknown role 'narrator'"),
        ({"role": "user", "content": [1]}, "a content part must be a text or a mapping"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "'input_audio' in a message"),
        ({"role": "user", "content": [{"type": "file"}]}, "'file' in a message of role user"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "role system: it takes text"),
        ({"role": "assistant", "tool_calls": [1]}, "a tool call needs an id and a function"),
    ],
)
def test_what_cannot_be_said(message: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        turns(message)
