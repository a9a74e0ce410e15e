"""Spans and metrics over real HTTP, decoded by the protocol's own schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from costspan.exporters.otel import OTelExporter

if TYPE_CHECKING:
    from tests.conftest import FrameServer
    from tests.exporters.otel.conftest import Lab


def test_spans_and_metrics_arrive_at_a_collector(frame_server: FrameServer, lab: Lab) -> None:
    for path in ("/v1/traces", "/v1/metrics"):
        frame_server.script(path, headers={"content-type": "application/x-protobuf"})
    resource = Resource({"service.name": "shop"})
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"{frame_server.url}/v1/traces"))
    )
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{frame_server.url}/v1/metrics"), export_interval_millis=3_600_000
    )
    meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    exporter = OTelExporter(tracer_provider=tracers, meter_provider=meters)

    record = lab.call()
    call = lab.open(record)
    exporter.start(call)
    exporter.finish(record)
    assert exporter.flush(10.0) is True
    bodies = {request.path: request.body for request in frame_server.requests}
    tracers.shutdown()
    meters.shutdown()

    traces = ExportTraceServiceRequest.FromString(bodies["/v1/traces"])
    (span,) = traces.resource_spans[0].scope_spans[0].spans
    attributes = {pair.key: pair.value for pair in span.attributes}
    assert span.name == "chat gpt-4o"
    assert span.span_id.hex() == call.span_id
    assert attributes["gen_ai.usage.input_tokens"].int_value == 100
    assert attributes["gen_ai.usage.cost.amount"].double_value == 0.00045
    assert all(value.WhichOneof("value") is not None for value in attributes.values())

    metrics = ExportMetricsServiceRequest.FromString(bodies["/v1/metrics"])
    by_name = {m.name: m for m in metrics.resource_metrics[0].scope_metrics[0].metrics}
    cost = by_name["costspan.cost.usd"].sum
    assert cost.is_monotonic
    assert cost.data_points[0].as_double == 0.00045
    tokens = by_name["gen_ai.client.inference.usage.input_tokens"].sum
    assert tokens.data_points[0].as_int == 100
    assert tokens.data_points[0].exemplars[0].span_id.hex() == call.span_id
    assert by_name["gen_ai.client.token.usage"].histogram.data_points[0].sum == 100
