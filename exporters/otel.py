"""Exports every call as an OpenTelemetry span and metrics, by the GenAI conventions."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, cast

from costspan.middleware.record import Call, OpenCall

if TYPE_CHECKING:
    from contextvars import Token
    from uuid import UUID

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from costspan.exporters.otel_metrics import Family
    from costspan.exporters.otel_spans import OpenSpan


class OTelExporter:
    """Sends calls to whatever OpenTelemetry SDK the application has set up.

    It uses the API only: it never sets a provider, never adds an exporter and owns nothing. The
    application may set its SDK before or after; until then a call costs a few microseconds here.
    No prompt, reply or error message is ever emitted. docs/opentelemetry.md lists what is.

    Args:
        tracer_provider: Where spans go; None for the global provider.
        meter_provider: Where metrics go; None for the global provider.
        metrics: Which generation of metric names: ``v1.41``, its successor ``v0.1.0``, or
            ``both`` (dashboards of either kind work).
        suppress_nested: Whether OpenLLMetry's instrumentations stand aside inside a call, so that
            it is not counted twice.

    Raises:
        ValueError: ``metrics`` is none of the three.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        metrics: Family = "both",
        suppress_nested: bool = True,
    ) -> None:
        from opentelemetry.context import Context

        from costspan.exporters import otel_metrics, otel_spans

        if metrics not in otel_metrics.FAMILIES:
            allowed = ", ".join(otel_metrics.FAMILIES)
            raise ValueError(f"metrics={metrics!r} is unknown: use one of {allowed}")
        scope_version = _own_version()
        self._spans = otel_spans.Spans(tracer_provider, scope_version, suppress_nested)
        self._metrics = otel_metrics.Metrics(meter_provider, scope_version, metrics)
        self._no_span = Context()
        self._open: dict[UUID, OpenSpan] = {}
        self._sdk_classes = (
            None if tracer_provider or meter_provider else otel_spans.classes_of_an_sdk()
        )

    def start(self, call: OpenCall) -> None:
        """Open the span as a child of the current one; writes its ids into the call.

        ``trace_id``, ``span_id`` and ``root_span_id`` stay None while no SDK is set. The root is
        the one of an enclosing call of ours, else the current span where that is of this process,
        else the new span itself.
        """
        if self._sdk_classes is not None and not self._sdk_classes():
            return
        opened = self._spans.open(call)
        if opened is not None:
            self._open[call.call_id] = opened

    def attach(self, call: OpenCall) -> object:
        """Make the span current, so that what the user's call opens becomes its child."""
        opened: OpenSpan | None = self._open.get(call.call_id)
        return None if opened is None else opened.attach()

    def detach(self, token: object) -> None:
        """Make current again what was current before `attach`."""
        if token is not None:
            self._spans.detach(cast("Token[Context]", token))

    def finish(self, record: Call) -> None:
        """Describe the finished call on its span, end the span and record the metrics.

        Metrics are recorded for sampled-out spans and without tracing as well.
        """
        opened: OpenSpan | None = self._open.pop(record.call_id, None)
        if opened is None:
            if self._sdk_classes is not None and not self._sdk_classes():
                return
            self._metrics.record(record, self._no_span)
            return
        try:
            self._metrics.record(record, opened.context)
        finally:
            opened.finish(record)

    def flush(self, timeout_s: float) -> bool:
        """Ask the providers to push out what they hold.

        It runs in a thread of its own, because the SDK's own flush overruns its timeout when the
        endpoint is down (seen in opentelemetry-sdk 1.45.2: 35 s instead of 10 s).

        Args:
            timeout_s: How long to wait, in seconds.

        Returns:
            Whether all went out in time. False at interpreter exit, where no thread can be
            started: there the SDK flushes by itself.
        """
        done: list[bool] = []
        providers = (self._spans.provider(), self._metrics.provider())
        worker = threading.Thread(
            target=lambda: done.append(_force_flush(providers, timeout_s)),
            name="costspan-otel-flush",
            daemon=True,
        )
        try:
            worker.start()
        except RuntimeError:
            return False
        worker.join(timeout_s)
        return done == [True]

    def close(self) -> None:
        """Do nothing: the providers belong to the application."""


def _force_flush(providers: Iterable[object], timeout_s: float) -> bool:
    results = []
    for provider in providers:
        # Not part of the API: only SDKs can be flushed.
        force_flush = getattr(provider, "force_flush", None)
        if force_flush is not None:
            results.append(force_flush(int(timeout_s * 1_000)))
    return all(results)


def _own_version() -> str | None:
    try:
        return version("costspan")
    except PackageNotFoundError:
        return None
