"""Results of batches as their files are read: each line is a call of its own, at batch rates.

Formats as of 2026-11, neither bills a line that failed: https://platform.openai.com/docs/guides/batch
and https://docs.claude.com/en/docs/build-with-claude/batch-processing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from costspan.core.decoders import Event
from costspan.core.observation import Observation
from costspan.core.protocols import load, recognise
from costspan.middleware.byte_streams import Unpacking
from costspan.middleware.ids import repeatable_id
from costspan.middleware.instants import instant_of
from costspan.middleware.meter import Meter
from costspan.middleware.noting import note
from costspan.middleware.pending import pending_of
from costspan.middleware.request import AskedCall
from costspan.middleware.retrieved import Asking

_BATCH = {"batch": True}
_LINE_END = b"\n"
_MAX_LINE_BYTES = 64 << 20
_STEP = "record a batch's results"


class Result(NamedTuple):
    """One line of a batch's results.

    Attributes:
        identity: What names it: the line's own id, else the user's within the file.
        body: The answer; None where the request failed.
        error: What the provider says of the failure; None where there is none.
        cancelled: Whether the batch was cancelled before the request was sent.
    """

    identity: str
    body: Mapping[str, Any] | None
    error: object = None
    cancelled: bool = False


def result_of(line: Mapping[str, Any], file: str) -> Result | None:
    """Read a line.

    Args:
        line: The decoded line.
        file: Id of the file or batch that it stands in.

    Returns:
        The result; None for a line of any other kind of file.
    """
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str):
        return None
    result = line.get("result")
    if isinstance(result, dict) and isinstance(result.get("type"), str):
        return _of_anthropic(f"{file}/{custom_id}", result)
    if "response" in line and "error" in line:
        own = line.get("id")
        return _of_openai(own if isinstance(own, str) and own else f"{file}/{custom_id}", line)
    return None


def _of_anthropic(identity: str, result: Mapping[str, Any]) -> Result:
    kind, message = result["type"], result.get("message")
    if kind == "succeeded" and isinstance(message, dict):
        return Result(identity, message)
    error = result.get("error")
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    return Result(identity, None, error or {"type": kind}, kind == "canceled")


def _of_openai(identity: str, line: Mapping[str, Any]) -> Result:
    response, error = line["response"], line["error"]
    body = response.get("body") if isinstance(response, dict) else None
    if isinstance(body, dict) and not body.get("error"):
        return Result(identity, body)
    return Result(identity, None, body["error"] if isinstance(body, dict) else error or "error")


class ResultsReader:
    """Is shown a file's body, and records what is a result of a batch.

    A file whose first line is none is looked at no further.

    Args:
        meter: The Meter in force.
        file: Id of the file or batch.
        api: Canonical api of results that do not tell it, because they failed.
        asking: Says what was asked for.
        unpacking: Undoes the content encoding of what is fed.
    """

    def __init__(
        self, meter: Meter, file: str, api: str, asking: Asking, unpacking: Unpacking
    ) -> None:
        self._meter = meter
        self._file = file
        self._api = api
        self._asking = asking
        self._asked: dict[tuple[str, object], AskedCall] = {}
        self._unpacking = unpacking
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._is_batch: bool | None = None if unpacking.readable else False

    def feed(self, data: bytes) -> None:
        """Take bytes as they came off the wire."""
        if self._is_batch is not False:
            self._meter.guard.run(_STEP, self._feed, data)

    def _feed(self, data: bytes) -> None:
        data = self._unpacking.unpack(data)
        begin = 0
        while (end := data.find(_LINE_END, begin)) >= 0 and self._is_batch is not False:
            self._line(data[begin:end])
            begin = end + 1
        if rest := data[begin:]:
            self._keep(rest)

    def _keep(self, rest: bytes) -> None:
        self._pending.append(rest)
        self._pending_bytes += len(rest)
        if self._pending_bytes > _MAX_LINE_BYTES or not self._may_be_batch():
            self._is_batch = False
            self._pending.clear()

    def _may_be_batch(self) -> bool:
        """Whether a file can be a batch's results, from its first bytes."""
        return self._is_batch is True or self._pending[0].lstrip()[:1] in (b"{", b"")

    def read(self) -> None:
        """The body was read to its end."""
        if self._is_batch is not False and self._pending:
            self._meter.guard.run(_STEP, self._line, b"")

    def failed(self, error: BaseException) -> None:
        """What was read until here has been recorded."""

    def closed(self) -> None:
        """The same."""

    def _line(self, data: bytes) -> None:
        if self._pending:
            data = b"".join((*self._pending, data))
            self._pending.clear()
            self._pending_bytes = 0
        if data.strip():
            self._meter.guard.run(_STEP, self._take, data)

    def _take(self, data: bytes) -> None:
        line = Event("", data).json()
        result = None if line is None else result_of(line, self._file)
        if self._is_batch is None:
            self._is_batch = result is not None
        if result is not None:
            self._record(result)

    def _record(self, result: Result) -> None:
        body = result.body
        api = self._api if body is None else recognise(body)
        if api is None:  # of an endpoint whose answers are not recorded: moderations
            return
        self._api = api
        model = None if body is None else body.get("model")
        asked = self._asked.get((api, model))
        if asked is None:
            asked = self._asking(api, {"model": model})
            asked = asked._replace(context={**asked.context, **_BATCH})
            self._asked[api, model] = asked
        identity = f"{asked.provider}/batch/{result.identity}"
        if not pending_of(self._meter).recorded.add(identity):
            return
        seen = Observation(api)
        created = completed = None
        if body is None:
            seen.note_error(result.error)
            seen.unbilled = True
        else:
            load(api).observe(body, seen)
            seen.complete = True
            created = instant_of(body.get("created", body.get("created_at")))
            completed = instant_of(body.get("completed_at"))
        started_at = created or self._meter.now()
        note(
            self._meter,
            asked,
            seen,
            started_at=started_at,
            ended_at=completed or started_at,
            call_id=repeatable_id(identity),
            ended_by="cancelled" if result.cancelled else None,
        )
