"""Our own records: what the JSON lines exporter writes, and what stands in a spool."""

from __future__ import annotations

import orjson

from costspan.exporters.importers.documents import Item
from costspan.exporters.importers.fields import UnreadableError, mapping, text
from costspan.exporters.importers.noted import Recorder
from costspan.exporters.ledger.check import acceptable
from costspan.exporters.ledger.row import RECORD_VERSION

FORM = "costspan"


class NewerError(ValueError):
    """A record of a newer costspan."""


def is_record(item: Item) -> bool:
    """Whether an object is a record."""
    return "call_id" in item and "record_version" in item


def line(item: Item, recorder: Recorder) -> bytes:
    """Give a record back as a line for the ledger, as it was recorded.

    Args:
        item: For which `is_record` holds.
        recorder: Knows the tags to be added, and those to be hashed.

    Raises:
        NewerError: This version does not know what it means.
        UnreadableError: No row can be made of it.
    """
    version = item["record_version"]
    if isinstance(version, int) and version > RECORD_VERSION:
        raise NewerError
    if recorder.tags or recorder.hasher:
        item = _with_tags(item, recorder)
    written = orjson.dumps(item)
    if not acceptable(written):
        raise UnreadableError
    return written + b"\n"


def _with_tags(item: Item, recorder: Recorder) -> Item:
    tags = {name: text(value) for name, value in mapping(item.get("tags")).items()}
    identity = {
        name: text(item[name]) for name in ("session_id", "unit_id") if text(item.get(name))
    }
    return {**item, **recorder.protected(identity), "tags": recorder.all_tags(tags)}
