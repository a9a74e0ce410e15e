"""The files of a catalogue: which there are, their columns, their order, and their version."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping

Row = dict[str, str]

_PRICES = (
    "provider,model,meter,amount_usd,per,valid_from,valid_to,tier,region,band_over,"
    "band_inclusive,schedule,id"
)
COLUMNS = {
    "prices.csv": _PRICES,
    "patterns.csv": _PRICES,
    "aliases.csv": "provider,alias,target,valid_from,valid_to,source,note",
    "multipliers.csv": (
        "id,factor,applies_to,provider,model,attribute,operator,values,valid_from,valid_to,"
        "evidence,source,note"
    ),
    "schedules.csv": "schedule,timezone,days,windows,except_dates,clock,source",
    "models.csv": (
        "provider,model,context_window,max_output,released,deprecated_on,modalities,tokenizer,"
        "supports"
    ),
    "provenance.csv": "evidence,source,note,ids",
}
"""The files that are made from facts, and their columns."""

BY_HAND = ("families.csv", "fixed_tokens.csv", "hosts.csv", "minimums.csv", "request_fees.csv")
"""Files that are kept by hand; they count for the version."""

VERSION = "version.txt"

_ORDER = {
    "prices.csv": _PRICES.split(",")[:-2],
    "patterns.csv": _PRICES.split(",")[:-2],
    "aliases.csv": ["provider", "alias", "valid_from"],
    "models.csv": ["provider", "model"],
}
"""The files that are searched as sorted text, and by what they are sorted."""


def read_rows(text: str) -> list[Row]:
    """Read a file of the catalogue."""
    return list(csv.DictReader(io.StringIO(text)))


def write_rows(name: str, rows: Iterable[Row], columns: str | None = None) -> str:
    """Write a file of the catalogue, in its order.

    Args:
        name: Its name.
        rows: May have more columns than the file.
        columns: Its columns, if they are not those of `COLUMNS`.
    """
    out = io.StringIO()
    names = (columns or COLUMNS[name]).split(",")
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    order = _ORDER.get(name)
    if order:
        rows = sorted(rows, key=lambda row: [row[column].lower() for column in order])
    writer.writerows(rows)
    return out.getvalue()


def provenance(sources: Iterable[tuple[str, str, str, str]]) -> list[Row]:
    """Group row ids by what vouches for them.

    Args:
        sources: Id, evidence, source and note of each row, in the order of the rows.
    """
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for one, *voucher in sources:
        evidence, source, note = voucher
        grouped.setdefault((evidence, source, note), []).append(one)
    return [
        {"evidence": evidence, "source": source, "note": note, "ids": " ".join(ids)}
        for (evidence, source, note), ids in sorted(grouped.items())
    ]


def version_of(day: str, texts: Mapping[str, str]) -> str:
    """Give the version of a catalogue: the day of its facts and a hash of its files."""
    content = "".join(texts[name] for name in (*COLUMNS, *BY_HAND))
    return f"{day}+{hashlib.sha256(content.encode()).hexdigest()[:8]}"
