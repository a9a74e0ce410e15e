"""An audit of the invoice, rule by rule: amounts from the price list by hand, never by our code.

An amount is written as a sum of tokens and dollars per million tokens, plus fees.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costspan.pricing.catalogue import Catalogue

MILLION = 10**6


def usd(*lines: tuple[int, str], fees: str = "0") -> Decimal:
    """Tokens times dollars per million, and dollars."""
    tokens = sum((Decimal(count) * Decimal(rate) for count, rate in lines), Decimal(0))
    return tokens / MILLION + Decimal(fees)


def chat(prompt: int, completion: int = 0, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


def claude(text: int, output: int = 0, **more: Any) -> dict[str, Any]:
    return {"input_tokens": text, "output_tokens": output, **more}


def gemini(prompt: int, candidates: int = 0, **more: Any) -> dict[str, Any]:
    return {"promptTokenCount": prompt, "candidatesTokenCount": candidates, **more}


def modality(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in tokens.items()]


# fmt: off
WIRE_FORMATS: list[tuple[str, str, str, str, str, dict[str, Any], Decimal]] = [
    ("audio in chat", "openai", "gpt-4o-audio-preview", "chat", "2025-03-01",
     chat(1000, 500, prompt_tokens_details={"audio_tokens": 600, "text_tokens": 400},
          completion_tokens_details={"audio_tokens": 400, "text_tokens": 100}),
     usd((400, "2.5"), (600, "40"), (100, "10"), (400, "80"))),
    ("rejected predictions are in the output", "openai", "gpt-4o", "chat", "2024-11-10",
     chat(1000, 500, completion_tokens_details={"accepted_prediction_tokens": 100,
                                                "rejected_prediction_tokens": 300}),
     usd((1000, "2.5"), (500, "10"))),
    ("responses with reasoning and cache", "openai", "gpt-5", "responses", "2025-10-01",
     {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 600},
      "output_tokens": 500, "output_tokens_details": {"reasoning_tokens": 400},
      "total_tokens": 1500},
     usd((400, "1.25"), (600, "0.125"), (500, "10"))),
    ("realtime by modality", "openai", "gpt-realtime", "realtime", "2025-10-01",
     {"total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
      "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "cached_tokens": 72,
                              "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 8}},
      "output_token_details": {"text_tokens": 30, "audio_tokens": 91}},
     usd((55, "4"), (64, "0.4"), (5, "32"), (8, "0.4"), (30, "16"), (91, "64"))),
    ("an image that answers in words too", "openai", "gpt-image-1.5", "images", "2026-02-20",
     {"input_tokens": 389, "input_tokens_details": {"text_tokens": 66, "image_tokens": 323},
      "output_tokens": 4160, "output_tokens_details": {"image_tokens": 4000, "text_tokens": 160},
      "total_tokens": 4549},
     usd((66, "5"), (323, "8"), (4000, "32"), (160, "10"))),
    ("transcription by tokens", "openai", "gpt-4o-transcribe", "transcription", "2025-06-01",
     {"type": "tokens", "input_tokens": 114, "output_tokens": 45, "total_tokens": 159,
      "input_token_details": {"text_tokens": 0, "audio_tokens": 114}},
     usd((114, "6"), (45, "10"))),
    ("transcription by seconds", "openai", "whisper-1", "transcription", "2025-06-01",
     {"type": "duration", "seconds": 9.36}, Decimal("0.006") / 60 * Decimal("9.36")),
    ("speech by characters", "openai", "tts-1", "speech", "2025-03-01",
     {"input_characters": 1000}, Decimal("0.015")),
    ("speech by tokens", "openai", "gpt-4o-mini-tts", "speech", "2025-06-01",
     {"input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100},
     usd((100, "0.6"), (1000, "12"))),
    ("embeddings", "openai", "text-embedding-3-large", "embeddings", "2024-06-01",
     {"prompt_tokens": 1000, "total_tokens": 1000}, usd((1000, "0.13"))),
    ("messages of a compacted call", "anthropic", "claude-opus-4-6", "messages", "2026-04-01",
     claude(23000, 1000, iterations=[
         {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
         {"type": "message", "input_tokens": 23000, "output_tokens": 1000}]),
     usd((203_000, "5"), (4500, "25"))),
    ("claude by a gateway's chat", "anthropic", "claude-sonnet-4-5", "chat", "2026-06-01",
     chat(1000, 100, total_tokens=1100, prompt_tokens_details={"cached_tokens": 400},
          cache_creation_input_tokens=300),
     usd((300, "3"), (400, "0.3"), (300, "3.75"), (100, "15"))),
    ("claude on vertex", "vertex", "claude-opus-4-5@20251101", "messages", "2025-12-01",
     claude(1000, 10, cache_creation_input_tokens=100,
            cache_creation={"ephemeral_1h_input_tokens": 60, "ephemeral_5m_input_tokens": 40}),
     usd((1000, "5"), (40, "6.25"), (60, "10"), (10, "25"))),
    ("invoke on bedrock", "aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "invoke",
     "2025-12-01", claude(1000, 10, cache_read_input_tokens=100),
     usd((1000, "3.3"), (100, "0.33"), (10, "16.5"))),
    ("converse with both lifetimes", "aws",
     "global.anthropic.claude-haiku-4-5-20251001-v1:0", "converse", "2026-02-01",
     {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1300,
      "cacheReadInputTokens": 100, "cacheWriteInputTokens": 100,
      "cacheDetails": [{"ttl": "1h", "inputTokens": 60}, {"ttl": "5m", "inputTokens": 40}]},
     usd((1000, "1"), (100, "0.1"), (60, "2"), (40, "1.25"), (100, "5"))),
    ("gemini with tools, thoughts and cached sound", "google", "gemini-2.5-flash",
     "generateContent", "2026-06-01",
     gemini(10_000, 300, cachedContentTokenCount=6000, thoughtsTokenCount=40,
            toolUsePromptTokenCount=500, totalTokenCount=10_840,
            promptTokensDetails=modality(text=4000, audio=6000),
            cacheTokensDetails=modality(text=2000, audio=4000)),
     usd((2500, "0.3"), (2000, "0.03"), (2000, "1"), (4000, "0.1"), (340, "2.5"))),
    ("a picture by gemini", "google", "gemini-3-pro-image-preview", "generateContent",
     "2025-12-15",
     gemini(10, 1300, thoughtsTokenCount=200, totalTokenCount=1510,
            candidatesTokensDetails=modality(image=1120)),
     usd((10, "2"), (180, "12"), (1120, "120"), (200, "12"))),
    ("gemini live", "google", "gemini-2.5-flash-native-audio-preview-12-2025",
     "generateContent", "2026-02-01",
     {"promptTokenCount": 100, "responseTokenCount": 200, "totalTokenCount": 300,
      "promptTokensDetails": modality(audio=80, text=20),
      "responseTokensDetails": modality(audio=180, text=20)},
     usd((20, "0.5"), (80, "3"), (20, "2"), (180, "12"))),
    ("gemini's interactions", "google", "gemini-2.5-flash", "interactions", "2026-06-01",
     {"total_input_tokens": 1000, "total_cached_tokens": 600, "total_output_tokens": 200,
      "total_thought_tokens": 50, "total_tool_use_tokens": 30, "total_tokens": 1280},
     usd((430, "0.3"), (600, "0.03"), (250, "2.5"))),
    ("gemini on openai's chat, thoughts in the total only", "google", "gemini-2.5-flash", "chat",
     "2026-06-01", chat(10, 5, total_tokens=40), usd((10, "0.3"), (30, "2.5"))),
    ("deepseek's hits", "deepseek", "deepseek-chat", "chat", "2025-10-06",
     chat(1000, 1000, prompt_cache_hit_tokens=500, prompt_cache_miss_tokens=500),
     usd((500, "0.28"), (500, "0.028"), (1000, "0.42"))),
    ("grok's chat, reasoning outside", "x-ai", "grok-3-mini", "chat", "2025-06-01",
     chat(32, 1, total_tokens=419, completion_tokens_details={"reasoning_tokens": 386}),
     usd((32, "0.3"), (387, "0.5"))),
    ("grok's responses, reasoning inside, with tools", "x-ai", "grok-4.3", "responses",
     "2026-10-01",
     {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 100}, "output_tokens": 500,
      "output_tokens_details": {"reasoning_tokens": 300}, "total_tokens": 1500,
      "server_side_tool_usage_details": {"web_search_calls": 1, "x_search_calls": 2}},
     usd((900, "1.25"), (100, "0.2"), (500, "2.5"), fees="0.015")),
    ("grok's tools on chat", "x-ai", "grok-4.3", "chat", "2026-10-01",
     chat(1000, 500, server_side_tool_usage_details={"web_search_calls": 1, "x_search_calls": 2}),
     usd((1000, "1.25"), (500, "2.5"), fees="0.015")),
    ("grok's live search of 2025", "x-ai", "grok-4", "chat", "2025-09-01",
     chat(1000, 500, num_sources_used=8), usd((1000, "3"), (500, "15"), fees="0.2")),
    ("perplexity's fee by size", "perplexity", "sonar-pro", "chat", "2025-07-10",
     chat(26, 832, total_tokens=858, search_context_size="medium"),
     usd((26, "3"), (832, "15"), fees="0.01")),
    ("perplexity's deep research", "perplexity", "sonar-deep-research", "chat", "2025-07-10",
     chat(33, 7163, citation_tokens=20012, num_search_queries=21, reasoning_tokens=73997),
     usd((33, "2"), (7163, "8"), (20012, "2"), (73997, "3"), fees="0.105")),
    ("perplexity charges searches and citations in deep research only", "perplexity", "sonar-pro",
     "chat", "2025-07-10",
     chat(100, 100, citation_tokens=999, num_search_queries=3, search_context_size="low"),
     usd((100, "3"), (100, "15"), fees="0.006")),
    ("cohere's billed units", "cohere", "command-a-03-2025", "cohere-v2", "2025-07-10",
     {"billed_units": {"input_tokens": 25, "output_tokens": 10},
      "tokens": {"input_tokens": 223, "output_tokens": 10}}, usd((25, "2.5"), (10, "10"))),
    ("rerank", "cohere", "rerank-v3.5", "rerank", "2025-07-01",
     {"billed_units": {"search_units": 3}}, Decimal("0.006")),
    ("pages", "mistral", "mistral-ocr-latest", "ocr", "2025-06-15",
     {"pages_processed": 10, "doc_size_bytes": 1000}, Decimal("0.01")),
    ("sound by the second and tokens", "mistral", "voxtral-small-latest", "chat", "2025-09-15",
     chat(1000, 1000, prompt_audio_seconds=60), usd((1000, "0.1"), (1000, "0.3"), fees="0.004")),
    ("whisper by the hour", "groq", "whisper-large-v3", "transcription", "2026-11-20",
     {"seconds": 1800}, Decimal("0.0555")),
    ("llama on bedrock", "aws", "meta.llama3-3-70b-instruct-v1:0", "invoke", "2026-06-01",
     {"prompt_token_count": 25, "generation_token_count": 50}, usd((75, "0.72"))),
]
# fmt: on


@pytest.mark.parametrize(
    ("provider", "model", "api", "day", "usage", "total"),
    [row[1:] for row in WIRE_FORMATS],
    ids=[row[0] for row in WIRE_FORMATS],
)
def test_each_wire_format_is_priced(
    provider: str, model: str, api: str, day: str, usage: Any, total: Decimal, price: Any
) -> None:
    cost = price(provider, model, usage, day, api=api)
    assert (cost.total, cost.status, cost.unpriced_meters) == (total, "priced", ())


# fmt: off
RULES: list[tuple[str, str, str, str, dict[str, Any], dict[str, Any], Decimal]] = [
    ("flex is half", "openai", "o3", "2025-07-01", chat(1000, 1000),
     {"response": {"service_tier": "flex"}}, usd((1000, "1"), (1000, "4"))),
    ("priority is twice, cached too", "openai", "gpt-5", "2025-11-01",
     chat(1000, 1000, prompt_tokens_details={"cached_tokens": 500}),
     {"response": {"service_tier": "priority"}},
     usd((500, "2.5"), (500, "0.25"), (1000, "20"))),
    ("a long prompt in a batch", "openai", "gpt-5.4", "2026-05-01", chat(272_001, 1000),
     {"context": {"batch": True}}, usd((272_001, "2.5"), (1000, "11.25"))),
    ("272,000 is not long", "openai", "gpt-5.4", "2026-05-01", chat(272_000, 1000), {},
     usd((272_000, "2.5"), (1000, "15"))),
    ("writes for twelve hours", "openai", "gpt-5.6-luna", "2026-09-10",
     {"input_tokens": 1000, "output_tokens": 10, "input_tokens_details": {
         "cache_write_tokens": 500, "cache_write_tokens_details": {"ttl_12h_tokens": 300}}}, {},
     usd((500, "0.2"), (200, "0.25"), (300, "0.5"), (10, "1.2"))),
    ("fine-tuned, in a batch", "openai", "ft:gpt-4o-mini-2024-07-18:org::id", "2025-07-01",
     chat(1000, 1000), {"context": {"batch": True}}, usd((1000, "0.15"), (1000, "0.6"))),
    ("regional processing by the host", "openai", "gpt-5.4", "2026-10-01", chat(1000, 1000),
     {"context": {"api_base": "https://us.api.openai.com/v1"}},
     usd((1000, "2.75"), (1000, "16.5"))),
    ("a search model searches though the tool is not named", "openai", "gpt-4o-search-preview",
     "2025-05-01", chat(100, 100),
     {"context": {"tool_calls": {"web_search": 1}, "search_context_size": "low"}},
     usd((100, "2.5"), (100, "10"), fees="0.03")),
    ("opening a page is no search", "openai", "gpt-4o-mini", "2026-09-01",
     {"input_tokens": 100, "output_tokens": 100},
     {"response": {"tools": [{"type": "web_search"}],
                   "output": [{"type": "web_search_call", "action": {"type": "search"}},
                              {"type": "web_search_call", "action": {"type": "open_page"}}]}},
     usd((8100, "0.15"), (100, "0.6"), fees="0.01")),
    ("haiku 3 reads at 0.12", "anthropic", "claude-3-haiku-20240307", "2025-01-01",
     claude(0, 0, cache_read_input_tokens=1000), {}, usd((1000, "0.03"))),
    ("fable 5.1 reads at 0.025", "anthropic", "claude-fable-5-1", "2026-11-01",
     claude(0, 0, cache_read_input_tokens=1000), {}, usd((1000, "0.25"))),
    ("opus 5.5 reads at 0.05", "anthropic", "claude-opus-5-5", "2026-11-01",
     claude(0, 0, cache_read_input_tokens=1000), {}, usd((1000, "0.2"))),
    ("sonnet 4 over 200K", "anthropic", "claude-sonnet-4-20250514", "2025-09-15",
     claude(250_000, 3000), {}, usd((250_000, "6"), (3000, "22.5"))),
    ("haiku 5.5 over 100K", "anthropic", "claude-haiku-5-5", "2026-11-01",
     claude(100_001, 1000), {}, usd((100_001, "0.5"), (1000, "2.5"))),
    ("haiku 5.5 at 100K", "anthropic", "claude-haiku-5-5", "2026-11-01",
     claude(100_000, 1000), {}, usd((100_000, "0.1"), (1000, "0.5"))),
    ("batch, long and both lifetimes stack", "anthropic", "claude-sonnet-4-5", "2025-12-01",
     claude(150_000, 1000, cache_creation_input_tokens=100_000, service_tier="batch",
            cache_creation={"ephemeral_5m_input_tokens": 40_000,
                            "ephemeral_1h_input_tokens": 60_000}), {},
     usd((150_000, "3"), (40_000, "3.75"), (60_000, "6"), (1000, "11.25"))),
    ("fast, long and in the US stack", "anthropic", "claude-opus-4-6", "2026-03-01",
     claude(250_000, 1000, speed="fast", inference_geo="us"), {},
     usd((250_000, "66"), (1000, "247.5"))),
    ("asked fast, served standard", "anthropic", "claude-opus-4-6", "2026-03-01",
     claude(1000, 1000, speed="standard"), {"context": {"speed": "fast"}},
     usd((1000, "5"), (1000, "25"))),
    ("asked for the US, served anywhere", "anthropic", "claude-opus-4-6", "2026-05-01",
     claude(1000, 1000, inference_geo="global"), {"context": {"inference_geo": "us"}},
     usd((1000, "5"), (1000, "25"))),
    ("an older model tells no geography", "anthropic", "claude-sonnet-4-5", "2026-05-20",
     claude(1000, 100, inference_geo="not_available"), {}, usd((1000, "3"), (100, "15"))),
    ("searches pay no batch or geography", "anthropic", "claude-opus-4-6", "2026-05-20",
     claude(1000, 0, service_tier="batch", inference_geo="us",
            server_tool_use={"web_search_requests": 3, "web_fetch_requests": 9}), {},
     usd((1000, "2.75"), fees="0.03")),
    ("thoughts cross no band, tool prompts do", "google", "gemini-2.5-pro", "2026-06-01",
     gemini(199_000, 1000, thoughtsTokenCount=5000, toolUsePromptTokenCount=1001,
            totalTokenCount=206_001), {}, usd((200_001, "2.5"), (6000, "15"))),
    ("the band takes the cached with it", "google", "gemini-2.5-pro", "2026-06-01",
     gemini(250_000, 1000, cachedContentTokenCount=100_000), {},
     usd((150_000, "2.5"), (100_000, "0.25"), (1000, "15"))),
    ("1.5 has its band at 128K", "google", "gemini-1.5-pro", "2024-11-15",
     gemini(128_001, 1000), {}, usd((128_001, "2.5"), (1000, "10"))),
    ("traffic of priority", "google", "gemini-2.5-pro", "2026-11-01",
     gemini(1000, 1000, cachedContentTokenCount=500, trafficType="ON_DEMAND_PRIORITY"), {},
     usd((500, "2.25"), (500, "0.225"), (1000, "18"))),
    ("gemini 2.5 bills a grounded prompt once", "google", "gemini-2.5-flash", "2026-06-01",
     gemini(1000), {"response": {"candidates": [
         {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}]}},
     usd((1000, "0.3"), fees="0.035")),
    ("gemini 3 bills each query that is not empty", "google", "gemini-3-flash-preview",
     "2026-06-01", gemini(1000), {"response": {"candidates": [
         {"groundingMetadata": {"webSearchQueries": ["", "a", "b", "a"]}}]}},
     usd((1000, "0.5"), fees="0.028")),
    ("a grounding on places", "google", "gemini-2.5-flash", "2026-06-01", gemini(1000),
     {"context": {"tool_calls": {"google_maps": 1}}}, usd((1000, "0.3"), fees="0.025")),
    ("vertex: a place in the model's path", "vertex",
     "projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929",
     "2025-12-10", claude(1000, 100), {}, usd((1000, "3.3"), (100, "16.5"))),
    ("vertex: the global location", "vertex",
     "projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929",
     "2025-12-10", claude(1000, 100), {}, usd((1000, "3"), (100, "15"))),
    ("vertex: a multi-region by its host", "vertex", "claude-sonnet-4-5@20250929", "2025-12-10",
     claude(1000, 100), {"context": {"api_base": "https://aiplatform.eu.rep.googleapis.com/v1"}},
     usd((1000, "3.3"), (100, "16.5"))),
    ("vertex: regional gemini costs no more", "vertex", "gemini-2.5-flash", "2026-06-01",
     gemini(1000, 100), {"context": {"vertex_location": "us-central1"}},
     usd((1000, "0.3"), (100, "2.5"))),
    ("azure: a zone in Europe", "azure", "gpt-5.2", "2026-11-24", chat(1000, 0),
     {"context": {"azure_deployment": "DataZoneStandard", "azure_region": "finlandcentral"}},
     usd((1000, "1.925"))),
    ("azure: a zone in Asia", "azure", "gpt-6.1-sol", "2026-11-24", chat(1000, 0),
     {"context": {"azure_deployment": "DataZoneStandard", "azure_region": "japaneast"}},
     usd((1000, "2.4"))),
    ("azure: a zone in America", "azure", "gpt-6.1-sol", "2026-11-24", chat(1000, 0),
     {"context": {"azure_deployment": "DataZoneStandard", "azure_region": "eastus2"}},
     usd((1000, "2.2"))),
    ("azure: a batch deployment", "azure", "gpt-4.1", "2026-11-24", chat(1000, 1000),
     {"context": {"azure_deployment": "GlobalBatch"}}, usd((1000, "1"), (1000, "4"))),
    ("azure: regional", "azure", "gpt-4o-2024-08-06", "2025-03-10", chat(1000, 0),
     {"context": {"azure_deployment": "Standard", "azure_region": "eastus"}},
     usd((1000, "2.5"))),
    ("openai's models through foundry", "azure_ai", "gpt-4o-2024-08-06", "2026-06-01",
     chat(1000, 0), {}, usd((1000, "2.5"))),
    ("bedrock: no premium before 4.5", "aws", "eu.anthropic.claude-3-5-sonnet-20240620-v1:0",
     "2025-01-01", claude(1000, 100), {}, usd((1000, "3"), (100, "15"))),
    ("bedrock: litellm's route in the id", "aws",
     "bedrock/converse/global.anthropic.claude-sonnet-4-5-20250929-v1:0", "2026-06-01",
     claude(1000, 100), {}, usd((1000, "3"), (100, "15"))),
    ("bedrock: litellm's region in the id", "aws",
     "bedrock/us-gov-west-1/anthropic.claude-sonnet-4-5-20250929-v1:0", "2026-06-01",
     claude(1000, 100), {}, usd((1000, "3.3"), (100, "16.5"))),
    ("bedrock: flex is echoed", "aws", "amazon.nova-pro-v1:0", "2026-01-10",
     {"inputTokens": 1000, "outputTokens": 100}, {"response": {"serviceTier": {"type": "flex"}}},
     usd((1000, "0.4"), (100, "1.6"))),
    ("grok at 200,000 is long", "x-ai", "grok-4.3", "2026-10-01",
     chat(200_000, 0, prompt_tokens_details={"cached_tokens": 199_000}), {},
     usd((1000, "2.5"), (199_000, "0.4"))),
    ("grok's batch is a fifth off", "x-ai", "grok-4.3", "2026-11-01", chat(1000, 1000),
     {"context": {"batch": True}}, usd((1000, "1"), (1000, "2"))),
    ("grok by its American host", "x-ai", "grok-4.3", "2026-11-01", chat(1000, 1000),
     {"context": {"api_base": "https://us-east-1.api.x.ai/v1"}},
     usd((1000, "1.375"), (1000, "2.75"))),
    ("grok by its American region", "x-ai", "grok-4.3", "2026-11-01", chat(1000, 1000),
     {"context": {"region": "us-east-1"}}, usd((1000, "1.375"), (1000, "2.75"))),
    ("mistral's alias moved to a dearer model", "mistral", "mistral-medium-latest", "2026-11-01",
     chat(1000, 500, prompt_tokens_details={"cached_tokens": 500}), {},
     usd((500, "1.5"), (500, "0.15"), (500, "7.5"))),
    ("mistral's pages in a batch", "mistral", "mistral-ocr-latest", "2025-06-15",
     {"pages_processed": 10}, {"context": {"batch": True}}, Decimal("0.005")),
]
# fmt: on


@pytest.mark.parametrize(
    ("provider", "model", "day", "usage", "more", "total"),
    [row[1:] for row in RULES],
    ids=[row[0] for row in RULES],
)
def test_each_rule_of_a_provider(
    provider: str,
    model: str,
    day: str,
    usage: dict[str, Any],
    more: dict[str, Any],
    total: Decimal,
    price: Any,
) -> None:
    cost = price(provider, model, usage, day, **more)
    assert (cost.total, cost.status) == (total, "priced")


@pytest.mark.parametrize(
    ("provider", "model", "context", "response"),
    [
        ("azure", "gpt-4o", {"azure_deployment": "ProvisionedManaged"}, None),
        ("azure", "gpt-4o", {"azure_deployment": "DataZoneProvisionedManaged"}, None),
        ("azure", "gpt-4o", {"deployment": "PTU"}, {"service_tier": "default"}),
        ("openai", "gpt-4o", None, {"service_tier": "scale"}),
        ("aws", "amazon.nova-pro-v1:0", None, {"serviceTier": {"type": "reserved"}}),
    ],
)
def test_what_was_paid_for_in_advance_has_no_price_by_the_token(
    provider: str, model: str, context: Any, response: Any, price: Any
) -> None:
    usage = {"inputTokens": 9, "outputTokens": 9} if provider == "aws" else chat(9, 9)
    cost = price(provider, model, usage, "2026-06-01", context=context, response=response)
    assert (cost.total, cost.status) == (None, "unpriced")


@pytest.mark.parametrize(
    ("usage", "model", "response", "meter"),
    [
        ({"input_tokens": 1, "output_tokens": 1}, "gpt-5",
         {"output": [{"type": "image_generation_call"}]}, "fee.image_generation"),
        (claude(1, 1, iterations=[{"type": "advisor_message", "input_tokens": 9}]),
         "claude-opus-4-6", None, "fee.advisor"),
        ({"total_tokens": 100}, "gpt-4o", None, "tokens.in.text"),
    ],
)  # fmt: skip
def test_a_part_without_a_price_is_named(
    usage: dict[str, Any], model: str, response: Any, meter: str, price: Any
) -> None:
    provider = "anthropic" if model.startswith("claude") else "openai"
    cost = price(provider, model, usage, "2026-06-01", response=response)
    assert cost.status == "partial"
    assert meter in cost.unpriced_meters


@pytest.mark.parametrize(
    ("provider", "model"),
    [("unknown", "gpt-4o"), ("my-gateway", "claude-sonnet-4-5"), ("huggingface", "gpt-4o"),
     ("openai", "claude-sonnet-4-5"), ("anthropic", "gpt-4o"), ("azure-ai", "claude-sonnet-4-5")],
)  # fmt: skip
def test_another_providers_model_is_not_priced_by_guess(
    provider: str, model: str, price: Any
) -> None:
    cost = price(provider, model, chat(1000, 1000), "2026-06-01")
    assert (cost.total, cost.status, cost.model) == (None, "unpriced", None)


def test_the_price_of_sound_agrees_with_the_ledger(catalogue: Catalogue) -> None:
    # Three places are kept: 9.3604999 s is billed as 9.36 s.
    cost = catalogue.cost(provider="openai", model="whisper-1", api="transcription",
                          usage={"type": "duration", "seconds": 9.3604999},
                          at=datetime(2025, 6, 1, tzinfo=UTC))  # fmt: skip
    assert [line.quantity for line in cost.lines] == [Decimal("9.36")]
    assert cost.total == Decimal("0.000936")
