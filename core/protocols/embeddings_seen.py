"""What a body of embeddings says beside its vectors, whichever of the formats it has."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.observation import Observation
from costspan.core.protocols import cohere_embeddings, ollama_embeddings, openai_embeddings


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what an embeddings body says to ``seen``: Cohere's, Ollama's and Titan's differ."""
    if isinstance(event.get("meta"), dict):
        cohere_embeddings.observe(event, seen)
    elif isinstance(event.get("inputTextTokenCount"), int):
        seen.usage = {"inputTextTokenCount": event["inputTextTokenCount"]}
    elif "prompt_eval_count" in event or "embeddings" in event:
        ollama_embeddings.observe(event, seen)
    else:
        openai_embeddings.observe(event, seen)
