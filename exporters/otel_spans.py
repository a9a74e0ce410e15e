"""The span of a call: opened as a child of the current context, current while the call runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import attach, create_key, detach, get_current, get_value, set_value
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    NoOpTracer,
    ProxyTracerProvider,
    SpanKind,
    StatusCode,
    TracerProvider,
)

from costspan.exporters.otel_attributes import (
    attempt_attributes,
    error_type,
    request_attributes,
    requested_model,
    span_attributes,
    span_name,
)
from costspan.middleware.record import Call, OpenCall

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROOT: Final = create_key("costspan-root-span")

_OTHERS_OFF: Final = "suppress_language_model_instrumentation"
"""Context key by which OpenLLMetry's instrumentations stand aside (openllmetry 0.62.4)."""


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """A span and the context in which it is current.

    Attributes:
        span: The span, also when it was sampled out.
        context: The context of the start with the span set in it.
    """

    span: Span
    context: Context

    def attach(self) -> Token[Context]:
        """Make the span current; the result is for `Spans.detach`."""
        return attach(self.context)

    def finish(self, record: Call) -> None:
        """Describe the finished call on the span and end it.

        The span lasts exactly as long as the record says, whenever this runs.

        Args:
            record: The finished call.
        """
        try:
            if self.span.is_recording():
                self.span.set_attributes(span_attributes(record))
                if len(record.requests) > 1:
                    model = requested_model(record.last)
                    self.span.update_name(span_name(record.operation, model))
                for each in record.repeated:
                    at_ns = _unix_ns(each.at)
                    self.span.add_event("costspan.attempt", attempt_attributes(each), at_ns)
                if error_type(record) is not None:
                    self.span.set_status(StatusCode.ERROR)
        finally:
            self.span.end(_unix_ns(record.started_at) + record.latency_us * 1_000)


def classes_of_an_sdk() -> Callable[[], bool] | None:
    """How to tell quickly that no SDK can have been set, because no class of one exists yet.

    Asking the API for its providers looks into the environment each time, which cost a call 5 us.

    Returns:
        A function that says whether some module has defined a provider of its own; None where
        the environment has the API load an SDK by itself.
    """
    if any(name in os.environ for name in _LOADED_BY_THE_API):
        return None
    traces, metrics = TracerProvider.__subclasses__, MeterProvider.__subclasses__
    return lambda: len(traces()) + len(metrics()) > _CLASSES_OF_THE_API


_LOADED_BY_THE_API = ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER")
_CLASSES_OF_THE_API = sum(
    kind.__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
    for base in (TracerProvider, MeterProvider)
    for kind in base.__subclasses__()
)


class Spans:
    """Opens and ends spans.

    Args:
        provider: The user's tracer provider; None for the global one, which may be set later.
        scope_version: Version of the instrumentation scope ``costspan``.
        suppress_nested: Whether other instrumentations stand aside inside the call.
    """

    def __init__(
        self, provider: TracerProvider | None, scope_version: str | None, suppress_nested: bool
    ) -> None:
        self._provider = provider
        self._scope_version = scope_version
        self._suppress_nested = suppress_nested
        self._tracer: Tracer | None = None

    def provider(self) -> TracerProvider | None:
        """Find the provider in force; None as long as the application has set none."""
        given = self._provider
        if given is not None and not isinstance(given, ProxyTracerProvider):
            return given
        found = trace.get_tracer_provider()
        return None if isinstance(found, ProxyTracerProvider) else found

    def open(self, call: OpenCall) -> OpenSpan | None:
        """Start the span of a call and write its ids into the call.

        ``root_span_id`` is the root that an enclosing call of ours has; else the current span's
        own id where that span is of this process; else the new span's. So calls made under one
        application span share it.

        Args:
            call: The call that is about to run.

        Returns:
            The open span; None when no SDK is set or tracing is off.
        """
        tracer = self._find_tracer()
        if tracer is None:
            return None
        outer = get_current()
        span = tracer.start_span(
            span_name(call.operation, call.model),
            context=outer,
            kind=SpanKind.CLIENT,
            attributes=request_attributes(
                call.operation, call.provider, call.model, call.endpoint, call.port
            ),
            start_time=_unix_ns(call.started_at),
            record_exception=False,
            set_status_on_exception=False,
        )
        context = trace.set_span_in_context(span, outer)
        own = span.get_span_context()
        if own.is_valid:
            root = get_value(_ROOT, outer) or _parent_span_id(outer)
            call.trace_id = trace.format_trace_id(own.trace_id)
            call.span_id = trace.format_span_id(own.span_id)
            call.root_span_id = root if isinstance(root, str) else call.span_id
            context = set_value(_ROOT, call.root_span_id, context)
        if self._suppress_nested:
            context = set_value(_OTHERS_OFF, True, context)
        return OpenSpan(span, context)

    def detach(self, token: Token[Context]) -> None:
        """Make current again what was current before `OpenSpan.attach`."""
        detach(token)

    def _find_tracer(self) -> Tracer | None:
        if self._tracer is None:
            provider = self.provider()
            if provider is None:
                return None
            self._tracer = provider.get_tracer("costspan", self._scope_version)
        return None if isinstance(self._tracer, NoOpTracer) else self._tracer


def _parent_span_id(context: Context) -> str | None:
    parent = trace.get_current_span(context).get_span_context()
    if not parent.is_valid or parent.is_remote:
        return None
    return trace.format_span_id(parent.span_id)


def _unix_ns(instant: datetime) -> int:
    since = instant - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
