"""Cohere rerankings, ``POST {base}/v2/rerank`` and ``/v1/rerank``: billed by the search unit.

Format as of 2026-11: https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation
from costspan.core.protocols import cohere_embeddings


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a body says to ``seen``: its id and its ``meta``, as embeddings have them."""
    cohere_embeddings.observe(event, seen)
