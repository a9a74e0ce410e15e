"""Answers of Bedrock's Converse: bodies, streams and what they say of usage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.observation import Observation
from costspan.core.protocols import bedrock_converse
from costspan.core.reply import Chunk

BODY: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "eHl6"}},
                {"text": "Größe "},
                {"text": "🎈"},
                {"toolUse": {"toolUseId": "t1", "name": "now", "input": {"zone": "ö"}}},
                {"toolUse": {"toolUseId": "t2", "name": "bye", "input": {}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {
        "inputTokens": 6,
        "outputTokens": 7,
        "totalTokens": 22,
        "cacheReadInputTokens": 4,
        "cacheWriteInputTokens": 5,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 2}, {"ttl": "5m", "inputTokens": 3}],
    },
    "metrics": {"latencyMs": 5},
    "serviceTier": {"type": "priority"},
}


def delta(index: int, **part: object) -> dict[str, object]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": part}}


def tool_start(index: int, **use: str) -> dict[str, object]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": use}}}


STREAM: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    delta(0, reasoningContent={"text": "h"}),
    delta(0, reasoningContent={"text": "m"}),
    delta(0, reasoningContent={"signature": "c2ln"}),
    {"contentBlockStop": {"contentBlockIndex": 0}},
    delta(1, reasoningContent={"redactedContent": "eHl6"}),
    {"contentBlockStop": {"contentBlockIndex": 1}},
    delta(2, text="Größe "),
    delta(2, text="🎈"),
    {"contentBlockStop": {"contentBlockIndex": 2}},
    tool_start(3, toolUseId="t1", name="now"),
    delta(3, toolUse={"input": '{"zone": '}),
    delta(3, toolUse={"input": '"ö"}'}),
    {"contentBlockStop": {"contentBlockIndex": 3}},
    tool_start(4, toolUseId="t2", name="bye"),
    delta(4, toolUse={"input": "{}"}),
    {"contentBlockStop": {"contentBlockIndex": 4}},
    {"messageStop": {"stopReason": "tool_use"}},
    {"metadata": {"usage": BODY["usage"], "serviceTier": {"type": "priority"}, "metrics": {}}},
]
THINKING = [
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "eHl6"},
]


def seen_of(*events: Any) -> Observation:
    seen = Observation(api="converse")
    for event in events:
        bedrock_converse.observe(event, seen)
    return seen


def read(*events: Any) -> list[Chunk | None]:
    reader = bedrock_converse.chunks()
    return [reader.read(event) for event in events]


def test_body() -> None:
    (choice,) = bedrock_converse.choices(BODY) or []
    assert choice.message.content == "Größe 🎈"
    assert choice.message.reasoning_content == "hm"
    assert choice.message.thinking_blocks == THINKING
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    assert [(c.id, c.function.name, c.function.arguments, c.index) for c in calls] == [
        ("t1", "now", '{"zone": "ö"}', None),
        ("t2", "bye", "{}", None),
    ]


def test_stream() -> None:
    found = [chunk for chunk in read(*STREAM) if chunk is not None]
    deltas = [chunk.choices[0].delta for chunk in found if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(each.content or "" for each in deltas) == "Größe 🎈"
    assert "".join(each.reasoning_content or "" for each in deltas) == "hm"
    assert [block for each in deltas for block in each.thinking_blocks or ()] == THINKING
    calls = [call for each in deltas for call in each.tool_calls or ()]
    assert [(c.index, c.id, c.function.name, c.function.arguments) for c in calls] == [
        (0, "t1", "now", ""),
        (0, None, None, '{"zone": '),
        (0, None, None, '"ö"}'),
        (1, "t2", "bye", ""),
        (1, None, None, "{}"),
    ]
    assert [c.finish_reason for chunk in found for c in chunk.choices][-1] == "tool_calls"
    assert found[-1].choices == []


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("malformed_tool_use", "malformed_tool_use"),
        (None, None),
    ],
)
def test_finish_reasons(reason: str | None, finish_reason: str | None) -> None:
    (choice,) = bedrock_converse.choices({**BODY, "stopReason": reason}) or []
    assert choice.finish_reason == finish_reason
    (chunk,) = read({"messageStop": {"stopReason": reason}})
    assert (chunk.choices[0].finish_reason if chunk else None) == finish_reason
    assert seen_of({"messageStop": {"stopReason": reason}}).finish_reasons == (
        {0: reason} if reason else {}
    )


@pytest.mark.parametrize("events", [[BODY], STREAM], ids=["body", "stream"])
def test_what_is_seen(events: list[Any]) -> None:
    seen = seen_of(*events)
    assert seen.complete
    assert seen.finish_reasons == {0: "tool_use"}
    assert seen.response == {"serviceTier": {"type": "priority"}}
    assert "".join(seen.output_text).replace(" ", "") == 'hmGröße🎈now{"zone":"ö"}bye' + (
        "" if events == [BODY] else "{}"
    )
    usage = seen.usage_of("aws")
    assert usage is not None
    assert usage.buckets == {
        "tokens.in.text": 6,
        "tokens.in.cache_read": 4,
        "tokens.in.cache_write.5m": 3,
        "tokens.in.cache_write.1h": 2,
        "tokens.out.text": 7,
    }
    assert usage.input_tokens == 15
    assert usage.served.tier == "priority"
    assert usage.flags == ()


def test_litellm_34373_cache_counts_only_in_the_last_event_of_a_stream() -> None:
    usage = {
        "inputTokens": 3,
        "outputTokens": 20,
        "totalTokens": 23,  # leaves the cache out on some models
        "cacheReadInputTokens": 1200,
        "cacheWriteInputTokens": 300,
    }
    start = {"messageStart": {"role": "assistant"}}
    assert seen_of(start).usage is None
    found = seen_of(start, {"metadata": {"usage": usage}}).usage_of("aws")
    assert found is not None
    assert (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens) == (
        1503,
        1200,
        300,
    )


def test_a_stream_that_is_cut_is_not_complete() -> None:
    seen = seen_of(*STREAM[:9])
    assert not seen.complete
    assert seen.usage is None


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"throttlingException": {"message": "secret words"}}, "throttlingException"),
        ({"modelStreamErrorException": {}}, "modelStreamErrorException"),
        ({"error": {"type": "InternalFailure", "message": "secret words"}}, "InternalFailure"),
    ],
)
def test_exceptions(event: Any, kind: str) -> None:
    seen = seen_of(*STREAM[:3], event)
    assert seen.error_type == kind
    assert "secret" not in repr(seen)
    assert read(event) == [None]


def test_the_model_that_a_prompt_router_chose() -> None:
    trace = {"promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1::foundation-model/m"}}
    assert (
        seen_of({**BODY, "trace": trace}).model == "arn:aws:bedrock:us-east-1::foundation-model/m"
    )
    assert seen_of({"metadata": {"trace": trace}}).model is not None


def test_events_without_their_place_mean_no_chunk() -> None:
    use = {"toolUse": {"input": "{}"}}
    assert read({"contentBlockDelta": {"delta": use}}, delta(7, **use)) == [None, None]


def test_a_server_that_cannot_stream() -> None:
    (chunk,) = read(BODY)
    assert chunk is not None
    assert chunk.choices[0].delta.content == "Größe 🎈"
    assert chunk.choices[0].finish_reason == "tool_calls"


_NAMES = [
    "output",
    "message",
    "content",
    "text",
    "toolUse",
    "toolUseId",
    "name",
    "input",
    "reasoningContent",
    "reasoningText",
    "signature",
    "redactedContent",
    "stopReason",
    "usage",
    "serviceTier",
    "trace",
    "promptRouter",
    "invokedModelId",
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "contentBlockIndex",
    "delta",
    "start",
    "messageStop",
    "metadata",
    "throttlingException",
    "error",
    "type",
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "text", "ö"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(_NAMES), JUNK, max_size=4), max_size=6))
def test_garbage_raises_nothing(events: list[dict[str, object]]) -> None:
    seen_of(*events).usage_of("aws")
    read(*events)
    for event in events:
        bedrock_converse.choices(event)


def test_arguments_too_deep_for_json_raise_nothing() -> None:
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    use = {"toolUse": {"toolUseId": "t", "name": "n", "input": deep}}
    body = {"output": {"message": {"content": [use]}}}
    assert bedrock_converse.choices(body) is not None
    assert seen_of(body).output_text == ["n"]
