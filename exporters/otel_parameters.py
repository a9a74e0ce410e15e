"""Request parameters as span attributes: the numbers and names of a request, never its content."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

AttributeValue: TypeAlias = "str | bool | int | float | list[str]"

_INT64_LIMIT: Final = 2**63


def clean_text(value: str) -> str:
    """Make a string safe for export: a lone surrogate would cost the whole attribute.

    Args:
        value: Any string.

    Returns:
        The same string, surrogates replaced by ``?``.
    """
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INT64_LIMIT:
        return value
    return None


def _double(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) >= _INT64_LIMIT:
        return None
    return float(value) if math.isfinite(value) else None


def _text(value: object) -> str | None:
    return clean_text(value) if isinstance(value, str) and value else None


def _texts(value: object) -> list[str] | None:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        return None
    return [clean_text(item) for item in values if isinstance(item, str)] or None


def _choices(value: object) -> int | None:
    count = _integer(value)
    return None if count == 1 else count


def _output_type(value: object) -> str | None:
    return value if isinstance(value, str) and value in _OUTPUT_TYPES else None


def _asked_tier(value: object) -> str | None:
    return None if value == "auto" else _text(value)


_OUTPUT_TYPES: Final = frozenset({"text", "json", "image", "speech"})

_Rule: TypeAlias = "tuple[str, Callable[[object], AttributeValue | None]]"

_RULES: Final[Mapping[str, _Rule]] = {
    "temperature": ("gen_ai.request.temperature", _double),
    "top_p": ("gen_ai.request.top_p", _double),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", _double),
    "presence_penalty": ("gen_ai.request.presence_penalty", _double),
    "top_k": ("gen_ai.request.top_k", _integer),
    "seed": ("gen_ai.request.seed", _integer),
    "max_tokens": ("gen_ai.request.max_tokens", _integer),
    "n": ("gen_ai.request.choice.count", _choices),
    "stop": ("gen_ai.request.stop_sequences", _texts),
    "stop_sequences": ("gen_ai.request.stop_sequences", _texts),
    "reasoning_effort": ("gen_ai.request.reasoning.level", _text),
    "output_type": ("gen_ai.output.type", _output_type),
    "previous_response_id": ("gen_ai.request.previous_response.id", _text),
    "dimensions": ("gen_ai.embeddings.dimension.count", _integer),
    "encoding_format": ("gen_ai.request.encoding_formats", _texts),
}
"""Parameter name -> attribute and how to read the value (semantic-conventions-genai v0.1.0)."""

_OPENAI_RULES: Final[Mapping[str, _Rule]] = {
    "service_tier": ("openai.request.service_tier", _asked_tier),
}


def parameter_attributes(
    parameters: Mapping[str, object], *, openai: bool
) -> dict[str, AttributeValue]:
    """Translate request parameters to span attributes.

    A value of an unexpected type (an SDK's "not given" sentinel, NaN, a number over 64 bits) is
    left out: it was not sent, or it cannot be exported.

    Args:
        parameters: Parameters by name, as ``Call.request_params`` has them.
        openai: Whether the provider is OpenAI; ``openai.*`` is emitted for no other.

    Returns:
        Attributes, only those that have a value.
    """
    attributes: dict[str, AttributeValue] = {}
    for name, value in parameters.items():
        rule = _RULES.get(name) or (_OPENAI_RULES.get(name) if openai else None)
        if rule is not None:
            attribute, read = rule
            found = read(value)
            if found is not None:
                attributes[attribute] = found
    return attributes
