"""What is read of Google's other formats, where an SDK asked: embeddings and interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.observation import Observation
from costspan.core.protocols import gemini_embeddings, gemini_interactions, recognise


def prediction(count: object) -> dict[str, Any]:
    return {"embeddings": {"values": [0.5], "statistics": {"token_count": count}}}


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"usageMetadata": {"promptTokenCount": 9}}, {"promptTokenCount": 9}),
        ({"predictions": [prediction(4), prediction(5.0)]}, {"promptTokenCount": 9}),
        # Unless all of them are told, the sum is not known.
        ({"predictions": [prediction(4), prediction(None)]}, None),
        ({"predictions": [prediction(4), {"embeddings": {"values": [0.5]}}]}, None),
        ({"predictions": [prediction(float("nan"))]}, None),
        ({"predictions": [{"bytesBase64Encoded": "an image"}]}, None),
        ({"predictions": []}, None),
        ({"embeddings": [{"values": [0.5]}]}, None),
    ],
)
def test_the_tokens_of_embeddings(
    body: Mapping[str, object], usage: Mapping[str, object] | None
) -> None:
    seen = Observation("embeddings")
    gemini_embeddings.observe(body, seen)
    assert seen.usage == usage


@pytest.mark.parametrize(
    ("status", "complete"),
    [
        ("completed", True),
        ("incomplete", True),
        ("requires_action", True),
        ("failed", True),
        ("in_progress", False),
        ("queued", False),
        ("requires_continuation", False),
    ],
)
def test_an_interaction_whole_and_at_the_end_of_its_stream(status: str, complete: bool) -> None:
    usage = {"total_input_tokens": 7, "total_output_tokens": 3, "total_tokens": 10}
    whole = {"id": "i1", "model": "gemini-2.5-flash", "status": status, "usage": usage}
    for event in (whole, {"event_type": "interaction.completed", "interaction": whole}):
        assert recognise(event) == "interactions"
        seen = Observation("interactions")
        gemini_interactions.observe(event, seen)
        assert (seen.response_id, seen.model, seen.usage) == ("i1", "gemini-2.5-flash", usage)
        assert (seen.complete, seen.finish_reasons) == (complete, {0: status} if complete else {})


def test_the_words_and_the_error_of_an_interaction_s_stream() -> None:
    seen = Observation("interactions")
    for event in (
        {"event_type": "step.delta", "delta": {"type": "text", "text": "Hel"}},
        {"event_type": "step.delta", "delta": {"type": "text", "text": "lo"}},
        {"event_type": "error", "error": {"code": "overloaded", "message": "secret"}},
    ):
        gemini_interactions.observe(event, seen)
    assert seen.output_text == ["Hel", "lo"]
    assert (seen.error_type, seen.error_code) == ("error", "overloaded")


KEYS = st.sampled_from(
    (
        *("usageMetadata", "predictions", "embeddings", "statistics", "token_count", "error"),
        *("interaction", "event_type", "delta", "text", "id", "model", "status", "usage"),
    )
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, ODD, max_size=6))
def test_nothing_that_comes_makes_the_observers_raise(event: dict[str, Any]) -> None:
    gemini_embeddings.observe(event, Observation("embeddings"))
    gemini_interactions.observe(event, Observation("interactions"))
    recognise(event)
