"""The spans that an SDK makes by itself: left out where the Meter makes one of the same call.

Anthropic's SDK since 2.0 has them on by default. Its public switch, ``with_options``, makes another
client, and turns off the propagation of the trace along with them. So the one place where a client
keeps its tracer is replaced: `_tracer` and `_lazy_tracer`, which have no public name.
Checked with anthropic 2.13 (2026-11); mistralai 3.7 makes no spans where its user sets up none.
"""

from __future__ import annotations

from typing import Any

from costspan.middleware.adapters.patching import replace
from costspan.middleware.running import innermost_call

_TRACER = "_lazy_tracer"


def watch_native_spans(client: Any) -> None:
    """Leave out a client's own spans of the calls of which the Meter makes spans.

    The trace goes on with the request as before: as the context of the Meter's span. Spans of
    other requests (``count_tokens``) and of tools stay.
    """
    fields = vars(client)
    held = fields.get(_TRACER)
    tracer = getattr(client, "_tracer", None) if _TRACER in fields else None
    if tracer is not None:
        fields[_TRACER] = held  # what the SDK had before it was asked, which `unwrap` puts back
        replace(client, client, _TRACER, _Tracer(tracer))


class _Tracer:
    """A tracer whose spans record nothing where the Meter has a span already."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        """Start the SDK's span, or none but the one that is current."""
        if not _is_covered():
            return self._tracer.start_span(*args, **kwargs)
        from opentelemetry.trace import NonRecordingSpan, get_current_span

        return NonRecordingSpan(get_current_span().get_span_context())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_tracer"], name)


def _is_covered() -> bool:
    """Whether this is within a recorded request, for which the Meter has made a span."""
    call = innermost_call()
    if call is None or not call.asked.is_request or call.meter.native_spans:
        return False
    while call.outer is not None:  # the span is that of the outermost call
        call = call.outer
    return call.meter.makes_spans and call.trace_id is not None
