"""One canonical id for each provider, api and service tier, whatever a source calls it."""

from __future__ import annotations

import csv
from functools import cache, lru_cache
from pathlib import Path

_DATA = Path(__file__).with_name("names.csv")


@lru_cache(maxsize=1024)
def canonical_provider(name: str) -> str:
    """Give the canonical id of a provider.

    Args:
        name: Any known spelling: an id, a LiteLLM prefix with or without its slash (``gemini/``),
            an OpenTelemetry name (``gcp.gemini``), a host of its API.

    Returns:
        The canonical id (``google``); an unknown name comes back in lower case as it is.
    """
    key = name.strip().lower()
    spellings = _spellings("provider")
    return spellings.get(key) or spellings.get(key.partition("/")[0]) or key


@lru_cache(maxsize=256)
def canonical_api(name: str) -> str:
    """Give the canonical name of a wire format.

    Args:
        name: Any known spelling (``openai-responses``, ``generate_content``).

    Returns:
        The canonical name (``responses``, ``generateContent``); an unknown name comes back
        in lower case as it is.
    """
    key = name.strip().lower()
    return _spellings("api").get(key, key)


@lru_cache(maxsize=256)
def canonical_tier(name: str) -> str | None:
    """Give the canonical service tier.

    Args:
        name: What a response or a request calls it (``default``, ``ON_DEMAND_FLEX``).

    Returns:
        ``standard``, ``priority``, ``flex``, ``batch``, ``provisioned`` or the name in lower
        case; None for ``auto`` and the empty name, which say nothing.
    """
    key = name.strip().lower()
    return None if key in ("", "auto") else _spellings("tier").get(key, key)


@cache
def known_providers() -> tuple[str, ...]:
    """Give the canonical ids of the providers that names are known of."""
    return tuple(row["canonical"] for row in _rows() if row["kind"] == "provider")


@lru_cache(maxsize=256)
def otel_provider(provider: str) -> str:
    """Give the value of OpenTelemetry's ``gen_ai.provider.name``.

    Args:
        provider: Any spelling of a provider.

    Returns:
        The name in OpenTelemetry's list where there is one, else the canonical id.
    """
    canonical = canonical_provider(provider)
    return _otel_names().get(canonical, canonical)


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with _DATA.open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))


@cache
def _spellings(kind: str) -> dict[str, str]:
    """Map each lower-case spelling of a kind to its canonical form."""
    found: dict[str, str] = {}
    for row in _rows():
        if row["kind"] == kind:
            for spelling in (row["canonical"].lower(), *row["spellings"].split("|")):
                if found.setdefault(spelling, row["canonical"]) != row["canonical"]:
                    raise ValueError(f"names.csv: {kind} {spelling!r} has two meanings")
    return found


@cache
def _otel_names() -> dict[str, str]:
    return {row["canonical"]: row["otel"] for row in _rows() if row["otel"]}
