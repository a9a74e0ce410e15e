"""What holds for every span and point whatever the call: names, types, no content."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.types import Served, Usage
from costspan.exporters.otel_tokens import tokens_by_modality
from costspan.middleware.record import Call, ErrorFacts
from costspan.pricing.types import Estimate, Interval

if TYPE_CHECKING:
    from tests.exporters.otel.conftest import Lab

DEPRECATED = {
    "gen_ai.system",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cost",
    "gen_ai.openai.request.response_format",
    "gen_ai.openai.request.seed",
    "gen_ai.openai.request.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.workflow.name",
}
DEPRECATED_PROVIDERS = {"az.ai.openai", "az.ai.inference", "vertex_ai", "gemini", "xai"}
CONTENT = {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
}
SECRET = "sk-the-secret"
METERS = [
    "tokens.in.text",
    "tokens.in.audio",
    "tokens.in.image",
    "tokens.in.video",
    "tokens.in.citation",
    "tokens.in.cache_read",
    "tokens.in.cache_read.audio",
    "tokens.in.cache_read.image",
    "tokens.in.cache_write",
    "tokens.in.cache_write.5m",
    "tokens.in.cache_write.1h",
    "tokens.out.text",
    "tokens.out.audio",
    "tokens.out.image",
    "tokens.out.reasoning",
]
PROVIDERS = ["openai", "anthropic", "google", "vertex", "aws", "azure", "x-ai", "mistral", "acme"]


def full_call(lab: Lab, provider: str) -> Call:
    """A call that knows everything a record can know, with a secret wherever one may lurk."""
    buckets = {meter: index + 1 for index, meter in enumerate(METERS)}
    error = ErrorFacts("openai.BadRequestError", http_status=400, code="bad_request")
    request = lab.request(
        provider=provider,
        usage=lab.usage(buckets, served=Served("m-1", "flex", "us", "global", "fast")),
        response_id="resp-1",
        finish_reasons=("stop", "length"),
        context={"prompt": SECRET},
        error=error,
    )
    return lab.call(
        lab.request(provider=provider, cost=lab.cost("1", "reported")),
        request,
        status="error",
        ended_by="raised",
        error=error,
        streaming=True,
        ttft_us=1_000,
        chunks=4,
        retries=1,
        tags={"team": "a"},
        session_id="s",
        billing_mode="plan",
        estimate=Estimate(
            Interval(1, 2, 3),
            Interval(1, 2, 3),
            Interval(Decimal(0), Decimal("0.1"), Decimal("0.2")),
            "o200k",
            "high",
            {"tier": "standard"},
        ),
        request_params={
            **{"temperature": 0.5, "top_p": 1, "n": 2, "stop": ["x"], "seed": 1, "top_k": 3},
            **{"max_tokens": 5, "service_tier": "flex", "reasoning_effort": "low"},
            **{"output_type": "json", "previous_response_id": "r", "user": SECRET},
            **{"messages": [{"role": "user", "content": SECRET}], "api_key": SECRET},
        },
    )


def emitted(lab: Lab) -> list[dict[str, Any]]:
    """All attributes of all spans and points."""
    spans = [dict(span.attributes or {}) for span in lab.spans()]
    return spans + [p.attributes for name in lab.instruments() for p in lab.points(name)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_deprecated_name_no_content_and_plain_types_only(lab: Lab, provider: str) -> None:
    lab.run(full_call(lab, provider))
    old_metric = lab.points("gen_ai.client.token.usage")
    assert {p.attributes["gen_ai.token.type"] for p in old_metric} == {"input", "output"}
    for attributes in emitted(lab):
        assert not set(attributes) & (DEPRECATED | CONTENT)
        assert attributes["gen_ai.provider.name"] not in DEPRECATED_PROVIDERS
        assert SECRET not in repr(attributes)
        for value in attributes.values():
            assert type(value) in (str, bool, int, float, tuple)
            assert value != ""
    assert "gen_ai.token.type" not in (lab.spans()[0].attributes or {})


def test_span_stays_far_below_the_limit_of_128_attributes(lab: Lab) -> None:
    span = lab.span(full_call(lab, "openai"))
    assert span.dropped_attributes == 0
    assert len(span.attributes or {}) < 64


@given(st.dictionaries(st.sampled_from(METERS), st.integers(0, 10**9)))
def test_modalities_are_a_closed_sum(buckets: dict[str, int]) -> None:
    usage = Usage(buckets=buckets)
    for meter, total in (
        ("tokens.in", usage.input_tokens),
        ("tokens.out", usage.output_tokens),
        ("tokens.in.cache_read", usage.cache_read_tokens),
        ("tokens.in.cache_write", usage.cache_write_tokens),
        ("tokens.out.reasoning", usage.reasoning_tokens),
    ):
        split = tokens_by_modality(usage, meter)
        assert (sum(split.values()) if split else None) == total
        assert set(split) <= {"text", "audio", "image", "unknown"}


def test_span_totals_equal_metric_totals(lab: Lab) -> None:
    lab.run(full_call(lab, "openai"))
    total = {
        name: sum(p.value for p in lab.points(f"gen_ai.client.inference.usage.{name}"))
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read.input_tokens",
            "cache_write.input_tokens",
            "reasoning.output_tokens",
        )
    }
    # The first request adds 100 in and 20 out to 1+2+...+11 = 66 in and 12+13+14+15 = 54 out.
    assert total == {
        "input_tokens": 166,
        "output_tokens": 74,
        "cache_read.input_tokens": 6 + 7 + 8,
        "cache_write.input_tokens": 9 + 10 + 11,
        "reasoning.output_tokens": 15,
    }
    (span,) = lab.spans()
    assert span.attributes is not None
    assert {name: span.attributes[f"gen_ai.usage.{name}"] for name in total} == total
    old = {
        p.attributes["gen_ai.token.type"]: p.value for p in lab.points("gen_ai.client.token.usage")
    }
    assert old == {"input": 166, "output": 74}
