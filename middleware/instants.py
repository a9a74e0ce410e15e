"""The instants that answers tell of themselves."""

from __future__ import annotations

from datetime import UTC, datetime

_EARLIEST_S = 1_577_836_800  # 2020: what is before it is no time of an answer (0, a duration)
_LATEST_S = 4_102_444_800  # 2100: what is after it is in milliseconds


def instant_of(seconds: object) -> datetime | None:
    """A Unix time in seconds as an instant; None for anything that cannot be one."""
    if not isinstance(seconds, (int, float)) or not _EARLIEST_S <= seconds <= _LATEST_S:
        return None
    return datetime.fromtimestamp(seconds, UTC)
