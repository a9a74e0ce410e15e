"""``embedding`` and ``aembedding``, metered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from costspan.calling import meter_source, of_core, own_endpoints
from costspan.middleware.functions import watch_function
from costspan.middleware.request import AskedCall, from_arguments
from costspan.middleware.switch import disabled

if TYPE_CHECKING:
    from costspan.core.embedding import EmbeddingArguments, EmbeddingInput
    from costspan.core.embedding_reply import EmbeddingReply
    from costspan.middleware.meter import Meter


def embedding(
    model: str,
    input: EmbeddingInput,
    *,
    meter: Meter | None = None,
    **params: Unpack[EmbeddingArguments],
) -> EmbeddingReply:
    """Get the vectors of one or more texts from any provider, metered.

    Args:
        model: Model with its provider prefix (``openai/text-embedding-3-small``).
        input: A text or a list of texts.
        meter: The Meter to use; by default the one that the configuration describes.
        params: See `costspan.core.embedding.EmbeddingArguments`.

    Returns:
        The vectors in OpenAI's shape, with ``cost`` and ``estimate`` filled.

    Raises:
        APIError: What the provider or the network answered, see `costspan.core.errors`.
    """
    from costspan.core.embedding import embedding as run

    given = {**params, **own_endpoints(meter, params.get("endpoints"))}
    reply: EmbeddingReply = _metered(run, meter)(model, input, **given)
    return reply


async def aembedding(
    model: str,
    input: EmbeddingInput,
    *,
    meter: Meter | None = None,
    **params: Unpack[EmbeddingArguments],
) -> EmbeddingReply:
    """Asynchronous `embedding`."""
    from costspan.core.embedding import aembedding as run

    given = {**params, **own_endpoints(meter, params.get("endpoints"))}
    reply: EmbeddingReply = await _metered(run, meter)(model, input, **given)
    return reply


def _metered(function: Any, meter: Meter | None) -> Any:
    return function if disabled() else watch_function(function, meter_source(meter), _read)


def _read(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall:
    model, given = args
    asked = from_arguments({"model": model, "input": given, **kwargs})
    return of_core(asked._replace(api="embeddings"), kwargs)
