"""What LiteLLM says of an answer beside its wire format: who answered, what was repeated, a cache.

Its replies have OpenAI's shape, whoever answered. Read from the source of litellm 1.110 (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Self

from costspan.middleware.fields import plain_fields, reply_fields
from costspan.middleware.live import LiveCall
from costspan.middleware.request import UNKNOWN_PROVIDER, served_by

_CACHED = "cached_response"
"""The provider that it names in the streams that it plays from its cache."""

_REPEATED = ("x-litellm-attempted-retries", "x-litellm-attempted-fallbacks")


def see_origin(call: LiveCall, value: object) -> None:
    """Take what a reply or chunk of LiteLLM says of its origin; others say nothing."""
    kind: type = type(value)
    if _is_litellm(kind) and (hidden := hidden_params(value)):
        _see_hidden(call, hidden)


def see_failure(call: LiveCall, error: BaseException) -> None:
    """Take what an error of LiteLLM says of who was asked, and of what its Router repeated."""
    kind: type = type(error)
    if not _is_litellm(kind):
        return
    provider = getattr(error, "llm_provider", None)
    if call.provider == UNKNOWN_PROVIDER and isinstance(provider, str) and provider:
        call.asked = served_by(call.asked, provider, "")
    # Both are said by the Router alone: how often it has repeated the request, of how many times.
    repeated, most = getattr(error, "num_retries", None), getattr(error, "max_retries", None)
    if type(repeated) is int and type(most) is int:
        call.retries = max(call.retries, repeated)


def hidden_params(value: object) -> Mapping[str, Any]:
    """LiteLLM's hidden parameters of a reply, chunk or stream; empty where it has none."""
    for place in ("__pydantic_private__", "__dict__"):
        fields = getattr(value, place, None)
        hidden = fields.get("_hidden_params") if isinstance(fields, dict) else None
        if isinstance(hidden, dict):
            return hidden
        if hidden is not None:  # of newer replies, an object
            extra = getattr(hidden, "__pydantic_extra__", None) or {}
            return {**getattr(hidden, "__dict__", {}), **extra}
    return {}


def _see_hidden(call: LiveCall, hidden: Mapping[str, Any]) -> None:
    provider = hidden.get("custom_llm_provider") or _prefix(hidden.get("litellm_model_name"))
    if hidden.get("cache_hit") is True or provider == _CACHED:
        call.seen.unbilled = True
    elif isinstance(provider, str) and provider:
        base_url = hidden.get("api_base")
        call.asked = served_by(call.asked, provider, base_url if isinstance(base_url, str) else "")
    call.seen.model = served_model(hidden) or call.seen.model
    call.seen.usage = _usage_of(hidden.get("usage")) or call.seen.usage
    headers = hidden.get("additional_headers")
    if isinstance(headers, dict):
        repeated = [headers.get(name) for name in _REPEATED]
        call.retries = max(call.retries, sum(n for n in repeated if type(n) is int))


def _usage_of(usage: object) -> dict[str, object] | None:
    """A usage object as plain dicts; None for the one that stands for none."""
    if type(usage).__name__ == "UnreportedUsage":
        return None
    return plain_fields(usage)


def served_model(hidden: Mapping[str, Any]) -> str | None:
    """The model that answered, as the provider spells it, where the hidden parameters tell it."""
    model = hidden.get("provider_response_model")
    return model if isinstance(model, str) and model else None


def _prefix(model: object) -> str:
    prefix, slash, _ = model.partition("/") if isinstance(model, str) else ("", "", "")
    return prefix if slash else ""


class CollectedChunks:
    """The list in which a stream of LiteLLM keeps what it has read.

    The stream hands on chunks without their usage unless that was asked for, and counts by itself
    where the provider sent none; its last chunk names the model as it was asked for. What the
    provider has sent stands in this list alone.
    """

    def __init__(self, chunks: list[Any]) -> None:
        self._chunks = chunks
        self._read = 0
        self._usage: Any = None
        self._model: str | None = None
        self._handed_on: Mapping[str, Any] = {}

    @classmethod
    def of(cls, call: LiveCall, stream: object) -> Self | None:
        """Those of the stream of a call; None for a stream of another kind."""
        kind: type = type(stream)
        fields = getattr(stream, "__dict__", {})
        if not _is_litellm(kind) or not isinstance(fields.get("chunks"), list):
            return None
        see_origin(call, stream)
        if fields.get("custom_llm_provider") == _CACHED:
            call.seen.unbilled = True
        return cls(fields["chunks"])

    def read(self, call: LiveCall, item: object) -> None:
        """Take what has come since the last time; ``item`` is what was handed on."""
        self._handed_on = hidden_params(item)
        self._read_new(call)

    def end(self, call: LiveCall) -> None:
        """The end has come: what the last chunk says of usage is written into it only now."""
        call.seen.usage = _usage_of(self._handed_on.get("usage")) or call.seen.usage
        self._read_new(call)

    def _read_new(self, call: LiveCall) -> None:
        for chunk in self._chunks[self._read :]:
            self._usage = (reply_fields(chunk) or {}).get("usage") or self._usage
            self._model = served_model(hidden_params(chunk)) or self._model
        self._read = len(self._chunks)
        if self._read:  # the streams of a Router hand on what others have read
            call.seen.usage = self._usage
        call.seen.model = self._model or call.seen.model


@lru_cache(maxsize=1024)
def _is_litellm(kind: type) -> bool:
    return any(base.__module__.startswith("litellm.") for base in kind.__mro__)
