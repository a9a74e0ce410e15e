"""JSON schemas in OpenAI's strict mode.

Rules as of 2026-11: https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costspan.core.types import JSON

_SCHEMAS = ("items", "additionalProperties", "not")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMA_MAPS = ("properties", "$defs", "definitions", "patternProperties")


def strict_schema(schema: JSON) -> JSON:
    """A schema as strict mode wants it.

    Objects are closed and all their properties required, so defaults mean nothing; a reference
    has nothing beside it; ``oneOf`` is ``anyOf``. Objects that may have properties of any name
    are left as they are: see `is_open`.
    """
    found: JSON = _strict(schema, schema, ())
    return found


def _strict(schema: Any, root: JSON, inlined: tuple[str, ...]) -> Any:
    """The same for a part of a schema.

    Args:
        schema: The schema, or a part of one.
        root: The whole schema, for its references.
        inlined: References that are being replaced, for models that contain themselves.
    """
    if not isinstance(schema, Mapping):  # true and false are schemas as well
        return schema
    if len(schema.get("allOf", ())) == 1:  # how pydantic before 2.9 puts something beside one
        schema = {**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}
    reference = schema.get("$ref")
    if isinstance(reference, str) and len(schema) > 1:
        beside = {k: v for k, v in schema.items() if k not in ("$ref", "default")}
        if not beside or reference in inlined:
            return {"$ref": reference}
        target = _referred(reference, root)
        return _strict({**target, **beside}, root, (*inlined, reference))
    found = {k: v for k, v in schema.items() if k not in ("default", "discriminator")}
    for name in _SCHEMAS:
        if name in found:
            found[name] = _strict(found[name], root, inlined)
    for name in _SCHEMA_LISTS:
        if name in found:
            found[name] = [_strict(each, root, inlined) for each in found[name]]
    for name in _SCHEMA_MAPS:
        if name in found:
            found[name] = {k: _strict(v, root, inlined) for k, v in found[name].items()}
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
    if found.get("type") == "object":
        found.setdefault("additionalProperties", False)
        found["required"] = list(found.get("properties", ()))
    return found


def _referred(reference: str, root: JSON) -> JSON:
    found: Any = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name.replace("~1", "/").replace("~0", "~")]
    target: JSON = found
    return target


def is_open(schema: object) -> bool:
    """Whether an object in it may have properties of any name, which strict mode cannot say."""
    if isinstance(schema, list):
        return any(map(is_open, schema))
    if not isinstance(schema, Mapping):
        return False
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return True
    return any(map(is_open, schema.values()))
