"""OpenAI embeddings: ``POST {base}/embeddings``, spoken by most providers.

Format as of 2026-11: https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.embedding_reply import Embedding
from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what an embeddings body says to ``seen``."""
    model = event.get("model")
    if isinstance(model, str) and model:
        seen.model = model
    identity = event.get("id")
    if isinstance(identity, str) and identity:
        seen.response_id = identity
    usage = event.get("usage")
    if isinstance(usage, dict):
        seen.usage = usage
    if isinstance(event.get("data"), list):
        seen.complete = True
    if "error" in event:
        seen.note_error(event["error"])


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format, which is its own."""
    params = dict(request.params)
    dropped = refuse_or_drop(params, ("input_type",), request, endpoint)
    if "base64_vectors" in endpoint.quirks:  # shorter, and decoded faster
        params.setdefault("encoding_format", "base64")
    body = {"model": request.model, **params, **request.extra_body}
    return WireRequest("/embeddings", body, request.extra_headers, dropped)


def read(body: JSON, headers: Mapping[str, str], seen: Observation) -> list[Embedding] | None:
    """The vectors in a body; None where it holds none."""
    observe(body, seen)
    data = body.get("data")
    if not isinstance(data, list):
        return None
    found = []
    for position, each in enumerate(data):
        vector = each.get("embedding") if isinstance(each, dict) else None
        if not isinstance(vector, (list, str)):
            return None
        index = each.get("index")
        found.append(Embedding(vector, index if isinstance(index, int) else position))
    return found
