"""Wire formats: one pure module each, chosen by api name, request path or the shape of a body."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.reply import Choice, Chunk
from costspan.core.request import Request, WireRequest


class Observer(typing.Protocol):
    """A protocol whose responses we understand."""

    def observe(self, event: Mapping[str, object], seen: Observation) -> None:
        """Add what a whole body or one stream event says to ``seen``.

        Anything is accepted: what is missing, null or of a wrong type is left out.
        """


class ChunkReader(typing.Protocol):
    """What turns the events of one stream into chunks; it may keep state between them."""

    def read(self, event: Mapping[str, object]) -> Chunk | None:
        """The chunk that an event means, without its usage; None for events that mean none."""


class Protocol(Observer, typing.Protocol):
    """A protocol that the core can complete with. All of it is pure.

    Attributes:
        HAS_N: Whether one request can ask for several answers.
    """

    HAS_N: bool

    def encode(self, request: Request, endpoint: Endpoint) -> WireRequest:
        """Put a request into the wire format.

        Raises:
            BadRequestError: The request cannot be said in it.
            UnsupportedParamsError: It lacks a parameter, and ``drop_params`` is off.
        """

    def choices(self, body: Mapping[str, object]) -> list[Choice] | None:
        """The answers in a whole body; None where it is no completion."""

    def chunks(self) -> ChunkReader:
        """A reader for one stream."""


COMPLETING = {
    "chat": "openai_chat",
    "messages": "anthropic_messages",
    "responses": "openai_responses",
    "generateContent": "gemini",
    "converse": "bedrock_converse",
    "cohere-v2": "cohere_v2",
    "ollama": "ollama",
}
"""Module by api that the core can complete with: each is imported when it is first used."""

_OBSERVED = {
    **COMPLETING,
    "completions": "openai_chat",
    "embeddings": "embeddings_seen",
    "cohere-v1": "cohere_v1",
    "rerank": "cohere_rerank",
    "invoke-any": "bedrock_invoke",
    "invoke-llama": "bedrock_invoke",
    "conversations": "mistral_conversations",
    "interactions": "gemini_interactions",
}


@cache
def load_protocol(api: str) -> Protocol:
    """The protocol module to complete with.

    Args:
        api: Canonical api name: ``chat``, ``messages``, ``generateContent`` ...

    Raises:
        ValueError: The core cannot complete with this api.
    """
    return typing.cast(Protocol, _module(api, COMPLETING, "the core cannot complete with"))


@cache
def load(api: str) -> Observer:
    """The protocol module that reads the responses of an api.

    Args:
        api: Canonical api name: those of `load_protocol`, ``completions``, ``embeddings``,
            ``cohere-v1``, ``rerank``, ``conversations`` (Mistral's), ``interactions`` (Google's).

    Raises:
        ValueError: No protocol reads this api.
    """
    return typing.cast(Observer, _module(api, _OBSERVED, "no protocol reads"))


def _module(api: str, table: Mapping[str, str], failing: str) -> object:
    if api not in table:
        raise ValueError(f"{failing} the api {api!r}; known are {', '.join(sorted(table))}")
    return import_module(f"costspan.core.protocols.{table[api]}")


_API_BY_SUFFIX = (
    (":generateContent", "generateContent"),
    (":streamGenerateContent", "generateContent"),
    ("/converse", "converse"),
    ("/converse-stream", "converse"),
    ("/v2/chat", "cohere-v2"),
    ("/api/chat", "ollama"),
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/messages", "messages"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
)


def api_from_path(path: str) -> str | None:
    """The api that a request path addresses, or None for paths that no model answers.

    Args:
        path: The path of a URL, or a whole URL; a query is ignored. Only the end counts, so
            prefixes of gateways and Azure's deployments do not matter, while
            ``/messages/count_tokens`` or ``/responses/{id}`` match nothing.
    """
    plain = path.partition("?")[0].rstrip("/")
    for suffix, api in _API_BY_SUFFIX:
        if plain.endswith(suffix) or plain == suffix[1:]:
            return api
    return None


_API_BY_OBJECT = {
    "chat.completion": "chat",
    "chat.completion.chunk": "chat",
    "text_completion": "completions",
    "response": "responses",
}
_MESSAGES_TYPES = frozenset(
    (
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    )
)


_COHERE_TYPES = frozenset(("message-start", "content-start", "content-delta", "message-end"))
_CONVERSE_EVENTS = frozenset(
    ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop")
)


def recognise(body: Mapping[str, object]) -> str | None:
    """The api whose response body or stream event this is, by its shape; None if by none."""
    kind = body.get("object")
    if isinstance(kind, str) and kind in _API_BY_OBJECT:
        return _API_BY_OBJECT[kind]
    event = body.get("type")
    if isinstance(event, str):
        if event in _MESSAGES_TYPES or (event == "message" and "stop_reason" in body):
            return "messages"
        if event.startswith("response."):
            return "responses"
        if event in _COHERE_TYPES:
            return "cohere-v2"
    if isinstance(body.get("choices"), list):
        return "chat"
    if "candidates" in body or "usageMetadata" in body:
        return "generateContent"
    if ("output" in body and "stopReason" in body) or not _CONVERSE_EVENTS.isdisjoint(body):
        return "converse"
    if isinstance(body.get("done"), bool) and ("message" in body or "response" in body):
        return "ollama"
    if isinstance(body.get("message"), dict) and isinstance(body.get("finish_reason"), str):
        return "cohere-v2"
    usage = body.get("usage")
    if "interaction" in body or (isinstance(usage, dict) and "total_input_tokens" in usage):
        return "interactions"
    if "generation_id" in body or isinstance(body.get("event_type"), str):
        return "cohere-v1"
    if "embeddings" in body or "embedding" in body:
        return "embeddings"
    data = body.get("data")
    if isinstance(data, list) and data and isinstance(data[0], dict) and "embedding" in data[0]:
        return "embeddings"
    return None
