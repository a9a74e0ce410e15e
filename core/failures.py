"""From a failed response to its error: one map of statuses, codes and words for all providers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress

from costspan.core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServiceUnavailableError,
    Timeout,
    UnprocessableEntityError,
)

_KEY_SHAPES = re.compile(
    r"(?i)\b(?:bearer\s+|(?:sk|pk|gsk|xai|hf|csk|fw|pplx|tgp|nvapi|r8)[-_]|AIza)[\w*.\-]{6,}"
)
_REDACTED = "[key removed]"
_SHORTEST_SECRET = 8  # local servers take keys like "none", which are words and no secrets


def redact(value: object, secret: str | None = None) -> object:
    """A copy of a decoded JSON value without ``secret`` and what looks like an API key."""
    if isinstance(value, str):
        if secret and len(secret) >= _SHORTEST_SECRET:
            value = value.replace(secret, _REDACTED)
        return _KEY_SHAPES.sub(_REDACTED, value)
    if isinstance(value, Mapping):
        return {key: redact(each, secret) for key, each in value.items()}
    if isinstance(value, list):
        return [redact(each, secret) for each in value]
    return value


_CLASS_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: Timeout,
    413: BadRequestError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    503: ServiceUnavailableError,
    504: Timeout,
    529: OverloadedError,
}

# Types and codes of error events, which come without a status of their own.
_STATUS_BY_TYPE = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "insufficient_quota": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
}

# Failures that providers tell apart by code where they have one and by words where they have
# none; read in their error references, 2026-11. The first match wins.
_TOLD_APART: tuple[tuple[type[APIError], frozenset[int], re.Pattern[str]], ...] = (
    (
        QuotaExceededError,
        frozenset((400, 403, 429)),
        re.compile(
            r"insufficient_quota|billing_error|billing_hard_limit|credit balance is too low"
            r"|exceeded your current quota|insufficient (?:balance|credits)"
        ),
    ),
    (
        ContextWindowExceededError,
        frozenset((400, 413, 422)),
        re.compile(
            r"context_length_exceeded|maximum context length|prompt is too long"
            r"|exceeds? the (?:available )?context (?:size|window|length)|context window"
        ),
    ),
    (
        ContentPolicyViolationError,
        frozenset((400, 403, 422)),
        re.compile(
            r"content_filter|content_policy_violation|responsibleaipolicyviolation"
            r"|content management policy|content filtering policy"
        ),
    ),
)

_CURES: dict[type[APIError], str] = {
    PermissionDeniedError: "check what the key may use",
    NotFoundError: "check the model's name and base_url",
    ContextWindowExceededError: "shorten the messages or lower max_tokens",
    QuotaExceededError: "raise the limit or add credit in the provider's console",
}
_LONGEST_SAID = 500


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes | Mapping[str, object],
    *,
    provider: str,
    model: str | None = None,
    key_variables: tuple[str, ...] = (),
    secret: str | None = None,
) -> APIError:
    """The error that a failed response means; the same class for the same failure everywhere.

    Args:
        status: HTTP status.
        headers: Response headers, names in lower case or case-insensitive.
        body: The body as received, or decoded.
        provider, model: Who was asked for what.
        key_variables: Environment variables that may hold the key, to name the cure.
        secret: The API key that was sent, so that no echo of it survives.
    """
    decoded = body if isinstance(body, Mapping) else _decoded(body)
    clean = redact(decoded, secret)
    said, code = _said(clean)
    kind = _class_of(status, f"{code} {clean}".lower())
    cure = _CURES.get(kind)
    if kind is AuthenticationError:
        cure = f"check the key in {' or '.join(key_variables) or 'api_key='}"
    return kind(
        f"{provider}: {said or 'no reason given'} (HTTP {status})" + (f"; {cure}" if cure else ""),
        provider=provider,
        model=model,
        status_code=status,
        code=code,
        request_id=headers.get("x-request-id") or headers.get("request-id"),
        retry_after_s=_retry_after_s(headers),
        body=clean if isinstance(clean, (Mapping, str)) else None,
    )


def error_from_event(
    event: Mapping[str, object], *, provider: str, model: str | None = None
) -> APIError:
    """The error that an error event in the middle of a stream means."""
    error = event.get("error")
    nested = error if isinstance(error, dict) else event
    status = nested.get("code")
    if not isinstance(status, int) or not 400 <= status < 600:
        names = (nested.get("type"), nested.get("code"))
        found = (_STATUS_BY_TYPE.get(name) for name in names if isinstance(name, str))
        status = next((each for each in found if each), 500)
    return error_from_response(status, {}, event, provider=provider, model=model)


def _class_of(status: int, words: str) -> type[APIError]:
    for kind, statuses, pattern in _TOLD_APART:
        if status in statuses and pattern.search(words):
            return kind
    return _CLASS_BY_STATUS.get(status, InternalServerError if status >= 500 else APIError)


def _decoded(body: bytes) -> object:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")[:_LONGEST_SAID]
    return found


def _said(body: object) -> tuple[str, str | None]:
    """The message of an error body, and its code or else its type."""
    if not isinstance(body, Mapping):
        return (body if isinstance(body, str) else ""), None
    error = body.get("error")
    if isinstance(error, str):
        return error, None
    if not isinstance(error, Mapping):
        error = body
    message, code, kind = error.get("message"), error.get("code"), error.get("type")
    named = code if isinstance(code, (str, int)) else kind
    said = message if isinstance(message, str) else ""
    return said[:_LONGEST_SAID], None if named is None else str(named)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; a date counts from the response's own ``date``, so no clock is read."""
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
