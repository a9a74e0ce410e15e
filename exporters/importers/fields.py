"""Single values out of foreign records, read leniently: what is of no use is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from costspan.core.paths import quantity

_MICROSECOND = timedelta(microseconds=1)


class UnreadableError(ValueError):
    """A record that is of a known format, and cannot be used."""


def text(value: object) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def instant(value: object) -> datetime:
    """An ISO 8601 time as an instant in UTC; one without a zone is in UTC already.

    Raises:
        UnreadableError: It is none, or its date cannot be.
    """
    try:
        at = datetime.fromisoformat(text(value).strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableError from error


def microseconds(start: datetime, end: datetime) -> int:
    """How long it was from one instant to another; negative where the second is the earlier one."""
    return (end - start) // _MICROSECOND


def whole(value: object) -> int:
    """A count, also out of a CSV cell; 0 for anything else."""
    number = quantity(value)
    return number if isinstance(number, int) else 0


def positive_usd(value: object) -> Decimal | None:
    """An amount in US dollars above 0; None for 0 too, by which programs mean unknown."""
    number = quantity(value)
    return Decimal(number) if number else None


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, also as text; empty for anything else."""
    value = _decoded(value)
    return value if isinstance(value, Mapping) else {}


def texts(value: object) -> list[str]:
    """The texts of a JSON list, also of one as text; empty for anything else."""
    value = _decoded(value)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None
