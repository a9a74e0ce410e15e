"""Numbers and instants in the sentences that people read."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """A number and what it counts: ``1 record``, ``2,302 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def instant(at: datetime) -> str:
    """An instant to the second: ``2026-11-01 12:00:05 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def byte_count(count: int) -> str:
    """A number of bytes: ``12 bytes``, ``3.4 kB``, ``1.2 GB``; decimal units."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return counted(count, "byte")
