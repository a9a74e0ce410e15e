"""Which files an import reads, and how they are opened."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

STDIN = "-"
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".log")
"""What is read of a folder, each of them also with ``.gz`` behind it."""

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 20


class SourceError(Exception):
    """What was named cannot be imported; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read.

    Attributes:
        name: For people.
        path: None for the standard input.
        size_bytes: As it lies on the disk; 0 where that is not known.
    """

    name: str
    path: Path | None
    size_bytes: int


def find_sources(names: Sequence[str]) -> list[Source]:
    """Find the files that were named, and those in the folders that were named, oldest first.

    Args:
        names: Files and folders; ``-`` is the standard input. Links to folders are not followed
            inside a folder.

    Raises:
        SourceError: One does not exist, or a folder holds nothing to import.
    """
    found: dict[str, Source] = {}
    for name in names:
        if name == STDIN:
            found[STDIN] = Source("standard input", None, 0)
            continue
        path = Path(name).expanduser()
        if path.is_dir():
            inside = _inside(path)
            if not inside:
                raise SourceError(
                    f"{name}: holds no {', '.join(SUFFIXES)} or .gz of these: name the folder or "
                    "the files that hold the calls"
                )
            for one in inside:
                found.setdefault(os.path.realpath(one), _source(str(one), one))
        else:
            found.setdefault(os.path.realpath(path), _source(name, path))
    return list(found.values())


@contextlib.contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked if it is gzip, whatever its name.

    Raises:
        SourceError: It cannot be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            if source.path is None:
                raw = sys.stdin.buffer
            else:
                raw = stack.enter_context(open(source.path, "rb", buffering=_BUFFER_BYTES))
            packed = cast(io.BufferedReader, raw).peek(2)[:2] == _GZIP_MAGIC
            if packed:
                yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=raw)))
            else:
                yield raw
        except OSError as error:
            raise SourceError(f"{source.name}: {error.strerror or error}") from error


def _source(name: str, path: Path) -> Source:
    try:
        return Source(name, path, path.stat().st_size)
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}") from error


def _inside(folder: Path) -> list[Path]:
    """The files of a folder and of those in it that may hold calls, oldest first."""
    found = [
        Path(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if name.removesuffix(".gz").endswith(SUFFIXES)
    ]
    return sorted(found, key=lambda path: (path.lstat().st_mtime, path))
