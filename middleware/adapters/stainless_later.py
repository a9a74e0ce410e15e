"""What clients of the Stainless family ask for later: a batch's results, a retrieved response."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from costspan.middleware.batches import ResultsReader
from costspan.middleware.body import show_body
from costspan.middleware.byte_streams import Unpacking
from costspan.middleware.fields import reply_fields
from costspan.middleware.http_responses import response_behind
from costspan.middleware.meter import Meter, MeterSource
from costspan.middleware.retrieved import Asking, RetrievedReader

_LATER = re.compile(
    r"/(?:files/(?P<file>[^/?]+)/content|messages/batches/(?P<batch>[^/?]+)/results"
    r"|responses/(?P<response>[^/?]+)(?:/cancel)?)/?(?:\?.*)?$"
)
_TOLD = ("background", "created_at", "completed_at")
_STEP = "look at an answer that came later"


def looking_later(
    request: Callable[..., Any], meter: MeterSource, asking: Asking
) -> Callable[..., Any]:
    """Make of a client's request method one that looks at the answers which come later.

    Args:
        request: The method, synchronous or not.
        meter: Gives the Meter in force.
        asking: Says what was asked for, from what an answer says of it.
    """

    def look(found: re.Match[str], result: object) -> Iterator[None]:
        in_force = meter()
        return in_force.guard.run(_STEP, _look, in_force, found, asking, result) or iter(())

    def looked(*args: Any, **kwargs: Any) -> Any:
        result = request(*args, **kwargs)
        if (found := _later(args, kwargs)) is not None:
            for _ in look(found, result):
                pass
        return result

    async def alooked(*args: Any, **kwargs: Any) -> Any:
        result = await request(*args, **kwargs)
        if (found := _later(args, kwargs)) is not None:
            for _ in look(found, result):
                await _let_others_run()
        return result

    looking = alooked if inspect.iscoroutinefunction(request) else looked
    return functools.wraps(request)(looking)


async def _let_others_run() -> None:
    """Go round the event loop once, where it is asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    await asyncio.sleep(0)


def _later(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> re.Match[str] | None:
    """The path of an answer that comes later; None for all others, a completion's first."""
    # After a paid call, so nothing in here may raise, whatever a clone of the SDKs hands over.
    options = kwargs["options"] if "options" in kwargs else args[1] if len(args) > 1 else None
    if getattr(options, "json_data", None) is not None:
        return None
    return _LATER.search(str(getattr(options, "url", "")))


def _look(meter: Meter, found: re.Match[str], asking: Asking, result: object) -> Iterator[None]:
    response = response_behind(result)
    identity = found[found.lastgroup or 0]
    if found.lastgroup == "response":
        return _look_at_response(meter, identity, asking, result, response)
    if response is not None:
        api = "messages" if found.lastgroup == "batch" else "chat"
        return show_body(response, functools.partial(ResultsReader, meter, identity, api, asking))
    return iter(())


def _look_at_response(
    meter: Meter, identity: str, asking: Asking, result: object, response: Any
) -> Iterator[None]:
    content_type = "" if response is None else response.headers.get("content-type", "")
    reader = functools.partial(RetrievedReader, meter, identity, asking, content_type)
    if response is not None:
        return show_body(response, reader)
    if (fields := reply_fields(result)) is not None:
        told = vars(result)
        reader(Unpacking({})).see({**fields, **{name: told.get(name) for name in _TOLD}})
    return iter(())
