"""Cohere embeddings: ``POST {base}/v2/embed``.

Format as of 2026-11: https://docs.cohere.com/reference/embed
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.embedding_reply import Embedding, numbered
from costspan.core.endpoint import Endpoint
from costspan.core.observation import Observation
from costspan.core.protocols.embedding_input import texts
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

# The format requires one; the texts of a corpus are what most embeddings are made of.
DEFAULT_INPUT_TYPE = "search_document"


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = dict(request.params)
    dropped = refuse_or_drop(params, ("user",), request, endpoint)
    body: dict[str, object] = {
        "model": request.model,
        "texts": texts(params["input"], endpoint),
        "input_type": params.get("input_type", DEFAULT_INPUT_TYPE),
        "embedding_types": [params.get("encoding_format", "float")],
    }
    if "dimensions" in params:
        body["output_dimension"] = params["dimensions"]
    body.update(request.extra_body)
    return WireRequest("/v2/embed", body, request.extra_headers, dropped)


def read(body: JSON, headers: Mapping[str, str], seen: Observation) -> list[Embedding] | None:
    """The vectors in a body, those of its first type; None where it holds none."""
    observe(body, seen)
    return vectors(body.get("embeddings"))


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a body says beside its vectors; rerankings say it in the same way."""
    identity, usage = event.get("id"), event.get("meta")
    seen.response_id = identity if isinstance(identity, str) else None
    if isinstance(usage, dict):
        seen.usage = usage


def vectors(found: object) -> list[Embedding] | None:
    """Vectors as the API gives them: a list for each type asked for, or one list."""
    if isinstance(found, Mapping):
        found = next((each for each in found.values() if isinstance(each, list)), None)
    return numbered(found)
