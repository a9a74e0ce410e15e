"""Span attributes, snapshot by snapshot, as they arrive at a real SDK."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from costspan.core.types import Served
from costspan.middleware.record import ErrorFacts
from costspan.pricing.types import Estimate, Interval

if TYPE_CHECKING:
    from tests.exporters.otel.conftest import Lab

REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "server.address": "api.openai.com",
    "server.port": 443,
}
CALL = {
    "costspan.call.id": "019abcde-0000-7000-8000-000000000001",
    "costspan.call.status": "ok",
    "costspan.call.ended_by": "value",
}
USAGE = {
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "costspan.usage.source": "provider",
}
COST = {
    "gen_ai.usage.cost.amount": 0.00045,
    "gen_ai.usage.cost.currency": "USD",
    "gen_ai.usage.cost.source": "local",
    "costspan.cost.status": "priced",
}
CHAT = {"openai.api.type": "chat_completions"}


def test_plain_call(lab: Lab) -> None:
    request = lab.request(
        usage=lab.usage(served=Served(model="gpt-4o-2024-08-06", tier="standard")),
        response_id="chatcmpl-1",
        finish_reasons=("stop",),
    )
    span = lab.span(lab.call(request))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **USAGE,
        **COST,
        **CHAT,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "openai.response.service_tier": "default",
    }
    assert span.name == "chat gpt-4o"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert not span.events
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "costspan"


def test_span_lasts_as_long_as_the_record_says(lab: Lab) -> None:
    span = lab.span(lab.call(latency_us=1_234_567))
    # 2026-11-25T10:00:00.25Z is 20,782 days and 36,000.25 s after the epoch.
    assert span.start_time == (20_782 * 86_400 + 36_000) * 10**9 + 250_000_000
    assert span.end_time == span.start_time + 1_234_567_000


def test_stream(lab: Lab) -> None:
    span = lab.span(lab.call(streaming=True, ttft_us=320_000, chunks=22, ended_by="exhausted"))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **USAGE,
        **COST,
        **CHAT,
        "costspan.call.ended_by": "exhausted",
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.32,
    }


def test_error(lab: Lab) -> None:
    error = ErrorFacts("openai.RateLimitError", http_status=429, code="insufficient_quota")
    request = lab.request(usage=None, cost=None, error=error)
    span = lab.span(lab.call(request, status="error", ended_by="raised", error=error, retries=2))
    assert span.attributes == {
        **REQUEST,
        **CHAT,
        **CALL,
        "costspan.call.status": "error",
        "costspan.call.ended_by": "raised",
        "costspan.call.retries": 2,
        "costspan.cost.status": "unpriced",
        "costspan.error.code": "insufficient_quota",
        "error.type": "openai.RateLimitError",
        "http.response.status_code": 429,
    }
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert not span.events


@pytest.mark.parametrize(
    ("error", "status", "ended_by", "expected"),
    [
        (ErrorFacts("asyncio.CancelledError"), "cancelled", "cancelled", "asyncio.CancelledError"),
        (ErrorFacts("KeyboardInterrupt"), "cancelled", "cancelled", "KeyboardInterrupt"),
        (None, "cancelled", "cancelled", "cancelled"),
        (None, "error", "raised", "_OTHER"),
    ],
)
def test_any_llm_909_cancellation_is_marked(
    lab: Lab, error: ErrorFacts | None, status: str, ended_by: str, expected: str
) -> None:
    usage = lab.usage({"tokens.in.text": 100, "tokens.out.text": 3}, source="partial")
    record = lab.call(lab.request(usage=usage), status=status, ended_by=ended_by, error=error)
    span = lab.span(record)
    assert span.attributes is not None
    assert span.attributes["error.type"] == expected
    assert span.attributes["costspan.call.status"] == status
    assert span.attributes["costspan.usage.source"] == "partial"
    assert span.attributes["gen_ai.usage.output_tokens"] == 3
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("ended_by", ["closed", "dropped", "exit"])
def test_openlit_1454_stream_left_early_is_marked_and_is_no_error(lab: Lab, ended_by: str) -> None:
    usage = lab.usage({"tokens.in.text": 100, "tokens.out.text": 7}, source="partial")
    span = lab.span(
        lab.call(lab.request(usage=usage), status="interrupted", ended_by=ended_by, streaming=True)
    )
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **USAGE,
        **COST,
        **CHAT,
        "costspan.call.status": "interrupted",
        "costspan.call.ended_by": ended_by,
        "costspan.usage.source": "partial",
        "gen_ai.request.stream": True,
        "gen_ai.usage.output_tokens": 7,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_unknown_price_is_unset_and_never_zero(lab: Lab) -> None:
    request = lab.request(cost=lab.cost(None, "unpriced"))
    span = lab.span(lab.call(request))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **USAGE,
        **CHAT,
        "costspan.cost.status": "unpriced",
    }


def test_free_is_a_known_zero(lab: Lab) -> None:
    span = lab.span(lab.call(lab.request(cost=lab.cost("0", "free"))))
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.cost.amount"] == 0.0
    assert span.attributes["costspan.cost.status"] == "free"


def test_cost_that_the_provider_reported(lab: Lab) -> None:
    request = lab.request(
        provider="openrouter",
        model_requested="openrouter/openai/gpt-4o",
        model="openai/gpt-4o",
        endpoint="openrouter.ai",
        cost=lab.cost("0.0012", "reported"),
    )
    span = lab.span(lab.call(request))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **USAGE,
        "gen_ai.provider.name": "openrouter",
        "gen_ai.request.model": "openai/gpt-4o",
        "server.address": "openrouter.ai",
        "gen_ai.usage.cost.amount": 0.0012,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "provider",
        "costspan.cost.status": "reported",
    }


def test_logfire_1812_anthropic_input_includes_cache_read_and_write(lab: Lab) -> None:
    # input_tokens 12 + cache_read_input_tokens 900 + cache_creation 80 (5m) + 8 (1h) = 1,000
    usage = lab.usage(
        {
            "tokens.in.text": 12,
            "tokens.in.cache_read": 900,
            "tokens.in.cache_write.5m": 80,
            "tokens.in.cache_write.1h": 8,
            "tokens.out.text": 50,
        },
        served=Served(model="claude-sonnet-4-5-20250929", tier="standard"),
    )
    request = lab.request(
        provider="anthropic",
        api="messages",
        model_requested="claude-sonnet-4-5",
        endpoint="api.anthropic.com",
        usage=usage,
        cost=lab.cost("0.001404"),
    )
    span = lab.span(lab.call(request))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **COST,
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "server.address": "api.anthropic.com",
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 900,
        "gen_ai.usage.cache_write.input_tokens": 88,
        "gen_ai.usage.cost.amount": 0.001404,
        "costspan.usage.source": "provider",
    }


def test_langfuse_10592_openai_cached_and_reasoning_tokens_are_subsets(lab: Lab) -> None:
    # prompt_tokens 1,000 of which 600 cached; completion_tokens 300 of which 250 reasoning
    usage = lab.usage(
        {
            "tokens.in.text": 400,
            "tokens.in.cache_read": 600,
            "tokens.out.text": 50,
            "tokens.out.reasoning": 250,
        }
    )
    span = lab.span(lab.call(lab.request(api="responses", usage=usage)))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **COST,
        "openai.api.type": "responses",
        "costspan.usage.source": "provider",
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.reasoning.output_tokens": 250,
    }


def test_modalities_that_the_provider_breaks_down(lab: Lab) -> None:
    usage = lab.usage(
        {
            "tokens.in.text": 40,
            "tokens.in.audio": 100,
            "tokens.in.image": 7,
            "tokens.in.cache_read": 10,
            "tokens.in.cache_read.audio": 20,
            "tokens.out.text": 5,
            "tokens.out.audio": 60,
        }
    )
    span = lab.span(lab.call(lab.request(api="realtime", usage=usage)))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **COST,
        "costspan.usage.source": "provider",
        "gen_ai.usage.input_tokens": 177,
        "gen_ai.usage.text.input_tokens": 50,
        "gen_ai.usage.audio.input_tokens": 120,
        "gen_ai.usage.image.input_tokens": 7,
        "gen_ai.usage.output_tokens": 65,
        "gen_ai.usage.text.output_tokens": 5,
        "gen_ai.usage.audio.output_tokens": 60,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.text.cache_read.input_tokens": 10,
        "gen_ai.usage.audio.cache_read.input_tokens": 20,
    }


def test_fallback_describes_the_last_request_and_sums_over_all(lab: Lab) -> None:
    first = lab.request(
        usage=lab.usage({"tokens.in.text": 1_000, "tokens.out.text": 10}),
        cost=lab.cost("0.0026"),
        error=ErrorFacts("openai.InternalServerError", http_status=500),
    )
    last = lab.request(
        provider="anthropic",
        api="messages",
        model_requested="anthropic/claude-sonnet-4-5",
        model="claude-sonnet-4-5",
        endpoint="api.anthropic.com",
        usage=lab.usage({"tokens.in.text": 1_200, "tokens.out.text": 30}, source="estimated"),
        cost=lab.cost("0.00405"),
    )
    span = lab.span(lab.call(first, last))
    assert span.name == "chat claude-sonnet-4-5"
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **COST,
        "costspan.call.requests": 2,
        "costspan.usage.source": "estimated",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "server.address": "api.anthropic.com",
        "gen_ai.usage.input_tokens": 2_200,
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.usage.cost.amount": 0.00665,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_cost_is_local_unless_every_part_was_reported(lab: Lab) -> None:
    reported = lab.request(cost=lab.cost("0.5", "reported"))
    span = lab.span(lab.call(reported, lab.request()))
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.cost.amount"] == 0.50045
    assert span.attributes["gen_ai.usage.cost.source"] == "local"


def test_embeddings(lab: Lab) -> None:
    request = lab.request(
        api="embeddings",
        model_requested="text-embedding-3-small",
        model="text-embedding-3-small",
        usage=lab.usage({"tokens.in.text": 8}),
        cost=lab.cost("0.00000016"),
    )
    parameters = {"dimensions": 256, "encoding_format": "base64"}
    span = lab.span(lab.call(request, operation="embeddings", request_params=parameters))
    assert span.name == "embeddings text-embedding-3-small"
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **COST,
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.embeddings.dimension.count": 256,
        "gen_ai.request.encoding_formats": ("base64",),
        "gen_ai.usage.cost.amount": 1.6e-07,
        "gen_ai.usage.input_tokens": 8,
        "costspan.usage.source": "provider",
    }


def test_estimate_stands_apart_from_usage(lab: Lab) -> None:
    estimate = Estimate(
        input_tokens=Interval(90, 98, 110),
        output_tokens=Interval(1, 60, 400),
        cost_usd=Interval(Decimal("0.000235"), Decimal("0.000845"), Decimal("0.004275")),
        basis="o200k",
        confidence="high",
    )
    request = lab.request(usage=None, cost=None)
    span = lab.span(lab.call(request, estimate=estimate))
    assert span.attributes == {
        **REQUEST,
        **CALL,
        **CHAT,
        "costspan.cost.status": "unpriced",
        "costspan.estimate.input_tokens": 98,
        "costspan.estimate.output_tokens": 60,
        "costspan.estimate.cost_usd": 0.000845,
        "costspan.estimate.cost_low_usd": 0.000235,
        "costspan.estimate.cost_high_usd": 0.004275,
        "costspan.estimate.basis": "o200k",
        "costspan.estimate.confidence": "high",
    }


def test_estimate_without_a_price_has_no_cost(lab: Lab) -> None:
    estimate = Estimate(Interval(1, 2, 3), Interval(4, 5, 6), None, "heuristic", "low")
    span = lab.span(lab.call(estimate=estimate))
    assert span.attributes is not None
    assert [key for key in span.attributes if key.startswith("costspan.estimate.cost")] == []


def test_openinference_3227_a_token_count_never_stands_in_a_cost_field(lab: Lab) -> None:
    usage = lab.usage({"tokens.in.text": 31_337, "tokens.out.text": 4_711})
    span = lab.span(lab.call(lab.request(usage=usage)))
    assert span.attributes is not None
    money = {key: value for key, value in span.attributes.items() if "cost." in key}
    assert money == COST


def test_tags_conversation_and_plan(lab: Lab) -> None:
    record = lab.call(tags={"team": "search"}, session_id="conv-7", billing_mode="plan")
    span = lab.span(record)
    assert span.attributes is not None
    assert span.attributes["costspan.tag.team"] == "search"
    assert span.attributes["gen_ai.conversation.id"] == "conv-7"
    assert span.attributes["costspan.billing.mode"] == "plan"


def test_openai_attributes_stand_on_no_other_provider(lab: Lab) -> None:
    parameters = {"service_tier": "flex"}
    usage = lab.usage(served=Served(tier="flex"))
    for provider in ("azure", "groq", "anthropic"):
        request = lab.request(provider=provider, usage=usage)
        span = lab.span(lab.call(request, request_params=parameters))
        assert span.attributes is not None
        assert [key for key in span.attributes if key.startswith("openai.")] == []
    span = lab.span(lab.call(lab.request(usage=usage), request_params=parameters))
    assert span.attributes is not None
    assert span.attributes["openai.request.service_tier"] == "flex"
    assert span.attributes["openai.response.service_tier"] == "flex"


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("openai", "openai"),
        ("google", "gcp.gemini"),
        ("aws", "aws.bedrock"),
        ("x-ai", "x_ai"),
        ("mistral", "mistral_ai"),
        ("my-gateway", "my-gateway"),
    ],
)
def test_provider_names_are_those_of_the_conventions(
    lab: Lab, provider: str, expected: str
) -> None:
    span = lab.span(lab.call(lab.request(provider=provider)))
    assert span.attributes is not None
    assert span.attributes["gen_ai.provider.name"] == expected


def test_openlit_893_server_that_returns_neither_id_nor_model(lab: Lab) -> None:
    request = lab.request(
        provider="local", model_requested="", model="", endpoint=None, port=None, cost=None
    )
    span = lab.span(lab.call(request))
    assert span.name == "chat"
    assert span.attributes == {
        **CALL,
        **USAGE,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "local",
        "costspan.cost.status": "unpriced",
    }


def test_server_without_a_known_port(lab: Lab) -> None:
    span = lab.span(lab.call(lab.request(endpoint="llm.internal", port=None)))
    assert span.attributes is not None
    assert span.attributes["server.address"] == "llm.internal"
    assert "server.port" not in span.attributes


def test_missing_finish_reason_is_error(lab: Lab) -> None:
    span = lab.span(lab.call(lab.request(finish_reasons=("stop", "", "length"))))
    assert span.attributes is not None
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop", "error", "length")


def test_prefix_of_another_maker_belongs_to_the_model_name(lab: Lab) -> None:
    request = lab.request(provider="groq", model_requested="openai/gpt-oss-120b", model="x")
    span = lab.span(lab.call(request._replace(model="openai/gpt-oss-120b")))
    assert span.attributes is not None
    assert span.attributes["gen_ai.request.model"] == "openai/gpt-oss-120b"
    assert "gen_ai.response.model" not in span.attributes


def test_lone_surrogates_do_not_cost_an_attribute(lab: Lab) -> None:
    request = lab.request(model_requested="gpt\udc80", model="gpt\udc80", response_id="é\ud800")
    span = lab.span(lab.call(request, tags={"t\udfff": "v\udfff"}))
    attributes: Mapping[str, object] = span.attributes or {}
    assert span.name == "chat gpt?"
    assert attributes["gen_ai.request.model"] == "gpt?"
    assert attributes["gen_ai.response.id"] == "é?"
    assert attributes["costspan.tag.t?"] == "v?"
