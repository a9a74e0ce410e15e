"""Turn a folder of price facts into the catalogue's data files.

Usage: python scripts/build_catalogue.py FACTS [TARGET]

FACTS holds price_facts.csv, aliases.csv, multipliers.csv, schedules.csv, models.csv and a
README.md that says when they were collected; TARGET is the ``pricing`` folder by default. The
files written are plain CSV, sorted. The sources of prices go to ``provenance.csv``, which is read
only when somebody asks for them. What was found wrong in the facts since stands in
``corrections`` beside this script, each with its source. Running it twice on the same facts writes
the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import sys
from base64 import b32encode
from collections.abc import Iterator
from pathlib import Path

from costspan.pricing.files import (
    BY_HAND,
    VERSION,
    Row,
    provenance,
    read_rows,
    version_of,
    write_rows,
)

_IDENTITY = (
    "provider",
    "model",
    "meter",
    "tier",
    "region",
    "band_over",
    "schedule",
    "valid_from",
)
_CONDITION = re.compile(r"(\w+)\s*(=| in | not )\s*([\w,-]+)")
_ATTRIBUTES = {"inference_geo": "region", "is_byok": "byok"}


CORRECTIONS = Path(__file__).with_name("corrections")
_KEYS = {
    "price_facts.csv": _IDENTITY,
    "aliases.csv": ("provider", "alias", "valid_from"),
    "multipliers.csv": ("id",),
    "schedules.csv": ("schedule",),
    "models.csv": ("provider", "model"),
}
"""What a row of facts is recognised by."""


def main(facts: Path, target: Path, corrections: Path = CORRECTIONS) -> None:
    """Build every file; raise ValueError where the facts contradict themselves.

    Args:
        facts: The folder of facts.
        target: The folder to write to.
        corrections: A folder of files like those of the facts, whose rows replace theirs or come
            besides: what was found wrong since, each with its source.
    """
    rows = {name: corrected(facts / name, corrections / name) for name in _KEYS}
    prices = [{**row, "id": row_id(row)} for row in rows["price_facts.csv"]]
    if len({row["id"] for row in prices}) != len(prices):
        raise ValueError("two price rows have one id: their identifying columns are equal")
    tables = {
        "prices.csv": [row for row in prices if "*" not in row["model"]],
        "patterns.csv": [row for row in prices if "*" in row["model"]],
        "multipliers.csv": [condition(row) for row in rows["multipliers.csv"]],
        **{name: rows[name] for name in ("aliases.csv", "schedules.csv", "models.csv")},
    }
    texts = {name: write_rows(name, rows) for name, rows in tables.items()}
    texts["provenance.csv"] = write_rows("provenance.csv", provenance(vouchers(prices, texts)))
    by_hand = {name: (target / name).read_text(encoding="utf-8") for name in BY_HAND}
    day = collected(facts / "README.md")
    texts[VERSION] = version_of(day, {**texts, **by_hand}) + "\n"
    for name, text in texts.items():
        (target / name).write_text(text, encoding="utf-8", newline="")


def corrected(path: Path, corrections: Path) -> list[Row]:
    """Read one file of facts as it is right."""
    found = read(path)
    if not corrections.exists():
        return found
    key = _KEYS[path.name]
    better = {tuple(row[c] for c in key): row for row in read(corrections)}
    kept = [better.pop(tuple(row[c] for c in key), row) for row in found]
    return [*kept, *better.values()]


def vouchers(prices: list[Row], texts: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Give the source of each price row, in the order in which the rows are written."""
    by_id = {row["id"]: row for row in prices}
    for name in ("prices.csv", "patterns.csv"):
        for written in read_rows(texts[name]):
            row = by_id[written["id"]]
            yield row["id"], row["evidence"], row["source"], row["note"]


def read(path: Path) -> list[Row]:
    """Read one file of facts."""
    return read_rows(path.read_text(encoding="utf-8"))


def row_id(row: Row) -> str:
    """Name a price row by what it prices, not by the amount: a correction keeps the id."""
    identity = "\x1f".join(row[column].lower() for column in _IDENTITY)
    return b32encode(hashlib.sha256(identity.encode()).digest()[:5]).decode().lower()


def condition(row: Row) -> Row:
    """Split ``region in us,eu (note)`` into attribute, operator and values."""
    match = _CONDITION.match(row["condition"])
    if match is None:
        raise ValueError(f"multiplier {row['id']}: cannot read {row['condition']!r}")
    attribute, operator, values = match.groups()
    return {
        **row,
        "attribute": _ATTRIBUTES.get(attribute, attribute),
        "operator": "not" if operator.strip() == "not" else "in",
        "values": values.replace(",", "|"),
    }


def collected(readme: Path) -> str:
    """The day on which the facts were collected, as their README says."""
    match = re.search(r"Collected (\d{4}-\d\d-\d\d)", readme.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{readme}: no 'Collected YYYY-MM-DD'")
    return match[1]


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "pricing",
    )
