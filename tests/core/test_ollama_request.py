"""Requests as they go over the wire to Ollama's own chat, translated from OpenAI's terms."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols import ollama
from costspan.core.request import Request, WireRequest

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def wire(
    messages: Any = HELLO,
    model: str = "qwen3",
    *,
    stream: bool = False,
    drop: bool = False,
    extra_body: Any = None,
    **params: Any,
) -> WireRequest:
    request = Request(
        model,
        messages,
        stream=stream,
        params=params,
        drop_params=drop,
        extra_body=extra_body or {},
    )
    return ollama.encode(request, endpoint("ollama"))


def sent(*messages: dict[str, Any]) -> Any:
    return wire(messages).body["messages"]


def test_plain_request_says_that_it_is_no_stream() -> None:
    found = wire()
    assert found.path == "/api/chat"
    assert found.body == {"model": "qwen3", "messages": HELLO, "stream": False}
    assert wire(stream=True, stream_options={"include_usage": True}).body == {
        "model": "qwen3",
        "messages": HELLO,
        "stream": True,
    }


def test_options() -> None:
    assert wire(
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        max_tokens=100,
        stop="\n",
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
    ).body["options"] == {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "num_predict": 100,
        "stop": ["\n"],
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
    }
    assert wire(max_completion_tokens=5, stop=["a", "b"]).body["options"] == {
        "num_predict": 5,
        "stop": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("params", "added"),
    [
        ({"response_format": {"type": "json_object"}}, {"format": "json"}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": SCHEMA},
                }
            },
            {"format": SCHEMA},
        ),
        ({"tools": [TOOL]}, {"tools": [TOOL]}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL]}),
        ({"tools": [TOOL], "tool_choice": "none"}, {}),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "high"}, {"think": True}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"think": True}),
        ({"thinking": {"type": "disabled"}}, {"think": False}),
        (
            {
                "n": 1,
                "logprobs": False,
                "logit_bias": {},
                "parallel_tool_calls": True,
                "response_format": {"type": "text"},
                "service_tier": "auto",
            },
            {},
        ),
    ],
)
def test_parameters(params: dict[str, Any], added: dict[str, Any]) -> None:
    assert wire(**params).body == {"model": "qwen3", "messages": HELLO, "stream": False, **added}


@pytest.mark.parametrize(
    ("effort", "think"), [("minimal", "low"), ("low", "low"), ("high", "high"), ("none", False)]
)
def test_only_gpt_oss_takes_levels_of_thinking(effort: str, think: Any) -> None:
    assert wire(model="gpt-oss:20b", reasoning_effort=effort).body["think"] == think


@pytest.mark.parametrize(
    "params",
    [
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "now"}}},
        {"user": "u"},
        {"logit_bias": {"1": 5}},
        {"parallel_tool_calls": False},
        {"service_tier": "flex"},
        {"thinking_budget": 100},
    ],
)
def test_parameters_it_lacks_are_refused_or_dropped(params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(UnsupportedParamsError, match=name):
        wire(**params)
    found = wire(drop=True, **params)
    assert found.dropped == (name,)
    assert found.body == {"model": "qwen3", "messages": HELLO, "stream": False}


def test_roles_and_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert sent(
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}, "C"]},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]},
    ) == [
        {"role": "system", "content": "A"},
        {"role": "system", "content": "B\nC"},
        {"role": "user", "content": "What is it?", "images": ["AAAA"]},
    ]


def test_tool_calls_and_results_with_the_name_of_the_tool() -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": '{"z":1}'}}
    empty = {"id": "t2", "type": "function", "function": {"name": "bye", "arguments": ""}}
    assert sent(
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [call, empty],
        },
        {"role": "tool", "tool_call_id": "t2", "content": "bye"},
        {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "noon"}]},
        {"role": "tool", "tool_call_id": "t9", "content": "?", "name": "named"},
        {"role": "tool", "tool_call_id": "t9", "content": "?"},
    ) == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [
                {"id": "t1", "function": {"name": "now", "arguments": {"z": 1}}},
                {"id": "t2", "function": {"name": "bye", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "bye", "tool_call_id": "t2", "tool_name": "bye"},
        {"role": "tool", "content": "noon", "tool_call_id": "t1", "tool_name": "now"},
        {"role": "tool", "content": "?", "tool_call_id": "t9", "tool_name": "named"},
        {"role": "tool", "content": "?", "tool_call_id": "t9"},
    ]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "image_url", "image_url": "https://h/a.png"}, "data: URL"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,A"}}, "in base64"),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,A"}}, "'file'"),
        ({"type": "text"}, "'text'"),
        (7, "None"),
    ],
)
def test_parts_that_cannot_be_sent(part: Any, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        sent({"role": "user", "content": [part]})


def test_arguments_that_are_no_object() -> None:
    call = {"id": "t1", "function": {"name": "now", "arguments": "[1]"}}
    with pytest.raises(BadRequestError, match="'t1' are no JSON object, which Ollama needs"):
        sent({"role": "assistant", "tool_calls": [call]})


def test_extra_body_wins_and_joins_the_options() -> None:
    found = wire(
        max_tokens=5,
        seed=1,
        extra_body={"keep_alive": "10m", "options": {"num_ctx": 4096, "seed": 2}},
    )
    assert found.body == {
        "model": "qwen3",
        "messages": HELLO,
        "stream": False,
        "keep_alive": "10m",
        "options": {"num_predict": 5, "seed": 2, "num_ctx": 4096},
    }
