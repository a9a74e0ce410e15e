"""Requests as they go over the wire to Anthropic, translated from OpenAI's terms."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols import anthropic_messages
from costspan.core.request import Request, WireRequest

HELLO = [{"role": "user", "content": "Hello"}]
HELLO_TURN = {"role": "user", "content": [{"type": "text", "text": "Hello"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "now",
        "description": "The time.",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
        "strict": True,
    },
}


def wire(
    messages: Any = HELLO, *, stream: bool = False, drop: bool = False, **params: Any
) -> WireRequest:
    request = Request("claude-x", messages, stream=stream, params=params, drop_params=drop)
    return anthropic_messages.encode(request, endpoint("anthropic"))


def turns(*messages: dict[str, Any]) -> Any:
    return wire(messages).body["messages"]


def test_plain_request() -> None:
    sent = wire(temperature=0.5, top_p=0.9, top_k=5, max_tokens=100)
    assert sent.path == "/v1/messages"
    assert sent.headers == {"anthropic-version": "2023-06-01"}
    assert sent.body == {
        "model": "claude-x",
        "messages": [HELLO_TURN],
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
    }


def test_stream() -> None:
    sent = wire(stream=True, stream_options={"include_usage": True})
    assert sent.body["stream"] is True
    assert "stream_options" not in sent.body


def test_litellm_missing_max_tokens_is_a_stated_default_and_not_the_models_maximum() -> None:
    assert wire().body["max_tokens"] == 4096
    assert wire(thinking_budget=2000).body["max_tokens"] == 6096


def test_system_and_developer_messages_become_system_blocks() -> None:
    mark = {"type": "ephemeral"}
    sent = wire(
        [
            {"role": "system", "content": "A"},
            {"role": "user", "content": "Hello"},
            {
                "role": "developer",
                "content": [{"type": "text", "text": "B", "cache_control": mark}],
            },
            {"role": "system", "content": "C", "cache_control": mark},
        ]
    ).body
    assert sent["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B", "cache_control": mark},
        {"type": "text", "text": "C", "cache_control": mark},
    ]
    assert sent["messages"] == [HELLO_TURN]


def test_neighbours_of_one_role_become_one_turn() -> None:
    assert turns(
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, "c"]},
        {"role": "assistant", "content": "d"},
        {"role": "user", "content": "e"},
    ) == [
        {"role": "user", "content": [{"type": "text", "text": t} for t in "abc"]},
        {"role": "assistant", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "content": [{"type": "text", "text": "e"}]},
    ]


def test_tool_calls_and_results() -> None:
    calls = [
        {
            "id": "t1",
            "type": "function",
            "function": {"name": "now", "arguments": '{"zone":"UTC"}'},
        },
        {"id": "t2", "type": "function", "function": {"name": "now", "arguments": ""}},
    ]
    assert turns(
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "t1", "content": "noon"},
        {"role": "tool", "tool_call_id": "t2", "content": [{"type": "text", "text": "one"}]},
        {"role": "user", "content": "And?"},
    )[1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "now", "input": {"zone": "UTC"}},
                {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "noon"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t2",
                    "content": [{"type": "text", "text": "one"}],
                },
                {"type": "text", "text": "And?"},
            ],
        },
    ]


def test_thinking_blocks_go_back_before_what_they_led_to() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    turn = turns({"role": "assistant", "content": "Hi", "thinking_blocks": [block]})[0]
    assert turn["content"] == [block, {"type": "text", "text": "Hi"}]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
            },
        ),
        (
            {"type": "image_url", "image_url": "https://h/a.png", "cache_control": {"type": "e"}},
            {
                "type": "image",
                "source": {"type": "url", "url": "https://h/a.png"},
                "cache_control": {"type": "e"},
            },
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
            },
        ),
        (
            {"type": "file", "file": {"file_id": "file_1"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (
            {"type": "document", "source": {"type": "text", "data": "x"}},
            {"type": "document", "source": {"type": "text", "data": "x"}},
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,R3LDtsOfZQ=="},
            },
            {
                "type": "document",
                "title": "a.txt",
                "source": {"type": "text", "media_type": "text/plain", "data": "Größe"},
            },
        ),
    ],
)
def test_content_parts(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert turns({"role": "user", "content": [part]})[0]["content"] == [block]


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", None, {"type": "none"}),
        ({"type": "function", "function": {"name": "now"}}, None, {"type": "tool", "name": "now"}),
        ({"type": "tool", "name": "now"}, None, {"type": "tool", "name": "now"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        (None, True, None),
    ],
)
def test_tools_and_tool_choice(choice: Any, parallel: bool | None, sent: Any) -> None:
    params = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": parallel}
    body = wire(**{name: value for name, value in params.items() if value is not None}).body
    assert body["tools"] == [
        {
            "name": "now",
            "description": "The time.",
            "strict": True,
            "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}},
        }
    ]
    assert body.get("tool_choice") == sent


def test_tools_of_anthropics_own_are_left_as_they_are() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    bare = {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
    assert wire(tools=[search, bare]).body["tools"] == [
        search,
        {
            "name": "f",
            "input_schema": {"type": "object", "properties": {}},
            "cache_control": {"type": "ephemeral"},
        },
    ]
    assert "tools" not in wire(tools=[], tool_choice="auto").body


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"safety_identifier": "u-2"}, {"metadata": {"user_id": "u-2"}}),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
        (
            {"thinking_budget": 2000, "max_tokens": 4000},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
        ),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (
            {"thinking": {"type": "adaptive"}, "reasoning_effort": "max"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        ),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
    ],
)
def test_translated_parameters(params: dict[str, Any], fields: dict[str, Any]) -> None:
    plain = {"model": "claude-x", "messages": [HELLO_TURN], "max_tokens": 4096}
    assert wire(**params).body == {**plain, **fields}


def test_litellm_thinking_budget_above_max_tokens_is_refused_before_the_call() -> None:
    with pytest.raises(BadRequestError, match="thinking budget of 1024 tokens leaves nothing"):
        wire(thinking_budget=1024, max_tokens=500)


@pytest.mark.parametrize(
    "params",
    [
        {"n": 2},
        {"seed": 1},
        {"logit_bias": {"1": 1}},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"frequency_penalty": 0.5},
        {"presence_penalty": -0.5},
        {"response_format": {"type": "json_object"}},
        {"service_tier": "flex"},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy", "format": "wav"}},
        {"prediction": {"type": "content", "content": "x"}},
        {"verbosity": "low"},
        {"store": True},
        {"prompt_cache_key": "k"},
        {"web_search_options": {"search_context_size": "high"}},
    ],
)
def test_parameters_that_anthropic_lacks(params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(
        UnsupportedParamsError, match=f"anthropic has no {name} in its messages API"
    ):
        wire(**params)
    sent = wire(drop=True, **params)
    assert sent.dropped == (name,)
    assert sent.body == wire().body


def test_values_that_ask_for_nothing_are_no_error() -> None:
    neutral: dict[str, Any] = {
        "n": 1,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "logit_bias": {},
    }
    plain: dict[str, Any] = {"modalities": ["text"], "verbosity": "medium", "store": False}
    sent = wire(**neutral, **plain, logprobs=False, response_format={"type": "text"})
    assert sent.body == wire().body
    assert sent.dropped == ()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "narrator", "content": "x"}, "unknown role 'narrator'"),
        ({"role": "user", "content": [1]}, "a content part must be a text or a mapping"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "'input_audio'"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "an image_url part needs"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "a file part needs"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png,x"}]},
            "must be in base64",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}],
            },
            "a text/plain file must be UTF-8",
        ),
        ({"role": "assistant", "tool_calls": [1]}, "a tool call needs an id and a function"),
        (
            {"role": "assistant", "tool_calls": [{"id": "t1", "function": {"arguments": "{"}}]},
            "arguments of tool call 't1' are no JSON object",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "t1", "function": {"arguments": "[]"}}]},
            "arguments of tool call 't1' are no JSON object",
        ),
    ],
)
def test_what_cannot_be_said(message: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        turns(message)


def test_temperature_above_one_is_out_of_anthropics_range() -> None:
    with pytest.raises(BadRequestError, match=r"temperature=1\.5 is out of range"):
        wire(temperature=1.5)


def test_callers_messages_are_not_changed() -> None:
    part = {"type": "text", "text": "a"}
    message = {"role": "user", "content": [part], "cache_control": {"type": "ephemeral"}}
    turns(message, {"role": "user", "content": "b"})
    assert part == {"type": "text", "text": "a"}
    assert message["content"] == [part]


def test_litellm_json_object_dropped_without_notice_is_refused() -> None:
    with pytest.raises(UnsupportedParamsError, match="response_format"):
        wire(response_format={"type": "json_object"})


def test_schemas_say_what_the_api_takes_and_tell_the_rest() -> None:
    schema = {
        "$defs": {
            "Tag": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}}
        },
        "type": "object",
        "description": "A thing.",
        "minProperties": 1,
        "properties": {
            "age": {"type": "integer", "minimum": 0, "description": "In years."},
            "born": {"type": "string", "format": "date", "default": "2000-01-01"},
            "zip": {"type": "string", "format": "zip"},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}, "minItems": 1},
            "most": {"type": "array", "items": {"enum": ["a", None]}, "minItems": 2},
            "one": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/Tag"}]},
            "free": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["age"],
    }
    wanted = {"name": "thing", "strict": True, "schema": schema}
    sent = wire(
        response_format={"type": "json_schema", "json_schema": wanted}, reasoning_effort="low"
    )
    assert sent.dropped == ()
    assert sent.body["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "$defs": {
                    "Tag": {
                        "type": "object",
                        "properties": {"name": {"type": "string", "description": "maxLength: 9"}},
                        "additionalProperties": False,
                    }
                },
                "type": "object",
                "description": "A thing.\nminProperties: 1",
                "properties": {
                    "age": {"type": "integer", "description": "In years.\nminimum: 0"},
                    "born": {"type": "string", "format": "date"},
                    "zip": {"type": "string", "description": 'format: "zip"'},
                    "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}, "minItems": 1},
                    "most": {
                        "type": "array",
                        "items": {"enum": ["a", None]},
                        "description": "minItems: 2",
                    },
                    "one": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Tag"}]},
                    # Left open: the API refuses it, which is better than an empty object.
                    "free": {"type": "object", "additionalProperties": {"type": "number"}},
                },
                "required": ["age"],
                "additionalProperties": False,
            },
        },
    }
    with pytest.raises(BadRequestError, match=r"needs .*json_schema.*schema"):
        wire(response_format={"type": "json_schema", "json_schema": {"name": "thing"}})


@pytest.mark.parametrize(
    ("options", "location"),
    [
        ({}, {}),
        ({"search_context_size": "medium"}, {}),
        (
            {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}},
            {"user_location": {"type": "approximate", "city": "Bonn"}},
        ),
        (
            {"user_location": {"type": "approximate", "country": "DE"}},
            {"user_location": {"type": "approximate", "country": "DE"}},
        ),
    ],
)
def test_web_search_is_the_servers_own_tool(
    options: dict[str, Any], location: dict[str, Any]
) -> None:
    search = {"type": "web_search_20250305", "name": "web_search", **location}
    assert wire(web_search_options=options).body["tools"] == [search]
    both = wire(web_search_options=options, tools=[TOOL]).body["tools"]
    assert isinstance(both, list)
    assert both[1:] == [search]


def test_thinking_budgets_below_the_apis_least_are_refused() -> None:
    for params in ({"thinking_budget": 1023}, {"thinking": {"budget_tokens": 1}}):
        with pytest.raises(BadRequestError, match="is out of range: Anthropic takes 1024 or more"):
            wire(**params)
    assert wire(thinking_budget=1024, max_tokens=1025).body["max_tokens"] == 1025


def test_tool_choices_of_another_api_are_refused() -> None:
    with pytest.raises(BadRequestError, match="tool_choice of type 'allowed_tools'"):
        wire(tools=[TOOL], tool_choice={"type": "allowed_tools"})


def test_answers_without_a_word_are_not_sent_back() -> None:
    assert turns(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "b"}]},
    ) == [{"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}]


def test_litellm_prefill_keeps_its_text_but_for_white_space_at_the_end() -> None:
    message = {"role": "assistant", "content": "  {\n "}
    assert turns(message)[-1]["content"] == [{"type": "text", "text": "  {"}]
    inner = turns(message, {"role": "user", "content": "b"})
    assert inner[0]["content"] == [{"type": "text", "text": "  {\n "}]


def test_tool_results_may_hold_images_and_are_marked_once() -> None:
    mark = {"type": "ephemeral"}
    parts = [
        {"type": "text", "text": "seen"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    (turn,) = turns({"role": "tool", "tool_call_id": "t1", "content": parts, "cache_control": mark})
    image = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert turn["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "t1",
            "content": [{"type": "text", "text": "seen"}, {"type": "image", "source": image}],
            "cache_control": mark,
        }
    ]


def test_names_of_speakers_are_left_out_and_said_so() -> None:
    named = wire([{"role": "user", "name": "Ann", "content": "Hello"}])
    assert named.body == wire().body
    assert named.dropped == ("messages.name",)
    tool = {"role": "tool", "name": "now", "tool_call_id": "t1", "content": "noon"}
    assert wire([tool]).dropped == ()


@pytest.mark.parametrize(
    ("stop", "sent"),
    [
        (["\n\n", "###"], {"stop_sequences": ["###"]}),
        ("\n", {}),
        ([" ", ""], {}),
    ],
)
def test_litellm_3286_stops_of_white_space_only_are_refused_or_dropped(
    stop: Any, sent: dict[str, Any]
) -> None:
    with pytest.raises(UnsupportedParamsError, match="no stop sequence that is white space only"):
        wire(stop=stop)
    found = wire(drop=True, stop=stop)
    assert found.body == {**wire().body, **sent}
    assert found.dropped == ("stop",)
