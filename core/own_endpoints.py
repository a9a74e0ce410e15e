"""Endpoints of the user's own, from a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import described
from costspan.core.protocols import COMPLETING

_SAMPLE = Endpoint("sample")
_FIELDS = tuple(f.name for f in fields(Endpoint) if f.name not in ("provider", "names"))


def own_endpoints(table: Mapping[str, object]) -> dict[str, Endpoint]:
    """Endpoints from a table as it stands in a configuration file.

    ```toml
    [endpoints.intranet]
    base_url = "https://llm.intranet.example/v1"
    key = "INTRANET_LLM_KEY"
    ```

    Args:
        table: The fields of `Endpoint` by the name that stands before the slash in
            ``name/model``. Each needs a ``base_url``; where a list is wanted, one text will do.
            A key is required if there is a variable for it.

    Raises:
        ValueError: A field does not exist or cannot be used; the text names it.
    """
    return {name: _own(f"endpoints.{name}", name, found) for name, found in table.items()}


def _own(place: str, name: str, found: object) -> Endpoint:
    if not isinstance(found, Mapping) or not isinstance(found.get("base_url"), str):
        raise ValueError(f"{place}: give a table with a base_url")
    plain: dict[str, object] = {"key_required": "key" in found}
    for field, value in found.items():
        if field not in _FIELDS:
            raise ValueError(f"{place}.{field} does not exist; allowed: {', '.join(_FIELDS)}")
        plain[field] = _checked(f"{place}.{field}", value, getattr(_SAMPLE, field))
    made = described(name, plain)
    for api in (made.protocol, *made.protocols):
        if api not in COMPLETING:
            raise ValueError(f"{place}.protocol = {api!r}: allowed are {', '.join(COMPLETING)}")
    return made


def _checked(place: str, value: object, default: object) -> object:
    if isinstance(default, tuple):
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            return listed
        raise ValueError(f"{place} = {value!r}: give a list of texts")
    wanted = {bool: "true or false", dict: "a table", str: "a text"}
    kind = type(default) if default is not None else type(value)
    if type(value) is not kind:
        raise ValueError(f"{place} = {value!r}: give {wanted.get(kind, 'another value')}")
    return value
