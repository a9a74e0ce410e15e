"""LiteLLM's spend logs: rows of its table ``LiteLLM_SpendLogs``, exported or asked of its API.

Columns and their meaning as in LiteLLM's own schema (schema.prisma, 2026-11). Its ``spend`` is
what its price list made of the call; 0 stands for unknown, too. Prompts, replies, hashes of keys
and addresses of users are among the columns, and are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from costspan.core.naming import canonical_api, canonical_provider, known_providers
from costspan.exporters.importers.documents import Item
from costspan.exporters.importers.fields import (
    UnreadableError,
    instant,
    mapping,
    microseconds,
    positive_usd,
    text,
    texts,
    whole,
)
from costspan.exporters.importers.noted import Noted
from costspan.middleware.record import ErrorFacts
from costspan.middleware.request import UNKNOWN_PROVIDER, provider_of_reply, unprefixed
from costspan.middleware.tags import named_tags

FORM = "litellm"

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_FAILURE = "failure"
_UNNAMED_ERROR = "litellm.Error"
_STATUSES = range(100, 600)


def is_record(item: Item) -> bool:
    """Whether an object is a row of the table."""
    return "request_id" in item and "startTime" in item and "spend" in item


def read(item: Item) -> Noted | None:
    """Read one row.

    Args:
        item: For which `is_record` holds; values of a CSV are text.

    Returns:
        None for a row of something that is no call of a model.

    Raises:
        UnreadableError: It has no id or no times.
    """
    identity = text(item["request_id"])
    if not identity:
        raise UnreadableError
    started_at = instant(item["startTime"])
    ended_at = instant(item.get("endTime") or item["startTime"])
    metadata = mapping(item.get("metadata"))
    api = canonical_api(text(item.get("call_type")) or "chat")
    provider, model = _model(item, api)
    error = _error(item, metadata)
    # An answer out of LiteLLM's own cache: no provider was asked, so nothing was used.
    cached = text(item.get("cache_hit")).lower() == "true"
    usage = None if cached else _usage(item, metadata)
    if not model and usage is None and error is None:
        return None
    ended_at = max(started_at, ended_at)
    noted = Noted(FORM, identity, provider, api, model, started_at, ended_at, usage, FORM, "usage")
    return _with_circumstances(noted, item, metadata)._replace(free=cached, error=error)


def _with_circumstances(noted: Noted, item: Item, metadata: Mapping[str, Any]) -> Noted:
    """Add how long it took, whose it was, and what LiteLLM took it to cost."""
    took = microseconds(noted.started_at, noted.ended_at) or None  # 0 where the end is not told
    return noted._replace(
        tokens=sum(whole(item.get(name)) for name in _COUNTS),
        told_usd=positive_usd(item.get("spend")),
        model_requested=text(item.get("model_group")) or text(item.get("model")) or None,
        tags=_tags(item, metadata),
        response_id=noted.identity,
        session_id=text(item.get("session_id")) or None,
        endpoint=_host(text(item.get("api_base"))),
        latency_us=took,
        ttft_us=_first_chunk_us(item, took),
    )


def _model(item: Item, api: str) -> tuple[str, str]:
    """The provider, and the model as that one calls it."""
    named = text(item.get("model"))
    said = text(item.get("custom_llm_provider"))
    provider = canonical_provider(said) if said else _provider_of_prefix(named)
    provider = provider or provider_of_reply(api, named) or UNKNOWN_PROVIDER
    return provider, unprefixed(provider, named)


def _provider_of_prefix(model: str) -> str | None:
    """The provider that a routing prefix names (``azure/gpt-4o``); None without one."""
    prefix, slash, _ = model.partition("/")
    provider = canonical_provider(prefix)
    return provider if slash and provider in known_providers() else None


def _usage(item: Item, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """The usage in LiteLLM's own form; None where no token was counted: unknown is not 0."""
    counts = {name: whole(item.get(name)) for name in _COUNTS}
    usage = dict(mapping(metadata.get("usage_object")))
    if not any(usage.values()):
        if not any(counts.values()):
            return None
        usage = dict(counts)
    more = mapping(metadata.get("additional_usage_values"))
    for name in ("prompt_tokens_details", "completion_tokens_details", "server_tool_use"):
        if not usage.get(name) and more.get(name):
            usage[name] = more[name]
    for name, inside in _CACHE_COUNTS:
        told = whole(usage.get(name)) or whole(more.get(name))
        details = dict(mapping(usage.get("prompt_tokens_details")))
        if told and not details.get(inside):
            usage["prompt_tokens_details"] = {**details, inside: told}
    return usage


_CACHE_COUNTS = (
    ("cache_read_input_tokens", "cached_tokens"),
    ("cache_creation_input_tokens", "cache_creation_tokens"),
)


def _tags(item: Item, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Whose call it was; the tags of the request, ``name:value`` as a tag of its own."""
    found = {
        "end_user": text(item.get("end_user")),
        "user": text(item.get("user")),
        "team": text(metadata.get("user_api_key_team_alias")) or text(item.get("team_id")),
        "key_alias": text(metadata.get("user_api_key_alias")),
    }
    return {**named_tags(texts(item.get("request_tags"))), **{k: v for k, v in found.items() if v}}


def _error(item: Item, metadata: Mapping[str, Any]) -> ErrorFacts | None:
    """What is kept of an error: its class and HTTP status, never its message."""
    if _FAILURE not in (text(item.get("status")), text(metadata.get("status"))):
        return None
    said = mapping(metadata.get("error_information"))
    kind = text(said.get("error_class"))
    status = whole(said.get("error_code"))
    return ErrorFacts(
        f"litellm.{kind}" if kind.isidentifier() else _UNNAMED_ERROR,
        status if status in _STATUSES else None,
    )


def _first_chunk_us(item: Item, took_us: int | None) -> int | None:
    """When a streamed answer began; of one that was not streamed, that is noted as its end."""
    if not text(item.get("completionStartTime")) or took_us is None:
        return None
    try:
        first = microseconds(instant(item["startTime"]), instant(item["completionStartTime"]))
    except UnreadableError:
        return None
    return first if 0 <= first < took_us else None


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
