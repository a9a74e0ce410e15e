"""Each adapter is an `Adapter`: the type checker compares them, the table finds them."""

from __future__ import annotations

import pytest

from costspan.middleware import adapters
from costspan.middleware.adapters import (
    Adapter,
    any_llm,
    bedrock,
    cohere,
    google_genai,
    langchain,
    litellm_router,
    mistral,
    ollama,
    stainless,
)

ADAPTERS: dict[str, Adapter] = {
    "google.genai.client": google_genai,
    "mistralai.client": mistral,
    "mistralai_azure": mistral,
    "mistralai_gcp.sdk": mistral,
    "cohere.client_v2": cohere,
    "ollama._client": ollama,
    "botocore.client": bedrock,
    "litellm.router": litellm_router,
    "any_llm.any_llm": any_llm,
    "langchain_core.language_models": langchain,
    "somebody.else": stainless,
    "ollamas": stainless,
}
"""Module of a class -> its adapter."""


@pytest.mark.parametrize("module", ADAPTERS)
def test_the_module_of_a_class_or_of_its_base_tells_the_adapter(module: str) -> None:
    kind = type("Client", (), {"__module__": module})
    heir = type("Mine", (kind,), {"__module__": "app"})

    assert adapters._adapter_of_class(kind) is ADAPTERS[module]
    assert adapters._adapter_of_class(heir) is ADAPTERS[module]


@pytest.mark.parametrize("module", ADAPTERS)
def test_an_object_that_is_no_client_has_no_adapter(module: str) -> None:
    kind = type("Thing", (), {"__module__": module})

    assert adapters.adapter_of(kind()) is None
