"""Which classes and functions of the SDKs are followed where nobody wraps anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Followed(NamedTuple):
    """What is followed in a module.

    Attributes:
        classes: Classes of clients; subclasses come with them.
        makers: Methods that make clients, as ``Class.method``.
        functions: Functions that make calls.
    """

    classes: tuple[str, ...] = ()
    makers: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


FOLLOWED: Final[Mapping[str, Followed]] = {
    # Also the client behind ``openai.chat``, and those for Azure and Bedrock: all are subclasses.
    "openai": Followed(classes=("OpenAI", "AsyncOpenAI")),
    "anthropic": Followed(
        classes=(
            "Anthropic",
            "AsyncAnthropic",
            "AnthropicBedrock",
            "AsyncAnthropicBedrock",
            "AnthropicBedrockMantle",
            "AsyncAnthropicBedrockMantle",
            "AnthropicVertex",
            "AsyncAnthropicVertex",
        )
    ),
    "groq": Followed(classes=("Groq", "AsyncGroq")),
    "google.genai": Followed(classes=("Client",)),
    "mistralai.client": Followed(classes=("Mistral",)),
    "mistralai.azure.client": Followed(classes=("MistralAzure",)),
    "mistralai.gcp.client": Followed(classes=("MistralGCP",)),
    "cohere": Followed(classes=("Client", "AsyncClient", "ClientV2", "AsyncClientV2")),
    # The functions are methods of a client that is made before the module is there to be followed.
    "ollama": Followed(
        classes=("Client", "AsyncClient"), functions=("chat", "generate", "embed", "embeddings")
    ),
    "botocore.session": Followed(makers=("Session.create_client",)),
    "litellm": Followed(
        classes=("Router",),
        functions=(
            "completion",
            "acompletion",
            "text_completion",
            "atext_completion",
            "responses",
            "aresponses",
            "embedding",
            "aembedding",
            "anthropic_messages",
            "rerank",
            "arerank",
        ),
    ),
    "any_llm": Followed(
        classes=("AnyLLM",),
        functions=(
            "completion",
            "acompletion",
            "responses",
            "aresponses",
            "messages",
            "amessages",
            "embedding",
            "aembedding",
            "rerank",
            "arerank",
        ),
    ),
}
"""Module -> what is followed in it; versions lack some of it.

Chat models of LangChain need no row: they make clients of these classes.
"""
