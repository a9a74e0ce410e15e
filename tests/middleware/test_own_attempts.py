"""Calls of our own core that took several requests: each is priced alone, in one call."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import costspan
from costspan.core.errors import APIConnectionError, BadRequestError, InternalServerError
from costspan.core.policy import Policy
from costspan.exporters.otel import OTelExporter

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
QUICK = Policy(max_retries=2, first_wait_s=0.01, max_wait_s=0.02)


@pytest.fixture
def memory() -> costspan.InMemoryExporter:
    return costspan.InMemoryExporter()


@pytest.fixture
def meter(memory: costspan.InMemoryExporter) -> costspan.Meter:
    return costspan.Meter(exporters=[memory])


def chat(prompt_tokens: int = 1000, completion_tokens: int = 100) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hi"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens},
    }


def claude(number: int, input_tokens: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": f"answer {number}"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": input_tokens, "output_tokens": 1000},
    }


def test_retries_are_attempts_of_one_request(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    for status in (429, 503):
        body = {"error": {"message": "no", "type": "t", "code": "slow_down"}}
        frame_server.json(CHAT, body, status=status)
    frame_server.json(CHAT, chat())
    where: dict[str, Any] = {
        "base_url": f"{frame_server.url}/v1",
        "api_key": "k",
        "policy": QUICK,
    }
    reply = costspan.completion("openai/gpt-4o", HELLO, meter=meter, **where)
    (call,) = memory.calls
    (request,) = call.requests
    assert (call.status, call.retries, request.error) == ("ok", 2, None)
    assert [(each.model, each.error and each.error.http_status) for each in call.repeated] == [
        ("gpt-4o", 429),
        ("gpt-4o", 503),
    ]
    assert all(each.wait_s is not None for each in call.repeated)
    # 1000 x 2.50 + 100 x 10 per million
    assert request.cost is not None
    assert reply.cost.total == request.cost.total == Decimal("0.0035")


def test_litellm_8810_the_model_that_answers_is_priced(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, {"error": {"message": "no"}}, status=500)
    frame_server.json(MESSAGES, claude(1, 1000))
    other = {
        "model": "anthropic/claude-sonnet-4-5",
        "base_url": frame_server.url,
        "api_key": "k",
    }
    reply = costspan.completion(
        "openai/gpt-4o",
        HELLO,
        meter=meter,
        base_url=f"{frame_server.url}/v1",
        api_key="k",
        num_retries=0,
        fallbacks=[other],
    )
    (call,) = memory.calls
    first, second = call.requests
    assert (first.provider, first.model_requested, first.cost) == ("openai", "openai/gpt-4o", None)
    assert first.error is not None
    assert first.error.http_status == 500
    assert (second.provider, second.api, second.error) == ("anthropic", "messages", None)
    assert second.model_requested == "anthropic/claude-sonnet-4-5"
    # 1000 x 3 + 1000 x 15 per million
    assert call.cost_usd == reply.cost.total == Decimal("0.018")
    assert (call.status, call.cost_status, call.retries) == ("ok", "priced", 0)
    assert first.ended_at <= second.started_at <= second.ended_at == call.ended_at


def test_each_answer_is_priced_alone_because_a_band_must_never_see_a_sum(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    for number in range(3):
        frame_server.json(MESSAGES, claude(number, 150_000))
    reply = costspan.completion(
        "claude-sonnet-4-5", HELLO, n=3, meter=meter, base_url=frame_server.url, api_key="k"
    )
    (call,) = memory.calls
    assert len(call.requests) == 3
    assert {request.response_id for request in call.requests} == {"msg_0", "msg_1", "msg_2"}
    # 150,000 x 3 + 1000 x 15 per million each; as one request of 450,000 it would be twice that.
    each = Decimal("0.465")
    assert [request.cost and request.cost.total for request in call.requests] == [each] * 3
    assert call.cost_usd == reply.cost.total == 3 * each
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 450_000


def test_of_several_answers_one_fails_and_the_others_are_billed(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(MESSAGES, claude(0, 1000))
    frame_server.json(MESSAGES, {"error": {"type": "invalid_request_error"}}, status=400)
    with pytest.raises(BadRequestError):
        costspan.completion(
            "claude-sonnet-4-5", HELLO, n=2, meter=meter, base_url=frame_server.url, api_key="k"
        )
    (call,) = memory.calls
    assert call.status == "error"
    assert sorted(r.cost is None for r in call.requests) == [False, True]
    assert call.cost_usd == Decimal("0.018")


def test_a_call_that_failed_for_good(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json("/v1beta/models/gemini-2.5-pro:generateContent", {"error": {}}, status=500)
    with pytest.raises(InternalServerError):
        costspan.completion(
            "gemini/gemini-2.5-pro",
            HELLO,
            meter=meter,
            base_url=f"{frame_server.url}/v1beta",
            api_key="k",
            policy=QUICK,
        )
    (call,) = memory.calls
    (request,) = call.requests
    assert (request.provider, request.api) == ("google", "generateContent")
    assert (call.retries, call.status, call.cost_usd) == (2, "error", None)
    assert request.error is not None


def test_a_mock_costs_nothing_and_is_seen(
    meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    reply = costspan.completion("openai/gpt-4o", HELLO, meter=meter, mock_response="Hi there.")
    (call,) = memory.calls
    assert (call.cost_status, call.cost_usd) == ("free", Decimal(0))
    assert reply.cost.total == 0
    (request,) = call.requests
    assert request.usage is not None
    assert request.usage.source == "estimated"


def test_attempts_are_events_of_the_span(frame_server: FrameServer) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    meter = costspan.Meter(exporters=[OTelExporter(tracer_provider=provider)])
    body = {"error": {"message": "secret words", "type": "t", "code": "slow_down"}}
    frame_server.json(CHAT, body, status=429, headers={"retry-after-ms": "20"})
    frame_server.json(CHAT, chat())
    costspan.completion(
        "openai/gpt-4o", HELLO, meter=meter, base_url=f"{frame_server.url}/v1", api_key="k"
    )
    (span,) = spans.get_finished_spans()
    (event,) = span.events
    assert event.name == "costspan.attempt"
    attributes = dict(event.attributes or {})
    wait_s = attributes.pop("costspan.attempt.wait_s")
    assert isinstance(wait_s, float)
    assert wait_s >= 0.02
    assert attributes == {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "error.type": "costspan.RateLimitError",
        "http.response.status_code": 429,
        "costspan.error.code": "slow_down",
    }
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time < event.timestamp < span.end_time


def test_a_connection_that_was_never_made_costs_nothing(
    meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    nobody = "http://127.0.0.1:9/v1"
    with pytest.raises(APIConnectionError):
        costspan.completion(
            "openai/gpt-4o", HELLO, meter=meter, base_url=nobody, api_key="k", policy=QUICK
        )
    (call,) = memory.calls
    assert (call.status, call.retries) == ("error", 2)
    assert (call.cost_status, call.cost_usd) == ("free", Decimal(0))


def test_a_connection_that_broke_after_the_request_may_have_cost_something(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    frame_server.script(CHAT, frames=[b'{"id"'], cut=True)
    where: dict[str, Any] = {"base_url": f"{frame_server.url}/v1", "api_key": "k"}
    with pytest.raises(APIConnectionError):
        costspan.completion("openai/gpt-4o", HELLO, meter=meter, **where)
    (call,) = memory.calls
    assert (call.status, call.cost_status, call.cost_usd) == ("error", "unpriced", None)


def test_what_never_left_costs_nothing(
    meter: costspan.Meter, memory: costspan.InMemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    arguments: list[dict[str, Any]] = [{"temperature": 3}, {}]
    for wrong in arguments:
        with pytest.raises(costspan.errors.APIError) as caught:
            costspan.completion("openai/gpt-4o", HELLO, meter=meter, **wrong)
        assert caught.value.attempts == 0
        assert memory.last is not None
        assert (memory.last.status, memory.last.cost_status) == ("error", "free")


def test_a_stream_that_breaks_tells_its_attempts(
    frame_server: FrameServer, meter: costspan.Meter, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, {"error": {"message": "no"}}, status=503)
    first = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'
    frame_server.script(CHAT, frames=[first], cut=True)
    stream = costspan.completion(
        "openai/gpt-4o",
        HELLO,
        meter=meter,
        stream=True,
        base_url=f"{frame_server.url}/v1",
        api_key="k",
        policy=QUICK,
    )
    with pytest.raises(costspan.errors.APIConnectionError) as caught:
        list(stream)
    assert (caught.value.attempts, len(caught.value.history)) == (2, 2)
    (call,) = memory.calls
    (request,) = call.requests
    assert (call.retries, call.status) == (1, "error")
    assert request.usage is not None
    assert request.usage.source == "partial"
