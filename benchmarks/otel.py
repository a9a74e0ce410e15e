"""What one call costs in the OpenTelemetry exporter: without an SDK, sampled out, and in full.

Run: ``python benchmarks/otel.py``. Prints microseconds per call, best and median of seven runs.
"""

from __future__ import annotations

import statistics
import timeit
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import NoOpTracerProvider

from costspan.core.types import Usage
from costspan.exporters.otel import OTelExporter
from costspan.middleware.record import Call, OpenCall, ProviderRequest
from costspan.pricing.types import Cost

AT = datetime(2026, 11, 25, tzinfo=UTC)
REQUEST = ProviderRequest(
    provider="openai",
    api="chat",
    model_requested="gpt-4o",
    model="gpt-4o-2024-08-06",
    started_at=AT,
    ended_at=AT,
    usage=Usage({"tokens.in.text": 100, "tokens.out.text": 20}),
    cost=Cost(Decimal("0.00045"), "priced"),
    endpoint="api.openai.com",
    port=443,
    response_id="chatcmpl-1",
    finish_reasons=("stop",),
)
RECORD = Call(uuid4(), "chat", (REQUEST,), AT, AT, 1_500_000, "ok", "value")
OPEN = cast(
    OpenCall,
    SimpleNamespace(
        operation="chat",
        provider="openai",
        api="chat",
        model="gpt-4o",
        endpoint="api.openai.com",
        port=443,
        started_at=AT,
        state={},
    ),
)


def one_call(exporter: OTelExporter) -> None:
    """Take a call through the exporter as the middleware does."""
    exporter.start(OPEN)
    exporter.detach(exporter.attach(OPEN))
    exporter.finish(RECORD)


def traces(sampler: Sampler = ALWAYS_ON) -> TracerProvider:
    """A tracer provider that exports to memory in batches."""
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    return provider


def meters() -> MeterProvider:
    """A meter provider that is read from memory."""
    return MeterProvider([InMemoryMetricReader()])


def main() -> None:
    """Measure each set-up and print a line for it."""
    no_traces, no_metrics = NoOpTracerProvider(), NoOpMeterProvider()
    exporters = {
        "no SDK": OTelExporter(),
        "span": OTelExporter(tracer_provider=traces(), meter_provider=no_metrics),
        "span, sampled out": OTelExporter(
            tracer_provider=traces(ALWAYS_OFF), meter_provider=no_metrics
        ),
        "metrics v1.41": OTelExporter(
            tracer_provider=no_traces, meter_provider=meters(), metrics="v1.41"
        ),
        "metrics v0.1.0": OTelExporter(
            tracer_provider=no_traces, meter_provider=meters(), metrics="v0.1.0"
        ),
        "span and both families": OTelExporter(tracer_provider=traces(), meter_provider=meters()),
    }
    for name, exporter in exporters.items():
        number = 20_000 if name == "no SDK" else 1_000
        runs = timeit.repeat(lambda e=exporter: one_call(e), number=number, repeat=7)  # type: ignore[misc]  # bound early
        each = [run / number * 1e6 for run in runs]
        print(f"{name:24} {min(each):7.1f} us   (median {statistics.median(each):.1f})")


if __name__ == "__main__":
    main()
