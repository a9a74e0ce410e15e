"""Adds what a newer catalogue has to ours: rows are added and ended, none is changed or lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from costspan.pricing.errors import UpdateError
from costspan.pricing.files import (
    BY_HAND,
    COLUMNS,
    VERSION,
    Row,
    provenance,
    read_rows,
    version_of,
    write_rows,
)
from costspan.pricing.rows import multiplier, period, price
from costspan.pricing.schedules import Schedule

_PRICES = ("prices.csv", "patterns.csv")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "prices.csv": ("id",),
    "patterns.csv": ("id",),
    "aliases.csv": ("provider", "alias", "valid_from"),
    "multipliers.csv": ("id",),
    "schedules.csv": ("schedule",),
    "models.csv": ("provider", "model"),
}
"""What a row of each file is recognised by."""

_SPANS: Mapping[str, tuple[str, ...]] = {
    "prices.csv": ("provider", "model", "meter", "tier", "region", "band_over", "schedule"),
    "patterns.csv": ("provider", "model", "meter", "tier", "region", "band_over", "schedule"),
    "aliases.csv": ("provider", "alias"),
}
"""What two rows must not say for one time."""


@dataclass
class Update:
    """What an update does.

    Attributes:
        texts: The files of the new catalogue.
        version: Its version.
        changed: Whether it does anything.
        added: New rows per file.
        ended: Open rows per file that the newer catalogue ends.
        kept: What the newer catalogue says otherwise, one line each; ours was kept.
    """

    texts: dict[str, str] = field(default_factory=dict)
    version: str = ""
    changed: bool = False
    added: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def updated(ours: Mapping[str, str], theirs: Mapping[str, str], name: str) -> Update:
    """Add the rows of a newer catalogue.

    A row is the same if it has the same id, which is a hash of what it prices. Of such rows only
    an open end can be set, never an amount. Facts about models (context window, shutdown) and
    the holidays of schedules are taken over.

    Args:
        ours, theirs: Text of each file of a catalogue, see `costspan.pricing.files`.
        name: What to call theirs in messages.

    Raises:
        UpdateError: Theirs is no catalogue, or not newer.
    """
    try:
        _check(ours, theirs)
    except ValueError as error:
        raise UpdateError(f"{name}: {error}") from error
    update = Update()
    for file in _KEYS:
        rows = _merged(file, read_rows(ours[file]), read_rows(theirs[file]), update)
        update.texts[file] = write_rows(file, rows)
    update.texts["provenance.csv"] = _sources(update.texts, ours, theirs)
    for file in BY_HAND:
        update.texts[file] = _united(file, ours[file], theirs[file])
    update.changed = any(text != ours[file] for file, text in update.texts.items())
    day = theirs[VERSION].partition("+")[0].strip()
    update.version = version_of(day, update.texts)
    update.texts[VERSION] = update.version + "\n"
    return update


def _check(ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Refuse what cannot be read whole: a wrong price is worse than an old one."""
    if missing := [name for name in (*COLUMNS, *BY_HAND, VERSION) if name not in theirs]:
        raise ValueError(f"is no catalogue: {', '.join(missing)} is missing")
    if (day := theirs[VERSION][:10]) < ours[VERSION][:10]:
        raise ValueError(f"is of {day}, older than the catalogue in force: {ours[VERSION][:10]}")
    readers: dict[str, Callable[[Row], object]] = {
        **dict.fromkeys(_PRICES, price),
        "aliases.csv": period,
        "multipliers.csv": multiplier,
        "schedules.csv": Schedule.parse,
    }
    vouched = {i for r in read_rows(theirs["provenance.csv"]) for i in r["ids"].split()}
    for name, columns in COLUMNS.items():
        header, _, _ = theirs[name].partition("\n")
        if header.strip() != columns:
            raise ValueError(f"{name} has other columns: upgrade costspan (pip install -U)")
        read = readers.get(name, dict)
        for number, row in enumerate(read_rows(theirs[name]), start=2):
            try:
                if None in row or None in row.values():
                    raise ValueError("it has too few or too many cells")
                read(row)
                if name in _PRICES and row["id"] not in vouched:
                    raise ValueError("it has no source")
            except (ValueError, ArithmeticError, LookupError) as error:
                raise ValueError(f"{name}, row {number}, cannot be read: {error}") from error


def _merged(name: str, ours: list[Row], theirs: list[Row], update: Update) -> list[Row]:
    """Our rows of a file, with what is to be added and ended."""
    by_key = {_key(name, row): row for row in ours}
    fresh: list[Row] = []
    for row in theirs:
        mine = by_key.get(_key(name, row))
        if mine is None:
            fresh.append(row)
        elif mine != row:
            by_key[_key(name, row)] = _settled(name, mine, row, update)
    rows = list(by_key.values())
    for row in fresh:
        if clash := _clash(name, row, rows):
            update.kept.append(f"{_said(row)} is not added: ours from {clash['valid_from']} holds")
        else:
            rows.append(row)
            update.added[name] = update.added.get(name, 0) + 1
    return rows


def _settled(name: str, mine: Row, row: Row, update: Update) -> Row:
    """Of two rows for the same: ours, ended if theirs ends it."""
    differing = {column for column in row if row[column] != mine[column]}
    ends = differing == {"valid_to"} and not mine["valid_to"]
    holidays = set(mine.get("except_dates", "").split(";"))
    if ends:
        update.ended[name] = update.ended.get(name, 0) + 1
        return row
    if name == "models.csv":
        return row
    if differing == {"except_dates"} and holidays <= set(row["except_dates"].split(";")):
        return row
    if differing - {"note", "source"}:
        what = ", ".join(f"{c} {mine[c] or '-'}, not {row[c] or '-'}" for c in sorted(differing))
        update.kept.append(f"{_said(mine)}: {what}")
    return mine


def _clash(name: str, row: Row, rows: Iterable[Row]) -> Row | None:
    """The row that already says something for the same time, if there is one."""
    columns = _SPANS.get(name)
    if columns is None:
        return None
    start, end = period(row)
    for other in rows:
        if all(other[c].lower() == row[c].lower() for c in columns):
            since, until = period(other)
            if start < until and since < end:
                return other
    return None


def _key(name: str, row: Row) -> tuple[str, ...]:
    return tuple(row[column].lower() for column in _KEYS[name])


def _said(row: Row) -> str:
    shown = ("provider", "model", "alias", "meter", "tier", "region", "schedule", "valid_from")
    return " ".join(row[column] for column in shown if row.get(column))


def _sources(merged: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """What vouches for each row; ours of a row that both have."""
    known = {
        one: (row["evidence"], row["source"], row["note"])
        for texts in (theirs, ours)
        for row in read_rows(texts["provenance.csv"])
        for one in row["ids"].split()
    }
    ids = [row["id"] for name in _PRICES for row in read_rows(merged[name])]
    return write_rows("provenance.csv", provenance((one, *known[one]) for one in ids))


def _united(name: str, ours: str, theirs: str) -> str:
    """The rows of both, each once."""
    columns = ours.partition("\n")[0]
    rows = {tuple(row.items()): row for row in (*read_rows(ours), *read_rows(theirs))}
    return write_rows(name, rows.values(), columns)
