"""Spans that an SDK makes by itself: one CLIENT span a call, the trace goes on with the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
import wire
from claude import HI, MSG, PATH
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from costspan.exporters.memory import InMemoryExporter
from costspan.exporters.otel import OTelExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

NATIVE = "com.anthropic.sdk.python"


class Traced:
    """A real SDK of OpenTelemetry, a server, and clients of it."""

    def __init__(self, server: FrameServer) -> None:
        self.server = server
        self.spans = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.metrics = MeterProvider([InMemoryMetricReader()])

    def meter(self, **options: Any) -> Meter:
        exporter = OTelExporter(tracer_provider=self.provider, meter_provider=self.metrics)
        return Meter(exporters=[exporter], **options)

    def client(self, **options: Any) -> anthropic.Anthropic:
        given: Any = {"tracer_provider": self.provider, **options}
        return anthropic.Anthropic(
            base_url=self.server.url, api_key="k", max_retries=0, open_telemetry=given
        )

    def async_client(self) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(
            base_url=self.server.url,
            api_key="k",
            max_retries=0,
            open_telemetry={"tracer_provider": self.provider},
        )

    def of_clients(self) -> list[ReadableSpan]:
        found = self.spans.get_finished_spans()
        return [span for span in found if span.kind is SpanKind.CLIENT]

    def scopes(self) -> list[str]:
        """Who made the CLIENT spans: ``native`` or ``ours``."""
        scopes = [span.instrumentation_scope for span in self.of_clients()]
        return ["native" if scope and scope.name == NATIVE else "ours" for scope in scopes]

    def parent_sent(self) -> str | None:
        """The trace's header in the request."""
        return self.server.requests[-1].headers.get("traceparent")


@pytest.fixture
def traced(shared_frame_server: FrameServer) -> Iterator[Traced]:
    shared_frame_server.reset()
    made = Traced(shared_frame_server)
    yield made
    made.provider.shutdown()
    made.metrics.shutdown()


def _sent_by(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _create(client: anthropic.Anthropic) -> None:
    client.messages.create(**MSG)


def _stream(client: anthropic.Anthropic) -> None:
    list(client.messages.create(**MSG, stream=True))


def _helper(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**MSG) as stream:
        stream.get_final_message()


def _raw(client: anthropic.Anthropic) -> None:
    client.messages.with_raw_response.create(**MSG).parse()


def _copy(client: anthropic.Anthropic) -> None:
    client.with_options(timeout=9).messages.create(**MSG)


def _beta(client: anthropic.Anthropic) -> None:
    client.beta.messages.create(**MSG)


@pytest.mark.parametrize("ask", [_create, _stream, _helper, _raw, _copy, _beta])
def test_a_call_has_one_span_which_goes_on_with_the_request(traced: Traced, ask: Any) -> None:
    streams = ask in (_stream, _helper)
    if streams:
        traced.server.script(PATH, frames=wire.MESSAGE_STREAM)
    else:
        traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = traced.meter()
    ask(wrap(traced.client(), lambda: meter))
    meter.flush()
    assert traced.scopes() == ["ours"]
    assert traced.parent_sent() == _sent_by(traced.of_clients()[0])


async def test_the_same_for_the_asynchronous_client(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = traced.meter()
    async with wrap(traced.async_client(), lambda: meter) as client:
        await client.messages.create(**MSG)
    assert traced.scopes() == ["ours"]
    assert traced.parent_sent() == _sent_by(traced.of_clients()[0])


def test_an_error_has_one_span(traced: Traced) -> None:
    traced.server.json(PATH, {"type": "error", "error": {"type": "invalid_request_error"}}, 400)
    meter = traced.meter()
    with pytest.raises(anthropic.BadRequestError):
        _create(wrap(traced.client(), lambda: meter))
    assert traced.scopes() == ["ours"]


def test_a_function_around_the_client_has_one_span(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = traced.meter()
    client = wrap(traced.client(), lambda: meter)

    def ask(**kwargs: Any) -> Any:
        return client.messages.create(**kwargs)

    wrap(ask, lambda: meter)(**MSG)
    assert traced.scopes() == ["ours"]


def test_native_spans_are_kept_on_demand(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = traced.meter(native_spans=True)
    _create(wrap(traced.client(), lambda: meter))
    assert sorted(traced.scopes()) == ["native", "ours"]


def test_native_spans_are_kept_where_the_meter_makes_none(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = Meter(exporters=[InMemoryExporter()])
    _create(wrap(traced.client(), lambda: meter))
    assert traced.scopes() == ["native"]
    assert traced.parent_sent() == _sent_by(traced.of_clients()[0])


def test_native_spans_of_what_is_not_recorded_are_kept(traced: Traced) -> None:
    traced.server.json("/v1/messages/count_tokens", {"input_tokens": 8})
    meter = traced.meter()
    client = wrap(traced.client(), lambda: meter)
    client.messages.count_tokens(model="claude-sonnet-5", messages=HI)
    assert traced.scopes() == ["native"]


def test_unwrap_brings_native_spans_back(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter, client = traced.meter(), traced.client()
    asked = client.open_telemetry
    assert wrap(client, lambda: meter).open_telemetry == asked
    _create(unwrap(client))
    assert traced.scopes() == ["native"]


def test_propagation_stays_off_where_it_was_off(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = traced.meter()
    _create(wrap(traced.client(propagation=False), lambda: meter))
    assert traced.scopes() == ["ours"]
    assert traced.parent_sent() is None


def test_spans_that_were_off_stay_off(traced: Traced) -> None:
    traced.server.json(PATH, wire.MESSAGE_BODY)
    meter = traced.meter(native_spans=True)
    _create(wrap(traced.client(traces=False), lambda: meter))
    assert traced.scopes() == ["ours"]


def test_the_private_names_of_anthropic_that_are_relied_on(traced: Traced) -> None:
    client = traced.client()
    assert "_lazy_tracer" in vars(client)
    assert hasattr(client._tracer, "start_span")
