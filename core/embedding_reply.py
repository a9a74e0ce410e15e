"""Embeddings in OpenAI's shape, whatever the provider's wire format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from costspan.core.reply import OWN_FIELDS
from costspan.core.shape import Shape, Slot
from costspan.core.types import JSON, Usage

if TYPE_CHECKING:
    from costspan.core.attempt import Attempt

Vector: TypeAlias = "list[float] | str"
"""Numbers; a text where the caller asked for ``encoding_format="base64"``."""


@dataclass(slots=True)
class Embedding(Shape):
    """The vector of one input; ``index`` is the place of the input."""

    embedding: Vector
    index: int
    object: str = "embedding"


def numbered(vectors: object) -> list[Embedding] | None:
    """Embeddings of a list of vectors in the order of the inputs; None where it is none."""
    if not isinstance(vectors, list) or not all(isinstance(each, (list, str)) for each in vectors):
        return None
    return [Embedding(vector, index) for index, vector in enumerate(vectors)]


@dataclass(slots=True)
class EmbeddingUsage(Shape):
    """Token counts in OpenAI's shape; None where the provider does not say."""

    prompt_tokens: int | None
    total_tokens: int | None

    @classmethod
    def of(cls, meters: Usage | None) -> EmbeddingUsage | None:
        """OpenAI's view of a usage; None where there is none."""
        if meters is None:
            return None
        total = meters.total_tokens
        return cls(meters.input_tokens, meters.input_tokens if total is None else total)


@dataclass(slots=True)
class EmbeddingReply(Shape):
    """Vectors of one or more texts.

    Attributes:
        data: One embedding for each input, in the order of the inputs.
        model: The model that answered; the one asked for where the provider does not say.
        object: As OpenAI has it.
        usage: Token counts; None where the provider sent none, never zeros.
        meters: The same usage in disjoint buckets.
        provider, api: Canonical ids of who answered, and ``embeddings``.
        endpoint, port: Host and port of the server.
        raw: The body as received.
        dropped_params: Parameters that the wire format lacks and ``drop_params`` left out.
        attempts: The requests that were made for it, failed ones included.
        cost, estimate: What the call cost and was estimated to cost, where it was metered.
    """

    _own = OWN_FIELDS

    data: list[Embedding] = field(default_factory=list)
    model: str | None = None
    object: str = "list"
    usage: EmbeddingUsage | None = None
    meters: Usage | None = None
    provider: str = ""
    api: str = "embeddings"
    endpoint: str | None = None
    port: int | None = None
    raw: JSON | None = None
    dropped_params: tuple[str, ...] = ()
    attempts: Sequence[Attempt] = ()
    cost: Slot = None
    estimate: Slot = None
