"""Canonical names of providers, apis and tiers."""

from __future__ import annotations

import pytest

from costspan.core.naming import canonical_api, canonical_provider, canonical_tier, otel_provider


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("anthropic", "anthropic"),
        ("gemini/", "google"),
        ("gemini", "google"),
        ("gemini/gemini-2.5-pro", "google"),
        ("gcp.gemini", "google"),
        ("gcp.gen_ai", "google"),
        ("vertex_ai/", "vertex"),
        ("gcp.vertex_ai", "vertex"),
        ("bedrock", "aws"),
        ("bedrock/", "aws"),
        ("bedrock-mantle", "aws"),
        ("aws.bedrock", "aws"),
        ("azure/", "azure"),
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("xai/", "x-ai"),
        ("x_ai", "x-ai"),
        ("x-ai", "x-ai"),
        ("mistral_ai", "mistral"),
        ("mistral/", "mistral"),
        ("together_ai/", "together"),
        ("fireworks_ai/", "fireworks"),
        ("groq", "groq"),
        ("dashscope", "alibaba"),
        ("moonshot_ai", "moonshotai"),
        ("zai", "zhipu"),
        ("perplexity", "perplexity"),
        ("cohere_chat", "cohere"),
        ("hosted_vllm", "local"),
        ("api.deepseek.com", "deepseek"),
        ("  Groq ", "groq"),
        ("Some-New-Host", "some-new-host"),
    ],
)
def test_every_spelling_of_a_provider_has_one_id(name: str, canonical: str) -> None:
    assert canonical_provider(name) == canonical


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("chat", "chat"),
        ("openai-chat", "chat"),
        ("chat.completions", "chat"),
        ("acompletion", "chat"),
        ("responses", "responses"),
        ("openai-responses", "responses"),
        ("anthropic-messages", "messages"),
        ("generateContent", "generateContent"),
        ("generate_content", "generateContent"),
        ("bedrock-converse", "converse"),
        ("converse_stream", "converse"),
        ("invoke", "invoke-claude"),
        ("realtime", "realtime"),
        ("image_generation", "images"),
        ("audio.transcriptions", "transcription"),
        ("embedding", "embeddings"),
        ("text_completion", "completions"),
        ("rerank", "rerank"),
        ("chat-native", "cohere-v2"),
        ("Novel-API", "novel-api"),
    ],
)
def test_every_spelling_of_an_api_has_one_name(name: str, canonical: str) -> None:
    assert canonical_api(name) == canonical


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("default", "standard"),
        ("on_demand", "standard"),
        ("ON_DEMAND", "standard"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("ON_DEMAND_FLEX", "flex"),
        ("PROVISIONED_THROUGHPUT", "provisioned"),
        ("fast", "priority"),
        ("batch", "batch"),
        ("auto", None),
        ("", None),
        ("ultrafast", "ultrafast"),
    ],
)
def test_tiers_have_one_name(name: str, canonical: str | None) -> None:
    assert canonical_tier(name) == canonical


@pytest.mark.parametrize(
    ("provider", "otel"),
    [
        ("openai", "openai"),
        ("google", "gcp.gemini"),
        ("gemini/", "gcp.gemini"),
        ("vertex", "gcp.vertex_ai"),
        ("aws", "aws.bedrock"),
        ("azure", "azure.ai.openai"),
        ("x-ai", "x_ai"),
        ("mistral", "mistral_ai"),
        ("moonshotai", "moonshot_ai"),
        ("some-new-host", "some-new-host"),
    ],
)
def test_the_name_for_opentelemetry(provider: str, otel: str) -> None:
    assert otel_provider(provider) == otel
