"""Wire formats of embeddings: one pure module each, chosen by who is asked."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from importlib import import_module

from costspan.core.embedding_reply import Embedding
from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError
from costspan.core.observation import Observation
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON


class EmbeddingProtocol(typing.Protocol):
    """A wire format of embeddings."""

    def encode(self, request: Request, endpoint: Endpoint) -> WireRequest:
        """Put a request into the wire format; its input is the parameter ``input``.

        Raises:
            BadRequestError: The request cannot be said in it.
            UnsupportedParamsError: It lacks a parameter, and ``drop_params`` is off.
        """

    def read(
        self, body: JSON, headers: Mapping[str, str], seen: Observation
    ) -> list[Embedding] | None:
        """The vectors in a body; None where it holds none. What else it says goes to ``seen``."""


_BY_COMPLETION = {
    "chat": "openai_embeddings",
    "responses": "openai_embeddings",
    "generateContent": "gemini_embeddings",
    "cohere-v2": "cohere_embeddings",
    "ollama": "ollama_embeddings",
    "converse": "bedrock_embeddings",
}
"""Module by the wire format in which a provider completes."""

_WITHOUT = ("vertex",)
"""Providers that have embeddings in another wire format than that table says."""


def embedding_protocol(endpoint: Endpoint) -> EmbeddingProtocol:
    """The wire format in which a provider makes embeddings.

    Raises:
        BadRequestError: It has none, or none that is supported.
    """
    name = _BY_COMPLETION.get(endpoint.protocol)
    if name is None or endpoint.provider in _WITHOUT:
        raise BadRequestError(
            f"no embeddings with {endpoint.provider}: supported are the providers that speak "
            "OpenAI's wire format, google (gemini), cohere, ollama and aws (bedrock)",
            provider=endpoint.provider,
        )
    module = import_module(f"costspan.core.protocols.{name}")
    return typing.cast(EmbeddingProtocol, module)
