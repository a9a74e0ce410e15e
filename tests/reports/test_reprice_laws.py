"""Laws of pricing again, for calls as the recorder makes them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repricing import call, costs, record, reprice_all, request, rows

from costspan.core.naming import canonical_provider
from costspan.core.types import Usage
from costspan.core.usage import read_usage
from costspan.exporters.ledger.read import open_ledger
from costspan.middleware.record import ErrorFacts, ProviderRequest
from costspan.pricing.catalogue import Catalogue
from costspan.reports.explain import explain

NOW = Catalogue.default()
TOKENS = st.integers(0, 400_000)
PAYLOADS = st.one_of(
    st.tuples(
        st.sampled_from(["gpt-4o", "gpt-4o-mini", "o3", "gpt-5.4", "nothing-like-it"]),
        st.builds(
            lambda p, c, r, o: {
                "prompt_tokens": p + c,
                "completion_tokens": o + r,
                "total_tokens": p + c + o + r,
                "prompt_tokens_details": {"cached_tokens": c},
                "completion_tokens_details": {"reasoning_tokens": r},
            },
            *(TOKENS,) * 4,
        ),
    ).map(lambda pair: ("openai", "chat", *pair)),
    st.tuples(
        st.sampled_from(["claude-opus-4-6", "claude-sonnet-4-5", "claude-3-haiku-20240307"]),
        st.builds(
            lambda p, r, w, o, s: {
                "input_tokens": p,
                "output_tokens": o,
                "cache_read_input_tokens": r,
                "cache_creation_input_tokens": w,
                "server_tool_use": {"web_search_requests": s},
                "service_tier": "standard",
            },
            *(TOKENS,) * 4,
            st.integers(0, 3),
        ),
    ).map(lambda pair: ("anthropic", "messages", *pair)),
    st.builds(
        lambda p, c, cost, own: {
            "prompt_tokens": p,
            "completion_tokens": c,
            "total_tokens": p + c,
            "cost": float(cost),
            **(
                {"is_byok": True, "cost_details": {"upstream_inference_cost": float(cost * 20)}}
                if own
                else {}
            ),
        },
        TOKENS,
        TOKENS,
        st.decimals(0, 9, places=6),
        st.booleans(),
    ).map(lambda payload: ("openrouter", "chat", "openai/gpt-4o", payload)),
    st.integers(0, 3).map(
        lambda n: ("perplexity", "chat", "sonar", {"prompt_tokens": n, "completion_tokens": n})
    ),
    st.decimals(0, 3600, places=7).map(
        lambda s: ("openai", "transcriptions", "whisper-1", Usage({"seconds.audio.in": s}))
    ),
    st.decimals(0, 30, places=4).map(
        lambda s: ("groq", "transcriptions", "whisper-large-v3", Usage({"seconds.audio.in": s}))
    ),
)
CONTEXTS: st.SearchStrategy[Mapping[str, object]] = st.sampled_from(
    [{}, {}, {"batch": True}, {"tool_calls": {"web_search": 2}}]
)


@st.composite
def requests(draw: st.DrawFn) -> ProviderRequest:
    provider, api, model, usage = draw(PAYLOADS)
    if draw(st.integers(0, 9)) == 0:
        return request(NOW, provider, model, None, error=ErrorFacts("x.Error", 500))
    context = draw(CONTEXTS)
    return request(NOW, provider, model, usage, api=api, context=context)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(requests(), min_size=1, max_size=3), min_size=1, max_size=20))
def test_the_same_catalogue_changes_nothing(made: list[list[ProviderRequest]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        record(home, *(call(n, *parts) for n, parts in enumerate(made, 1)))
        before = costs(home)

        report = reprice_all(home)

        assert (report.total.changed, report.total.incomplete) == (0, 0)
        assert report.total.old_usd == report.total.new_usd
        assert costs(home) == before
        assert rows(home, "SELECT * FROM repricings") == []


CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "cost_cases.json").read_text(encoding="utf-8")
)


def invoiced(case: Mapping[str, Any]) -> ProviderRequest:
    """A case of the table as the recorder makes a request of it."""
    at = datetime.fromisoformat(case["timestamp"])
    answered = case["response_model"] or case["model"]
    usage = read_usage(
        case["usage"], provider=case["provider"], api=case["api"], response=case["response_extra"]
    )
    cost = NOW.cost(
        provider=case["provider"],
        model=case["model"],
        usage=usage,
        at=at,
        response_model=case["response_model"],
        context=case["context"],
    )
    return ProviderRequest(
        canonical_provider(case["provider"]),
        case["api"],
        case["model"],
        answered,
        at,
        at,
        usage,
        cost,
        context=case["context"] or {},
    )


def test_every_invoice_of_the_table_is_recomputed_and_explained(tmp_path: Path) -> None:
    home = tmp_path / "home"
    record(home, *(call(number, invoiced(case)) for number, case in enumerate(CASES, 1)))
    before = costs(home)

    report = reprice_all(home)

    assert (report.total.calls, report.total.incomplete) == (len(CASES), 0)
    after = zip(CASES, before, costs(home), strict=True)
    assert [case["id"] for case, was, now in after if was != now] == []
    with open_ledger(home) as reader:
        for case, row in zip(CASES, before, strict=True):
            found = explain(reader, NOW, str(row["call_id"]))
            assert found.agrees, case["id"]
            assert all(one.source for one in found.requests[0].lines), case["id"]
            assert found.requests[0].unpriced_meters == (), case["id"]
            if found.call["cost_status"] == "priced":
                computed = found.requests[0].computed_usd
                assert computed is not None, case["id"]
                assert abs(computed - Decimal(case["expected_usd"])) <= Decimal("1e-9"), case["id"]
