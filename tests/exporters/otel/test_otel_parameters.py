"""Request parameters on spans: what is kept, by which name, and what can never be exported."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.exporters.otel_parameters import clean_text, parameter_attributes

if TYPE_CHECKING:
    from tests.exporters.otel.conftest import Lab


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("temperature", 0.2, "gen_ai.request.temperature", 0.2),
        ("temperature", 1, "gen_ai.request.temperature", 1.0),
        ("top_p", 0.9, "gen_ai.request.top_p", 0.9),
        ("frequency_penalty", -0.5, "gen_ai.request.frequency_penalty", -0.5),
        ("presence_penalty", 0.5, "gen_ai.request.presence_penalty", 0.5),
        ("top_k", 40, "gen_ai.request.top_k", 40),
        ("seed", 7, "gen_ai.request.seed", 7),
        ("max_tokens", 256, "gen_ai.request.max_tokens", 256),
        ("n", 3, "gen_ai.request.choice.count", 3),
        ("stop", "END", "gen_ai.request.stop_sequences", ["END"]),
        ("stop", ["a", "b"], "gen_ai.request.stop_sequences", ["a", "b"]),
        ("stop_sequences", ("a",), "gen_ai.request.stop_sequences", ["a"]),
        ("reasoning_effort", "low", "gen_ai.request.reasoning.level", "low"),
        ("previous_response_id", "resp_1", "gen_ai.request.previous_response.id", "resp_1"),
        ("output_type", "json", "gen_ai.output.type", "json"),
        ("dimensions", 256, "gen_ai.embeddings.dimension.count", 256),
        ("encoding_format", "float", "gen_ai.request.encoding_formats", ["float"]),
        ("service_tier", "flex", "openai.request.service_tier", "flex"),
    ],
)
def test_parameter(name: str, value: object, attribute: str, expected: object) -> None:
    found = parameter_attributes({name: value}, openai=True)
    assert found == {attribute: expected}
    assert type(found[attribute]) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("service_tier", "auto"),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", 10**400),
        ("temperature", True),
        ("temperature", Decimal("0.5")),
        ("seed", 2**63),
        ("seed", 1.5),
        ("max_tokens", None),
        ("max_tokens", "256"),
        ("stop", []),
        ("stop", [1, 2]),
        ("stop", {"a": 1}),
        ("output_type", "yaml"),
        ("reasoning_effort", ""),
        ("messages", [{"role": "user", "content": "secret"}]),
        ("user", "somebody"),
    ],
)
def test_parameter_that_is_left_out(name: str, value: object) -> None:
    assert parameter_attributes({name: value}, openai=True) == {}


@pytest.mark.parametrize("sentinel", [openai.NOT_GIVEN, openai.omit, anthropic.NOT_GIVEN])
@pytest.mark.parametrize("name", ["temperature", "max_tokens", "stop", "service_tier", "seed"])
def test_contrib_3921_openllmetry_4431_sentinels_are_not_values(
    name: str, sentinel: object
) -> None:
    assert parameter_attributes({name: sentinel}, openai=True) == {}


def test_contrib_3052_response_format_is_a_word_and_never_a_dict(lab: Lab) -> None:
    parameters = {"output_type": "json", "response_format": {"type": "json_object"}}
    span = lab.span(lab.call(request_params=parameters))
    assert span.attributes is not None
    assert span.attributes["gen_ai.output.type"] == "json"
    assert all("response_format" not in key for key in span.attributes)


def test_service_tier_is_asked_of_openai_only() -> None:
    assert parameter_attributes({"service_tier": "flex"}, openai=False) == {}


NAMES = ["temperature", "top_k", "seed", "n", "stop", "output_type", "dimensions", "service_tier"]
TEXTS = st.text(st.sampled_from("aé\u4e2d\ud800\udfff "), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.booleans())
def test_whatever_the_values_all_that_comes_out_can_be_exported(
    parameters: dict[str, object], openai: bool
) -> None:
    for value in parameter_attributes(parameters, openai=openai).values():
        if isinstance(value, list):
            assert value
            assert all(isinstance(item, str) for item in value)
            "".join(value).encode()
        elif isinstance(value, str):
            value.encode()
        elif isinstance(value, float):
            assert math.isfinite(value)
        else:
            assert -(2**63) < value < 2**63


@given(TEXTS)
def test_text_without_surrogates_is_kept(text: str) -> None:
    valid = text.encode("utf-8", "ignore").decode()
    assert clean_text(valid) == valid
