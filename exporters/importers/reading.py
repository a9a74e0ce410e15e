"""From files to lines for the ledger, in batches, each foreign call once in a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import orjson

from costspan.exporters.importers import claude_code, litellm, own
from costspan.exporters.importers.documents import Entry, Item, entries
from costspan.exporters.importers.fields import UnreadableError
from costspan.exporters.importers.noted import Noted, Recorder, merged
from costspan.exporters.importers.sources import Source, opened
from costspan.exporters.ledger.row import as_line

Form: TypeAlias = Literal["auto", "costspan", "litellm", "claude-code"]
FORMS: tuple[Form, ...] = ("auto", "costspan", "litellm", "claude-code")
Progress: TypeAlias = Callable[[Source, int], None]

BATCH_CALLS = 10_000
_PROGRESS_ENTRIES = 2_000
_ENVELOPES = ("message", "log", "msg", "line", "body", "textPayload", "jsonPayload")
"""Where programs that gather logs put the line that they gathered."""
_LISTS = ("data", "events", "logEvents", "results")
"""Where interfaces put the list of what was asked for."""
_FOREIGN = ((claude_code.FORM, claude_code), (litellm.FORM, litellm))


@dataclass(slots=True)
class Tally:
    """What was read.

    Attributes:
        files: Files that were read to their end.
        records: Records of calls, copies included.
        other: Lines, or objects, that are no records of calls.
        damaged: Those that should be, and cannot be used.
        first_damaged: Where the first of these is, as ``file:line``.
        newer: Records of a newer costspan.
    """

    files: int = 0
    records: int = 0
    other: int = 0
    damaged: int = 0
    first_damaged: str | None = None
    newer: int = 0


def read_batches(
    sources: Sequence[Source],
    form: Form,
    recorder: Recorder,
    tally: Tally,
    progress: Progress = lambda source, number: None,
) -> Iterator[list[bytes]]:
    """Read files, and give what stands in them as lines for the ledger.

    Args:
        sources: The files.
        form: What to look for; ``auto`` takes all that is known.
        recorder: Prices foreign calls.
        tally: Takes what was found.
        progress: Called every few thousand lines with the file and the line's number.

    Yields:
        Up to `BATCH_CALLS` lines of different calls, or a few more; a call may come again in a
        later batch, where another copy of it was read.

    Raises:
        SourceError: A file cannot be read.
    """
    batch = _Batch(form, recorder, tally)
    for source in sources:
        with opened(source) as stream:
            for entry in entries(stream):
                batch.take(entry, source)
                if entry.number % _PROGRESS_ENTRIES == 0:
                    progress(source, entry.number)
                if batch.full:
                    yield batch.lines()
        tally.files += 1
    if lines := batch.lines():
        yield lines


class _Batch:
    """Calls that have been read, and not handed on yet."""

    def __init__(self, form: Form, recorder: Recorder, tally: Tally) -> None:
        self._recorder = recorder
        self._tally = tally
        self._own = form in ("auto", own.FORM)
        self._readers = [module for name, module in _FOREIGN if form in ("auto", name)]
        self._lines: list[bytes] = []
        self._noted: dict[tuple[str, str], Noted] = {}

    @property
    def full(self) -> bool:
        """Whether it holds as much as it should."""
        return len(self._lines) + len(self._noted) >= BATCH_CALLS

    def lines(self) -> list[bytes]:
        """Give what it holds, and forget it."""
        lines, noted = self._lines, self._noted
        self._lines, self._noted = [], {}
        while noted:  # taken out one by one, so that not all are there twice
            lines.append(as_line(self._recorder.row(noted.popitem()[1])))
        return lines

    def take(self, entry: Entry, source: Source) -> None:
        """Take what an entry holds."""
        found = 0
        if not entry.damaged and isinstance(entry.value, dict):
            for item in _records(entry.value):
                try:
                    found += self._take(item)
                except own.NewerError:
                    self._tally.newer += 1
                    found += 1
                except UnreadableError:
                    self._damaged(entry, source)
                    found += 1
        if entry.damaged:
            self._damaged(entry, source)
        elif not found:
            self._tally.other += 1

    def _take(self, item: Item) -> bool:
        """Take one object; whether it is a record of a call."""
        if own.is_record(item):
            if self._own:
                self._lines.append(own.line(item, self._recorder))
                self._tally.records += 1
            return self._own
        for module in self._readers:
            if module.is_record(item):
                noted = module.read(item)
                if noted is None:
                    return False
                key = (noted.form, noted.identity)
                known = self._noted.get(key)
                self._noted[key] = merged(known, noted) if known is not None else noted
                self._tally.records += 1
                return True
        return False

    def _damaged(self, entry: Entry, source: Source) -> None:
        self._tally.damaged += 1
        if self._tally.first_damaged is None:
            self._tally.first_damaged = f"{source.name}:{entry.number}"


def _records(item: Item, depth: int = 2) -> Iterator[Item]:
    """What may be records: the object itself, or what programs have wrapped in it."""
    if own.is_record(item) or any(module.is_record(item) for _, module in _FOREIGN):
        yield item
        return
    for name in _ENVELOPES if depth else ():
        inner = item.get(name)
        if isinstance(inner, str):
            inner = _unwrapped(inner)
        if isinstance(inner, Mapping):
            yield from _records(inner, depth - 1)
    for name in _LISTS if depth else ():
        several = item.get(name)
        if isinstance(several, list):
            for one in several:
                if isinstance(one, Mapping):
                    yield from _records(one, depth - 1)


def _unwrapped(line: str) -> object:
    """The object in a line that was gathered; None where there is none."""
    start = line.find("{")
    if start < 0:
        return None
    try:
        return orjson.loads(line[start:])
    except ValueError:
        return None
