"""Whether one spooled line can be a row, looked at when the database refused a batch."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from uuid import UUID

import orjson

from costspan.exporters.ledger.schema import CALL_COLUMNS, REQUIRED

MAX_LINE_BYTES = 16 << 20
"""What DuckDB is told to take at least; where it refuses, longer lines are no calls."""

_TYPES = {name: kind.removesuffix(" NOT NULL") for name, kind in CALL_COLUMNS}
_BITS = {"SMALLINT": 15, "INTEGER": 31, "BIGINT": 63, "TIMESTAMP": 60}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def acceptable(line: bytes) -> bool:
    """Tell whether a line is valid JSON that has the required columns, with values that fit.

    Args:
        line: A line of a segment, without its newline.
    """
    if len(line) > MAX_LINE_BYTES or b"\0" in line:
        return False
    try:
        columns = orjson.loads(line)
    except ValueError:
        return False
    if not isinstance(columns, dict):
        return False
    if any(columns.get(name) is None for name in REQUIRED):
        return False
    return all(
        value is None or name not in _TYPES or _fits(value, _TYPES[name])
        for name, value in columns.items()
    )


def _fits(value: object, kind: str) -> bool:
    if kind in _BITS:
        return type(value) is int and -(2 ** _BITS[kind]) <= value < 2 ** _BITS[kind]
    if kind == "VARCHAR":
        return isinstance(value, str)
    if kind == "BOOLEAN":
        return isinstance(value, bool)
    if kind == "UUID":
        return _is_uuid(value)
    if kind.startswith("MAP"):
        return isinstance(value, dict) and all(_is_decimal(one, kind) for one in value.values())
    return kind == "JSON" or _is_decimal(value, kind)


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and UUID(value) is not None
    except ValueError:
        return False


def _is_decimal(value: object, kind: str) -> bool:
    found = _DECIMAL.search(kind)
    if found is None or not isinstance(value, str | int) or isinstance(value, bool):
        return False
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    return number.is_finite() and abs(number) < 10 ** (int(found[1]) - int(found[2]))
