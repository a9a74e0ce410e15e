"""The JSON objects of a file, whatever holds them: lines, an array, one document, or CSV."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import orjson

Item: TypeAlias = Mapping[str, Any]

MAX_LINE_BYTES = 64 << 20
"""A longer line is no log line; it is passed over without being kept in memory."""

_BOM = b"\xef\xbb\xbf"
_CHUNK_BYTES = 1 << 18
_WORDS = (b'"usage"', b'"call_id"', b'"request_id"', b'\\"call_id\\"')
_CSV_SIGNS = (b"request_id", b"startTime")
_DELIMITERS = ",;\t"
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_OURS = b'{"call_id"'


class Entry(NamedTuple):
    """One object of a file, or a line that holds none.

    Attributes:
        number: Of its line; in an array, which object it is; from 1.
        value: The object; None for a line without one.
        damaged: Whether there should be one, which cannot be read.
    """

    number: int
    value: Item | None = None
    damaged: bool = False


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """Read the objects of a file, one after another, without holding it in memory.

    Args:
        stream: JSON lines, perhaps among other lines and with something before them; an array of
            objects; one object over several lines; CSV with a header line. A packed stream that
            breaks off ends in a damaged entry.
    """
    number = 0
    try:
        for entry in _entries(stream):
            number = entry.number
            yield entry
    except (EOFError, gzip.BadGzipFile, zlib.error, csv.Error):
        yield Entry(number + 1, damaged=True)


def _entries(stream: BinaryIO) -> Iterator[Entry]:
    first = stream.readline(_CHUNK_BYTES).removeprefix(_BOM)
    start = first.strip()
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"", b"{", b"]"):
        yield from _array(first, stream)  # all of it may be one line
        return
    if not first.endswith(b"\n"):
        first += _line(stream)
    if start == b"{":
        yield _document(first, stream)
    elif not start.startswith(b"{") and all(sign in start for sign in _CSV_SIGNS):
        yield from _table(first, stream)
    else:
        lines = itertools.chain([first], iter(lambda: _line(stream), b""))
        for number, line in enumerate(lines, 1):
            yield _of_line(number, line)


def _line(stream: BinaryIO) -> bytes:
    """The next line; of one that is too long, its beginning."""
    line = stream.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
    return line


def _of_line(number: int, line: bytes) -> Entry:
    # Most lines of a session are prompts and files; only those that can be calls are decoded.
    if not any(word in line for word in _WORDS):
        return Entry(number)
    found = (line.find(b"{"), line.find(_OURS))
    for start in found:
        if start >= 0:
            with contextlib.suppress(ValueError):
                return Entry(number, orjson.loads(line[start:]))
    return Entry(number, damaged=found[1] >= 0 or line.lstrip().startswith(b"{"))


def _document(first: bytes, stream: BinaryIO) -> Entry:
    """One object over many lines, as tools print what they got from an API."""
    try:
        return Entry(1, orjson.loads(first + stream.read()))
    except ValueError:
        return Entry(1, damaged=True)


def _array(first: bytes, stream: BinaryIO) -> Iterator[Entry]:
    """The objects of an array, decoded one by one."""
    characters = codecs.getincrementaldecoder("utf-8")("replace")
    decode = json.JSONDecoder().raw_decode
    text = characters.decode(first).lstrip()[1:]
    at, number, step = 0, 1, _CHUNK_BYTES
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        try:
            start, (value, at) = at, decode(text, at)
        except ValueError:
            more = stream.read(step)
            text, at = text[at:] + characters.decode(more, final=not more), 0
            # An object of many chunks is tried again at twice its length, not at each chunk.
            step = max(_CHUNK_BYTES, len(text))
            if not more:
                if text.strip() != "]":
                    yield Entry(number, damaged=True)
                return
            continue
        yield _of_array(number, text[start:at]) if isinstance(value, dict) else Entry(number)
        number, step = number + 1, _CHUNK_BYTES


def _of_array(number: int, text: str) -> Entry:
    try:
        return Entry(number, orjson.loads(text))  # refuses what is neither JSON nor UTF-8
    except ValueError:
        return Entry(number, damaged=True)


def _table(first: bytes, stream: BinaryIO) -> Iterator[Entry]:
    """The rows of a CSV export; empty cells are missing, cells with JSON stay text."""
    delimiter = max(_DELIMITERS, key=first.decode("utf-8", "replace").count)
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = itertools.chain([first], iter(lambda: _line(stream), b""))
    rows = csv.reader((line.decode("utf-8", "replace") for line in lines), delimiter=delimiter)
    names = next(rows)
    for row in rows:
        if len(row) == len(names):
            cells = zip(names, row, strict=True)
            yield Entry(rows.line_num, {name: cell for name, cell in cells if cell != ""})
        elif row:
            yield Entry(rows.line_num, damaged=True)
