"""Wire formats that are only read, for the SDKs that speak them: the core does not ask in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.observation import Observation
from costspan.core.protocols import load, recognise

APIS = ("cohere-v1", "rerank", "conversations", "embeddings", "ollama", "cohere-v2")
META = {"billed_units": {"input_tokens": 5, "output_tokens": 2}}
OLD = {"text": "Hello.", "generation_id": "gen-1", "finish_reason": "COMPLETE", "meta": META}
TALK = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}


def seen_of(api: str, *events: dict[str, Any]) -> Observation:
    seen = Observation(api=api)
    for event in events:
        load(api).observe(event, seen)
    return seen


def test_cohere_v1_chat() -> None:
    seen = seen_of("cohere-v1", OLD)
    assert (seen.usage, seen.response_id, seen.output_text) == (META, "gen-1", ["Hello."])
    assert seen.finish_reasons == {0: "COMPLETE"}
    usage = seen.usage_of("cohere")
    assert usage is not None
    assert usage.buckets == {"tokens.in.text": 5, "tokens.out.text": 2}


def test_the_last_event_of_a_cohere_v1_stream_repeats_its_text() -> None:
    seen = seen_of(
        "cohere-v1",
        {"event_type": "stream-start", "generation_id": "gen-1"},
        {"event_type": "text-generation", "text": "Hel"},
        {"event_type": "text-generation", "text": "lo."},
    )
    assert (seen.output_text, seen.complete) == (["Hel", "lo."], False)
    load("cohere-v1").observe({"event_type": "stream-end", "response": OLD}, seen)
    assert (seen.output_text, seen.usage, seen.complete) == (["Hel", "lo."], META, True)


def test_cohere_v1_generations() -> None:
    texts = [{"id": "1", "text": "Hello."}, {"id": "2", "text": "Hi."}]
    seen = seen_of("cohere-v1", {"id": "gen-1", "generations": texts, "meta": META})
    assert (seen.output_text, seen.response_id) == (["Hello.", "Hi."], "gen-1")


@pytest.mark.parametrize("reason", ["ERROR", "ERROR_TOXIC", "ERROR_LIMIT"])
def test_a_cohere_v1_answer_that_failed(reason: str) -> None:
    assert seen_of("cohere-v1", {**OLD, "finish_reason": reason}).error_type == reason


def test_a_reranking_has_search_units() -> None:
    seen = seen_of("rerank", {"id": "rr-1", "meta": {"billed_units": {"search_units": 2}}})
    usage = seen.usage_of("cohere")
    assert usage is not None
    assert (dict(usage.buckets), usage.fees) == ({}, {"fee.search_unit": 2})


def test_a_conversation() -> None:
    outputs = [
        {"type": "tool.execution", "name": "web_search", "arguments": '{"q": 1}'},
        {"type": "message.output", "model": "mistral-large-2512", "content": "Hello."},
        {
            "type": "message.output",
            "model": "mistral-medium-2505",
            "content": [{"type": "text", "text": "Hi."}, {"type": "tool_reference", "tool": "x"}],
        },
    ]
    seen = seen_of("conversations", {"conversation_id": "c-1", "outputs": outputs, "usage": TALK})
    assert (seen.model, seen.response_id) == ("mistral-medium-2505", "c-1")
    assert seen.output_text == ['{"q": 1}', "Hello.", "Hi."]
    usage = seen.usage_of("mistral")
    assert usage is not None
    assert usage.buckets == {"tokens.in.text": 10, "tokens.out.text": 3}


def test_a_conversation_that_fails_in_its_stream() -> None:
    seen = seen_of(
        "conversations",
        {"type": "conversation.response.started", "conversation_id": "c-1"},
        {"type": "conversation.response.error", "message": "no", "code": 3000},
    )
    assert (seen.error_type, seen.error_code, seen.complete) == ("error", "3000", False)


@pytest.mark.parametrize(
    ("provider", "body", "usage"),
    [
        ("openai", {"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}, 8),
        ("cohere", {"embeddings": {"float": []}, "meta": {"billed_units": {"input_tokens": 8}}}, 8),
        ("ollama", {"model": "m", "embeddings": [], "prompt_eval_count": 8}, 8),
        ("ollama", {"embedding": [0.5]}, None),
    ],
)
def test_embeddings_of_every_maker(provider: str, body: dict[str, Any], usage: int | None) -> None:
    found = seen_of("embeddings", body).usage_of(provider)
    assert (found.input_tokens if found else None) == usage


def test_what_ollama_generates_stands_at_the_top() -> None:
    seen = seen_of(
        "ollama",
        {"thinking": "Hm.", "response": "", "done": False},
        {"response": "Hello.", "done": True, "prompt_eval_count": 5, "eval_count": 2},
    )
    assert (seen.output_text, seen.complete) == (["Hm.", "Hello."], True)
    assert seen.usage == {"prompt_eval_count": 5, "eval_count": 2}


@pytest.mark.parametrize(
    ("body", "api"),
    [
        (OLD, "cohere-v1"),
        ({"event_type": "text-generation", "text": "Hi"}, "cohere-v1"),
        ({"response": "Hi", "done": False}, "ollama"),
        ({"embeddings": [[0.5]]}, "embeddings"),
        ({"embedding": [0.5]}, "embeddings"),
        ({"outputs": [], "usage": TALK}, None),
    ],
)
def test_bodies_are_told_by_their_shape(body: dict[str, Any], api: str | None) -> None:
    assert recognise(body) == api


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = st.sampled_from(
    (
        "event_type", "text", "meta", "response", "generations", "outputs", "content", "usage",
        "type", "error", "embeddings",
    )
)  # fmt: skip
VALUES = st.recursive(
    LEAVES | st.sampled_from(["stream-end", "conversation.response.done"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(APIS), st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=3))
def test_garbage_never_raises(api: str, bodies: list[dict[str, Any]]) -> None:
    seen = seen_of(api, *bodies)
    assert all(isinstance(text, str) for text in seen.output_text)
    assert seen.usage is None or isinstance(seen.usage, dict)
    seen.usage_of("cohere")
