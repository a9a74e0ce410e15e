"""What a failed response says, in whichever wire format: its message, names and ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from costspan.core.types import JSON

LONGEST_SAID = 500
"""Characters of a server's words that an error keeps."""

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-ms-request-id",
    "x-goog-request-id",
    "cf-ray",
)


@dataclass(frozen=True, slots=True)
class Said:
    """What an error says.

    Attributes:
        message: Its words, cut at 500 characters; empty where there are none.
        names: The provider's codes and types for it, the most telling first.
        details: Google's ``error.details``.
        status: The HTTP status that stands in the body, where one does.
        request_id: The provider's id of the request.
    """

    message: str
    names: tuple[str, ...] = ()
    details: tuple[JSON, ...] = ()
    status: int | None = None
    request_id: str | None = None


def decoded(body: bytes) -> object:
    """An error body as decoded JSON; its text where it is none."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
    # Gemini sends a list where no event stream was asked for.
    return found[0] if isinstance(found, list) and found else found


def said_by(body: object, headers: Mapping[str, str]) -> Said:
    """Read an error body.

    Args:
        body: The decoded body, of any shape.
        headers: Response headers, names in lower case or case-insensitive.
    """
    id_of_header = next(filter(None, map(headers.get, _REQUEST_ID_HEADERS)), None)
    aws_name = headers.get("x-amzn-errortype", "")
    if not isinstance(body, Mapping):
        message = body[:LONGEST_SAID] if isinstance(body, str) else ""
        return Said(message, _cleaned([aws_name]), request_id=id_of_header)
    exception, error = _holder(body)
    found = error.get("details")
    details = tuple(each for each in found if isinstance(each, dict)) if _is_list(found) else ()
    return Said(
        message=_message(error, body)[:LONGEST_SAID],
        names=_cleaned([aws_name, exception, *_names(error, details)]),
        details=details,
        status=_status(error),
        request_id=id_of_header or _id_in(body),
    )


def _holder(body: JSON) -> tuple[str, JSON]:
    """The name of AWS's exception if it is one, and the mapping that holds the error's facts."""
    error = body.get("error")
    if isinstance(error, Mapping):
        return "", error
    for name, value in body.items():
        if name.endswith("Exception") and isinstance(value, Mapping):
            return name, value
    return "", body


def _names(error: JSON, details: Sequence[JSON]) -> Iterator[object]:
    yield error.get("__type")
    yield from (each.get("reason") for each in details)
    yield from (error.get(name) for name in ("code", "status", "type", "error_code"))
    inner = error.get("innererror")
    yield inner.get("code") if isinstance(inner, Mapping) else None
    # Numbers say no more than the status, and are shown only where there is nothing else.
    yield from (str(error[name]) for name in ("code", "status") if type(error.get(name)) is int)


def _cleaned(names: Sequence[object]) -> tuple[str, ...]:
    """AWS writes ``prefix#NameException:http://...``, where only the name counts."""
    texts = (each for each in names if isinstance(each, str) and each)
    return tuple(each.rpartition("#")[2].partition(":")[0] or each for each in texts)


def _message(error: JSON, body: JSON) -> str:
    for holder, name in (
        (error, "message"),
        (error, "Message"),
        (body, "error"),
        (body, "message"),
        (body, "error_description"),
        (body, "detail"),
        (body, "title"),
    ):
        found = holder.get(name)
        if isinstance(found, str) and found:
            return found
        if _is_list(found):
            return "; ".join(filter(None, map(_complaint, found)))
    return ""


def _complaint(each: object) -> str:
    """One complaint of a server that is built on FastAPI; what was sent is left out."""
    if not isinstance(each, Mapping) or not isinstance(each.get("msg"), str):
        return ""
    place = each.get("loc")
    return f"{'.'.join(map(str, place)) if _is_list(place) else '?'}: {each['msg']}"


def _status(error: JSON) -> int | None:
    for name in ("code", "status", "status_code", "statusCode"):
        found = error.get(name)
        if isinstance(found, str) and found.isdecimal() and len(found) == 3:
            found = int(found)
        if isinstance(found, int) and 400 <= found < 600:
            return found
    return None


def _id_in(body: JSON) -> str | None:
    """Anthropic's ``request_id``, or the ``id`` of Cohere, whose errors are ``{id, message}``."""
    found = body.get("request_id") or (body.get("id") if "message" in body else None)
    return found if isinstance(found, str) else None


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
