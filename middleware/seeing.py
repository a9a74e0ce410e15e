"""What passes by is shown to the call: whole values, stream chunks, wire events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costspan.core.attempt import Attempt
from costspan.core.errors import APIError
from costspan.core.protocols import load, recognise
from costspan.middleware.fields import reply_fields
from costspan.middleware.litellm_reply import see_failure, see_origin
from costspan.middleware.live import LiveCall

RETRY_HEADER = "x-stainless-retry-count"
"""Request header in which the SDKs of openai's family say how many attempts went before."""


def see_value(call: LiveCall, value: object) -> None:
    """Read a returned reply: an SDK object, our own, or a mapping."""
    # Where the requests of a call are known one by one, what it returns is one of their answers.
    fields = reply_fields(value, whole=True) if not call.attempts else None
    if fields:
        see_event(call, fields)
        see_origin(call, value)
    # A response in background mode is handed out before there is an answer.
    call.seen.complete = not (fields and fields.get("status") in ("queued", "in_progress"))


def see_error(call: LiveCall, error: BaseException) -> None:
    """Read what an SDK's error says of the answer behind it and of the attempts before it.

    openai's ``LengthFinishReasonError`` carries a whole completion, billed and with its usage;
    those of our own core carry all their attempts.
    """
    if isinstance(error, APIError):
        take_attempts(call, error.history)
    see_failure(call, error)
    completion = getattr(error, "completion", None)
    if completion is not None:
        see_value(call, completion)
    response = getattr(error, "response", None)
    see_attempts(call, response)
    see_retries(call, response)


def take_attempts(call: LiveCall, attempts: Sequence[Attempt]) -> None:
    """Take the attempts of our own core, and how many of them were repeated."""
    if attempts:
        call.attempts = attempts
        call.retries = sum(attempt.wait_s is not None for attempt in attempts)


def see_attempts(call: LiveCall, response: object) -> None:
    """Take the number of repeated attempts from the last request that an SDK sent."""
    headers = getattr(getattr(response, "_request", None), "headers", None)
    count = headers.get(RETRY_HEADER) if headers is not None else None
    if isinstance(count, str) and count.isdigit():
        call.retries = max(call.retries, int(count))  # we may have repeated the call ourselves


def see_retries(call: LiveCall, response: object) -> None:
    """Take the number of repeated attempts from what botocore says of a response."""
    metadata = response.get("ResponseMetadata") if isinstance(response, dict) else None
    count = metadata.get("RetryAttempts") if isinstance(metadata, dict) else None
    if isinstance(count, int):
        call.retries = max(call.retries, count)


def see_chunk(call: LiveCall, chunk: object) -> None:
    """Read one item of a stream of reply objects. Never raises."""
    call.chunk()
    call.guarded("watch a stream", _read_chunk, call, chunk)


def _read_chunk(call: LiveCall, chunk: object) -> None:
    fields = reply_fields(chunk) if not call.attempts else None
    if fields:
        see_event(call, fields)
        call.seen.accepted = call.recognised
        see_origin(call, chunk)


def see_event(call: LiveCall, event: Mapping[str, object]) -> None:
    """Read one wire event or whole body, by the format it has or else by the one asked for."""
    if not call.recognised:
        api = recognise(event)
        if api is not None:
            call.seen.api = api
            call.recognised = True
    protocol = load(call.seen.api)
    if protocol is not None:
        protocol.observe(event, call.seen)
