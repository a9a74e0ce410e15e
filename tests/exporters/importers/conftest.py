"""Reads files as an import does, up to the lines for the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from costspan.exporters.importers.noted import Recorder
from costspan.exporters.importers.reading import Form, Tally, read_batches
from costspan.exporters.importers.sources import find_sources
from costspan.middleware.aliases import parse_aliases
from costspan.middleware.hashing import TagHasher
from costspan.pricing.catalogue import Catalogue

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Writes a file and reads it: ``imported(content, tally=..., tags=...)``.

    Returns the columns of each call; amounts as Decimal, instants aware, what is NULL left out.
    """

    def read(
        content: bytes,
        *,
        form: Form = "auto",
        tally: Tally | None = None,
        tags: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        hasher: TagHasher | None = None,
        name: str = "calls.jsonl",
    ) -> list[dict[str, Any]]:
        (tmp_path / name).write_bytes(content)
        recorder = Recorder(
            Catalogue.default(), parse_aliases(aliases or {}), "metered", tags or {}, hasher
        )
        sources = find_sources([str(tmp_path / name)])
        batches = read_batches(sources, form, recorder, tally or Tally())
        return [_typed(orjson.loads(line)) for batch in batches for line in batch]

    return read


def _typed(columns: dict[str, Any]) -> dict[str, Any]:
    for name, value in columns.items():
        if name.endswith("_usd"):
            columns[name] = Decimal(value)
        elif name in ("started_at", "ended_at"):
            columns[name] = _EPOCH + timedelta(microseconds=value)
    return {name: value for name, value in columns.items() if value is not None}
