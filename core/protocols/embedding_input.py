"""What the embeddings of several wire formats ask of their input."""

from __future__ import annotations

from collections.abc import Sequence

from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError
from costspan.core.types import JSON


def float_only(params: JSON) -> dict[str, object]:
    """The parameters without the encoding that asks for what every provider does."""
    return {k: v for k, v in params.items() if (k, v) != ("encoding_format", "float")}


def texts(given: object, endpoint: Endpoint) -> list[str]:
    """The input as texts.

    Raises:
        BadRequestError: It holds token ids, which only OpenAI's wire format takes.
    """
    found = [given] if isinstance(given, str) else given
    if isinstance(found, Sequence) and all(isinstance(each, str) for each in found):
        return list(found)
    raise BadRequestError(
        f"{endpoint.provider} takes texts as input of embeddings, and no token ids",
        provider=endpoint.provider,
    )
