"""When a provider says that a request may be sent again.

Read in the providers' references, 2026-11: OpenAI sends ``retry-after-ms`` and
``x-ratelimit-reset-*`` (``6m0s``), RFC 9110 knows ``Retry-After`` in seconds and as a date, Google
puts a ``RetryInfo`` into the body (https://cloud.google.com/apis/design/errors).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

_LIMITS = ("requests", "tokens")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def retry_after_s(
    status: int, headers: Mapping[str, str], details: Iterable[Mapping[str, object]] = ()
) -> float | None:
    """Seconds to wait before a request is sent again; None where nobody says.

    Args:
        status: HTTP status: only a 429 is due to the limits that ``x-ratelimit-reset-*`` tell of.
        headers: Response headers, names in lower case or case-insensitive.
        details: Google's ``error.details``.
    """
    said = _header_s(headers)
    if said is None:
        delays = (duration_s(each.get("retryDelay")) for each in details)
        said = next((delay for delay in delays if delay is not None), None)
    if said is None and status == 429:
        said = _reset_s(headers)
    return said


def duration_s(text: object) -> float | None:
    """Seconds of a duration as in ``1.5s`` or ``6m0s``; None where it is none."""
    if not isinstance(text, str):
        return None
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _header_s(headers: Mapping[str, str]) -> float | None:
    """A date counts from the response's own ``date``, so no clock is read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) * unit
            return seconds if 0 <= seconds < math.inf else None
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, (until - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """When the limits that are used up are full again; the tokens' where none is quite used up."""
    resets = {name: duration_s(headers.get(f"x-ratelimit-reset-{name}")) for name in _LIMITS}
    used_up = [
        seconds
        for name, seconds in resets.items()
        if seconds is not None and headers.get(f"x-ratelimit-remaining-{name}") == "0"
    ]
    return max(used_up, default=resets["tokens"])
