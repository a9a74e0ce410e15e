"""Requests as they go over the wire to Bedrock's Converse, translated from OpenAI's terms."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols import bedrock_converse
from costspan.core.request import Request, WireRequest

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_4_6 = "anthropic.claude-sonnet-4-6"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA = "meta.llama4-scout-17b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-20b-1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
AWS = Endpoint("aws", protocol="converse", auth="aws")
HELLO = [{"role": "user", "content": "Hello"}]
HELLO_TURN = {"role": "user", "content": [{"text": "Hello"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "now",
        "description": "The time.",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
    },
}
SPEC = {
    "toolSpec": {
        "name": "now",
        "description": "The time.",
        "inputSchema": {"json": {"type": "object", "properties": {"zone": {"type": "string"}}}},
    }
}
CALL = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"UTC"}'}}
USE = {"toolUse": {"toolUseId": "t1", "name": "now", "input": {"zone": "UTC"}}}
MARK = {"type": "ephemeral"}
POINT = {"cachePoint": {"type": "default"}}


def wire(
    messages: Any = HELLO,
    model: str = CLAUDE,
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
    return bedrock_converse.encode(request, AWS)


def turns(*messages: dict[str, Any]) -> Any:
    return wire(messages).body["messages"]


def content(*parts: Any) -> Any:
    return turns({"role": "user", "content": list(parts)})[0]["content"]


@pytest.mark.parametrize(
    ("model", "quoted"),
    [
        (CLAUDE, "anthropic.claude-sonnet-4-5-20250929-v1%3A0"),
        (
            PROFILE,
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"
            "application-inference-profile%2Fa1b2c3",
        ),
    ],
)
def test_path(model: str, quoted: str) -> None:
    assert wire(model=model).path == f"/model/{quoted}/converse"
    assert wire(model=model, stream=True).path == f"/model/{quoted}/converse-stream"


def test_plain_request() -> None:
    sent = wire(
        [{"role": "system", "content": "Be brief."}, *HELLO],
        temperature=0.5,
        top_p=0.9,
        max_tokens=100,
        stop="\n",
    )
    assert sent.body == {
        "system": [{"text": "Be brief."}],
        "messages": [HELLO_TURN],
        "inferenceConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "maxTokens": 100,
            "stopSequences": ["\n"],
        },
    }
    assert sent.headers == {}
    assert wire(max_completion_tokens=7).body["inferenceConfig"] == {"maxTokens": 7}


def test_a_request_without_parameters_has_no_empty_parts() -> None:
    assert wire(stream=True, stream_options={"include_usage": True}).body == {
        "messages": [HELLO_TURN]
    }


def test_neighbours_of_one_role_become_one_turn_and_empty_messages_none() -> None:
    assert turns(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "b"}, "c", "", {"text": "d"}]},
        {"role": "assistant", "content": "e"},
    ) == [
        {"role": "user", "content": [{"text": t} for t in "abcd"]},
        {"role": "assistant", "content": [{"text": "e"}]},
    ]


def test_system_and_developer_messages_with_cache_marks() -> None:
    assert wire(
        [
            {"role": "system", "content": "A", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            *HELLO,
            {
                "role": "developer",
                "content": [{"type": "text", "text": "B", "cache_control": MARK}],
            },
        ]
    ).body["system"] == [
        {"text": "A"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"text": "B"},
        POINT,
    ]


def test_tool_calls_and_results() -> None:
    calls = [CALL, {"id": "t2", "type": "function", "function": {"name": "now", "arguments": ""}}]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert turns(
        *HELLO,
        {"role": "assistant", "content": "Wait.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "t1", "content": "noon"},
        {"role": "tool", "tool_call_id": "t2", "content": {"hour": 1}, "status": "success"},
        {"role": "tool", "tool_call_id": "t3", "content": [image], "cache_control": MARK},
        {"role": "tool", "tool_call_id": "t4", "content": "", "status": "error"},
        {"role": "user", "content": "And?"},
    )[1:] == [
        {
            "role": "assistant",
            "content": [
                {"text": "Wait."},
                USE,
                {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}},
                {
                    "toolResult": {
                        "toolUseId": "t2",
                        "content": [{"json": {"hour": 1}}],
                        "status": "success",
                    }
                },
                {
                    "toolResult": {
                        "toolUseId": "t3",
                        "content": [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}],
                    }
                },
                POINT,
                # An empty text block is refused.
                {"toolResult": {"toolUseId": "t4", "content": [], "status": "error"}},
                {"text": "And?"},
            ],
        },
    ]


def test_reasoning_goes_back_before_what_it_led_to() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eHl6"},
    ]
    message = {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": "hm",
        "thinking_blocks": blocks,
        "tool_calls": [CALL],
    }
    assert turns(message)[0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "eHl6"}},
        {"text": "Hi"},
        USE,
    ]


def test_reasoning_without_a_signature_goes_back_as_it_came() -> None:
    message = {"role": "assistant", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}
    assert turns(message)[0]["content"] == [{"reasoningContent": {"reasoningText": {"text": "hm"}}}]


@pytest.mark.parametrize(
    ("part", "blocks"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}},
            [{"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}],
        ),
        (
            {"type": "image_url", "image_url": "s3://bucket/a.webp", "cache_control": MARK},
            [
                {
                    "image": {
                        "format": "webp",
                        "source": {"s3Location": {"uri": "s3://bucket/a.webp"}},
                    }
                },
                POINT,
            ],
        ),
        (
            {
                "type": "file",
                "file": {
                    "file_data": "data:application/pdf;base64,AAAA",
                    "filename": "Q3_report (final).v2.pdf",
                },
            },
            [
                {
                    "document": {
                        "name": "Q3 report (final) v2",
                        "format": "pdf",
                        "source": {"bytes": "AAAA"},
                    }
                }
            ],
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;charset=utf-8;base64,AAAA"}},
            [{"document": {"name": "document", "format": "txt", "source": {"bytes": "AAAA"}}}],
        ),
        (
            {"type": "file", "file": {"file_id": "s3://b/a.docx", "filename": "_"}},
            [
                {
                    "document": {
                        "name": "document",
                        "format": "docx",
                        "source": {"s3Location": {"uri": "s3://b/a.docx"}},
                    }
                }
            ],
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            [{"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}],
        ),
        ({"guardContent": {"text": {"text": "x"}}}, [{"guardContent": {"text": {"text": "x"}}}]),
        (POINT, [POINT]),
    ],
)
def test_content_parts(part: dict[str, Any], blocks: list[Any]) -> None:
    assert content(part) == blocks


def test_documents_of_one_name_are_told_apart_and_the_callers_own_are_left() -> None:
    file = {"type": "file", "file": {"file_data": "data:text/csv;base64,AAAA"}}
    own = {"document": {"name": "document 2", "format": "csv", "source": {"bytes": "AAAA"}}}
    found = turns(
        {"role": "user", "content": [file, own, file]},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": [file]},
    )
    names = [
        block["document"]["name"] for turn in (found[0], found[2]) for block in turn["content"]
    ]
    assert names == ["document", "document 2", "document 3", "document 4"]
    again = content(own, own)
    assert [block["document"]["name"] for block in again] == ["document 2", "document 2 2"]
    assert own["document"]["name"] == "document 2"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user", "content": [{"type": "image_url", "image_url": "https://h/a"}]}, "s3://"),
        (
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": "data:image/bmp;base64,A"}],
            },
            "not as bmp",
        ),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "data:,A"}]}, "in base64"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "needs"),
        ({"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}, "file_data"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "input_audio"),
        ({"role": "user", "content": [7]}, "content part"),
        ({"role": "user", "content": [{"text": "a", "other": 1}]}, "content part"),
        ({"role": "user", "content": [{"type": "video_url"}]}, "video_url"),
        ({"role": "critic", "content": "x"}, "critic"),
        ({"role": "assistant", "tool_calls": [{"id": "t", "function": {"arguments": "["}}]}, "'t'"),
        ({"role": "assistant", "tool_calls": [{"id": "t", "function": {"arguments": "1"}}]}, "'t'"),
        ({"role": "assistant", "tool_calls": ["x"]}, "tool call"),
    ],
)
def test_messages_that_cannot_be_sent(message: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        turns(message)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "now"}}, {"tool": {"name": "now"}}),
        ({"tool": {"name": "now"}}, {"tool": {"name": "now"}}),
    ],
)
def test_tools_and_tool_choice(choice: Any, sent: Any) -> None:
    params = {"tools": [TOOL]} if choice is None else {"tools": [TOOL], "tool_choice": choice}
    expected = {"tools": [SPEC]} if sent is None else {"tools": [SPEC], "toolChoice": sent}
    assert wire(**params).body["toolConfig"] == expected


def test_tools_strict_bare_marked_and_of_its_own_shape() -> None:
    strict = {"type": "function", "function": {"name": "a", "description": "", "strict": True}}
    own = {"systemTool": {"name": "nova_grounding"}}
    assert wire(tools=[{**strict, "cache_control": MARK}, own]).body["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "a",
                    "strict": True,
                    "inputSchema": {"json": {"type": "object", "properties": {}}},
                }
            },
            POINT,
            own,
        ]
    }
    with pytest.raises(BadRequestError, match="tool must be"):
        wire(tools=["x"])


def test_no_tool_choice_leaves_the_tools_out_unless_the_history_holds_calls() -> None:
    assert "toolConfig" not in wire(tools=[TOOL], tool_choice="none").body
    history = [*HELLO, {"role": "assistant", "tool_calls": [CALL]}]
    with pytest.raises(UnsupportedParamsError, match="tool_choice"):
        wire(history, tools=[TOOL], tool_choice="none")
    sent = wire(history, tools=[TOOL], tool_choice="none", drop=True)
    assert sent.dropped == ("tool_choice",)
    assert sent.body["toolConfig"] == {"tools": [SPEC]}


@pytest.mark.parametrize(
    ("model", "params", "body"),
    [
        (
            CLAUDE,
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
            {
                "inferenceConfig": {"maxTokens": 4000},
                "additionalModelRequestFields": {
                    "thinking": {"type": "enabled", "budget_tokens": 2000}
                },
            },
        ),
        (
            PROFILE,
            {"thinking_budget": 2000},
            {
                "additionalModelRequestFields": {
                    "thinking": {"type": "enabled", "budget_tokens": 2000}
                }
            },
        ),
        (
            CLAUDE,
            {"reasoning_effort": "none"},
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        ),
        (CLAUDE_4_6, {"reasoning_effort": "high"}, {"outputConfig": {"effort": "high"}}),
        (CLAUDE_4_6, {"reasoning_effort": "minimal"}, {"outputConfig": {"effort": "low"}}),
        (
            GPT_OSS,
            {"reasoning_effort": "low"},
            {"additionalModelRequestFields": {"reasoning_effort": "low"}},
        ),
        (
            NOVA,
            {"reasoning_effort": "minimal"},
            {
                "additionalModelRequestFields": {
                    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
                }
            },
        ),
        (
            NOVA,
            {"reasoning_effort": "none"},
            {"additionalModelRequestFields": {"reasoningConfig": {"type": "disabled"}}},
        ),
        (LLAMA, {"reasoning_effort": "high"}, {"outputConfig": {"effort": "high"}}),
        (CLAUDE, {"top_k": 5}, {"additionalModelRequestFields": {"top_k": 5}}),
        (
            NOVA,
            {"top_k": 5},
            {"additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}},
        ),
        (CLAUDE, {"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}),
        (CLAUDE, {"service_tier": "auto"}, {}),
        (
            CLAUDE,
            {
                "n": 1,
                "logprobs": False,
                "frequency_penalty": 0,
                "parallel_tool_calls": True,
                "response_format": {"type": "text"},
            },
            {},
        ),
    ],
)
def test_parameters(model: str, params: dict[str, Any], body: dict[str, Any]) -> None:
    assert wire(model=model, **params).body == {"messages": [HELLO_TURN], **body}


def test_response_format() -> None:
    size = {"type": "number", "minimum": 0}
    schema = {"type": "object", "properties": {"größe": size}}
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "size", "schema": schema, "strict": True},
    }
    wired = wire(model=CLAUDE_4_6, response_format=wanted, reasoning_effort="low")
    sent: Any = wired.body["outputConfig"]
    structure = sent["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(structure.pop("schema")) == {
        "type": "object",
        # Bedrock refuses open objects and bounds of numbers.
        "properties": {"größe": {"type": "number", "description": "minimum: 0"}},
        "additionalProperties": False,
    }
    assert sent == {
        "effort": "low",
        "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "size"}}},
    }


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (CLAUDE, {"seed": 1}),
        (CLAUDE, {"user": "u"}),
        (CLAUDE, {"frequency_penalty": 1}),
        (CLAUDE, {"logprobs": True}),
        (CLAUDE, {"parallel_tool_calls": False}),
        (CLAUDE, {"service_tier": "turbo"}),
        (CLAUDE, {"response_format": {"type": "json_object"}}),
        (LLAMA, {"thinking_budget": 2000}),
        (LLAMA, {"thinking": {"type": "enabled"}}),
        (LLAMA, {"reasoning_effort": "none"}),
        (GPT_OSS, {"reasoning_effort": "none"}),
    ],
)
def test_parameters_it_lacks_are_refused_or_dropped(model: str, params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(UnsupportedParamsError, match=name):
        wire(model=model, **params)
    sent = wire(model=model, drop=True, **params)
    assert sent.dropped == (name,)
    assert sent.body == {"messages": [HELLO_TURN]}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"thinking_budget": 100, "max_tokens": 100}, "max_tokens=100"),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 200},
                "max_completion_tokens": 100,
            },
            "200 tokens",
        ),
        ({"temperature": 1.5}, "0 to 1"),
    ],
)
def test_values_out_of_range(params: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        wire(**params)


def test_extra_body_wins_and_joins_what_parameters_say() -> None:
    sent = wire(
        max_tokens=5000,
        top_p=0.5,
        thinking_budget=2000,
        extra_body={
            "inferenceConfig": {"maxTokens": 6000},
            "additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"]},
            "guardrailConfig": {"trace": "enabled"},
            "system": [{"text": "Mine."}],
        },
    )
    assert sent.body == {
        "system": [{"text": "Mine."}],
        "messages": [HELLO_TURN],
        "inferenceConfig": {"maxTokens": 6000, "topP": 0.5},
        "additionalModelRequestFields": {
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "anthropic_beta": ["context-1m-2025-08-07"],
        },
        "guardrailConfig": {"trace": "enabled"},
    }


def test_a_stream_that_could_not_be_read_is_not_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "botocore", missing)
    with pytest.raises(BadRequestError, match=r"costspan\[bedrock\]"):
        wire(stream=True)
    assert wire().path.endswith("/converse")
