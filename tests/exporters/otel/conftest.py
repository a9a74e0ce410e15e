"""A real OpenTelemetry SDK with in-memory ends, and calls built by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, Sum
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from costspan.core.types import Quantity, Served, Usage, UsageSource
from costspan.exporters.otel import OTelExporter
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost, CostStatus, Estimate

START = datetime(2026, 11, 25, 10, 0, 0, 250_000, tzinfo=UTC)
LOST = "costspan.records.lost"


@dataclass
class OpenCallStub:
    """A started call as exporters see it."""

    call_id: UUID
    operation: str
    provider: str
    api: str
    model: str
    endpoint: str | None
    port: int | None
    started_at: datetime
    streaming: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    estimate: Estimate | None = None
    request_params: Mapping[str, object] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    root_span_id: str | None = None
    ttft_us: int | None = None


@dataclass(frozen=True)
class Point:
    """One metric point: ``value`` is a counter's value or a histogram's sum."""

    attributes: dict[str, object]
    value: float
    count: int
    bounds: tuple[float, ...]
    bucket_counts: tuple[int, ...]
    exemplar_spans: tuple[int | None, ...]


class Records:
    """Builds records of calls; what a test does not name has a plain value."""

    def usage(
        self,
        buckets: Mapping[str, Quantity] | None = None,
        *,
        source: UsageSource = "provider",
        served: Served | None = None,
    ) -> Usage:
        """100 tokens in and 20 out, unless told otherwise."""
        plain = {"tokens.in.text": 100, "tokens.out.text": 20}
        return Usage(
            buckets=plain if buckets is None else buckets,
            source=source,
            served=served or Served(),
        )

    def cost(self, amount: str | None, status: CostStatus = "priced") -> Cost:
        """A cost in US dollars, without its lines."""
        return Cost(total=None if amount is None else Decimal(amount), status=status)

    def request(self, **changes: Any) -> ProviderRequest:
        """A chat with gpt-4o: 100 x $2.50 + 20 x $10 per million tokens = $0.00045."""
        plain: dict[str, Any] = {
            "provider": "openai",
            "api": "chat",
            "model_requested": "gpt-4o",
            "model": "gpt-4o",
            "started_at": START,
            "ended_at": START + timedelta(seconds=1.5),
            "usage": self.usage(),
            "cost": self.cost("0.00045"),
            "endpoint": "api.openai.com",
            "port": 443,
        }
        return ProviderRequest(**{**plain, **changes})

    def call(self, *requests: ProviderRequest, **changes: Any) -> Call:
        """A call that took 1.5 s and returned a value."""
        plain: dict[str, Any] = {
            "call_id": UUID("019abcde-0000-7000-8000-000000000001"),
            "operation": "chat",
            "requests": requests or (self.request(),),
            "started_at": START,
            "ended_at": START + timedelta(seconds=1.5),
            "latency_us": 1_500_000,
            "status": "ok",
            "ended_by": "value",
        }
        return Call(**{**plain, **changes})

    def open(self, record: Call) -> OpenCallStub:
        """The started call that a record came from: it knows the first request only."""
        first = record.requests[0]
        return OpenCallStub(
            call_id=record.call_id,
            operation=record.operation,
            provider=first.provider,
            api=first.api,
            model=first.model_requested,
            endpoint=first.endpoint,
            port=first.port,
            started_at=record.started_at,
            streaming=record.streaming,
            tags=record.tags,
            estimate=record.estimate,
            request_params=record.request_params,
        )


class Lab(Records):
    """An exporter with an SDK of its own; nothing global is touched."""

    def __init__(self, sampler: Sampler = ALWAYS_ON, **options: Any) -> None:
        self.span_exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.span_exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.exporter = OTelExporter(
            tracer_provider=self.tracer_provider, meter_provider=self.meter_provider, **options
        )

    def run(self, record: Call) -> OpenCallStub:
        """Send a call through the exporter the way the middleware does."""
        call = self.open(record)
        self.exporter.start(call)
        token = self.exporter.attach(call)
        self.exporter.detach(token)
        self.exporter.finish(record)
        return call

    def span(self, record: Call) -> ReadableSpan:
        """Run a call and give its one span."""
        before = len(self.spans())
        self.run(record)
        (span,) = self.spans()[before:]
        return span

    def spans(self) -> tuple[ReadableSpan, ...]:
        """All ended spans."""
        return tuple(self.span_exporter.get_finished_spans())

    def instruments(self) -> dict[str, tuple[str, str]]:
        """Unit and kind of every instrument that has points."""
        found = {}
        for metric in self._metrics():
            kind = "counter" if isinstance(metric.data, Sum) else "histogram"
            found[metric.name] = (metric.unit, kind)
        return found

    def points(self, name: str) -> list[Point]:
        """All points of one instrument."""
        return self.collect().get(name, [])

    def collect(self) -> dict[str, list[Point]]:
        """All points by instrument, read at once: exemplars are given out only once."""
        return {
            m.name: [_point(point) for point in m.data.data_points]
            for m in self._metrics()
            if m.name != LOST  # which is of the process, not of a call
        }

    def _metrics(self) -> Iterator[Any]:
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                yield from scope.metrics

    def close(self) -> None:
        """Shut the SDK down."""
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


def _point(point: Any) -> Point:
    exemplars = tuple(exemplar.span_id for exemplar in point.exemplars)
    attributes = dict(point.attributes)
    if isinstance(point, HistogramDataPoint):
        bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
        return Point(attributes, point.sum, point.count, bounds, counts, exemplars)
    return Point(attributes, point.value, 1, (), (), exemplars)


class MakeLab(Protocol):
    """Makes a `Lab` that is shut down after the test."""

    def __call__(self, sampler: Sampler = ALWAYS_ON, **options: Any) -> Lab: ...


@pytest.fixture
def make_lab() -> Iterator[MakeLab]:
    """A factory of labs with options."""
    labs: list[Lab] = []

    def make(sampler: Sampler = ALWAYS_ON, **options: Any) -> Lab:
        labs.append(Lab(sampler, **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """A lab with the default options."""
    return make_lab()
