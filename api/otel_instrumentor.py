"""The entry point by which ``opentelemetry-instrument`` has every call recorded.

It is imported by OpenTelemetry's instrumentation, whose base class is therefore at hand; nothing
else of costspan imports this module.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from costspan.middleware.guard import Guard
from costspan.zero_code import instrument, uninstrument


class CostspanInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # no types where it is missing
    """Watches every client of the SDKs, as `costspan.instrument` does.

    The entry point is ``costspan`` in the group ``opentelemetry_instrumentor``: it is switched off
    by ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=costspan``. Spans and metrics go to the providers
    that are set up; everything else is as the configuration says.
    """

    def __init__(self) -> None:
        super().__init__()
        self._guard = Guard()

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: SDKs are watched when they are imported, whichever there are."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        # An exception here would keep OpenTelemetry from loading all instrumentations after us.
        self._guard.run("instrument", instrument, kwargs.get("meter"))

    def _uninstrument(self, **kwargs: Any) -> None:
        self._guard.run("uninstrument", uninstrument)
