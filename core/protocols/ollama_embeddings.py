"""Ollama embeddings: ``POST {base}/api/embed``.

Format as of 2026-11: https://docs.ollama.com/api/embed
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


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format."""
    params = float_only(request.params)
    unsupported = ("encoding_format", "input_type", "user")
    dropped = refuse_or_drop(params, unsupported, request, endpoint)
    params["input"] = texts(params["input"], endpoint)
    body = {"model": request.model, **params, **request.extra_body}
    return WireRequest("/api/embed", body, request.extra_headers, dropped)


def read(body: JSON, headers: Mapping[str, str], seen: Observation) -> list[Embedding] | None:
    """The vectors in a body; None where it holds none."""
    observe(body, seen)
    return numbered(body.get("embeddings"))


def observe(event: Mapping[str, object], seen: Observation) -> None:
    """Add what a body says beside its vectors."""
    model, count = event.get("model"), event.get("prompt_eval_count")
    seen.model = model if isinstance(model, str) else None
    if count is not None:
        seen.usage = {"prompt_eval_count": count}
    if "error" in event:
        seen.note_error(event["error"])
