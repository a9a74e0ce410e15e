"""Bundled SQL files, and the one way they are run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Protocol

from costspan.exporters.ledger.row import storable

_PARAMETER = re.compile(r"\$([a-z_]+)")


class Reader(Protocol):
    """A ledger that is open for reading, with the views ``calls`` and ``call_requests``."""

    def execute(
        self, sql: str, params: dict[str, object], /
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a query; return the names of its columns, and its rows."""


@cache
def bundled_sql(name: str) -> str:
    """The text of ``reports/<name>.sql``."""
    return resources.files("costspan.reports").joinpath(f"{name}.sql").read_text("utf-8")


def fetch(reader: Reader, sql: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """Run a query.

    Args:
        reader: The open ledger.
        sql: The query, with named parameters (``$since``).
        parameters: At least what the query names; DuckDB refuses what it does not.

    Returns:
        Its rows, each as column name -> value.
    """
    named = {name: _stored(parameters[name]) for name in _PARAMETER.findall(sql)}
    columns, rows = reader.execute(sql, named)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _stored(value: object) -> object:
    return storable(value) if isinstance(value, str) else value
