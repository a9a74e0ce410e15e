"""Turn a folder of price facts into the catalogue's data files.

Usage: python scripts/build_catalogue.py FACTS [TARGET]

FACTS holds price_facts.csv, aliases.csv, multipliers.csv, schedules.csv, models.csv and a
README.md that says when they were collected; TARGET is the ``pricing`` folder by default. The
files written are plain CSV, sorted. The sources of prices go to ``provenance.csv``, which is read
only when somebody asks for them. Running it twice on the same facts writes the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from base64 import b32encode
from collections.abc import Iterable
from pathlib import Path

Row = dict[str, str]

PRICES = "provider,model,meter,amount_usd,per,valid_from,valid_to,tier,region,band_over,"
COLUMNS = {
    "prices.csv": PRICES + "band_inclusive,schedule,id",
    "patterns.csv": PRICES + "band_inclusive,schedule,id",
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
BY_HAND = ("families.csv", "fixed_tokens.csv", "hosts.csv", "minimums.csv", "request_fees.csv")
"""Files that are kept in TARGET by hand; they count for the version."""

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


def main(facts: Path, target: Path) -> None:
    """Build every file; raise ValueError where the facts contradict themselves."""
    prices = [{**row, "id": row_id(row)} for row in read(facts / "price_facts.csv")]
    if len({row["id"] for row in prices}) != len(prices):
        raise ValueError("two price rows have one id: their identifying columns are equal")
    prices = sort(prices, *PRICES.strip(",").split(","))
    tables = {
        "prices.csv": [row for row in prices if "*" not in row["model"]],
        "patterns.csv": [row for row in prices if "*" in row["model"]],
        "aliases.csv": sort(read(facts / "aliases.csv"), "provider", "alias", "valid_from"),
        "multipliers.csv": [condition(row) for row in read(facts / "multipliers.csv")],
        "schedules.csv": read(facts / "schedules.csv"),
        "models.csv": sort(read(facts / "models.csv"), "provider", "model"),
        "provenance.csv": provenance(prices),
    }
    texts = {name: table(COLUMNS[name].split(","), rows) for name, rows in tables.items()}
    by_hand = [(target / name).read_text(encoding="utf-8") for name in BY_HAND]
    digest = hashlib.sha256("".join([*texts.values(), *by_hand]).encode()).hexdigest()
    texts["version.txt"] = f"{collected(facts / 'README.md')}+{digest[:8]}\n"
    for name, text in texts.items():
        (target / name).write_text(text, encoding="utf-8", newline="")


def read(path: Path) -> list[Row]:
    """Read one file of facts."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


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


def provenance(prices: list[Row]) -> list[Row]:
    """Group the row ids by what vouches for them."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for row in prices:
        grouped.setdefault((row["evidence"], row["source"], row["note"]), []).append(row["id"])
    return [
        {"evidence": evidence, "source": source, "note": note, "ids": " ".join(ids)}
        for (evidence, source, note), ids in sorted(grouped.items())
    ]


def collected(readme: Path) -> str:
    """The day on which the facts were collected, as their README says."""
    match = re.search(r"Collected (\d{4}-\d\d-\d\d)", readme.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{readme}: no 'Collected YYYY-MM-DD'")
    return match[1]


def sort(rows: list[Row], *columns: str) -> list[Row]:
    """Order rows by columns without regard to case."""
    return sorted(rows, key=lambda row: [row[column].lower() for column in columns])


def table(columns: list[str], rows: Iterable[Row]) -> str:
    """Write rows as CSV text with Unix line ends."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "pricing",
    )
