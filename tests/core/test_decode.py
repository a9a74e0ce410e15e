"""Whole bodies and stream events become replies and chunks in OpenAI's shape."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.assembly import Exchange, StreamAssembler, reply_from_body
from costspan.core.decoders import Event, SSEDecoder
from costspan.core.endpoints import endpoint
from costspan.core.errors import APIResponseValidationError, OverloadedError, RateLimitError
from costspan.core.protocols import load_protocol
from costspan.core.reply import Chunk, Reply
from costspan.core.request import Request


def exchange(provider: str, *, legacy: bool = False) -> Exchange:
    row = endpoint(provider)
    request = Request("m", [{"role": "user", "content": "Hello"}], legacy_functions=legacy)
    return Exchange(request, row, load_protocol(row.protocol), ("seed",))


CHAT_BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-2024-08-06",
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "refusal": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "now", "arguments": '{"zone":"UTC"}'},
                    }
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 30,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}


def test_chat_body() -> None:
    reply = reply_from_body(CHAT_BODY, exchange("openai"))
    assert (reply.id, reply.created, reply.model) == ("chatcmpl-1", 1700000000, "gpt-4o-2024-08-06")
    assert (reply.system_fingerprint, reply.service_tier) == ("fp_1", "default")
    assert (reply.provider, reply.api, reply.endpoint, reply.port) == (
        "openai",
        "chat",
        "api.openai.com",
        443,
    )
    assert reply.raw is CHAT_BODY
    assert reply.dropped_params == ("seed",)
    assert (reply.cost, reply.estimate) == (None, None)
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    assert (choice.message.content, choice.message.reasoning_content) == (None, "hm")
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == (
        "call_1",
        "now",
        '{"zone":"UTC"}',
    )
    assert reply.usage is not None
    assert reply.usage.model_dump() == {
        "prompt_tokens": 100,
        "completion_tokens": 30,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    assert reply.meters is not None
    assert reply.meters.buckets == {
        "tokens.in.text": 40,
        "tokens.in.cache_read": 60,
        "tokens.out.text": 10,
        "tokens.out.reasoning": 20,
    }


def test_reply_reads_as_attributes_and_as_items() -> None:
    reply = reply_from_body(CHAT_BODY, exchange("openai"))
    assert reply["choices"][0]["message"]["role"] == "assistant"
    assert "usage" in reply
    assert "nonsense" not in reply
    assert reply.get("nonsense", 1) == 1
    assert reply.get("model") == "gpt-4o-2024-08-06"
    assert dict(reply.choices[0].message)["role"] == "assistant"
    assert set(reply) >= {"id", "choices", "usage", "cost"}
    with pytest.raises(KeyError):
        reply["nonsense"]


def test_litellm_unset_fields_are_none_and_reading_them_never_raises() -> None:
    reply = reply_from_body({"choices": [{"message": {"content": "Hi"}}]}, exchange("openai"))
    message = reply.choices[0].message
    assert (message.role, message.tool_calls, message.function_call) == ("assistant", None, None)
    assert (reply.id, reply.usage, reply.meters, reply.created) == (None, None, None, None)
    assert reply.choices[0].finish_reason is None


def test_model_dump_is_openais_shape_and_no_more() -> None:
    reply = reply_from_body(CHAT_BODY, exchange("openai"))
    dumped = reply.model_dump(exclude_none=True)
    assert json.loads(reply.model_dump_json(exclude_none=True)) == dumped
    assert json.loads(json.dumps(dumped)) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_1",
        "service_tier": "default",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "now", "arguments": '{"zone":"UTC"}'},
                        }
                    ],
                },
            }
        ],
        "usage": CHAT_BODY["usage"],
    }


def test_legacy_function_call_is_the_first_tool_call() -> None:
    reply = reply_from_body(CHAT_BODY, exchange("openai", legacy=True))
    call = reply.choices[0].message.function_call
    assert call is not None
    assert (call.name, call.arguments) == ("now", '{"zone":"UTC"}')


def test_mistral_content_parts_are_split_into_text_and_reasoning() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hi"},
    ]
    reply = reply_from_body({"choices": [{"message": {"content": parts}}]}, exchange("mistral"))
    message = reply.choices[0].message
    assert (message.content, message.reasoning_content) == ("Hi", "hm")


MESSAGE_BODY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "Let me "},
        {"type": "text", "text": "look."},
        {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {"zone": "Zürich"}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 1733,
        "cache_read_input_tokens": 512,
        "output_tokens": 5,
    },
}


def test_openinference_3734_message_body_counts_cache_into_the_prompt() -> None:
    reply = reply_from_body(MESSAGE_BODY, exchange("anthropic"))
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (2255, 2260)
    assert reply.usage.prompt_tokens_details.cached_tokens == 512
    assert reply.usage.prompt_tokens_details.cache_write_tokens == 1733
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    message = choice.message
    assert (message.content, message.reasoning_content) == ("Let me look.", "hm")
    assert message.thinking_blocks == [MESSAGE_BODY["content"][0]]  # type: ignore[index]  # a list
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == (
        "toolu_1",
        "now",
        '{"zone": "Zürich"}',
    )


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        (None, None),
    ],
)
def test_stop_reasons(stop_reason: str | None, finish_reason: str | None) -> None:
    body = {**MESSAGE_BODY, "stop_reason": stop_reason}
    assert reply_from_body(body, exchange("anthropic")).choices[0].finish_reason == finish_reason


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_bodies_that_are_no_completion(provider: str) -> None:
    with pytest.raises(APIResponseValidationError, match=r"is no (chat|messages) completion"):
        reply_from_body({"hello": "world"}, exchange(provider))


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(RateLimitError):
        reply_from_body({"error": {"code": 429, "message": "slow down"}}, exchange("openrouter"))


def frames(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def assembled(provider: str, events: list[dict[str, Any]]) -> tuple[list[Chunk], Reply]:
    assembler = StreamAssembler(exchange(provider))
    decoder = SSEDecoder()
    chunks = [assembler.push(event) for event in decoder.feed(frames(events))]
    return [chunk for chunk in chunks if chunk is not None], assembler.reply


def chat_event(*, usage: Any = None, **choice: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": {}, "finish_reason": None, **choice}] if choice else []
    return {"id": "c1", "created": 5, "model": "m-1", "choices": choices, "usage": usage}


CHAT_EVENTS = [
    chat_event(delta={"role": "assistant", "content": ""}),
    chat_event(delta={"reasoning_content": "h"}),
    chat_event(delta={"reasoning_content": "m"}),
    chat_event(delta={"content": "Grö"}),
    chat_event(delta={"content": "ße 🎈"}),
    chat_event(delta={"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "now"}}]}),
    chat_event(delta={"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
    chat_event(delta={"tool_calls": [{"index": 1, "id": "t2", "function": {"name": "then"}}]}),
    chat_event(delta={"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
    chat_event(delta={"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}),
    chat_event(finish_reason="tool_calls"),
    chat_event(usage={"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}),
]


def test_chat_stream_joins_to_the_whole_reply() -> None:
    chunks, reply = assembled("openai", CHAT_EVENTS)
    assert len(chunks) == len(CHAT_EVENTS)
    assert (reply.id, reply.created, reply.model) == ("c1", 5, "m-1")
    (choice,) = reply.choices
    message = choice.message
    assert (message.content, message.reasoning_content) == ("Größe 🎈", "hm")
    assert message.tool_calls is not None
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("t1", "now", '{"a":1}'),
        ("t2", "then", "{}"),
    ]
    assert choice.finish_reason == "tool_calls"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 4)
    assert chunks[-1].choices == []
    assert chunks[-1].usage == reply.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_servers_that_number_all_tool_calls_zero() -> None:
    def call(identity: str) -> dict[str, Any]:
        function = {"name": "now", "arguments": "{}"}
        return chat_event(
            delta={"tool_calls": [{"index": 0, "id": identity, "function": function}]}
        )

    _, reply = assembled("vllm", [call("a"), call("b")])
    calls = reply.choices[0].message.tool_calls
    assert calls is not None
    assert [(c.id, c.function.arguments) for c in calls] == [("a", "{}"), ("b", "{}")]


def test_several_choices_stream_side_by_side() -> None:
    events = [
        chat_event(index=1, delta={"content": "b"}),
        chat_event(index=0, delta={"content": "a"}),
        chat_event(index=1, delta={"content": "B"}, finish_reason="stop"),
    ]
    _, reply = assembled("openai", events)
    assert [(c.index, c.message.content) for c in reply.choices] == [(0, "a"), (1, "bB")]


def test_logprobs_audio_and_annotations_are_joined() -> None:
    events = [
        chat_event(delta={"content": "a"}, logprobs={"content": [{"token": "a"}], "refusal": None}),
        chat_event(delta={"content": "b"}, logprobs={"content": [{"token": "b"}]}),
        chat_event(delta={"audio": {"id": "au", "data": "AA", "transcript": "h"}}),
        chat_event(delta={"audio": {"data": "BB", "transcript": "i", "expires_at": 7}}),
        chat_event(delta={"annotations": [{"type": "url_citation"}]}),
        chat_event(delta={"refusal": "n"}),
        chat_event(delta={"refusal": "o"}),
    ]
    _, reply = assembled("openai", events)
    (choice,) = reply.choices
    assert choice.logprobs == {"content": [{"token": "a"}, {"token": "b"}]}
    assert choice.message.audio == {
        "id": "au",
        "data": "AABB",
        "transcript": "hi",
        "expires_at": 7,
    }
    assert choice.message.annotations == [{"type": "url_citation"}]
    assert choice.message.refusal == "no"


def test_servers_that_cannot_stream_answer_whole() -> None:
    chunks, reply = assembled("openai", [CHAT_BODY])
    assert chunks[0].choices[0].delta.reasoning_content == "hm"
    assert reply.choices[0].finish_reason == "tool_calls"
    chunks, reply = assembled("anthropic", [MESSAGE_BODY])
    assert chunks[0].choices[0].delta.content == "Let me look."
    assert reply.choices[0].finish_reason == "tool_calls"
    assert (reply.id, reply.choices[0].message.reasoning_content) == ("msg_1", "hm")


def test_function_calls_of_servers_that_know_only_those_are_joined() -> None:
    events = [
        chat_event(delta={"function_call": {"name": "now", "arguments": ""}}),
        chat_event(delta={"function_call": {"arguments": "{}"}}),
    ]
    _, reply = assembled("openai", events)
    call = reply.choices[0].message.function_call
    assert call is not None
    assert (call.name, call.arguments) == ("now", "{}")


def test_chunks_of_callers_with_functions_have_function_calls() -> None:
    assembler = StreamAssembler(exchange("openai", legacy=True))
    event = chat_event(delta={"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f"}}]})
    chunk = assembler.push(Event("", json.dumps(event).encode()))
    assert chunk is not None
    call = chunk.choices[0].delta.function_call
    assert call is not None
    assert call.name == "f"
    assert assembler.reply.choices[0].message.function_call == call


def test_events_that_are_no_json_or_bring_nothing_are_passed_over() -> None:
    assembler = StreamAssembler(exchange("anthropic"))
    for raw in (b"garbage", b"[1]", b'{"type": "ping"}', b'{"type": "content_block_stop"}'):
        assert assembler.push(Event("", raw)) is None
    assert assembler.reply.choices == []


def block_delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def block_start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


MESSAGE_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "model": "claude-x",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1},
        },
    },
    block_start(0, type="thinking", thinking="", signature=""),
    block_delta(0, type="thinking_delta", thinking="h"),
    {"type": "ping"},
    block_delta(0, type="thinking_delta", thinking="m"),
    block_delta(0, type="signature_delta", signature="c2ln"),
    {"type": "content_block_stop", "index": 0},
    block_start(1, type="text", text=""),
    block_delta(1, type="text_delta", text="Grö"),
    block_delta(1, type="text_delta", text="ße"),
    {"type": "content_block_stop", "index": 1},
    block_start(2, type="tool_use", id="t1", name="now", input={}),
    block_delta(2, type="input_json_delta", partial_json='{"a"'),
    block_start(3, type="server_tool_use", id="s1", name="web_search", input={}),
    block_delta(3, type="input_json_delta", partial_json='{"query":"x"}'),
    block_start(4, type="tool_use", id="t2", name="then", input={}),
    block_delta(2, type="input_json_delta", partial_json=":1}"),
    block_delta(4, type="input_json_delta", partial_json=""),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use"},
        "usage": {"output_tokens": 30},
    },
    {"type": "message_stop"},
]


def test_messages_stream_joins_to_the_whole_reply() -> None:
    chunks, reply = assembled("anthropic", MESSAGE_EVENTS)
    assert {(chunk.id, chunk.model) for chunk in chunks} == {("msg_1", "claude-x")}
    assert chunks[0].choices[0].delta.role == "assistant"
    (choice,) = reply.choices
    message = choice.message
    assert (message.content, message.reasoning_content) == ("Größe", "hm")
    assert message.thinking_blocks == [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]
    assert message.tool_calls is not None
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("t1", "now", '{"a":1}'),
        ("t2", "then", ""),
    ]
    assert choice.finish_reason == "tool_calls"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (15, 30)
    assert chunks[-1].choices == []
    assert chunks[-1].usage == reply.usage


def test_redacted_thinking_is_kept_for_replay() -> None:
    events = [
        block_start(0, type="redacted_thinking", data="AAAA"),
        {"type": "content_block_stop", "index": 0},
    ]
    _, reply = assembled("anthropic", events)
    assert reply.choices[0].message.thinking_blocks == [
        {"type": "redacted_thinking", "data": "AAAA"}
    ]


def test_error_event_in_a_stream_is_our_error() -> None:
    assembler = StreamAssembler(exchange("anthropic"))
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    with pytest.raises(OverloadedError, match="anthropic: busy"):
        assembler.push(Event("error", json.dumps(body).encode()))


def test_done_completes_a_stream_without_a_finish_reason() -> None:
    assembler = StreamAssembler(exchange("openai"))
    assembler.push(Event("", json.dumps(chat_event(delta={"content": "a"})).encode()))
    assert not assembler.seen.complete
    assert assembler.push(Event("", b"[DONE]")) is None
    assert assembler.seen.complete


@pytest.mark.parametrize(
    ("provider", "events"), [("openai", CHAT_EVENTS), ("anthropic", MESSAGE_EVENTS)]
)
@given(cuts=st.lists(st.integers(0, 5000), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_reply(
    provider: str, events: list[dict[str, Any]], cuts: list[int]
) -> None:
    body = frames(events)
    edges = [0, *sorted(cut % len(body) for cut in cuts), len(body)]
    assembler, decoder = StreamAssembler(exchange(provider)), SSEDecoder()
    for start, end in itertools.pairwise(edges):
        for event in decoder.feed(body[start:end]):
            assembler.push(event)
    assert assembler.reply == assembled(provider, events)[1]
