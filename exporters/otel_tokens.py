"""Token totals as OpenTelemetry counts them: inclusive sums, and their split by modality."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from costspan.core.types import Usage, UsageSource
from costspan.middleware.record import ProviderRequest

INPUT: Final = "tokens.in"
OUTPUT: Final = "tokens.out"
CACHE_READ: Final = "tokens.in.cache_read"
CACHE_WRITE: Final = "tokens.in.cache_write"
REASONING: Final = "tokens.out.reasoning"

UNKNOWN: Final = "unknown"
"""The modality of tokens that the provider did not break down."""

_NAMED = ("audio", "image")
_SOURCES: tuple[UsageSource, ...] = ("partial", "estimated", "provider")


def tokens_by_modality(usage: Usage | None, meter: str) -> dict[str, int]:
    """Split the tokens of a meter and everything below it by modality.

    A bucket that names its modality has that one. ``tokens.in.text`` is what is left of the
    prompt once the named buckets are taken out, so it is ``text`` only where the provider named
    audio or image tokens beside it; the same goes for the cache. All else is ``unknown``, as the
    conventions ask for (semantic-conventions-genai, ``gen_ai.token.modality``, September 2026).

    Args:
        usage: The usage of one request; None counts as nothing reported.
        meter: A meter or the stem of several (``tokens.in``, ``tokens.in.cache_read``).

    Returns:
        Tokens per modality (``text``, ``image``, ``audio``, ``unknown``). The values sum to the
        total of the meter. Empty when nothing was reported.
    """
    split: dict[str, int] = {}
    if usage is not None:
        for name, quantity in usage.buckets.items():
            if name == meter or name.startswith(f"{meter}."):
                modality = _modality(name, usage)
                split[modality] = split.get(modality, 0) + int(quantity)
    return split


def _modality(name: str, usage: Usage) -> str:
    leaf = name.rpartition(".")[2]
    if leaf in _NAMED:
        return leaf
    side = name.removesuffix(".text")
    if name not in (f"{INPUT}.text", f"{OUTPUT}.text", CACHE_READ):
        return UNKNOWN
    return "text" if any(f"{side}.{other}" in usage.buckets for other in _NAMED) else UNKNOWN


def total_by_modality(requests: Iterable[ProviderRequest], meter: str) -> dict[str, int]:
    """Sum `tokens_by_modality` over requests.

    Args:
        requests: The requests of a call.
        meter: A meter or the stem of several.

    Returns:
        Tokens per modality, empty when no request reported any.
    """
    total: dict[str, int] = {}
    for request in requests:
        for modality, tokens in tokens_by_modality(request.usage, meter).items():
            total[modality] = total.get(modality, 0) + tokens
    return total


def total_tokens(requests: Iterable[ProviderRequest], meter: str) -> int | None:
    """Sum the tokens of a meter over requests; None when no request reported any."""
    split = total_by_modality(requests, meter)
    return sum(split.values()) if split else None


def weakest_source(requests: Iterable[ProviderRequest]) -> UsageSource | None:
    """Say how far the token counts of a call can be trusted.

    Args:
        requests: The requests of a call.

    Returns:
        The weakest source among the requests whose usage is known; None when none is.
    """
    found = {request.usage.source for request in requests if request.usage is not None}
    return next((source for source in _SOURCES if source in found), None)
