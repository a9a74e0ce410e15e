"""The metrics of a call, in both generations of the OpenTelemetry GenAI conventions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, NoOpMeter, Observation

from costspan.exporters import otel_tokens as tokens
from costspan.exporters.ledger.health import lost_here
from costspan.exporters.otel_attributes import (
    Attributes,
    cost_source,
    error_type,
    request_attributes,
    requested_model,
    response_model,
    response_tier,
)
from costspan.exporters.otel_parameters import clean_text
from costspan.middleware.record import Call, ProviderRequest

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram, Meter, MeterProvider

Family: TypeAlias = Literal["both", "v0.1.0", "v1.41"]
"""``v1.41`` names are what most tools emit and show today; ``v0.1.0`` names replace them."""

Totals: TypeAlias = tuple[int | None, int | None]
"""Input and output tokens of a call; None where nothing is known."""

FAMILIES: Final = ("both", "v0.1.0", "v1.41")
MODEL_LIMIT: Final = 200
"""Distinct model names on metrics; later ones become ``_OTHER``, so that series stay bounded."""

SECONDS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
    *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
TOKENS: Final = tuple(4**power for power in range(14))
"""Bucket bounds that the conventions advise; a view of the application overrides them."""

_NOT_INFERENCE: Final = frozenset({"embeddings", "rerank", "retrieval"})
_COUNTERS: Final = (
    ("input_tokens", tokens.INPUT, "Input tokens, cached ones included."),
    ("output_tokens", tokens.OUTPUT, "Output tokens, reasoning included."),
    ("cache_read.input_tokens", tokens.CACHE_READ, "Input tokens read from a cache."),
    ("cache_write.input_tokens", tokens.CACHE_WRITE, "Input tokens written to a cache."),
    ("reasoning.output_tokens", tokens.REASONING, "Output tokens spent on reasoning."),
)


def _is_placeholder(provider: MeterProvider) -> bool:
    # By name, since the class is private to the API (its twin for tracing is public).
    return type(provider).__name__ == "_ProxyMeterProvider"


class _Current:
    """The instruments of semantic-conventions-genai v0.1.0."""

    def __init__(self, meter: Meter) -> None:
        stem = "gen_ai.client.inference"
        self._duration = _seconds(meter, f"{stem}.duration", "How long an inference took.")
        self._first_chunk = _seconds(
            meter, f"{stem}.time_to_first_chunk", "Time to the first chunk of a stream."
        )
        self._input = _tokens(meter, f"{stem}.operation.input_tokens", "Input tokens of a call.")
        self._output = _tokens(meter, f"{stem}.operation.output_tokens", "Output tokens of a call.")
        self._counters = tuple(
            (meter.create_counter(f"{stem}.usage.{name}", "{token}", description), stem_of_meter)
            for name, stem_of_meter, description in _COUNTERS
        )

    def record(
        self, record: Call, totals: Totals, labels: Attributes, timed: Attributes, context: Context
    ) -> None:
        """Record what belongs to the call as a whole; for inference only."""
        if record.latency_us:
            self._duration.record(record.latency_us / 1e6, timed, context)
        if record.ttft_us is not None:
            self._first_chunk.record(record.ttft_us / 1e6, labels, context)
        used, made = totals
        self._input.record(used or 0, timed, context)
        self._output.record(made or 0, timed, context)

    def count(self, request: ProviderRequest, labels: Attributes, context: Context) -> None:
        """Count the tokens of one request, on its own model.

        The conventions ask for a 0 of unknown modality where no usage came.
        """
        for counter, meter in self._counters:
            reported = tokens.tokens_by_modality(request.usage, meter)
            if not reported and request.usage is not None:
                continue
            # OpenAI reports audio_tokens: 0 on every chat; that is worth no series of its own.
            split = {modality: n for modality, n in reported.items() if n} or {tokens.UNKNOWN: 0}
            for modality, count in split.items():
                counter.add(count, {**labels, "gen_ai.token.modality": modality}, context)


class _Established:
    """The instruments of semantic-conventions v1.41, which v0.1.0 dropped."""

    def __init__(self, meter: Meter) -> None:
        self._usage = _tokens(meter, "gen_ai.client.token.usage", "Tokens of a call, by type.")
        self._first_chunk = _seconds(
            meter,
            "gen_ai.client.operation.time_to_first_chunk",
            "Time to the first chunk of a stream.",
        )

    def record(self, record: Call, totals: Totals, labels: Attributes, context: Context) -> None:
        """Record the call; a side without known usage has no point."""
        if record.ttft_us is not None:
            self._first_chunk.record(record.ttft_us / 1e6, labels, context)
        for kind, total in zip(("input", "output"), totals, strict=True):
            if total is not None:
                self._usage.record(total, {**labels, "gen_ai.token.type": kind}, context)


class _Instruments:
    """All instruments of one meter, recorded together."""

    def __init__(self, meter: Meter, family: Family) -> None:
        self._current = _Current(meter) if family != "v1.41" else None
        self._established = _Established(meter) if family != "v0.1.0" else None
        self._operation_duration = _seconds(
            meter, "gen_ai.client.operation.duration", "How long a call took."
        )
        self._cost = meter.create_counter(
            "costspan.cost.usd", "1", "Cost in US dollars of the calls whose price is known."
        )
        meter.create_observable_counter(
            "costspan.records.lost",
            [_records_lost],
            "{record}",
            "Records of calls that this process could not keep in its ledger.",
        )
        self._models: set[str] = set()

    def record(self, record: Call, context: Context) -> None:
        """Record one finished call.

        Tokens and cost are counted per request, so that they stand on the model that used them;
        everything else describes the call and stands on its last request.
        """
        labels = self._labels(record.operation, record.last)
        failure = error_type(record)
        timed: Attributes = {**labels, "error.type": failure} if failure else labels
        totals = (
            tokens.total_tokens(record.requests, tokens.INPUT),
            tokens.total_tokens(record.requests, tokens.OUTPUT),
        )
        inference = record.operation not in _NOT_INFERENCE
        if self._current is not None and inference:
            self._current.record(record, totals, labels, timed, context)
        if self._established is not None:
            self._established.record(record, totals, labels, context)
        if record.latency_us and (self._established is not None or not inference):
            self._operation_duration.record(record.latency_us / 1e6, timed, context)
        for request in record.requests:
            of_request = labels
            if request is not record.last:
                of_request = self._labels(record.operation, request)
            if self._current is not None and (inference or request.usage is not None):
                self._current.count(request, of_request, context)
            self._count_cost(record, request, of_request, context)

    def _count_cost(
        self, record: Call, request: ProviderRequest, labels: Attributes, context: Context
    ) -> None:
        if request.cost is None or request.cost.total is None:
            return
        priced: Attributes = {**labels, "gen_ai.usage.cost.source": cost_source(request)}
        if record.billing_mode == "plan":
            priced["costspan.billing.mode"] = "plan"
        self._cost.add(float(request.cost.total), priced, context)

    def _labels(self, operation: str, request: ProviderRequest) -> Attributes:
        model = self._bounded(requested_model(request))
        labels = request_attributes(
            operation, request.provider, model, request.endpoint, request.port
        )
        if answered := response_model(request):
            labels["gen_ai.response.model"] = self._bounded(answered)
        if tier := response_tier(request):
            labels["openai.response.service_tier"] = clean_text(tier)
        return labels

    def _bounded(self, model: str) -> str:
        if model in self._models:
            return model
        if len(self._models) >= MODEL_LIMIT:
            return "_OTHER"
        self._models.add(model)
        return model


class Metrics:
    """Records finished calls on the meter provider in force.

    Args:
        provider: The user's meter provider; None for the global one, which may be set later.
        scope_version: Version of the instrumentation scope ``costspan``.
        family: Which generation of names to record.
    """

    def __init__(
        self, provider: MeterProvider | None, scope_version: str | None, family: Family
    ) -> None:
        self._provider = provider
        self._scope_version = scope_version
        self._family = family
        self._meter: Meter | None = None
        self._instruments: _Instruments | None = None

    def provider(self) -> MeterProvider | None:
        """Find the provider in force; None as long as the application has set none."""
        given = self._provider
        if given is not None and not _is_placeholder(given):
            return given
        found = metrics.get_meter_provider()
        return None if _is_placeholder(found) else found

    def record(self, record: Call, context: Context) -> None:
        """Record one finished call; nothing happens while no SDK is set.

        Args:
            record: The finished call.
            context: The context whose span the points are linked to as exemplars.
        """
        if self._meter is None:
            provider = self.provider()
            if provider is None:
                return
            meter = provider.get_meter("costspan", self._scope_version)
            if not isinstance(meter, NoOpMeter):
                self._instruments = _Instruments(meter, self._family)
            self._meter = meter
        if self._instruments is not None:
            self._instruments.record(record, context)


def _records_lost(options: CallbackOptions) -> Iterator[Observation]:
    # Zero too, so that an alert sees the first loss as a step.
    yield Observation(lost_here())


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(
        name, "s", description, explicit_bucket_boundaries_advisory=SECONDS
    )


def _tokens(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(
        name, "{token}", description, explicit_bucket_boundaries_advisory=TOKENS
    )
