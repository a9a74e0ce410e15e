"""Numbers and instants in the sentences that people read."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """A number and what it counts: ``1 record``, ``2,302 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def instant(at: datetime) -> str:
    """An instant to the second: ``2026-11-01 12:00:05 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
