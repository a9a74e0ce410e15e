"""The SDK belongs to the application: absent, set later, slow, or somebody's own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider

from costspan.exporters.otel import OTelExporter

if TYPE_CHECKING:
    from tests.exporters.otel.conftest import Lab, MakeLab

PREAMBLE = """
import sys, uuid
from datetime import datetime, UTC
from types import SimpleNamespace
from costspan.core.types import Usage
from costspan.middleware.record import Call, ProviderRequest
from costspan.exporters.otel import OTelExporter

AT = datetime(2026, 11, 25, tzinfo=UTC)
request = ProviderRequest("openai", "chat", "gpt-4o", "gpt-4o", AT, AT,
                          Usage({"tokens.in.text": 100, "tokens.out.text": 20}))
record = Call(uuid.uuid4(), "chat", (request,), AT, AT, 1_500_000, "ok", "value")

def run(exporter):
    call = SimpleNamespace(call_id=record.call_id, operation="chat", provider="openai",
                           api="chat", model="gpt-4o", endpoint=None, port=None, started_at=AT,
                           trace_id=None, span_id=None, root_span_id=None)
    exporter.start(call)
    exporter.detach(exporter.attach(call))
    exporter.finish(record)
    return call
"""


def python(code: str) -> str:
    """Run code in a fresh interpreter, where nothing global is set."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_without_an_sdk_nothing_is_emitted_and_no_id_is_set() -> None:
    out = python("""
exporter = OTelExporter()
call = run(exporter)
assert "opentelemetry.sdk" not in sys.modules
print(call.trace_id, call.span_id, call.root_span_id, exporter.flush(1.0))
exporter.close()
""")
    assert out == "None None None True\n"


def test_the_api_is_imported_only_when_an_exporter_is_made() -> None:
    out = python("""
print("opentelemetry" in sys.modules)
OTelExporter()
print("opentelemetry" in sys.modules)
""")
    assert out == "False\nTrue\n"


def test_sdk_that_is_set_later_is_noticed() -> None:
    out = python("""
exporter = OTelExporter()
assert run(exporter).trace_id is None

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))

assert run(exporter).trace_id is not None
print([span.name for span in spans.get_finished_spans()])
(scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
print({m.name: m.data.data_points[0].value for m in scope.metrics if "usage." in m.name})
""")
    assert out == (
        "['chat gpt-4o']\n"
        "{'gen_ai.client.inference.usage.input_tokens': 100, "
        "'gen_ai.client.inference.usage.output_tokens': 20}\n"
    )


def test_placeholder_providers_that_were_taken_too_early_work_as_well() -> None:
    out = python("""
from opentelemetry import metrics, trace
exporter = OTelExporter(tracer_provider=trace.get_tracer_provider(),
                        meter_provider=metrics.get_meter_provider())
run(exporter)

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

reader = InMemoryMetricReader()
trace.set_tracer_provider(TracerProvider())
metrics.set_meter_provider(MeterProvider([reader]))
print(run(exporter).trace_id is not None, reader.get_metrics_data() is not None)
""")
    assert out == "True True\n"


def test_disabled_sdk_costs_nothing_and_sets_no_id() -> None:
    out = python("""
import os
os.environ["OTEL_SDK_DISABLED"] = "true"
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry import metrics
trace.set_tracer_provider(TracerProvider())
metrics.set_meter_provider(MeterProvider())
print(run(OTelExporter()).trace_id)
""")
    assert out == "None\n"


def test_flush_pushes_out_spans_and_metrics(lab: Lab) -> None:
    lab.run(lab.call())
    assert lab.exporter.flush(5.0) is True


class StuckProvider(TracerProvider):
    """A provider whose flush overruns its timeout, as the SDK's does with a dead endpoint."""

    def __init__(self) -> None:
        super().__init__(shutdown_on_exit=False)
        self.released = threading.Event()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.released.wait(30)


def test_flush_keeps_its_timeout_when_the_sdk_does_not() -> None:
    provider = StuckProvider()
    exporter = OTelExporter(tracer_provider=provider, meter_provider=NoOpMeterProvider())
    begin = time.monotonic()
    assert exporter.flush(0.2) is False
    assert time.monotonic() - begin < 5
    provider.released.set()
    assert exporter.flush(5.0) is True


def test_flush_during_interpreter_exit_does_not_fail() -> None:
    out = python("""
import atexit
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
exporter = OTelExporter()
run(exporter)
atexit.register(lambda: print(exporter.flush(1.0) in (True, False)))
""")
    assert out == "True\n"


def test_close_leaves_the_providers_alone(lab: Lab) -> None:
    lab.exporter.close()
    lab.run(lab.call())
    assert len(lab.spans()) == 1


def test_two_exporters_with_an_sdk_each_do_not_mix(make_lab: MakeLab) -> None:
    one, two = make_lab(), make_lab()
    record = one.call()
    call = one.open(record)
    for lab in (one, two):
        lab.exporter.start(call)
    for lab in (one, two):
        lab.exporter.finish(record)
    assert [len(lab.spans()) for lab in (one, two)] == [1, 1]


def test_nothing_that_is_off_is_flushed() -> None:
    exporter = OTelExporter(
        tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider()
    )
    assert exporter.flush(1.0) is True
