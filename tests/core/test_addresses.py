"""Where a request goes, and how its key travels, for the providers that are no plain base URL."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from costspan.core.completion import completion
from costspan.core.errors import AuthenticationError, BadRequestError
from costspan.core.protocols import load_protocol

HELLO = [{"role": "user", "content": "Hello"}]
ENTRA = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


class Seen(Exception):
    """Ends a request before it leaves the machine."""


def sent(model: str, **arguments: Any) -> httpx.Request:
    """The request that a completion would send."""

    def keep(request: httpx.Request) -> httpx.Response:
        kept.append(request)
        raise Seen

    kept: list[httpx.Request] = []
    with httpx.Client(transport=httpx.MockTransport(keep)) as client, pytest.raises(Seen):
        completion(model, HELLO, client=client, **arguments)
    return kept[0]


AZURE = "https://acme.openai.azure.com"
VERTEX = "/v1/projects/p-1/locations/{}/publishers/google/models/gemini-2.5-pro:generateContent"


@pytest.mark.parametrize(
    ("model", "arguments", "environment", "url"),
    [
        (
            "azure/my-gpt",
            {"base_url": AZURE},
            {},
            f"{AZURE}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
        ),
        (
            "azure/my gpt",
            {"api_base": f"{AZURE}/", "api_version": "2025-01-01-preview"},
            {},
            f"{AZURE}/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01-preview",
        ),
        (
            "azure/my-gpt",
            {},
            {"AZURE_OPENAI_ENDPOINT": f"{AZURE}/", "OPENAI_API_VERSION": "2025-04-01"},
            f"{AZURE}/openai/deployments/my-gpt/chat/completions?api-version=2025-04-01",
        ),
        (
            "azure/my-gpt",
            {"base_url": AZURE, "api": "responses"},
            {},
            f"{AZURE}/openai/v1/responses",
        ),
        (
            "vertex_ai/gemini-2.5-pro",
            {"project": "p-1"},
            {},
            f"https://aiplatform.googleapis.com{VERTEX.format('global')}",
        ),
        (
            "vertex_ai/gemini-2.5-pro",
            {"vertex_project": "p-1", "vertex_location": "europe-west4"},
            {},
            f"https://europe-west4-aiplatform.googleapis.com{VERTEX.format('europe-west4')}",
        ),
        (
            "vertex_ai/gemini-2.5-pro",
            {"region": "us-east5"},
            {"GOOGLE_CLOUD_PROJECT": "p-1"},
            f"https://us-east5-aiplatform.googleapis.com{VERTEX.format('us-east5')}",
        ),
        (
            "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
            {"aws_region_name": "eu-central-1"},
            {},
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/"
            "anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
        ),
        (
            "bedrock/amazon.nova-lite-v1:0",
            {},
            {"AWS_REGION": "us-west-2"},
            "https://bedrock-runtime.us-west-2.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
        ),
        (
            "gemini-2.5-flash",
            {},
            {},
            "https://generativelanguage.googleapis.com/v1beta/models/"
            "gemini-2.5-flash:generateContent",
        ),
        ("command-a-03-2025", {}, {}, "https://api.cohere.com/v2/chat"),
        ("ollama/llama3", {}, {}, "http://localhost:11434/api/chat"),
        ("ollama/llama3", {"base_url": "http://localhost:9/v1"}, {}, "http://localhost:9/api/chat"),
        ("ollama/llama3", {"api": "chat"}, {}, "http://localhost:11434/v1/chat/completions"),
        ("openai/gpt-5", {"api": "responses"}, {}, "https://api.openai.com/v1/responses"),
        ("llama.cpp/m", {"api": "messages"}, {}, "http://127.0.0.1:8080/v1/messages"),
    ],
)
def test_where_a_request_goes(
    model: str,
    arguments: dict[str, Any],
    environment: dict[str, str],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(sent(model, api_key="k", **arguments).url) == url


@pytest.mark.parametrize(
    ("model", "key", "arguments", "header", "value"),
    [
        ("openai/m", "k", {}, "authorization", "Bearer k"),
        ("anthropic/m", "k", {}, "x-api-key", "k"),
        ("gemini/m", "k", {}, "x-goog-api-key", "k"),
        ("gemini/m", "k", {"api": "chat"}, "authorization", "Bearer k"),
        ("vertex_ai/m", "ya29.token", {"project": "p"}, "authorization", "Bearer ya29.token"),
        ("azure/m", "k", {"base_url": AZURE}, "api-key", "k"),
        ("azure/m", ENTRA, {"base_url": AZURE}, "authorization", f"Bearer {ENTRA}"),
        ("bedrock/m", "k", {"region": "us-east-1"}, "authorization", "Bearer k"),
        ("cohere/m", "k", {}, "authorization", "Bearer k"),
    ],
)
def test_how_a_key_travels(
    model: str, key: str, arguments: dict[str, Any], header: str, value: str
) -> None:
    headers = sent(model, api_key=lambda: key, **arguments).headers
    assert headers[header] == value
    known = {"authorization", "x-api-key", "api-key", "x-goog-api-key"}
    assert known & set(headers) == {header}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("azure/m", "azure has no common address: give base_url= or set AZURE_OPENAI_ENDPOINT"),
        ("vertex_ai/m", "needs a project: pass project= or set GOOGLE_CLOUD_PROJECT"),
        ("bedrock/m", "needs a region: pass region= or set AWS_REGION"),
    ],
)
def test_what_an_address_lacks_is_named(
    model: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadRequestError) as caught:
        completion(model, HELLO, api_key="k")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/m", "OPENAI_API_KEY"),
        ("anthropic/m", "ANTHROPIC_API_KEY"),
        ("gemini/m", "GEMINI_API_KEY or GOOGLE_API_KEY"),
        ("cohere/m", "COHERE_API_KEY"),
        ("groq/m", "GROQ_API_KEY"),
    ],
)
def test_a_missing_key_names_its_variable(model: str, variable: str) -> None:
    with pytest.raises(AuthenticationError, match=variable):
        completion(model, HELLO)


@pytest.mark.parametrize(
    ("model", "api", "said"),
    [
        ("anthropic/m", "responses", "anthropic does not speak the api 'responses', only messages"),
        ("openai/m", "soap", "openai does not speak the api 'soap', only chat, responses"),
    ],
)
def test_an_api_that_a_server_does_not_speak(model: str, api: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        completion(model, HELLO, api=api, api_key="k")


def test_protocols_are_loaded_once() -> None:
    assert load_protocol("chat") is load_protocol("chat")
