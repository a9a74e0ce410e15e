"""Which provider a model or an address means, and what its row says."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import pytest

import costspan.core
from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import (
    api_key_for,
    endpoint,
    provider_from_url,
    resolve,
    split_model,
)
from costspan.core.errors import AuthenticationError, BadRequestError
from costspan.core.naming import canonical_provider


@pytest.mark.parametrize(
    ("model", "provider", "bare"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("xai/grok-4", "x-ai", "grok-4"),
        ("x-ai/grok-4", "x-ai", "grok-4"),
        ("together_ai/meta-llama/Llama-3-8b", "together", "meta-llama/Llama-3-8b"),
        ("fireworks_ai/accounts/a/models/b", "fireworks", "accounts/a/models/b"),
        ("dashscope/qwen-max", "alibaba", "qwen-max"),
        ("gemini/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("vllm/Qwen/Qwen3-8B", "local", "Qwen/Qwen3-8B"),
        ("hosted_vllm/m", "local", "m"),
        ("ollama/llama3.2", "ollama", "llama3.2"),
        ("gpt-4", "openai", "gpt-4"),
        ("gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("o1", "openai", "o1"),
        ("o3-mini", "openai", "o3-mini"),
        ("o4-mini", "openai", "o4-mini"),
        ("chatgpt-4o-latest", "openai", "chatgpt-4o-latest"),
        ("ft:gpt-4o-mini:acme::1", "openai", "ft:gpt-4o-mini:acme::1"),
        ("claude-3-opus-20240229", "anthropic", "claude-3-opus-20240229"),
        ("GPT-4O", "openai", "GPT-4O"),
        ("Claude-Sonnet-4-5", "anthropic", "Claude-Sonnet-4-5"),
        ("O3-mini", "openai", "O3-mini"),
        ("FT:GPT-4o-mini:acme::1", "openai", "FT:GPT-4o-mini:acme::1"),
    ],
)
def test_split_model(model: str, provider: str, bare: str) -> None:
    assert split_model(model) == (provider, bare)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gpt-oss-120b", "does not say its provider: write provider/model"),
        ("GPT-OSS-120b", "does not say its provider: write provider/model"),
        ("Qwen/Qwen3-8B", "does not say its provider: write provider/model"),
        ("llama3", "does not say its provider: write provider/model"),
        ("anthropc/claude-x", r"did you mean anthropic/claude-x\?"),
        ("openai/", "does not say its provider"),
        ("", "does not say its provider"),
    ],
)
def test_models_that_say_no_provider(
    model: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadRequestError, match=said):
        split_model(model)
    # LiteLLM prints a help line, which breaks programs that write JSON to stdout.
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("model", "base_url", "provider", "bare"),
    [
        ("Qwen/Qwen3-8B", "http://127.0.0.1:8000/v1", "openai-compatible", "Qwen/Qwen3-8B"),
        ("my-model", "https://llm.example.com/v1", "openai-compatible", "my-model"),
        ("openai/my-model", "https://llm.example.com/v1", "openai", "my-model"),
        ("deepseek-chat", "https://api.deepseek.com/v1", "deepseek", "deepseek-chat"),
        ("openai/deepseek-chat", "https://api.deepseek.com", "deepseek", "deepseek-chat"),
        ("claude-x", "http://127.0.0.1:8000", "anthropic", "claude-x"),
    ],
)
def test_split_model_with_a_base_url(model: str, base_url: str, provider: str, bare: str) -> None:
    assert split_model(model, base_url=base_url) == (provider, bare)
    row, rest = resolve(model, base_url=base_url)
    assert (row.provider, rest, row.base_url) == (provider, bare, base_url)


def test_a_key_goes_only_to_the_host_that_owns_it() -> None:
    row, _ = resolve("openai/deepseek-chat", base_url="https://api.deepseek.com")
    assert row.key == ("DEEPSEEK_API_KEY",)
    assert row.protocol == "chat"
    row, _ = resolve("my-model", base_url="https://llm.example.com/v1")
    assert "OPENAI_API_KEY" not in row.key


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://API.OpenAI.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://acme.openai.azure.com/openai", "azure"),
        ("https://acme.services.ai.azure.com/models", "azure"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "google"),
        ("https://us-central1-aiplatform.googleapis.com/v1", "vertex"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "aws"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://api.z.ai/api/paas/v4/", "zhipu"),
        ("https://acme.cloud.databricks.com/serving-endpoints", "databricks"),
        ("http://localhost:8000/v1", None),
        ("http://127.0.0.1:11434", None),
        ("https://openai.com.evil.example", None),
        ("https://notopenrouter.ai", None),
        ("", None),
    ],
)
def test_provider_from_url(url: str, provider: str | None) -> None:
    assert provider_from_url(url) == provider


def test_rows_have_a_source_a_date_and_a_canonical_name() -> None:
    text = (Path(costspan.core.__path__[0]) / "endpoints.toml").read_text("utf-8")
    rows = tomllib.loads(text)
    assert len(rows) >= 30
    for name, row in rows.items():
        assert row["source"], name
        assert isinstance(row["date"], datetime.date), name
        assert canonical_provider(canonical_provider(name)) == canonical_provider(name)
        if row.get("protocol", "chat") and name not in ("openai-compatible", "local"):
            assert row.get("base_url") or row.get("base_url_variables"), name
            assert not str(row.get("base_url", "")).endswith("/"), name


@pytest.mark.parametrize(
    ("provider", "host", "port"),
    [
        ("openai", "api.openai.com", 443),
        ("ollama", "localhost", 11434),
        ("llama.cpp", "127.0.0.1", 8080),
    ],
)
def test_host_and_port(provider: str, host: str, port: int) -> None:
    row = endpoint(provider)
    assert (row.host, row.port) == (host, port)


def test_a_row_without_an_address_has_no_host_and_no_port() -> None:
    assert (Endpoint("x").host, Endpoint("x").port) == (None, None)
    assert Endpoint("x", base_url="https://h:8443/v1").port == 8443


def test_base_url_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRequestError, match="give base_url= or set DATABRICKS_HOST"):
        endpoint("databricks")
    monkeypatch.setenv("DATABRICKS_HOST", "https://acme.cloud.databricks.com/")
    expected = "https://acme.cloud.databricks.com/serving-endpoints"
    assert endpoint("databricks").base_url == expected
    monkeypatch.setenv("VLLM_BASE_URL", "http://gpu:8000/v1")
    assert endpoint("vllm").base_url == "http://gpu:8000/v1"


def test_providers_without_an_endpoint() -> None:
    with pytest.raises(
        BadRequestError, match=r"no endpoint for the provider 'groqq': did you mean"
    ):
        endpoint("groqq")
    with pytest.raises(BadRequestError, match="no row has this name"):
        endpoint("zzzz")
    with pytest.raises(BadRequestError, match="local has no common address"):
        endpoint("local")


def test_the_door_for_openais_clients_speaks_chat() -> None:
    row = endpoint("gemini", base_url="https://generativelanguage.googleapis.com/v1beta/openai/")
    assert (row.provider, row.protocol, row.auth) == ("google", "chat", "bearer")
    assert row.base_url == "https://generativelanguage.googleapis.com/v1beta/openai"


def test_quirks_belong_to_the_providers_own_server() -> None:
    own = endpoint("openai", base_url="https://eu.api.openai.com/v1/")
    assert (own.max_tokens_field, own.key_required) == ("max_completion_tokens", True)
    assert own.unsupported == endpoint("openai").unsupported != ()
    other = endpoint("mistral", base_url="http://127.0.0.1:8000/v1")
    assert (other.max_tokens_field, other.key_required, other.include_usage) == ("", False, True)
    assert (other.unsupported, other.unsupported_in_messages) == ((), ())


def test_api_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    row = endpoint("openai")
    with pytest.raises(AuthenticationError, match="no API key for openai: set OPENAI_API_KEY, or"):
        api_key_for(row, None)
    assert api_key_for(row, " sk-1 \n") == "sk-1"
    monkeypatch.setenv("OPENAI_API_KEY", " sk-2\n")
    assert api_key_for(row, None) == "sk-2"
    assert api_key_for(row, "sk-1") == "sk-1"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert api_key_for(endpoint("openai", base_url="http://127.0.0.1:1"), None) is None
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    assert api_key_for(endpoint("ollama"), None) is None


def test_keys_that_no_header_can_carry_are_refused_without_showing_them() -> None:
    with pytest.raises(AuthenticationError, match="copy it again") as caught:
        api_key_for(endpoint("openai"), "sk-secret\nsk-other")
    assert "secret" not in str(caught.value)


def test_the_second_key_variable_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    monkeypatch.setenv("TOGETHERAI_API_KEY", "k2")
    assert api_key_for(endpoint("together_ai"), None) == "k2"
