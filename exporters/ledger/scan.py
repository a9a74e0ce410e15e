"""What stands in the spool, from a reader's side: which bytes of which segment are new."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from costspan.exporters.ledger.layout import parse_segment_name, segment_paths
from costspan.exporters.ledger.locks import try_lock
from costspan.exporters.ledger.row import RECORD_VERSION

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a segment that is not merged yet.

    Attributes:
        path: The segment.
        start: First byte that is not merged.
        end: Byte after the last newline that can be trusted.
        live: Whether its writer still runs.
    """

    path: Path
    start: int
    end: int
    live: bool

    @property
    def size(self) -> int:
        """Bytes to merge."""
        return max(0, self.end - self.start)


@dataclass(frozen=True, slots=True)
class Spool:
    """All segments that can be read here, and how many cannot.

    Attributes:
        spans: What is new in each.
        newer: Segments of a newer costspan.
        unreadable: Segments that another user does not let this one read.
    """

    spans: tuple[Span, ...]
    newer: int = 0
    unreadable: int = 0


def scan(home: Path, merged: Mapping[str, int]) -> Spool:
    """Look at every segment.

    Args:
        home: The ledger's folder.
        merged: Segment name to the number of its bytes that are in the database.

    Raises:
        OSError: A segment cannot be read.
    """
    spans: list[Span] = []
    newer = unreadable = 0
    for path in segment_paths(home):
        name = parse_segment_name(path.name)
        if name is not None and name.record_version > RECORD_VERSION:
            newer += 1
            continue
        try:
            end, live = measure(path)
        except FileNotFoundError:  # a merge that has just ended removed it
            continue
        except PermissionError:
            unreadable += 1
            continue
        spans.append(Span(path, merged.get(path.name, 0), end, live))
    return Spool(tuple(spans), newer, unreadable)


def measure(path: Path) -> tuple[int, bool]:
    """Measure a segment.

    Returns:
        The byte after the last newline that can be trusted, and whether the writer lives. Of a
        live segment that is the last newline before the first NUL, since behind it a line may be
        half stored. A dead one does not change, so all lines count: a hole of zeros that a power
        failure left in it spoils only the lines that it touches.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    with open(fd, "rb", buffering=0) as content:
        live = not try_lock(fd)
        # Read, not mapped: a writer that seals its segment meanwhile cuts it, and to touch a
        # mapping behind the end of its file is a bus error.
        return (_end_before_zero(content) if live else _end_of_lines(content)), live


def _end_before_zero(content: FileIO) -> int:
    at = end = 0
    while chunk := content.read(_READ_BYTES):
        zero = chunk.find(b"\0")
        newline = chunk.rfind(b"\n", 0, len(chunk) if zero < 0 else zero)
        if newline >= 0:
            end = at + newline + 1
        if zero >= 0:
            break
        at += len(chunk)
    return end


def _end_of_lines(content: FileIO) -> int:
    at = content.seek(0, os.SEEK_END)
    while at:
        start = max(0, at - _READ_BYTES)
        content.seek(start)
        newline = content.read(at - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        at = start
    return 0


def batches(spans: Iterable[Span], limit_bytes: int) -> Iterator[list[Span]]:
    """Group the spans that have something new, so that a group is about as large as the limit."""
    batch: list[Span] = []
    total = 0
    for span in spans:
        if not span.size:
            continue
        batch.append(span)
        total += span.size
        if total >= limit_bytes:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def copy_span(span: Span, target: BinaryIO) -> int:
    """Append the new bytes of a segment to an open file; return how many lines they are."""
    lines = 0
    with open(span.path, "rb") as source:
        source.seek(span.start)
        left = span.size
        while left and (chunk := source.read(min(left, _READ_BYTES))):
            left -= len(chunk)
            lines += chunk.count(b"\n")
            target.write(chunk)
    return lines


def read_lines(span: Span) -> list[bytes]:
    """The new lines of a segment, without their newlines."""
    with open(span.path, "rb") as source:
        source.seek(span.start)
        return source.read(span.size).split(b"\n")[:-1]
