"""``Meter(include_usage=True)``: ask for the usage of a stream, and keep the answer from the user.

OpenAI's servers and those that are made like them send the usage of a stream only where the
request has ``stream_options: {"include_usage": true}``, in one more chunk, whose ``choices`` are
empty (https://platform.openai.com/docs/api-reference/chat/create, 2026-11). Code that takes
``chunk.choices[0]`` of every chunk breaks on it, and some servers refuse the field.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, NamedTuple

from costspan.core.decoders import SSEDecoder
from costspan.core.endpoints import endpoint
from costspan.core.errors import BadRequestError
from costspan.middleware.byte_streams import StreamKinds, replace_stream
from costspan.middleware.http_responses import unread_response
from costspan.middleware.live import LiveCall
from costspan.middleware.meter import MeterSource
from costspan.middleware.running import innermost_call
from costspan.middleware.seeing import see_event

_APIS = ("chat", "completions")
_FIELD = "stream_options"
_SWITCH = "include_usage"
_REFUSALS = (400, 422)
_STEP = "ask for the usage of a stream"


class _Asking(NamedTuple):
    """A request that asks for its usage.

    Attributes:
        call: The call that it is made for.
        base_url: Where it is sent.
        args, kwargs: The arguments of the client's request method, the options in them a copy.
    """

    call: LiveCall
    base_url: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def asking_for_usage(
    client: Any, request: Callable[..., Any], meter: MeterSource, refusing: set[str]
) -> Callable[..., Any]:
    """Make of a client's request method one that asks for the usage of streams, if that is wanted.

    Args:
        client: The client.
        request: Its method, synchronous or not.
        meter: Gives the Meter in force.
        refusing: Base URLs of servers that are known to refuse it; what is found out is added.
    """

    refusals = _status_errors(client)

    def asked(*args: Any, **kwargs: Any) -> Any:
        asking = kwargs.get("stream") and _asking(client, meter, refusing, args, kwargs)
        if not asking:
            return request(*args, **kwargs)
        try:
            return _hide(asking.call, request(*asking.args, **asking.kwargs))
        except refusals as error:
            if not _is_refusal(error):
                raise
        refusing.add(asking.base_url)
        return request(*args, **kwargs)

    async def aasked(*args: Any, **kwargs: Any) -> Any:
        asking = kwargs.get("stream") and _asking(client, meter, refusing, args, kwargs)
        if not asking:
            return await request(*args, **kwargs)
        try:
            return _hide(asking.call, await request(*asking.args, **asking.kwargs))
        except refusals as error:
            if not _is_refusal(error):
                raise
        refusing.add(asking.base_url)
        return await request(*args, **kwargs)

    return functools.wraps(request)(aasked if inspect.iscoroutinefunction(request) else asked)


def _asking(
    client: Any,
    meter: MeterSource,
    refusing: set[str],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> _Asking | None:
    """The request as it is sent; None where it is sent as it is, which is told at once."""
    call = innermost_call()
    if call is None or not call.asked.streaming or call.asked.api not in _APIS:
        return None
    if not (call.asked.is_request and meter().include_usage):
        return None
    return call.guarded(_STEP, _plan, call, client, refusing, args, kwargs)


def _plan(
    call: LiveCall,
    client: Any,
    refusing: set[str],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> _Asking | None:
    base_url = str(client.base_url)
    options = kwargs["options"] if "options" in kwargs else args[1]
    if base_url in refusing or not _understands(call.asked.provider, base_url):
        return None
    asking = _with_usage(options)
    if asking is None:
        return None
    if "options" in kwargs:
        return _Asking(call, base_url, args, {**kwargs, "options": asking})
    return _Asking(call, base_url, (args[0], asking, *args[2:]), kwargs)


def _understands(provider: str, base_url: str) -> bool:
    """Whether an endpoint's row allows it; servers without a row are tried."""
    try:
        return endpoint(provider, base_url=base_url).include_usage
    except BadRequestError:
        return True


def _with_usage(options: Any) -> Any | None:
    """A copy of an SDK's request that asks for the usage; None where the user has decided."""
    extra = options.extra_json
    holder = "extra_json" if isinstance(extra, Mapping) and _FIELD in extra else "json_data"
    body = getattr(options, holder)
    asked = body.get(_FIELD)
    if asked is not None and (not isinstance(asked, Mapping) or _SWITCH in asked):
        return None
    asking = copy.copy(options)
    setattr(asking, holder, {**body, _FIELD: {**(asked or {}), _SWITCH: True}})
    headers = options.headers if isinstance(options.headers, Mapping) else {}
    if not any(name.lower() == "accept-encoding" for name in headers):
        # What is compressed cannot be left out of a body.
        asking.headers = {**headers, "Accept-Encoding": "identity"}
    return asking


def _status_errors(client: Any) -> tuple[type[BaseException], ...]:
    """The SDK's exceptions for an answer with an error status, by its own public name."""
    packages = {base.__module__.partition(".")[0] for base in type(client).__mro__}
    found = (getattr(sys.modules.get(name), "APIStatusError", None) for name in packages)
    return tuple(each for each in found if isinstance(each, type))


def _is_refusal(error: BaseException) -> bool:
    """Whether a server says that it does not know the field."""
    if getattr(error, "status_code", None) not in _REFUSALS:
        return False
    said = str(error)
    return _FIELD in said or _SWITCH in said


def _hide(call: LiveCall, result: Any) -> Any:
    """Leave the chunk with the usage out of a result's body."""
    call.guarded(_STEP, _hide_in, call, result)
    return result


def _hide_in(call: LiveCall, result: object) -> None:
    response = unread_response(result)
    if response is None or response.headers.get("content-encoding", "identity") != "identity":
        return
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        replace_stream(response, _HIDING, UsageHider(call))


_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*(?:\[\s*\]|null)')


class UsageHider:
    """Hands on the bytes of an event stream without the chunk that holds nothing but the usage.

    It keeps back no more than an event that is not complete.

    Args:
        call: Is shown the chunk that is left out.
    """

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._kept: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came, and give those that can be handed on."""
        if not self._kept and data.endswith(b"\n\n") and _NO_CHOICES.search(data) is None:
            return data  # whole events, none of them the one: nearly always
        # An end that was cut in two lies in the last bytes of the one and the first of the other.
        tail = self._kept[-1][-3:] if self._kept else b""
        self._kept.append(data)
        if _EVENT_END.search(tail + data) is None:
            return b""
        data = b"".join(self._kept)
        self._kept.clear()
        passed: list[bytes] = []
        begin = 0
        for end in _EVENT_END.finditer(data):
            passed.append(self._shown(data[begin : end.end()]))
            begin = end.end()
        if begin < len(data):
            self._kept.append(data[begin:])
        return b"".join(passed)

    def flush(self) -> bytes:
        """The last event, where its end is missing."""
        rest = b"".join(self._kept)
        self._kept.clear()
        return self._shown(rest)

    def _shown(self, event: bytes) -> bytes:
        """An event as the user sees it: nothing, where it is the chunk that was asked for."""
        if b'"usage"' not in event or _NO_CHOICES.search(event) is None:
            return event
        return b"" if self._call.guarded(_STEP, self._is_usage, event) else event

    def _is_usage(self, event: bytes) -> bool:
        """Whether an event is the chunk that holds nothing but the usage; the call is shown it."""
        decoder = SSEDecoder()
        for one in (*decoder.feed(event), *decoder.flush()):
            body = one.json()
            if body and not body.get("choices") and isinstance(body.get("usage"), dict):
                if self._call.is_open:
                    see_event(self._call, body)
                return True
        return False


class _SyncHiding:
    inner: Any
    reader: UsageHider

    def __iter__(self) -> Iterator[bytes]:
        for data in self.inner:
            if passed := self.reader.feed(data):
                yield passed
        if rest := self.reader.flush():
            yield rest

    def close(self) -> None:
        self.inner.close()


class _AsyncHiding:
    inner: Any
    reader: UsageHider

    async def __aiter__(self) -> AsyncIterator[bytes]:
        iterator = self.inner.__aiter__()
        try:
            async for data in iterator:
                if passed := self.reader.feed(data):
                    yield passed
            if rest := self.reader.flush():
                yield rest
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()

    async def aclose(self) -> None:
        await self.inner.aclose()


_HIDING = StreamKinds(_SyncHiding, _AsyncHiding)
