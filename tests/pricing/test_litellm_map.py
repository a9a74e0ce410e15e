"""LiteLLM's price map as own prices: every field has a meter, is named as skipped, or no price.

Amounts are those of LiteLLM 1.110.2's own map, multiplied by hand.
"""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.types import JSON
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.litellm_map import Imported, MapError, import_map
from costspan.pricing.overlay_parse import parse_overlay

DAY = date(2026, 11, 25)
TEXT_IN, TEXT_OUT = "tokens.in.text", "tokens.out.text"
READ, WRITE, WRITE_5M = "tokens.in.cache_read", "tokens.in.cache_write", "tokens.in.cache_write.5m"
WRITE_1H, WRITE_12H = "tokens.in.cache_write.1h", "tokens.in.cache_write.12h"
SEARCH = "search_context_cost_per_query"


def imported(entries: object, everything: bool = False, *known: tuple[str, str]) -> Imported:
    text = entries if isinstance(entries, str) else json.dumps(entries)
    return import_map(
        text,
        valid_from=DAY,
        known=lambda provider, model: (provider, model) in known,
        everything=everything,
    )


def tables(found: Imported) -> list[dict[str, Any]]:
    """The tables, without what they all share; read by the reader of own prices too."""
    parse_overlay(found.toml, "imported.toml")
    prices = tomllib.loads(found.toml, parse_float=Decimal).get("prices", [])
    for one in prices:
        assert (one.pop("valid_from"), one.pop("source")) == (DAY, "LiteLLM price map, imported")
        one["usd"] = {meter: str(usd) for meter, usd in one["usd"].items()}
    return list(prices)


def rates(fields: JSON, provider: str = "acme") -> list[dict[str, Any]]:
    """The tables of one model, without its name."""
    found = imported({"m": {"litellm_provider": provider, **fields}})
    assert not found.problems
    return [
        {key: value for key, value in one.items() if key not in ("provider", "model")}
        for one in tables(found)
    ]


def test_a_model_that_people_register_becomes_a_table() -> None:
    found = imported(
        {
            "together_ai/meta-llama/llama-9": {
                "input_cost_per_token": 6e-07,
                "output_cost_per_token": "0.0000006",
                "max_tokens": 8192,
                "supports_vision": True,
            }
        }
    )
    assert found == Imported(
        toml="""\
[[prices]]
provider = "together"
model = "meta-llama/llama-9"
valid_from = 2026-11-25
usd = { "tokens.in.text" = 0.6, "tokens.out.text" = 0.6 }
source = "LiteLLM price map, imported"
""",
        models=1,
        rows=2,
        left_out=(),
        skipped={},
        problems=(),
    )


def test_the_day_can_be_left_out() -> None:
    text = '{"groq/m": {"input_cost_per_token": 1e-06}}'
    assert "valid_from" not in import_map(text, valid_from=None, known=lambda *_: False).toml


@pytest.mark.parametrize(
    ("fields", "usd"),
    [
        ({"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05},
         {TEXT_IN: "3", TEXT_OUT: "15"}),
        ({"input_cost_per_token": 1e-06, "output_cost_per_reasoning_token": 3e-06,
          "output_cost_per_token": 8e-06, "citation_cost_per_token": 2e-06},
         {TEXT_IN: "1", TEXT_OUT: "8", "tokens.out.reasoning": "3", "tokens.in.citation": "2"}),
        ({"cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 1.25e-06,
          "cache_creation_input_token_cost_above_1hr": 2e-06,
          "cache_creation_input_token_cost_above_12hr": 2.5e-05},
         {READ: "0.1", WRITE: "1.25", WRITE_5M: "1.25", WRITE_1H: "2", WRITE_12H: "25"}),
        ({"input_cost_per_token_cache_hit": 2.8e-08}, {READ: "0.028"}),
        ({"input_cost_per_token_cache_hit": 2e-08, "cache_read_input_token_cost": 2e-08},
         {READ: "0.02"}),
        ({"input_cost_per_audio_token": 3.2e-05, "input_cost_per_image_token": 5e-06,
          "input_cost_per_video_token": 3e-06, "output_cost_per_audio_token": 6.4e-05,
          "output_cost_per_image_token": 3e-05, "output_cost_per_video_token": 1e-06,
          "cache_read_input_audio_token_cost": 4e-07, "cache_read_input_image_token_cost": 5e-07},
         {"tokens.in.audio": "32", "tokens.in.image": "5", "tokens.in.video": "3",
          "tokens.out.audio": "64", "tokens.out.image": "30", "tokens.out.video": "1",
          "tokens.in.cache_read.audio": "0.4", "tokens.in.cache_read.image": "0.5"}),
        ({"mode": "audio_transcription", "input_cost_per_second": 0.0001,
          "output_cost_per_second": 0.0001}, {"seconds.audio.in": "0.0001"}),
        ({"mode": "audio_transcription", "input_cost_per_second": 0.0,
          "output_cost_per_second": 2.77778e-05}, {"seconds.audio.in": "0.0000277778"}),
        ({"mode": "audio_speech", "input_cost_per_character": 1.5e-05}, {"chars.in": "0.000015"}),
        ({"mode": "ocr", "ocr_cost_per_page": 0.004, "annotation_cost_per_page": 0.005},
         {"pages.ocr": "0.004", "pages.ocr_annotated": "0.005"}),
        ({"mode": "realtime", "input_cost_per_text_message": 0.004},
         {"messages.in.text": "0.004"}),
        ({"mode": "rerank", "input_cost_per_query": 0.002}, {"fee.search_unit": "0.002"}),
        ({"input_cost_per_request": 0.005}, {"fee.request": "0.005"}),
        ({"google_maps_grounding_cost_per_query": 0.025}, {"fee.maps_grounding": "0.025"}),
        ({"code_interpreter_cost_per_session": 0.033, "file_search_cost_per_1k_calls": 2.5},
         {"fee.code_session": "0.033", "fee.file_search": "0.0025"}),
    ],
)  # fmt: skip
def test_each_price_has_its_meter(fields: JSON, usd: dict[str, str]) -> None:
    assert rates(fields) == [{"usd": usd}]


SAME = {f"search_context_size_{size}": 0.014 for size in ("low", "medium", "high")}
SIZED = {
    "search_context_size_low": 0.006,
    "search_context_size_medium": 0.01,
    "search_context_size_high": 0.014,
}


@pytest.mark.parametrize(
    ("provider", "fields", "usd"),
    [
        ("anthropic", {SEARCH: SAME}, {"fee.web_search": "0.014"}),
        ("vertex_ai-anthropic_models", {SEARCH: SAME}, {"fee.web_search": "0.014"}),
        ("openai", {SEARCH: {"search_context_size_medium": 0.01}}, {"fee.web_search": "0.01"}),
        ("gemini", {SEARCH: SAME}, {"fee.grounded_prompt": "0.014"}),
        ("gemini", {SEARCH: SAME, "web_search_billing_unit": "per_query"},
         {"fee.grounding_query": "0.014"}),
        ("vertex_ai-language-models", {SEARCH: SAME, "web_search_billing_unit": "per_query"},
         {"fee.grounding_query": "0.014"}),
        ("gemini", {SEARCH: SAME, "web_search_billing_unit": "per_prompt"},
         {"fee.grounded_prompt": "0.014"}),
        ("perplexity", {SEARCH: SIZED}, {"fee.request.low": "0.006",
         "fee.request.medium": "0.01", "fee.request.high": "0.014"}),
        ("perplexity", {SEARCH: SAME}, {"fee.search_query": "0.014"}),
    ],
)  # fmt: skip
def test_a_search_is_billed_as_its_provider_counts_it(
    provider: str, fields: JSON, usd: dict[str, str]
) -> None:
    assert rates(fields, provider) == [{"usd": usd}]


def test_long_prompts_and_service_tiers_are_tables_of_their_own() -> None:
    """gemini-2.5-pro, shortened."""
    assert rates(
        {
            "input_cost_per_token": 1.25e-06,
            "input_cost_per_token_above_200k_tokens": 2.5e-06,
            "input_cost_per_token_priority": 2.25e-06,
            "input_cost_per_token_above_200k_tokens_priority": 4.5e-06,
            "input_cost_per_token_batches": 6.25e-07,
            "input_cost_per_token_flex": 6.25e-07,
            "input_cost_per_token_above_200k_tokens_flex": 1.25e-06,
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 4e-06,
        }
    ) == [
        {"usd": {TEXT_IN: "1.25"}},
        {"band_over": 200_000, "usd": {TEXT_IN: "2.5", WRITE_1H: "4"}},
        {"tier": "batch", "usd": {TEXT_IN: "0.625"}},
        {"tier": "flex", "usd": {TEXT_IN: "0.625"}},
        {"tier": "flex", "band_over": 200_000, "usd": {TEXT_IN: "1.25"}},
        {"tier": "priority", "usd": {TEXT_IN: "2.25"}},
        {"tier": "priority", "band_over": 200_000, "usd": {TEXT_IN: "4.5"}},
    ]


def test_a_tier_without_rates_for_long_prompts_has_the_standard_ones() -> None:
    """As LiteLLM bills it; a batch keeps its own rate."""
    found = rates(
        {
            "output_cost_per_token": 1e-06,
            "output_cost_per_token_above_512_tokens": 2e-06,
            "output_cost_per_token_priority": 1.75e-06,
            "output_cost_per_token_batches": 5e-07,
        }
    )
    assert [one for one in found if "tier" in one] == [
        {"tier": "batch", "usd": {TEXT_OUT: "0.5"}},
        {"tier": "priority", "usd": {TEXT_OUT: "1.75"}},
        {"tier": "priority", "band_over": 512, "usd": {TEXT_OUT: "2"}},
    ]


def test_thoughts_that_cost_what_answers_do_vary_with_them() -> None:
    plain = {"output_cost_per_token": 1e-05, "output_cost_per_reasoning_token": 1e-05}
    assert rates(plain) == [{"usd": {TEXT_OUT: "10", "tokens.out.reasoning": "10"}}]
    assert rates({**plain, "output_cost_per_token_batches": 5e-06}) == [
        {"usd": {TEXT_OUT: "10"}},
        {"tier": "batch", "usd": {TEXT_OUT: "5"}},
    ]


def test_long_prompts_begin_with_the_threshold_at_xai_only() -> None:
    fields = {"input_cost_per_token_above_200k_tokens": 4e-06}
    at_xai = {"band_over": 200_000, "band_inclusive": True, "usd": {TEXT_IN: "4"}}
    assert rates(fields, "xai") == [at_xai]
    assert rates(fields, "openai") == [{"band_over": 200_000, "usd": {TEXT_IN: "4"}}]


def test_ranges_of_prompt_sizes_price_a_request_whole() -> None:
    """dashscope/qwen3-coder-flash, shortened; the rates outside the ranges do not hold."""
    assert rates(
        {
            "input_cost_per_token": 9e-06,
            "output_cost_per_token": 9e-06,
            "cache_creation_input_token_cost": 9e-06,
            "tiered_pricing": [
                {"range": [0, 32000.0], "input_cost_per_token": 3e-07,
                 "output_cost_per_token": 1.5e-06, "cache_read_input_token_cost": 8e-08},
                {"range": [32000.0, 128000.0], "input_cost_per_token": 5e-07,
                 "output_cost_per_token": 2.5e-06, "output_cost_per_reasoning_token": 7e-06},
            ],
        }
    ) == [
        {"usd": {TEXT_IN: "0.3", TEXT_OUT: "1.5", READ: "0.08", "tokens.out.reasoning": "1.5"}},
        {"band_over": 32_000,
         "usd": {TEXT_IN: "0.5", TEXT_OUT: "2.5", "tokens.out.reasoning": "7", READ: "0.5"}},
    ]  # fmt: skip


def test_ranges_leave_no_rate_of_the_entry_beside_them() -> None:
    ranges = [{"range": [8, 9], "input_cost_per_token": 3e-07}]
    fields = {"input_cost_per_token": 9e-06, "tiered_pricing": ranges}
    assert rates(fields) == [{"band_over": 8, "usd": {TEXT_IN: "0.3"}}]


@pytest.mark.parametrize(
    ("key", "said", "named"),
    [
        ("gpt-9", "openai", ("openai", "gpt-9", "")),
        ("openai/gpt-9", "openai", ("openai", "gpt-9", "")),
        ("gemini/gemini-9", "gemini", ("google", "gemini-9", "")),
        ("gemini-9", "vertex_ai-language-models", ("vertex", "gemini-9", "")),
        ("vertex_ai/claude-9@20270101", "vertex_ai-anthropic_models",
         ("vertex", "claude-9-20270101", "")),
        ("vertex_ai/claude-9@default", "vertex_ai", ("vertex", "claude-9", "")),
        ("vertex_ai/xai/grok-9", "vertex_ai", ("vertex", "xai/grok-9", "")),
        ("fireworks_ai/accounts/fireworks/models/llama-9", "fireworks_ai",
         ("fireworks", "llama-9", "")),
        ("nomic-9", "fireworks_ai-embedding-models", ("fireworks", "nomic-9", "")),
        ("azure/eu/gpt-9", "azure", ("azure", "gpt-9", "datazone-eu")),
        ("azure/us/gpt-9", "azure", ("azure", "gpt-9", "datazone-us")),
        ("azure/global/gpt-9", "azure", ("azure", "gpt-9", "")),
        ("us.anthropic.claude-9-v1:0", "bedrock_converse",
         ("aws", "us.anthropic.claude-9-v1:0", "")),
        ("bedrock/us-gov-west-1/amazon.nova-9", "bedrock",
         ("aws", "amazon.nova-9", "us-gov-west-1")),
        ("bedrock/invoke/anthropic.claude-9", "bedrock", ("aws", "anthropic.claude-9", "")),
        ("bedrock_mantle/openai.gpt-9", "bedrock_mantle", ("aws", "openai.gpt-9", "")),
        ("cloudflare/@cf/meta/llama-9", "cloudflare", ("cloudflare", "@cf/meta/llama-9", "")),
        ("amazon-nova/nova-9", "amazon_nova", ("amazon_nova", "nova-9", "")),
        ("openrouter/openai/gpt-9", "openrouter", ("openrouter", "openai/gpt-9", "")),
        ("groq/openai/gpt-9", None, ("groq", "openai/gpt-9", "")),
        ("azure/container", "azure", ("azure", "*", "")),
    ],
)  # fmt: skip
def test_keys_name_provider_model_and_place(
    key: str, said: str | None, named: tuple[str, str, str]
) -> None:
    found = imported({key: {"litellm_provider": said, "input_cost_per_token": 1e-06}})
    assert [(one["provider"], one["model"], one.get("region", "")) for one in tables(found)] == [
        named
    ]


def test_of_two_keys_for_a_model_the_one_with_the_prefix_holds() -> None:
    bare = {"litellm_provider": "deepseek", "input_cost_per_token": 2e-06}
    full = {"litellm_provider": "deepseek", "input_cost_per_token": 1e-06, "source": "https://x.y"}
    for entries in ({"m": bare, "deepseek/m": full}, {"deepseek/m": full, "m": bare}):
        (one,) = tables(imported(entries))
        assert one["usd"] == {TEXT_IN: "1"}
        assert one["note"] == "https://x.y; m says otherwise"
    (one,) = tables(imported({"m": {**full, "source": " "}, "deepseek/m": {**full, "source": 7}}))
    assert "note" not in one


def test_what_the_catalogue_prices_is_left_out_unless_everything_is_asked_for() -> None:
    entries = {
        "gpt-9": {"litellm_provider": "openai", "input_cost_per_token": 1e-06},
        "groq/m": {"input_cost_per_token": 1e-06},
        "openai/unpriced": {"max_tokens": 5},
    }
    found = imported(entries, False, ("openai", "gpt-9"))
    assert (found.left_out, found.models, found.rows) == (("gpt-9",), 1, 1)
    found = imported(entries, True, ("openai", "gpt-9"))
    assert (found.left_out, found.models, found.rows) == ((), 2, 2)


def test_prices_without_a_meter_are_named() -> None:
    fields = {
        "litellm_provider": "x9",
        "mode": "chat",
        "input_cost_per_token": 1e-06,
        "input_cost_per_token_balanced": 5e-07,
        "input_cost_per_second": 0.001,
        "output_cost_per_image_2K": 0.12,
        "input_dbu_cost_per_token": 1e-06,
        "off_peak_pricing": {"input_cost_per_token": 5e-07},
        "regional_processing_uplift_multiplier_eu": 1.1,
        "provider_specific_entry": {"us": 1.1, "realtime_ga_only": 1},
        "search_free_requests": {"count": 1500},
        SEARCH: SIZED,
        "tiered_pricing": [{"max_results_range": [0, 25], "input_cost_per_query": 0.005}],
        "input_cost_per_token_cache_hit": 2e-08,
        "cache_read_input_token_cost": 1e-08,
        "max_input_tokens": 5,
        "supports_vision": True,
        "token_count_framing": 149,
        "metadata": {"notes": "cost"},
        "rpm": 5,
        "output_cost_per_pixel": None,
        "": 5,
    }
    found = imported({"m": fields, "n": {"alias_of": "m"}})
    assert found.skipped == {
        "alias_of": ("n",),
        "input_cost_per_second": ("m",),
        "input_cost_per_token_balanced": ("m",),
        "input_cost_per_token_cache_hit": ("m",),
        "input_dbu_cost_per_token": ("m",),
        "off_peak_pricing": ("m",),
        "output_cost_per_image_2K": ("m",),
        "provider_specific_entry.us": ("m",),
        "regional_processing_uplift_multiplier_eu": ("m",),
        f"{SEARCH}.high": ("m",),
        f"{SEARCH}.low": ("m",),
        f"{SEARCH}.medium": ("m",),
        "search_free_requests": ("m",),
        "tiered_pricing": ("m",),
    }
    assert [one["usd"] for one in tables(found)] == [{TEXT_IN: "1", READ: "0.01"}]
    assert not found.problems


FREE = {"input_cost_per_token": 0.0, "output_cost_per_token": 0}


@pytest.mark.parametrize(
    ("fields", "free"),
    [
        (FREE, True),
        ({**FREE, SEARCH: SAME}, True),
        ({**FREE, "output_cost_per_image": 0.0}, True),
        ({**FREE, "output_cost_per_image": 0.04}, False),
        ({"input_cost_per_token": 0.0}, False),
        ({"mode": "audio_transcription", "input_cost_per_second": 0.0}, False),
        ({"input_cost_per_token": "0.0", "max_tokens": 5}, False),
    ],
)
def test_a_model_is_free_only_where_both_sides_say_so(fields: JSON, free: bool) -> None:
    found = imported({"groq/m": fields})
    if free:
        usd = {meter: amount for one in tables(found) for meter, amount in one["usd"].items()}
        assert (usd[TEXT_IN], usd[TEXT_OUT]) == ("0", "0")
    else:
        assert found.models == 0
        assert [field for field in found.skipped if field.endswith(" = 0")]


def test_one_side_may_cost_nothing() -> None:
    """azure_ai/model_router bills input only."""
    fields = {"input_cost_per_token": 1.4e-07, "output_cost_per_token": 0}
    assert rates(fields) == [{"usd": {TEXT_IN: "0.14", TEXT_OUT: "0"}}]


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"groq/m": {"input_cost_per_token": -1e-06}},
         "groq/m: input_cost_per_token: -0.000001: give 0 or more"),
        ({"groq/m": {"input_cost_per_token": "cheap"}},
         "groq/m: input_cost_per_token: 'cheap': give a number, for instance 2.50"),
        ({"groq/m": {"input_cost_per_token": True}},
         "groq/m: input_cost_per_token: True: give a number, for instance 2.50"),
        ({"groq/m": {"input_cost_per_token": [1] * 50}},
         "groq/m: input_cost_per_token: [Decimal('1'), Decimal('1'), Decimal('1'...: give a "
         "number, for instance 2.50"),
        ('{"groq/m": {"input_cost_per_token": NaN}}',
         "groq/m: input_cost_per_token: 'NaN': give a number, for instance 2.50"),
        ('{"groq/m": {"input_cost_per_character": 1e-999999999}}',
         "groq/m: input_cost_per_character: 1E-999999999: give US dollars: 0, or 1E-18 to 100000"),
        ({"groq/m": {"input_cost_per_token": 3, "output_cost_per_token": 1e-06}},
         "groq/m: input_cost_per_token: 3: give US dollars for one token, at most 0.01: 0.000003 "
         "for 3 per million"),
        ({"groq/m": {"tiered_pricing": [{"range": [0], "input_cost_per_token": 1e-06}]}},
         "groq/m: tiered_pricing: range: [Decimal('0')]: give two numbers of tokens: [0, 256000]"),
        ({"groq/m": {"tiered_pricing": [{"range": [0, 5], "input_cost_per_token": "x"}]}},
         "groq/m: tiered_pricing.input_cost_per_token: 'x': give a number, for instance 2.50"),
        ({"m": {"input_cost_per_token": 1e-06}},
         "m: litellm_provider: is missing: give it, or write provider/model as key"),
        ({"opnai/m": {"input_cost_per_token": 1e-06}},
         "opnai/m: litellm_provider: 'opnai': did you mean openai? allowed: openai, anthropic, "),
        ({"groq/": {"input_cost_per_token": 1e-06}},
         "groq/: '' is no name of a model; give it one in printable letters"),
        ({"groq/a\nb": {"input_cost_per_token": 1e-06}},
         "'groq/a\\nb': 'a\\nb' is no name of a model; give it one in printable letters"),
        ({"groq/m": {}, "groq/n": 5}, "groq/n: is no entry: write an object of fields"),
    ],
)  # fmt: skip
def test_what_is_no_price_is_told_and_its_model_left_out(entries: object, problem: str) -> None:
    found = imported(entries)
    assert len(found.problems) == 1
    assert found.problems[0].startswith(problem)
    assert (found.toml, found.models, found.rows) == ("", 0, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{'gpt-9': {}}",
            "line 1, column 2: this is no JSON (Expecting property name enclosed in ",
        ),
        ('{\n "m": {},\n}', "this is no JSON"),
        ("", "line 1, column 1: this is no JSON (Expecting value); give LiteLLM's model_prices_"),
        ("[]", "line 1, column 1: this is no price map; write an object with an object for each"),
        ('{"input_cost_per_token": 1}', "line 1, column 1: this is no price map; write an object"),
    ],
)
def test_a_text_that_is_no_map_is_refused(text: str, said: str) -> None:
    with pytest.raises(MapError) as caught:
        imported(text)
    assert said in str(caught.value)


def test_the_documentation_in_the_map_is_no_model() -> None:
    entries = {"sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 1e-06}}
    assert imported(entries) == Imported("", 0, 0, (), {}, ())


def test_an_imported_model_is_priced() -> None:
    """A prompt of 1,000 with 400 cached, 100 out, at $2, $0.50 and $8 per million; over 128,000
    tokens $4 and $16; a web search $0.01."""
    found = imported(
        {
            "acme/m": {
                "input_cost_per_token": 2e-06,
                "cache_read_input_token_cost": 5e-07,
                "output_cost_per_token": 8e-06,
                "input_cost_per_token_above_128k_tokens": 4e-06,
                "output_cost_per_token_above_128k_tokens": 1.6e-05,
                "input_cost_per_token_batches": 1e-06,
                SEARCH: {"search_context_size_medium": 0.01},
            }
        }
    )
    catalogue = Catalogue.default().with_overlay(parse_overlay(found.toml, "imported.toml"))

    def total(prompt: int, cached: int, day: int = 26, **context: object) -> Decimal | None:
        return catalogue.cost(
            provider="acme",
            model="m",
            usage={
                "prompt_tokens": prompt,
                "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": cached},
            },
            at=datetime(2026, 11, day, tzinfo=UTC),
            api="chat",
            context=context,
        ).total

    assert total(1000, 400) == Decimal("0.0022")  # 0.0012 + 0.0002 + 0.0008
    assert total(128_001, 0) == Decimal("0.513604")  # 0.512004 + 0.0016
    assert total(1000, 0, batch=True) == Decimal("0.0018")  # 0.001 + 0.0008
    assert total(1000, 0, tool_calls={"web_search": 3}) == Decimal("0.0328")  # 0.0028 + 0.03
    assert total(1000, 0, day=24) is None


@given(
    st.decimals("0", "0.01", places=18, allow_nan=False).map(lambda usd: f"{usd:f}"),
    st.text(max_size=30),
    st.sampled_from(["", "_above_200k_tokens", "_flex", "_above_32k_tokens_batches"]),
)
def test_amounts_and_names_survive_exactly(usd: str, model: str, suffix: str) -> None:
    text = f'{{"groq/{{}}": {{"input_cost_per_token{suffix}": {usd}}}}}'
    found = imported(text.replace("{}", json.dumps(model)[1:-1]))
    if found.models:
        (own,) = parse_overlay(found.toml, "imported.toml").prices
        assert own.row.rate_usd == Fraction(usd) * 1_000_000
        assert "e" not in found.toml.partition("usd = ")[2].partition("}")[0].rpartition("=")[2]
