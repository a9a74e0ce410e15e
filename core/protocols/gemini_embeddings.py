"""Gemini embeddings: ``POST {base}/models/{model}:batchEmbedContents``.

Format as of 2026-11: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.embedding_reply import Embedding, numbered
from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.embedding_input import float_only, texts
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

_TASKS = {"search_document": "RETRIEVAL_DOCUMENT", "search_query": "RETRIEVAL_QUERY"}


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = float_only(request.params)
    dropped = refuse_or_drop(params, ("encoding_format", "user"), request, endpoint)
    name = f"models/{request.model.removeprefix('models/')}"
    each: dict[str, object] = {"model": name}
    if "dimensions" in params:
        each["outputDimensionality"] = params["dimensions"]
    kind = params.get("input_type")
    if isinstance(kind, str):
        each["taskType"] = _TASKS.get(kind, kind.upper())
    contents = [{"parts": [{"text": text}]} for text in texts(params["input"], endpoint)]
    body: dict[str, object] = {"requests": [{**each, "content": content} for content in contents]}
    body.update(request.extra_body)
    return WireRequest(f"/{name}:batchEmbedContents", body, request.extra_headers, dropped)


def read(body: JSON, headers: Mapping[str, str], seen: Observation) -> list[Embedding] | None:
    """The vectors in a body; None where it holds none."""
    observe(body, seen)
    data = body.get("embeddings")
    if not isinstance(data, list):
        return None
    return numbered([each.get("values") if isinstance(each, dict) else None for each in data])


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a body says beside its vectors.

    Vertex's older models answer ``:predict``, where each vector has its own count:
    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
    """
    usage = event.get("usageMetadata")
    if isinstance(usage, dict):
        seen.usage = usage
    elif counts := _predicted(event.get("predictions")):
        seen.usage = {"promptTokenCount": sum(counts)}
    if "error" in event:
        seen.note_error(event["error"])


def _predicted(predictions: object) -> list[int]:
    """The tokens of each text; empty unless all of them are told."""
    counts = []
    for each in predictions if isinstance(predictions, list) else ():
        count = each
        for key in ("embeddings", "statistics", "token_count"):
            count = count.get(key) if isinstance(count, dict) else None
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        if not isinstance(count, int):
            return []
        counts.append(count)
    return counts
