"""The names of the files in a ledger's folder."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

DATABASE = "ledger.duckdb"
MERGE_LOCK = "merge.lock"
MERGE_STAMP = "merge.stamp"
"""When a background merge was last started, and by which process."""
SPOOL = "spool"
QUARANTINE = "quarantine"
HEALTH = "health"
BUDGETS = "budgets"
PUBLISHED = "published"

SEGMENT_SUFFIX = ".seg"
UNREADY_SUFFIX = ".seg.new"
"""A segment that its writer has not locked and filled yet carries this suffix."""

_SEGMENT = re.compile(r"(?P<host>[^.]+)\.(?P<pid>\d+)\.[0-9a-f]{12}\.\d+\.v(?P<version>\d+)\.seg")


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What the name of a segment says.

    Attributes:
        host: The host that wrote it, as a file-name-safe word.
        pid: The process that wrote it.
        record_version: The version of its records; the merger leaves newer ones alone.
    """

    host: str
    pid: int
    record_version: int


def host_word() -> str:
    """This host's name with everything but letters, digits and ``-`` replaced."""
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:63] or "host"


def segment_name(host: str, sequence: int, record_version: int) -> str:
    """Make a name that no other segment of any process on any host has: 48 bits are random."""
    pid = os.getpid()
    return f"{host}.{pid}.{os.urandom(6).hex()}.{sequence:06d}.v{record_version}{SEGMENT_SUFFIX}"


def parse_segment_name(name: str) -> SegmentName | None:
    """Read a segment's name; None for a file that is no segment."""
    found = _SEGMENT.fullmatch(name)
    if found is None:
        return None
    return SegmentName(found["host"], int(found["pid"]), int(found["version"]))


def segment_paths(home: Path) -> list[Path]:
    """The segments in the spool, by name; empty when there is no spool.

    What is no regular file (a folder, a pipe, on which an ``open`` waits for ever) is none.
    """
    try:
        with os.scandir(home / SPOOL) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [home / SPOOL / name for name in names if parse_segment_name(name)]
