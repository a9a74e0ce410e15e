"""Requests as they go over the wire to OpenAI Responses, translated from the terms of a chat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols import openai_responses
from costspan.core.reply import Function, Message, ToolCall
from costspan.core.request import Request, WireRequest

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"zone": {"type": "string"}}}
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"UTC"}'}}
CALL_ITEM = {
    "type": "function_call",
    "call_id": "c1",
    "name": "now",
    "arguments": '{"zone":"UTC"}',
}
SAID = {"type": "message", "role": "assistant", "content": "Hi"}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "c2VjcmV0",
}


@pytest.fixture(autouse=True)
def _azure_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com")


def wire(
    messages: Any = HELLO,
    *,
    stream: bool = False,
    drop: bool = False,
    extra_body: dict[str, Any] | None = None,
    provider: str = "openai",
    **params: Any,
) -> WireRequest:
    request = Request(
        "gpt-x",
        messages,
        stream=stream,
        params=params,
        extra_body=extra_body or {},
        drop_params=drop,
    )
    return openai_responses.encode(request, replace(endpoint(provider), protocol="responses"))


def items(*messages: dict[str, Any]) -> Any:
    return wire(messages).body["input"]


def test_plain_request() -> None:
    sent = wire(temperature=0.5, max_tokens=100)
    assert (sent.path, sent.headers, sent.dropped) == ("/responses", {}, ())
    assert sent.body == {
        "model": "gpt-x",
        "input": HELLO,
        "temperature": 0.5,
        "max_output_tokens": 100,
    }


def test_the_same_for_azure() -> None:
    assert wire(provider="azure", temperature=0.5) == wire(temperature=0.5)


def test_stream_asks_for_no_usage_for_it_always_comes() -> None:
    assert wire(stream=True, stream_options={"include_usage": True}).body == {
        "model": "gpt-x",
        "input": HELLO,
        "stream": True,
    }
    options = {"include_usage": True, "include_obfuscation": False}
    sent = wire(stream=True, stream_options=options).body
    assert sent["stream_options"] == {"include_obfuscation": False}


def test_several_system_and_developer_messages_stay_in_order_with_their_roles() -> None:
    assert items(
        {"role": "system", "content": "A"},
        {"role": "user", "content": "Hello"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
    ) == [
        {"role": "system", "content": "A"},
        {"role": "user", "content": "Hello"},
        {"role": "developer", "content": [{"type": "input_text", "text": "B"}]},
    ]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ("a", {"type": "input_text", "text": "a"}),
        ({"type": "text", "text": "a"}, {"type": "input_text", "text": "a"}),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "input_text", "text": "a"},
        ),
        (
            {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {
                "type": "input_text",
                "text": "a",
                "prompt_cache_breakpoint": {"mode": "explicit"},
            },
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://h/a.png", "detail": "low"}},
            {"type": "input_image", "image_url": "https://h/a.png", "detail": "low"},
        ),
        (
            {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
            {
                "type": "input_image",
                "image_url": "data:image/png;base64,AAAA",
                "detail": "auto",
            },
        ),
        (
            {"type": "file", "file": {"file_data": "data:x;base64,AA", "filename": "a.pdf"}},
            {"type": "input_file", "file_data": "data:x;base64,AA", "filename": "a.pdf"},
        ),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "input_file", "file_id": "file-1"},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ),
        (
            {"type": "input_file", "file_url": "https://h/a.pdf"},
            {"type": "input_file", "file_url": "https://h/a.pdf"},
        ),
    ],
)
def test_content_parts(part: Any, sent: dict[str, Any]) -> None:
    assert items({"role": "user", "content": [part]})[0]["content"] == [sent]


def test_tool_calls_and_results() -> None:
    no_arguments = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}}
    mapping = {"id": "c3", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    assert items(
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, no_arguments, mapping]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "one"}]},
    )[1:] == [
        CALL_ITEM,
        {"type": "function_call", "call_id": "c2", "name": "now", "arguments": "{}"},
        {"type": "function_call", "call_id": "c3", "name": "f", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "noon"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "one"}],
        },
    ]


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"content": "Hi"}, [SAID]),
        ({"content": None}, []),
        ({"content": ""}, []),
        (
            {"content": [{"type": "text", "text": "Hi"}]},
            [{**SAID, "content": [{"type": "output_text", "text": "Hi"}]}],
        ),
        (
            {"content": None, "refusal": "no"},
            [{**SAID, "content": [{"type": "refusal", "refusal": "no"}]}],
        ),
        (
            {"content": "Hi", "refusal": "no"},
            [
                {
                    **SAID,
                    "content": [
                        {"type": "output_text", "text": "Hi"},
                        {"type": "refusal", "refusal": "no"},
                    ],
                }
            ],
        ),
        (
            {"content": "Hi", "tool_calls": [CALL]},
            [SAID, CALL_ITEM],
        ),
        ({"content": "", "tool_calls": [CALL]}, [CALL_ITEM]),
        # What other formats leave on a message has no place here.
        (
            {"content": "Hi", "reasoning_content": "hm", "annotations": [{}], "audio": {}},
            [SAID],
        ),
    ],
)
def test_assistant_messages(message: dict[str, Any], sent: list[dict[str, Any]]) -> None:
    assert items({"role": "assistant", **message}) == sent


def test_encrypted_reasoning_goes_back_before_what_it_led_to() -> None:
    message = {"role": "assistant", "thinking_blocks": [REASONING]}
    assert items({**message, "content": "Hi"}) == [
        REASONING,
        SAID,
    ]
    assert items({**message, "content": None, "tool_calls": [CALL]}) == [REASONING, CALL_ITEM]


def test_reasoning_without_its_summary_gets_an_empty_one_for_the_api_requires_it() -> None:
    bare = {"type": "reasoning", "id": "rs_1", "encrypted_content": "c2VjcmV0"}
    message = {"role": "assistant", "content": "Hi", "thinking_blocks": [bare]}
    assert items(message)[0] == {**bare, "summary": []}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None},
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
    ],
)
def test_reasoning_that_the_server_could_not_read_is_left_out(block: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": "Hi", "thinking_blocks": [block]}
    assert items(message) == [SAID]


def test_reasoning_that_led_to_nothing_is_left_out_for_the_api_refuses_it() -> None:
    assert items({"role": "assistant", "content": None, "thinking_blocks": [REASONING]}) == []


def test_names_of_speakers_have_no_place_and_are_told_to_be_left_out() -> None:
    sent = wire([{"role": "user", "content": "Hello", "name": "Ann"}])
    assert (sent.body["input"], sent.dropped) == (HELLO, ("messages.name",))
    assert wire([{"role": "tool", "tool_call_id": "c1", "name": "now"}]).dropped == ()


def test_a_reply_as_history_says_what_the_model_said() -> None:
    message = Message(
        role="assistant",
        content="Hi",
        tool_calls=[ToolCall("c1", "function", Function("now", '{"zone":"UTC"}'))],
        reasoning_content="hm",
        thinking_blocks=[REASONING],
        annotations=[{"type": "url_citation"}],
    )
    assert items(message.model_dump(exclude_none=True)) == [
        REASONING,
        SAID,
        CALL_ITEM,
    ]


def test_calls_of_custom_tools_go_back_in_their_own_form() -> None:
    ours = ToolCall("c1", "custom", Function("sql", "select 1"))
    theirs = {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 2"}}
    message = Message(role="assistant", tool_calls=[ours]).model_dump(exclude_none=True)
    assert items(
        message,
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "assistant", "tool_calls": [theirs]},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
    ) == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 2"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "2"},
    ]


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        (
            {
                "type": "function",
                "function": {"name": "now", "description": "d", "parameters": SCHEMA},
            },
            {
                "type": "function",
                "name": "now",
                "description": "d",
                "parameters": SCHEMA,
                "strict": False,
            },
        ),
        (
            {"type": "function", "function": {"name": "now", "strict": True}},
            {"type": "function", "name": "now", "parameters": NO_PARAMETERS, "strict": True},
        ),
        (
            {"type": "custom", "custom": {"name": "sql", "description": "d"}},
            {"type": "custom", "name": "sql", "description": "d"},
        ),
        (
            {
                "type": "custom",
                "custom": {
                    "name": "sql",
                    "format": {
                        "type": "grammar",
                        "grammar": {"syntax": "regex", "definition": "a+"},
                    },
                },
            },
            {
                "type": "custom",
                "name": "sql",
                "format": {"type": "grammar", "syntax": "regex", "definition": "a+"},
            },
        ),
        ({"type": "web_search"}, {"type": "web_search"}),
        (
            {"type": "function", "name": "now", "parameters": SCHEMA, "strict": None},
            {"type": "function", "name": "now", "parameters": SCHEMA, "strict": None},
        ),
    ],
)
def test_tools(tool: dict[str, Any], sent: dict[str, Any]) -> None:
    assert wire(tools=[tool]).body["tools"] == [sent]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (
            {"type": "function", "function": {"name": "now"}},
            {"type": "function", "name": "now"},
        ),
        ({"type": "function", "name": "now"}, {"type": "function", "name": "now"}),
        ({"type": "custom", "custom": {"name": "sql"}}, {"type": "custom", "name": "sql"}),
        ({"type": "web_search"}, {"type": "web_search"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "now"}}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "now"}],
            },
        ),
    ],
)
def test_tool_choice(choice: Any, sent: Any) -> None:
    assert wire(tools=[{"type": "web_search"}], tool_choice=choice).body["tool_choice"] == sent


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"max_completion_tokens": 7}, {"max_output_tokens": 7}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"user": "u"}, {"user": "u"}),
        ({"safety_identifier": "u"}, {"safety_identifier": "u"}),
        ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
        ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention": "24h"}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"store": False}, {"store": False}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"tools": []}, {}),
        (
            {"logprobs": True, "top_logprobs": 2},
            {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
        ),
        (
            {"response_format": {"type": "json_object"}, "verbosity": "low"},
            {"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "zone", "schema": SCHEMA, "strict": True},
                }
            },
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "zone",
                        "schema": SCHEMA,
                        "strict": True,
                    }
                }
            },
        ),
        (
            {"web_search_options": {"search_context_size": "low"}},
            {"tools": [{"type": "web_search", "search_context_size": "low"}]},
        ),
        (
            {
                "tools": [{"type": "file_search", "vector_store_ids": ["v"]}],
                "web_search_options": {
                    "user_location": {"type": "approximate", "approximate": {"country": "AT"}}
                },
            },
            {
                "tools": [
                    {"type": "file_search", "vector_store_ids": ["v"]},
                    {
                        "type": "web_search",
                        "user_location": {"type": "approximate", "country": "AT"},
                    },
                ]
            },
        ),
    ],
)
def test_translated_parameters(params: dict[str, Any], fields: dict[str, Any]) -> None:
    assert wire(**params).body == {"model": "gpt-x", "input": HELLO, **fields}


def test_extra_body_wins_and_completes_what_parameters_say() -> None:
    sent = wire(
        reasoning_effort="low",
        verbosity="low",
        temperature=0.5,
        extra_body={
            "reasoning": {"summary": "auto"},
            "text": {"verbosity": "high"},
            "temperature": 1,
            "previous_response_id": "resp_0",
        },
    ).body
    assert sent == {
        "model": "gpt-x",
        "input": HELLO,
        "temperature": 1,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "high"},
        "previous_response_id": "resp_0",
    }


@pytest.mark.parametrize(
    "params",
    [
        {"stop": "END"},
        {"seed": 1},
        {"frequency_penalty": 0.5},
        {"presence_penalty": -0.5},
        {"logit_bias": {"1": 1}},
        {"n": 2},
        {"audio": {"voice": "alloy"}},
        {"modalities": ["text", "audio"]},
        {"prediction": {"type": "content"}},
        {"thinking": {"type": "enabled"}},
        {"thinking_budget": 1024},
        {"top_k": 5},
    ],
)
@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_parameters_that_responses_lack(provider: str, params: dict[str, Any]) -> None:
    (name,) = params
    said = f"{provider} has no {name} in its responses API"
    with pytest.raises(UnsupportedParamsError, match=said):
        wire(provider=provider, **params)
    sent = wire(provider=provider, drop=True, **params)
    assert sent.dropped == (name,)
    assert sent.body == wire().body


def test_what_an_endpoint_refuses_is_refused_here_too() -> None:
    row = replace(endpoint("openai"), protocol="responses", unsupported=("temperature",))
    with pytest.raises(UnsupportedParamsError, match="no temperature in its responses API"):
        openai_responses.encode(Request("m", HELLO, params={"temperature": 1}), row)


def test_values_that_ask_for_nothing_are_no_error() -> None:
    neutral: dict[str, Any] = {
        "n": 1,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "logit_bias": {},
    }
    sent = wire(
        **neutral,
        logprobs=False,
        top_logprobs=0,
        modalities=["text"],
        response_format={"type": "text"},
    )
    assert (sent.body, sent.dropped) == (wire().body, ())


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "narrator", "content": "x"}, "unknown role 'narrator'"),
        ({"role": "user", "content": [1]}, "a content part must be a text or a mapping"),
        ({"role": "user", "content": [{"type": "video_url"}]}, "'video_url'"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "an image_url part needs"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "a file part needs"),
        ({"role": "assistant", "tool_calls": [1]}, "a tool call needs an id and a function"),
    ],
)
def test_what_cannot_be_said(message: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        items(message)


def test_callers_messages_are_not_changed() -> None:
    part = {"type": "input_text", "text": "a"}
    message = {"role": "user", "content": [part]}
    sent = items(message)
    sent[0]["content"][0]["text"] = "b"
    assert message == {"role": "user", "content": [{"type": "input_text", "text": "a"}]}
