"""Embeddings of Titan and Cohere on Bedrock: ``POST {base}/model/{model}/invoke``.

Formats as of 2026-11:
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from costspan.core.embedding_reply import Embedding, numbered
from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError
from costspan.core.observation import Observation
from costspan.core.protocols.cohere_embeddings import DEFAULT_INPUT_TYPE, vectors
from costspan.core.protocols.embedding_input import float_only, texts
from costspan.core.protocols.unsupported import refuse_or_drop
from costspan.core.request import Request, WireRequest
from costspan.core.types import JSON

_COUNT = "x-amzn-bedrock-input-token-count"


def encode(request: Request, endpoint: Endpoint) -> WireRequest:
    """Put a request into the wire format of the model.

    Raises:
        BadRequestError: The model is of another family, or takes one text and was given several.
    """
    params = float_only(request.params)
    if "cohere.embed" in request.model:
        dropped = refuse_or_drop(params, ("user",), request, endpoint)
        body = _cohere(params, endpoint)
    elif "titan-embed-text" in request.model:
        lacking = ("encoding_format", "input_type", "user")
        dropped = refuse_or_drop(params, lacking, request, endpoint)
        body = _titan(params, endpoint)
    else:
        raise BadRequestError(
            f"no embeddings with {request.model} on Bedrock: supported are amazon.titan-embed-text "
            "and cohere.embed models",
            provider=endpoint.provider,
            model=request.model,
        )
    body.update(request.extra_body)
    path = f"/model/{quote(request.model, safe='')}/invoke"
    return WireRequest(path, body, request.extra_headers, dropped)


def _cohere(params: JSON, endpoint: Endpoint) -> dict[str, object]:
    body: dict[str, object] = {
        "texts": texts(params["input"], endpoint),
        "input_type": params.get("input_type", DEFAULT_INPUT_TYPE),
    }
    if "encoding_format" in params:
        body["embedding_types"] = [params["encoding_format"]]
    if "dimensions" in params:
        body["output_dimension"] = params["dimensions"]
    return body


def _titan(params: JSON, endpoint: Endpoint) -> dict[str, object]:
    found = texts(params["input"], endpoint)
    if len(found) != 1:
        raise BadRequestError(
            f"Titan embeds one text a request, and was given {len(found)}: make a call for each",
            provider=endpoint.provider,
        )
    body: dict[str, object] = {"inputText": found[0]}
    if "dimensions" in params:
        body["dimensions"] = params["dimensions"]
    return body


def read(body: JSON, headers: Mapping[str, str], seen: Observation) -> list[Embedding] | None:
    """The vectors in a body; None where it holds none. Cohere's usage stands in a header."""
    count = body.get("inputTextTokenCount", headers.get(_COUNT))
    if count is not None:
        seen.usage = {"inputTextTokenCount": count}
    if "embedding" in body:
        return numbered([body["embedding"]])
    return vectors(body.get("embeddings"))
