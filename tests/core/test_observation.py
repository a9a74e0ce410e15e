"""What `observe` sees of whole bodies and of stream events, for the three wire formats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.observation import Observation
from costspan.core.protocols import api_from_path, load, load_protocol, recognise


def seen_of(api: str, *events: dict[str, Any]) -> Observation:
    seen = Observation(api=api)
    for event in events:
        load(api).observe(event, seen)
    return seen


CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}


def test_whole_chat_body() -> None:
    seen = seen_of(
        "chat",
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "gpt-4o-2024-08-06",
            "service_tier": "flex",
            "choices": [
                {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"},
                {"index": 1, "message": {"content": "Ho"}, "finish_reason": "length"},
            ],
            "usage": CHAT_USAGE,
        },
    )
    assert (seen.response_id, seen.model) == ("chatcmpl-1", "gpt-4o-2024-08-06")
    assert seen.finish_reasons == {0: "stop", 1: "length"}
    assert seen.usage == CHAT_USAGE
    assert seen.response == {"service_tier": "flex"}
    assert seen.output_text == ["Hi", "Ho"]
    assert seen.complete
    usage = seen.usage_of("openai")
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (10, 3, 13)
    assert usage.served.model == "gpt-4o-2024-08-06"


def delta(index: int = 0, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": fields, "finish_reason": reason}]}


def test_chat_stream_collects_every_kind_of_output_text() -> None:
    call = {"index": 0, "id": "call_1", "function": {"name": "now", "arguments": '{"a'}}
    more = {"index": 0, "function": {"arguments": '":1}'}}
    seen = seen_of(
        "chat",
        delta(role="assistant", content=""),
        delta(reasoning_content="hm"),
        delta(reasoning="hm"),
        delta(content="Hi"),
        delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}]),
        delta(content=[{"type": "text", "text": "!"}]),
        delta(tool_calls=[call]),
        delta(tool_calls=[more]),
        delta(function_call={"arguments": "{}"}),
        delta(refusal="no"),
    )
    expected = ["hm", "hm", "Hi", "so", "!", "now", '{"a', '":1}', "{}", "no"]
    assert seen.output_text == expected
    assert not seen.complete


def test_reasoning_sent_under_two_names_counts_once() -> None:
    seen = seen_of("chat", delta(reasoning_content="hm", reasoning="hm"))
    assert seen.output_text == ["hm"]


def test_chat_is_complete_when_every_choice_is() -> None:
    begun = (delta(0, content="a"), delta(1, content="b"))
    assert not seen_of("chat", *begun, delta(0, "stop")).complete
    assert seen_of("chat", *begun, delta(0, "stop"), delta(1, "stop")).complete


def test_litellm_12970_cumulative_usage_is_replaced_not_added() -> None:
    chunks = [{"usage": {"prompt_tokens": 10, "completion_tokens": n}} for n in (1, 2, 3)]
    assert seen_of("chat", *chunks).usage == {"prompt_tokens": 10, "completion_tokens": 3}


def test_litellm_20760_usage_after_the_finish_reason_counts() -> None:
    seen = seen_of("chat", delta(0, "stop"), {"choices": [], "usage": CHAT_USAGE})
    assert seen.usage == CHAT_USAGE
    assert seen.complete


def test_null_usage_does_not_replace_usage() -> None:
    assert seen_of("chat", {"usage": CHAT_USAGE}, {"usage": None}).usage == CHAT_USAGE


def test_litellm_37992_zeros_that_were_sent_stay_zeros() -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    usage = seen_of("chat", {"usage": zeros}).usage_of("openai")
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (0, 0)


def test_groq_usage_stands_in_for_absent_usage() -> None:
    groq = {"prompt_tokens": 1, "completion_tokens": 2}
    assert seen_of("chat", {"x_groq": {"usage": groq}}).usage == groq
    assert seen_of("chat", {"x_groq": {"usage": groq}, "usage": CHAT_USAGE}).usage == CHAT_USAGE


def test_no_usage_is_none_and_not_zero() -> None:
    seen = seen_of("chat", delta(content="Hi"))
    assert seen.usage is None
    assert seen.usage_of("openai") is None


@pytest.mark.parametrize(
    ("api", "event", "kind", "code"),
    [
        ("chat", {"error": {"type": "server_error", "code": 502}}, "server_error", "502"),
        ("chat", {"error": "overloaded"}, "error", None),
        ("chat", {"error": {"code": "x", "message": "m"}}, "error", "x"),
        ("chat", {"choices": [{"error": {"code": 1}}]}, "error", "1"),
        (
            "messages",
            {"type": "error", "error": {"type": "overloaded_error"}},
            "overloaded_error",
            None,
        ),
        ("responses", {"type": "error", "code": "ERR", "message": "m"}, "error", "ERR"),
        ("responses", {"error": {"type": "invalid_request_error"}}, "invalid_request_error", None),
        (
            "responses",
            {"type": "response.failed", "response": {"error": {"code": "server_error"}}},
            "error",
            "server_error",
        ),
        ("embeddings", {"error": {"type": "t", "code": "c"}}, "t", "c"),
    ],
)
def test_errors_leave_type_and_code(
    api: str, event: dict[str, Any], kind: str, code: str | None
) -> None:
    seen = seen_of(api, event)
    assert (seen.error_type, seen.error_code) == (kind, code)


START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "model": "claude-sonnet-4-5-20250929",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 500,
            "cache_creation_input_tokens": 70,
            "cache_creation": {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
}


def test_messages_stream_merges_cumulative_usage() -> None:
    def block(**fields: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": 0, "delta": fields}

    tool = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
    seen = seen_of(
        "messages",
        START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        block(type="thinking_delta", thinking="hm"),
        block(type="signature_delta", signature="c2ln"),
        block(type="text_delta", text="Hi"),
        {"type": "content_block_start", "index": 1, "content_block": tool},
        block(type="input_json_delta", partial_json="{}"),
        {"type": "content_block_stop", "index": 0},
    )
    assert not seen.complete
    load("messages").observe(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 25, "cache_read_input_tokens": None},
        },
        seen,
    )
    assert seen.complete
    assert (seen.model, seen.response_id) == ("claude-sonnet-4-5-20250929", "msg_1")
    assert seen.finish_reasons == {0: "tool_use"}
    assert seen.output_text == ["hm", "Hi", "now", "{}"]
    assert seen.usage == {**START["message"]["usage"], "output_tokens": 25}
    usage = seen.usage_of("anthropic")
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (580, 25)


def test_whole_message() -> None:
    seen = seen_of(
        "messages",
        {
            "id": "msg_1",
            "type": "message",
            "model": "claude-x",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "Hi"},
                {"type": "tool_use", "id": "t", "name": "now", "input": {"a": 1}},
            ],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 2},
        },
    )
    assert seen.output_text == ["hm", "Hi", "now", "{'a': 1}"]
    assert seen.finish_reasons == {0: "end_turn"}
    assert seen.complete


RESPONSES_USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5",
    "status": "completed",
    "service_tier": "default",
    "tools": [{"type": "web_search", "filters": {"domains": ["private.example"]}}],
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "private words"},
        },
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "status": "completed",
            "container_id": "cntr_1",
            "code": "private code",
        },
        {"type": "function_call", "id": "fc_1", "name": "now", "arguments": "{}"},
        {
            "type": "message",
            "id": "msg_1",
            "content": [
                {"type": "output_text", "text": "Hi"},
                {"type": "refusal", "refusal": "no"},
            ],
        },
    ],
    "usage": RESPONSES_USAGE,
}
KEPT_CALLS = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "status": "completed",
        "container_id": "cntr_1",
    },
    {"type": "function_call", "id": "fc_1"},
]


def test_whole_response_keeps_what_price_depends_on_and_no_content() -> None:
    seen = seen_of("responses", RESPONSE)
    assert (seen.response_id, seen.model) == ("resp_1", "gpt-5")
    assert seen.usage == RESPONSES_USAGE
    assert seen.response == {
        "service_tier": "default",
        "tools": [{"type": "web_search"}],
        "output": KEPT_CALLS,
    }
    assert "private" not in json.dumps(seen.response)
    assert seen.output_text == ["hm", "{}", "Hi", "no"]
    assert seen.finish_reasons == {0: "completed"}
    assert seen.complete


def test_responses_stream_reads_text_once() -> None:
    seen = seen_of(
        "responses",
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.audio.delta", "delta": "UklGRg=="},
        {"type": "response.output_item.done", "item": RESPONSE["output"][1]},
        {"type": "response.output_item.done", "item": {"type": "message"}},
    )
    assert not seen.complete
    assert seen.response["output"] == KEPT_CALLS[:1]
    load("responses").observe({"type": "response.completed", "response": RESPONSE}, seen)
    assert seen.response["output"] == KEPT_CALLS
    assert seen.output_text == ["hm", "Hi"]
    assert seen.usage == RESPONSES_USAGE
    assert seen.complete


def test_incomplete_response_says_why() -> None:
    body = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    seen = seen_of("responses", {"type": "response.incomplete", "response": body})
    assert seen.finish_reasons == {0: "max_output_tokens"}
    assert seen.complete


def test_embeddings() -> None:
    seen = seen_of(
        "embeddings",
        {
            "object": "list",
            "id": "e1",
            "model": "text-embedding-3-small",
            "data": [{"embedding": [0.1]}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        },
    )
    assert (seen.model, seen.response_id, seen.complete) == ("text-embedding-3-small", "e1", True)
    assert seen.usage == {"prompt_tokens": 8, "total_tokens": 8}


def test_legacy_completions_are_read_like_chat() -> None:
    seen = seen_of(
        "completions", {"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}
    )
    assert seen.output_text == ["Hi"]
    assert seen.complete


@pytest.mark.parametrize(
    "event",
    [
        {"choices": None},
        {"choices": []},
        {"choices": [None, 1, {}]},
        {"choices": [{"index": "0", "delta": None, "finish_reason": 3}]},
        {"choices": [{"delta": {"content": 1, "tool_calls": [None, {"function": None}]}}]},
        {"usage": "ten", "model": 1, "id": None},
    ],
)
def test_langfuse_1648_odd_chat_chunks_are_tolerated(event: dict[str, Any]) -> None:
    seen = seen_of("chat", event)
    assert (seen.usage, seen.model, seen.finish_reasons) == (None, None, {})


# Bodies that are odd in every way: known names with values of any type at any depth.
NAMES = st.sampled_from(
    (
        "id", "model", "choices", "delta", "message", "content", "text", "finish_reason",
        "index", "usage", "error", "type", "code", "tool_calls", "function", "arguments",
        "name", "response", "status", "output", "item", "action", "tools", "data", "x_groq",
        "content_block", "stop_reason", "incomplete_details", "reason", "thinking",
        "partial_json", "summary",
    )
)  # fmt: skip
KINDS = st.sampled_from(
    (
        "message", "message_start", "message_delta", "content_block_start",
        "content_block_delta", "error", "content_block_stop", "message_stop",
        "response.completed", "response.output_item.done",
        "response.output_text.delta", "text", "thinking", "tool_use",
        "web_search_call", "completed",
    )
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | KINDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=6)


@given(
    st.sampled_from(["chat", "messages", "responses", "embeddings"]), st.lists(BODIES, max_size=4)
)
def test_garbage_never_raises(api: str, bodies: list[dict[str, Any]]) -> None:
    seen = seen_of(api, *bodies)
    assert all(isinstance(text, str) for text in seen.output_text)
    assert seen.usage is None or isinstance(seen.usage, dict)
    seen.usage_of("openai")


@given(st.sampled_from(["chat", "messages"]), st.lists(BODIES, max_size=4))
def test_garbage_never_breaks_the_reading_of_chunks(api: str, bodies: list[dict[str, Any]]) -> None:
    protocol = load_protocol(api)
    reader = protocol.chunks()
    for body in bodies:
        reader.read(body)
        protocol.choices(body)


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", "chat"),
        ("https://h/openai/deployments/d/chat/completions?api-version=1", "chat"),
        ("/chat/completions/", "chat"),
        ("chat/completions", "chat"),
        ("/v1/completions", "completions"),
        ("/v1/messages", "messages"),
        ("/messages?beta=true", "messages"),
        ("/v1/responses", "responses"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/messages/count_tokens", None),
        ("/v1/messages/batches", None),
        ("/v1/responses/resp_1", None),
        ("/v1/responses/resp_1/input_items", None),
        ("/v1/models", None),
        ("", None),
    ],
)
def test_api_from_path(path: str, api: str | None) -> None:
    assert api_from_path(path) == api


@pytest.mark.parametrize(
    ("body", "api"),
    [
        ({"object": "chat.completion"}, "chat"),
        ({"object": "chat.completion.chunk", "choices": []}, "chat"),
        ({"choices": [{"message": {}}]}, "chat"),
        ({"object": "text_completion", "choices": []}, "completions"),
        ({"object": "response"}, "responses"),
        ({"type": "response.created"}, "responses"),
        ({"type": "message_start"}, "messages"),
        ({"type": "message", "role": "assistant", "stop_reason": None}, "messages"),
        ({"object": "list", "data": [{"object": "embedding", "embedding": []}]}, "embeddings"),
        ({"object": "list", "data": []}, None),
        ({"type": "message", "role": "user"}, None),
        ({"object": ["chat.completion"], "type": 1}, None),
        ({}, None),
    ],
)
def test_recognise(body: dict[str, Any], api: str | None) -> None:
    assert recognise(body) == api


def test_unknown_apis_are_named() -> None:
    with pytest.raises(ValueError, match="no protocol reads the api 'realtime'"):
        load("realtime")
    with pytest.raises(ValueError, match="cannot complete with the api 'embeddings'"):
        load_protocol("embeddings")
