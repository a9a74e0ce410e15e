"""Recorded calls with real prices, and a catalogue in which some rates are other ones."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from costspan.core.types import Usage
from costspan.core.usage import read_usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.reprice import rewriting
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest
from costspan.pricing.books import Shelf
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.rows import FOLDER
from costspan.reports.again import Pricer
from costspan.reports.period import ALL_TIME, Period
from costspan.reports.reprice import RepriceReport, reprice

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOOK = timedelta(seconds=2)
OLDER = "2026-10-01+0000aaaa"

CHAT = {
    "prompt_tokens": 1200,
    "completion_tokens": 250,
    "total_tokens": 1450,
    "prompt_tokens_details": {"cached_tokens": 1024},
}
"""176 fresh and 1,024 cached tokens in, 250 out.

gpt-4o-2024-08-06 costs 2.50, 1.25 and 10.00 US dollars per million (openai.com/api/pricing,
2026-11): 0.00044 + 0.00128 + 0.0025 = 0.00422.
"""


def request(
    catalogue: Catalogue,
    provider: str = "openai",
    model: str = "gpt-4o-2024-08-06",
    usage: Mapping[str, Any] | Usage | None = CHAT,
    *,
    api: str = "chat",
    requested: str | None = None,
    context: Mapping[str, object] | None = None,
    error: ErrorFacts | None = None,
    at: datetime = NOON,
) -> ProviderRequest:
    """A request as the recorder makes it: read from a payload, priced by a catalogue."""
    used = usage
    if used is not None and not isinstance(used, Usage):
        used = read_usage(used, provider=provider, api=api)
    cost = None
    if used is not None or error is None:
        cost = catalogue.cost(
            provider=provider,
            model=requested or model,
            usage=used,
            at=at + TOOK,
            started_at=at,
            response_model=model,
            context=context,
        )
    return ProviderRequest(
        provider,
        api,
        requested or model,
        model,
        at,
        at + TOOK,
        used,
        cost,
        context=context or {},
        error=error,
    )


def call(number: int, *requests: ProviderRequest, **facts: Any) -> Call:
    """A call of some requests; its id ends in the number."""
    first, last = requests[0], requests[-1]
    return Call(
        UUID(int=number),
        "chat",
        requests,
        first.started_at,
        last.ended_at,
        2_000_000,
        "ok",
        "value",
        **facts,
    )


def record(home: Path, *calls: Call) -> None:
    """Bring calls into the spool of a home, as an application does."""
    exporter = LedgerExporter(Home(home, named=True, fallback=False, reason="named by the test"))
    for one in calls:
        exporter.finish(one)
    exporter.close()


def older_catalogue(folder: Path, **usd: str) -> Catalogue:
    """The catalogue with other rates for gpt-4o-2024-08-06 at OpenAI.

    Args:
        folder: Where its files are put.
        usd: Meter with ``__`` for its dots to US dollars per million.
    """
    folder.mkdir()
    for file in FOLDER.iterdir():
        if file.suffix in (".csv", ".txt"):
            shutil.copy(file, folder)
    (folder / "version.txt").write_text(OLDER, encoding="utf-8")
    changed = {meter.replace("__", "."): amount for meter, amount in usd.items()}
    with (folder / "prices.csv").open(encoding="utf-8", newline="") as source:
        reader = csv.DictReader(source)
        names, rows = list(reader.fieldnames or ()), list(reader)
    for row in rows:
        named = (row["provider"], row["model"], row["tier"])
        if named == ("openai", "gpt-4o-2024-08-06", "") and row["meter"] in changed:
            row["amount_usd"] = changed[row["meter"]]
            row["id"] = "older-" + row["meter"]
    with (folder / "prices.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Catalogue(Shelf(folder))


def reprice_all(
    home: Path,
    catalogue: Catalogue | None = None,
    aliases: dict[str, str] | None = None,
    period: Period = ALL_TIME,
    model: str | None = None,
) -> RepriceReport:
    """Reprice a ledger, by the catalogue of the package unless another is given."""
    catalogue = catalogue or Catalogue.default()
    report = RepriceReport(period, catalogue.version, dry_run=False)
    with rewriting(home) as ledger:
        reprice(ledger, Pricer(catalogue, aliases or {}), report, model, ledger.keep)
        ledger.commit()
    return report


def rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the ledger."""
    with open_ledger(home) as reader:
        return reader.execute(sql).rows


def costs(home: Path) -> list[dict[str, Any]]:
    """All that the ledger holds, with JSON as values: the order of its keys does not count."""
    with open_ledger(home) as reader:
        columns, found = reader.execute("SELECT * FROM calls ORDER BY call_id")
    plain: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in found]
    names = ("cost_lines", "context", "requests")
    return [{**row, **{n: row[n] and json.loads(row[n]) for n in names}} for row in plain]
