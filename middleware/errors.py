"""What is kept of an error: its type, its status, its code; never its message."""

from __future__ import annotations

from costspan.middleware.record import ErrorFacts

_MAX_CODE_LENGTH = 64


def error_facts(error: BaseException | None) -> ErrorFacts | None:
    """Type, HTTP status and provider code of an error; never its message."""
    if error is None:
        return None
    kind = type(error)
    module = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    status = getattr(error, "status_code", None)
    code = getattr(error, "code", None)
    if status is None and isinstance(code, int) and hasattr(error, "status"):
        status, code = code, error.status  # as google-genai calls them
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's
        status = _inner(response, "ResponseMetadata", "HTTPStatusCode")
        code = _inner(response, "Error", "Code")
    return ErrorFacts(
        type=name,
        http_status=status if isinstance(status, int) else None,
        code=_code(code),
    )


def _inner(fields: dict[str, object], name: str, key: str) -> object:
    inner = fields.get(name)
    return inner.get(key) if isinstance(inner, dict) else None


def _code(value: object) -> str | None:
    """A provider's error code; anything that reads like prose is not one and is not kept."""
    if isinstance(value, str) and len(value) <= _MAX_CODE_LENGTH and len(value.split()) == 1:
        return value
    return None
