"""What spend can be grouped by: a closed table, because keys become SQL."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Literal, TypeAlias

from costspan.reports.errors import ReportError

Kind: TypeAlias = Literal["name", "day", "hour"]
"""How a key's value reads: a name, a calendar day, or the hour that begins at an instant."""

QUARTER = "time_bucket(INTERVAL 15 MINUTE, started_at)"
"""Every zone's offset in use is a multiple of this, so local days and hours are sums of quarters:
grouping by it first, and converting only the quarters, spares a conversion per call."""
LOCAL = "timezone($tz, timezone('UTC', bucket))"


@dataclass(frozen=True, slots=True)
class Key:
    """One way to group calls.

    Attributes:
        name: As it is named in the report (``model``, ``day``, ``tag``).
        bucket: SQL over a call (or over its requests) that is grouped by first.
        key: SQL over ``bucket`` that gives the value shown.
        kind: How the value reads.
        per_request: Whether money belongs to each provider request of a call, not to the call.
        parameters: What the SQL binds, beside the period.
        zone: The time zone of days and hours.
    """

    name: str
    bucket: str
    key: str = "bucket"
    kind: Kind = "name"
    per_request: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC

    def label(self, value: object) -> str | None:
        """The value as text: days as ``2026-11-01``, hours as ISO 8601 with their offset."""
        if value is None:
            return None
        if isinstance(value, datetime):
            local = value.replace(tzinfo=UTC).astimezone(self.zone)
            return local.isoformat(timespec="minutes").replace("+00:00", "Z")
        return value.isoformat() if isinstance(value, date) else str(value)

    def of_shared_tags(self) -> Key:
        """The same tag where calls share their tags: few texts are taken apart, not one a call."""
        return replace(self, bucket="tags", key=self.bucket.replace("tags", "bucket"))


NAMES = {
    "model": Key("model", "model", per_request=True),
    "provider": Key("provider", "provider", per_request=True),
    "status": Key("status", "status"),
    "cost_status": Key("cost_status", "cost_status"),
    "operation": Key("operation", "operation"),
    "session": Key("session", "session_id"),
}
ALLOWED = "model, provider, day, hour, tag:NAME, status, cost_status, operation, session"


def parse_key(text: str, zone: tzinfo = UTC) -> Key:
    """The grouping key that a user names.

    Args:
        text: One of `ALLOWED`; a tag as ``tag:NAME``.
        zone: The time zone of days and hours.

    Raises:
        ReportError: There is no such key; the text lists them.
    """
    if text in NAMES:
        return NAMES[text]
    if text in ("day", "hour"):
        return _time_key(text, zone)
    prefix, _, tag = text.partition(":")
    if prefix == "tag" and tag:
        # A JSON pointer, the one path syntax in which every name can be written.
        pointer = "/" + tag.replace("~", "~0").replace("/", "~1")
        return Key("tag", "json_extract_string(tags, $tag)", parameters={"tag": pointer})
    wanted = "a tag needs its name (tag:feature)" if prefix == "tag" else f"give one of {ALLOWED}"
    raise ReportError(f"cannot group by {text!r}: {wanted}")


def _time_key(text: str, zone: tzinfo) -> Key:
    kind: Kind = "day" if text == "day" else "hour"
    if zone is UTC:
        column = "CAST(started_at AS DATE)" if kind == "day" else "date_trunc('hour', started_at)"
        return Key(kind, column, kind=kind)
    # An hour is named by the instant at which it begins, so that the two hours of the same local
    # name, when clocks go back, stay apart.
    key = (
        f"CAST({LOCAL} AS DATE)"
        if kind == "day"
        else f"bucket - ({LOCAL} - date_trunc('hour', {LOCAL}))"
    )
    return Key(kind, QUARTER, key, kind, parameters={"tz": str(zone)}, zone=zone)
