"""JSON schemas as Anthropic's structured output takes them.

Rules as of 2026-11: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from costspan.core.errors import BadRequestError

_KEPT = frozenset(
    ("type", "required", "enum", "const", "$ref", "description", "title", "additionalProperties")
)
_MAPS = ("properties", "$defs", "definitions")
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_FORMATS = frozenset(
    (
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "uri",
        "ipv4",
        "ipv6",
        "uuid",
    )
)


def output_format(response_format: Mapping[str, object]) -> dict[str, object]:
    """The ``output_config.format`` for a ``response_format`` of type ``json_schema``.

    Raises:
        BadRequestError: It holds no schema.
    """
    wanted = response_format.get("json_schema")
    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    if not isinstance(wanted, Mapping) or not isinstance(schema, Mapping):
        raise BadRequestError(
            "response_format of type json_schema needs {'json_schema': {'schema': {...}}}",
            provider="anthropic",
        )
    if "description" in wanted:
        schema = {"description": wanted["description"], **schema}
    return {"type": "json_schema", "schema": _supported(schema)}


def _is_kept(name: str, value: object) -> bool:
    if name == "format":
        return isinstance(value, str) and value in _FORMATS
    return name in _KEPT or (name == "minItems" and value in (0, 1))


def _supported(schema: Any) -> Any:
    """A schema in the supported keywords; the bounds that have none are told in the description.

    Objects are closed. One that may have properties of any name is left as it is: the API says
    that it cannot be.
    """
    if not isinstance(schema, Mapping):  # true and false are schemas as well
        return schema
    found: dict[str, Any] = {}
    told = []
    for name, value in schema.items():
        if name in _MAPS:
            found[name] = {key: _supported(each) for key, each in value.items()}
        elif name in _LISTS:
            found[_LISTS[name]] = [_supported(each) for each in value]
        elif name == "items":
            found[name] = _supported(value)
        elif _is_kept(name, value):
            found[name] = value
        elif name not in ("default", "discriminator"):
            told.append(f"{name}: {json.dumps(value)}")
    if found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    if told:
        found["description"] = "\n".join((*filter(None, [found.get("description")]), *told))
    return found
