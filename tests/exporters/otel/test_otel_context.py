"""Where the span stands among others: parents, children, what is current, and the root."""

from __future__ import annotations

import asyncio
import contextvars
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import get_current, get_value
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    set_span_in_context,
    use_span,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes

    from tests.exporters.otel.conftest import Lab, MakeLab


def test_openlit_1460_one_span_opened_before_the_call_under_the_right_parent(lab: Lab) -> None:
    tracer = lab.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("handler") as handler:
        record = lab.call()
        call = lab.open(record)
        lab.exporter.start(call)
    # The handler is over before the stream is: the parent is still the one of the start.
    lab.exporter.finish(record)
    _, span = lab.spans()
    assert span.parent is not None
    assert span.parent.span_id == handler.get_span_context().span_id
    assert span.context is not None
    assert call.trace_id == f"{span.context.trace_id:032x}"
    assert call.span_id == f"{span.context.span_id:016x}"


def test_span_is_current_only_between_attach_and_detach(lab: Lab) -> None:
    call = lab.open(lab.call())
    before = get_current()
    lab.exporter.start(call)
    assert get_current() == before
    token = lab.exporter.attach(call)
    assert trace.format_span_id(trace.get_current_span().get_span_context().span_id) == call.span_id
    lab.exporter.detach(token)
    assert get_current() == before


def test_what_the_call_opens_is_a_child(lab: Lab) -> None:
    record = lab.call()
    call = lab.open(record)
    lab.exporter.start(call)
    token = lab.exporter.attach(call)
    with lab.tracer_provider.get_tracer("http").start_as_current_span("POST"):
        pass
    lab.exporter.detach(token)
    lab.exporter.finish(record)
    child, _ = lab.spans()
    assert child.parent is not None
    assert f"{child.parent.span_id:016x}" == call.span_id


def test_langfuse_13590_finish_may_run_in_another_thread_or_context(lab: Lab) -> None:
    record = lab.call()
    call = lab.open(record)
    contextvars.copy_context().run(lab.exporter.start, call)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lab.exporter.finish, record).result()
    (span,) = lab.spans()
    assert span.context is not None
    assert f"{span.context.span_id:016x}" == call.span_id
    assert not trace.get_current_span().get_span_context().is_valid


async def test_concurrent_tasks_do_not_become_each_others_parents(lab: Lab) -> None:
    async def one() -> None:
        record = lab.call(call_id=uuid.uuid4())
        call = lab.open(record)
        lab.exporter.start(call)
        token = lab.exporter.attach(call)
        await asyncio.sleep(0)
        lab.exporter.detach(token)
        lab.exporter.finish(record)

    await asyncio.gather(*(one() for _ in range(5)))
    assert [span.parent for span in lab.spans()] == [None] * 5


def test_second_finish_ends_nothing_twice(lab: Lab) -> None:
    record = lab.call()
    call = lab.open(record)
    lab.exporter.start(call)
    lab.exporter.finish(record)
    lab.exporter.finish(record)
    assert len(lab.spans()) == 1


def test_root_of_a_lone_call_is_itself(lab: Lab) -> None:
    call = lab.run(lab.call())
    assert call.root_span_id == call.span_id


def test_calls_under_one_application_span_share_it_as_root(lab: Lab) -> None:
    with lab.tracer_provider.get_tracer("app").start_as_current_span("agent") as agent:
        calls = [lab.run(lab.call()) for _ in range(2)]
    root = trace.format_span_id(agent.get_span_context().span_id)
    assert [call.root_span_id for call in calls] == [root, root]


def test_nested_calls_share_the_root_of_the_outermost(lab: Lab) -> None:
    tracer = lab.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("agent") as agent:
        outer = lab.open(lab.call())
        lab.exporter.start(outer)
        token = lab.exporter.attach(outer)
        with tracer.start_as_current_span("tool"):
            inner = lab.run(lab.call())
        lab.exporter.detach(token)
    root = trace.format_span_id(agent.get_span_context().span_id)
    assert (outer.root_span_id, inner.root_span_id) == (root, root)


def test_remote_parent_is_the_parent_but_not_the_root(lab: Lab) -> None:
    remote = SpanContext(
        0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, TraceFlags(1)
    )
    with use_span(NonRecordingSpan(remote)):
        call = lab.run(lab.call())
    assert call.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert call.root_span_id == call.span_id != "b7ad6b7169203331"


def test_sampled_out_span_is_passed_on_so_that_children_are_dropped_too(make_lab: MakeLab) -> None:
    lab = make_lab(ALWAYS_OFF)
    call = lab.open(lab.call())
    lab.exporter.start(call)
    token = lab.exporter.attach(call)
    current = trace.get_current_span().get_span_context()
    lab.exporter.detach(token)
    assert not current.trace_flags.sampled
    assert trace.format_trace_id(current.trace_id) == call.trace_id


class KeepOpenAI(Sampler):
    """Samples by what is known at the start."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        seen = attributes or {}
        keep = seen.get("gen_ai.provider.name") == "openai" and seen.get("server.port") == 443
        keep = keep and seen.get("gen_ai.request.model") == "gpt-4o" and name == "chat gpt-4o"
        return SamplingResult(Decision.RECORD_AND_SAMPLE if keep else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "KeepOpenAI"


def test_samplers_see_operation_provider_model_and_server(make_lab: MakeLab) -> None:
    lab = make_lab(KeepOpenAI())
    lab.run(lab.call())
    lab.run(lab.call(lab.request(provider="anthropic")))
    (span,) = lab.spans()
    assert span.attributes is not None
    assert span.attributes["gen_ai.provider.name"] == "openai"


OTHERS_OFF = "suppress_language_model_instrumentation"


def test_dd_trace_js_8936_other_instrumentations_stand_aside_inside_the_call(lab: Lab) -> None:
    call = lab.open(lab.call())
    lab.exporter.start(call)
    token = lab.exporter.attach(call)
    inside = get_value(OTHERS_OFF)
    lab.exporter.detach(token)
    assert (inside, get_value(OTHERS_OFF)) == (True, None)


def test_other_instrumentations_may_be_left_on(make_lab: MakeLab) -> None:
    lab = make_lab(suppress_nested=False)
    call = lab.open(lab.call())
    lab.exporter.start(call)
    token = lab.exporter.attach(call)
    inside = get_value(OTHERS_OFF)
    lab.exporter.detach(token)
    assert inside is None


def test_baggage_and_other_values_of_the_context_are_kept(lab: Lab) -> None:
    from opentelemetry import baggage

    context = baggage.set_baggage("tenant", "t1", set_span_in_context(trace.INVALID_SPAN))

    def run() -> object:
        from opentelemetry.context import attach

        attach(context)
        call = lab.open(lab.call())
        lab.exporter.start(call)
        token = lab.exporter.attach(call)
        seen = baggage.get_baggage("tenant")
        lab.exporter.detach(token)
        return seen

    assert contextvars.copy_context().run(run) == "t1"
