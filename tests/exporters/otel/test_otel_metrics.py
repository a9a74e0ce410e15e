"""Metric points with values worked out by hand, in both generations of names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider

from costspan.core.types import Served
from costspan.exporters.home import Home
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.otel import OTelExporter
from costspan.middleware.record import ErrorFacts

if TYPE_CHECKING:
    from tests.exporters.otel.conftest import Lab, MakeLab

LABELS = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "server.address": "api.openai.com",
    "server.port": 443,
}
UNKNOWN = {**LABELS, "gen_ai.token.modality": "unknown"}
USAGE = "gen_ai.client.inference.usage"
CURRENT = {
    "gen_ai.client.inference.duration": ("s", "histogram"),
    "gen_ai.client.inference.time_to_first_chunk": ("s", "histogram"),
    "gen_ai.client.inference.operation.input_tokens": ("{token}", "histogram"),
    "gen_ai.client.inference.operation.output_tokens": ("{token}", "histogram"),
    f"{USAGE}.input_tokens": ("{token}", "counter"),
    f"{USAGE}.output_tokens": ("{token}", "counter"),
    f"{USAGE}.cache_read.input_tokens": ("{token}", "counter"),
    f"{USAGE}.cache_write.input_tokens": ("{token}", "counter"),
    f"{USAGE}.reasoning.output_tokens": ("{token}", "counter"),
}
ESTABLISHED = {
    "gen_ai.client.token.usage": ("{token}", "histogram"),
    "gen_ai.client.operation.duration": ("s", "histogram"),
    "gen_ai.client.operation.time_to_first_chunk": ("s", "histogram"),
}
COST = {
    "costspan.cost.usd": ("1", "counter"),
    "costspan.records.lost": ("{record}", "counter"),
}


def run_everything(lab: Lab) -> None:
    """A streamed call that touches every instrument."""
    usage = lab.usage(
        {
            "tokens.in.text": 1,
            "tokens.in.cache_read": 2,
            "tokens.in.cache_write": 3,
            "tokens.out.text": 4,
            "tokens.out.reasoning": 5,
        }
    )
    lab.run(lab.call(lab.request(usage=usage), streaming=True, ttft_us=320_000))


def test_claude_code_77562_openllmetry_1455_instruments_units_and_kinds(lab: Lab) -> None:
    run_everything(lab)
    assert lab.instruments() == {**CURRENT, **ESTABLISHED, **COST}


def test_only_the_current_names(make_lab: MakeLab) -> None:
    lab = make_lab(metrics="v0.1.0")
    run_everything(lab)
    assert lab.instruments() == {**CURRENT, **COST}


def test_only_the_established_names(make_lab: MakeLab) -> None:
    lab = make_lab(metrics="v1.41")
    run_everything(lab)
    assert lab.instruments() == {**ESTABLISHED, **COST}


def test_unknown_family_names_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"metrics='v2' is unknown: use one of both, v0\.1\.0"):
        OTelExporter(metrics="v2")  # type: ignore[arg-type]  # what a user may write


@pytest.mark.parametrize(
    "name", ["gen_ai.client.inference.duration", "gen_ai.client.operation.duration"]
)
def test_duration(lab: Lab, name: str) -> None:
    lab.run(lab.call(latency_us=1_500_000))
    lab.run(lab.call(latency_us=250_000))
    (point,) = lab.points(name)
    assert point.attributes == LABELS
    assert (point.value, point.count) == (1.75, 2)
    assert point.bounds == (
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
        *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    )
    # 0.25 s falls in (0.16, 0.32], 1.5 s in (1.28, 2.56].
    assert point.bucket_counts == (0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)


def test_a_duration_that_nobody_knows_is_none_of_0_seconds(lab: Lab) -> None:
    lab.run(lab.call(latency_us=0))  # a line of a batch
    names = {name for name in lab.instruments() if lab.points(name)}
    assert not {name for name in names if name.endswith(".duration")}
    assert "gen_ai.client.token.usage" in names


def test_time_to_first_chunk(lab: Lab) -> None:
    lab.run(lab.call(streaming=True, ttft_us=320_000))
    for stem in ("inference", "operation"):
        (point,) = lab.points(f"gen_ai.client.{stem}.time_to_first_chunk")
        assert point.attributes == LABELS
        assert (point.value, point.count) == (0.32, 1)


def test_token_usage_of_the_established_family(lab: Lab) -> None:
    lab.run(lab.call())
    lab.run(lab.call())
    tokens = {
        point.attributes.pop("gen_ai.token.type"): (point.value, point.count, point.attributes)
        for point in lab.points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": (200, 2, LABELS), "output": (40, 2, LABELS)}
    (point, _) = lab.points("gen_ai.client.token.usage")
    assert point.bounds == (
        *(1, 4, 16, 64, 256, 1024, 4096),
        *(16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864),
    )


def test_token_counters_and_their_subsets(lab: Lab) -> None:
    usage = lab.usage(
        {
            "tokens.in.text": 12,
            "tokens.in.cache_read": 900,
            "tokens.in.cache_write.5m": 80,
            "tokens.in.cache_write.1h": 8,
            "tokens.out.text": 30,
            "tokens.out.reasoning": 20,
        }
    )
    lab.run(lab.call(lab.request(usage=usage)))
    lab.run(lab.call(lab.request(usage=usage)))
    expected = {
        "input_tokens": 2_000,
        "output_tokens": 100,
        "cache_read.input_tokens": 1_800,
        "cache_write.input_tokens": 176,
        "reasoning.output_tokens": 40,
    }
    for name, value in expected.items():
        (point,) = lab.points(f"{USAGE}.{name}")
        assert (name, point.value, point.attributes) == (name, value, UNKNOWN)


def test_modalities_sum_to_the_total_of_the_span(lab: Lab) -> None:
    usage = lab.usage(
        {
            "tokens.in.text": 40,
            "tokens.in.audio": 100,
            "tokens.in.image": 7,
            "tokens.in.video": 3,
            "tokens.in.cache_read.audio": 20,
            "tokens.out.text": 5,
        }
    )
    span = lab.span(lab.call(lab.request(usage=usage)))
    by_modality = {
        point.attributes["gen_ai.token.modality"]: point.value
        for point in lab.points(f"{USAGE}.input_tokens")
    }
    assert by_modality == {"text": 40, "audio": 120, "image": 7, "unknown": 3}
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.input_tokens"] == 170


def test_modality_of_which_none_was_used_has_no_series(lab: Lab) -> None:
    buckets = {
        "tokens.in.text": 90,
        "tokens.in.audio": 0,
        "tokens.in.cache_read": 0,
        "tokens.out.text": 20,
    }
    lab.run(lab.call(lab.request(usage=lab.usage(buckets))))
    counted = {
        name: {
            p.attributes["gen_ai.token.modality"]: p.value for p in lab.points(f"{USAGE}.{name}")
        }
        for name in ("input_tokens", "cache_read.input_tokens", "cache_write.input_tokens")
    }
    assert counted == {
        "input_tokens": {"text": 90},
        "cache_read.input_tokens": {"unknown": 0},
        "cache_write.input_tokens": {},
    }


def test_failed_call_counts_zero_tokens_of_unknown_modality(lab: Lab) -> None:
    error = ErrorFacts("openai.APITimeoutError")
    request = lab.request(usage=None, cost=None, error=error)
    lab.run(lab.call(request, status="error", ended_by="raised", error=error))
    failed = {**LABELS, "error.type": "openai.APITimeoutError"}
    for name in (f"{USAGE}.input_tokens", f"{USAGE}.reasoning.output_tokens"):
        (point,) = lab.points(name)
        assert (point.value, point.attributes) == (0, UNKNOWN)
    for stem in ("inference", "operation"):
        (point,) = lab.points(f"gen_ai.client.{stem}.duration")
        assert point.attributes == failed
    (point,) = lab.points("gen_ai.client.inference.operation.input_tokens")
    assert (point.value, point.count, point.attributes) == (0, 1, failed)
    assert lab.points("gen_ai.client.token.usage") == []
    assert lab.points("costspan.cost.usd") == []


def test_cancelled_call_has_an_error_type_and_interrupted_has_none(lab: Lab) -> None:
    lab.run(lab.call(status="cancelled", ended_by="cancelled"))
    lab.run(lab.call(status="interrupted", ended_by="closed"))
    points = lab.points("gen_ai.client.operation.duration")
    assert [point.attributes for point in points] == [{**LABELS, "error.type": "cancelled"}, LABELS]


def test_cost_counter(lab: Lab) -> None:
    lab.run(lab.call())
    lab.run(lab.call())
    lab.run(lab.call(lab.request(cost=lab.cost("0.25", "reported"))))
    lab.run(lab.call(lab.request(cost=lab.cost(None, "unpriced"))))
    lab.run(lab.call(lab.request(cost=None)))
    local, reported = lab.points("costspan.cost.usd")
    assert local.value == pytest.approx(0.0009, abs=1e-12)
    assert local.attributes == {**LABELS, "gen_ai.usage.cost.source": "local"}
    assert reported.value == 0.25
    assert reported.attributes == {**LABELS, "gen_ai.usage.cost.source": "provider"}


def test_cost_that_a_plan_pays_stands_apart(lab: Lab) -> None:
    lab.run(lab.call(billing_mode="plan"))
    (point,) = lab.points("costspan.cost.usd")
    assert point.attributes["costspan.billing.mode"] == "plan"


def test_fallback_counts_tokens_and_cost_on_the_model_that_used_them(lab: Lab) -> None:
    first = lab.request(
        usage=lab.usage({"tokens.in.text": 1_000, "tokens.out.text": 10}), cost=lab.cost("0.0026")
    )
    last = lab.request(
        model_requested="gpt-4.1",
        model="gpt-4.1",
        usage=lab.usage({"tokens.in.text": 1_200, "tokens.out.text": 30}),
        cost=lab.cost("0.00264"),
    )
    lab.run(lab.call(first, last))
    by_model = {
        name: {p.attributes["gen_ai.request.model"]: p.value for p in lab.points(name)}
        for name in (
            f"{USAGE}.input_tokens",
            "costspan.cost.usd",
            "gen_ai.client.inference.operation.input_tokens",
            "gen_ai.client.inference.duration",
        )
    }
    assert by_model == {
        f"{USAGE}.input_tokens": {"gpt-4o": 1_000, "gpt-4.1": 1_200},
        "costspan.cost.usd": {"gpt-4o": 0.0026, "gpt-4.1": 0.00264},
        "gen_ai.client.inference.operation.input_tokens": {"gpt-4.1": 2_200},
        "gen_ai.client.inference.duration": {"gpt-4.1": 1.5},
    }


def test_embeddings_are_timed_once_and_are_no_inference(lab: Lab) -> None:
    request = lab.request(api="embeddings", usage=lab.usage({"tokens.in.text": 8}))
    lab.run(lab.call(request, operation="embeddings"))
    assert lab.instruments() == {
        "gen_ai.client.operation.duration": ("s", "histogram"),
        "gen_ai.client.token.usage": ("{token}", "histogram"),
        f"{USAGE}.input_tokens": ("{token}", "counter"),
        **COST,
    }
    (point,) = lab.points("gen_ai.client.operation.duration")
    assert point.count == 1


def test_embeddings_of_the_current_family_use_the_operation_duration(make_lab: MakeLab) -> None:
    lab = make_lab(metrics="v0.1.0")
    request = lab.request(api="embeddings", usage=lab.usage({"tokens.in.text": 8}))
    lab.run(lab.call(request, operation="embeddings"))
    (point,) = lab.points("gen_ai.client.operation.duration")
    assert point.attributes["gen_ai.operation.name"] == "embeddings"


def test_response_model_and_tier_are_labels(lab: Lab) -> None:
    served = Served(model="gpt-4o-2024-08-06", tier="priority")
    lab.run(lab.call(lab.request(usage=lab.usage(served=served))))
    (point,) = lab.points("gen_ai.client.inference.duration")
    assert point.attributes == {
        **LABELS,
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "openai.response.service_tier": "priority",
    }


def test_openllmetry_2166_unknown_names_are_absent_and_never_none(lab: Lab) -> None:
    request = lab.request(model_requested="", model="", endpoint=None, port=None)
    lab.run(lab.call(request))
    (point,) = lab.points("gen_ai.client.inference.duration")
    assert point.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
    }


def test_hindsight_850_tags_sessions_and_ids_are_no_labels(lab: Lab) -> None:
    for number in range(3):
        record = lab.call(
            tags={"user": f"u{number}"}, session_id=f"s{number}", unit_id=f"t{number}"
        )
        lab.run(record)
    for name in lab.instruments():
        assert all(set(p.attributes) <= ALLOWED_LABELS for p in lab.points(name))
    (point,) = lab.points("gen_ai.client.inference.duration")
    assert point.count == 3


ALLOWED_LABELS = {
    *LABELS,
    "gen_ai.token.modality",
    "gen_ai.token.type",
    "gen_ai.usage.cost.source",
}


def test_model_names_are_capped_at_200(lab: Lab) -> None:
    for number in range(250):
        lab.run(lab.call(lab.request(model_requested=f"m{number}", model=f"m{number}")))
    lab.run(lab.call(lab.request(model_requested="m0", model="m0")))
    counts = {
        p.attributes["gen_ai.request.model"]: p.count
        for p in lab.points("gen_ai.client.inference.duration")
    }
    assert len(counts) == 201
    assert (counts["m0"], counts["m199"], counts["_OTHER"]) == (2, 1, 50)
    assert "m200" not in counts
    assert lab.spans()[249].name == "chat m249"


def test_sampled_out_span_still_counts(make_lab: MakeLab) -> None:
    lab = make_lab(ALWAYS_OFF)
    call = lab.run(lab.call())
    assert lab.spans() == ()
    assert call.trace_id is not None
    (point,) = lab.points(f"{USAGE}.input_tokens")
    assert (point.value, point.exemplar_spans) == (100, ())
    (cost,) = lab.points("costspan.cost.usd")
    assert cost.value == 0.00045


def test_points_carry_the_span_as_exemplar(lab: Lab) -> None:
    call = lab.run(lab.call())
    assert call.span_id is not None
    collected = lab.collect()
    assert len(collected) == 8
    for points in collected.values():
        point = points[0]
        assert point.exemplar_spans == (int(call.span_id, 16),)


def test_metrics_without_tracing(lab: Lab) -> None:
    exporter = OTelExporter(tracer_provider=NoOpTracerProvider(), meter_provider=lab.meter_provider)
    record = lab.call()
    call = lab.open(record)
    exporter.start(call)
    exporter.detach(exporter.attach(call))
    exporter.finish(record)
    (point,) = lab.points(f"{USAGE}.input_tokens")
    assert point.value == 100
    assert (call.trace_id, call.span_id, call.root_span_id) == (None, None, None)


def test_tracing_without_metrics(lab: Lab) -> None:
    exporter = OTelExporter(tracer_provider=lab.tracer_provider, meter_provider=NoOpMeterProvider())
    record = lab.call()
    call = lab.open(record)
    exporter.start(call)
    exporter.finish(record)
    assert len(lab.spans()) == 1
    assert lab.instruments() == {}


def test_records_that_the_ledger_lost_are_counted(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    home = Home(tmp_path / "file" / "home", named=True, fallback=False, reason="test")
    ledger = LedgerExporter(home)
    lab.run(lab.call())
    before = lost(lab)
    for _ in range(3):
        ledger.finish(lab.call())
    assert lost(lab) == before + 3
    ledger.close()


def lost(lab: Lab) -> int:
    """The value of the counter."""
    (metric,) = (one for one in lab._metrics() if one.name == "costspan.records.lost")
    (point,) = metric.data.data_points
    assert isinstance(point.value, int)
    return point.value
