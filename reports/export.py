"""The reports as JSON and CSV, for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from costspan.reports.calls import CallRow
from costspan.reports.estimates import EstimateRow
from costspan.reports.spend import SpendReport, SpendRow
from costspan.reports.text import plain_decimal, safe

FORMULA_STARTS = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula, in wide forms too (OWASP, CSV injection)."""

_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")

Records = tuple[list[str], list[dict[str, Any]]]
"""Column names, and rows of plain values: text, numbers, None, mappings."""


def spend_records(report: SpendReport) -> Records:
    """Spend by a key: the first column is named after the key, money is decimal text.

    Amounts are in US dollars, and in the currency of the report beside them.
    """
    names = [report.key_name, *SpendRow._fields[1:]]
    rows = [dict(zip(names, map(_plain, row), strict=True)) for row in report.rows]
    if report.currency is None:
        names.remove("cost")
        return names, [{name: row[name] for name in names} for row in rows]
    return [*names, "currency"], [{**row, "currency": report.currency.code} for row in rows]


def call_records(calls: Sequence[CallRow]) -> Records:
    """The calls with all that `CallRow` holds."""
    names = [field.name for field in fields(CallRow)]
    return names, [{name: _plain(getattr(call, name)) for name in names} for call in calls]


def estimate_records(rows: Sequence[EstimateRow]) -> Records:
    """The estimates' errors as shares: 0.05 is 5 %."""
    return [field.name for field in fields(EstimateRow)], [asdict(row) for row in rows]


def to_json(records: Records) -> str:
    """A JSON list of objects, in ASCII so that nothing in it can steer a terminal."""
    return json.dumps(records[1], indent=2) + "\n"


def to_csv(records: Records) -> str:
    """CSV with a header: RFC 4180 but for the line ends, which are newlines.

    Text that a spreadsheet would run as a formula gets a ``'`` before it. What is not known is an
    empty cell, and text that is empty is ``""``: they are not the same.
    """
    names, rows = records
    lines = [names, *([row[name] for name in names] for row in rows)]
    return "".join(",".join(map(_csv_cell, line)) + "\n" for line in lines)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return dict(value) if isinstance(value, Mapping) else value


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        value = json.dumps(value)
    if not isinstance(value, str):
        return str(value)
    formula = value.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(value)
    text = safe(f"'{value}" if formula else value)
    if not text or any(sign in text for sign in ',;"'):
        return '"' + text.replace('"', '""') + '"'
    return text
