"""The requests that one call of google-genai makes, noted one by one in the call that runs."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from costspan.core.attempt import Attempt
from costspan.core.observation import Observation
from costspan.core.protocols import gemini, gemini_embeddings
from costspan.middleware.live import LiveCall
from costspan.middleware.running import running_call

_API_OF_ACTION = {
    "generateContent": "generateContent",
    "streamGenerateContent": "generateContent",
    "batchEmbedContents": "embeddings",
    "embedContent": "embeddings",
    "predict": "embeddings",
}
"""The last word of a path -> api; others (``countTokens``, images by ``predict``) are not noted."""


@dataclass(slots=True)
class Hop(Attempt):
    """One request of a call, from the method that makes it to the answer.

    Attributes:
        path: Its path after the API's version, without a query.
        sendings: How often the SDK has sent it.
    """

    path: str = ""
    sendings: int = 0


class _Noted(NamedTuple):
    call: LiveCall
    hop: Hop


def bare_model(name: str) -> str:
    """A model's own name out of ``models/x`` or ``publishers/google/models/x``."""
    return name.removeprefix("models/").rpartition("/models/")[2]


def note_request(request: Callable[..., Any]) -> Callable[..., Any]:
    """Note each request that is made by this method, and what its answer says."""

    @functools.wraps(request)
    def noted(*args: Any, **kwargs: Any) -> Any:
        hop = _begin(args, kwargs)
        response = request(*args, **kwargs)
        _see(hop, response)
        return response

    return noted


def anote_request(request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same for a coroutine function."""

    @functools.wraps(request)
    async def noted(*args: Any, **kwargs: Any) -> Any:
        hop = _begin(args, kwargs)
        response = await request(*args, **kwargs)
        _see(hop, response)
        return response

    return noted


def note_stream(
    request: Callable[..., Generator[Any, None, None]],
) -> Callable[..., Generator[Any, None, None]]:
    """The same for a generator function."""

    @functools.wraps(request)
    def noted(*args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        hop = _begin(args, kwargs)
        for response in request(*args, **kwargs):
            _see(hop, response)
            yield response

    return noted


def anote_stream(
    request: Callable[..., Awaitable[AsyncGenerator[Any, None]]],
) -> Callable[..., Awaitable[AsyncGenerator[Any, None]]]:
    """The same for a coroutine function that returns an asynchronous generator."""

    @functools.wraps(request)
    async def noted(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        hop = _begin(args, kwargs)
        return _noted_responses(hop, await request(*args, **kwargs))

    return noted


async def _noted_responses(
    hop: _Noted | None, responses: AsyncGenerator[Any, None]
) -> AsyncGenerator[Any, None]:
    try:
        async for response in responses:
            _see(hop, response)
            yield response
    finally:
        await responses.aclose()


def _begin(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Noted | None:
    """Note that a request begins; None where no call of ours is running that it could belong to."""
    call = running_call()
    if call is None:
        return None
    return call.guarded("note a request", _note, call, args, kwargs)


def _note(call: LiveCall, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Noted | None:
    path = (kwargs["path"] if "path" in kwargs else args[1]).partition("?")[0]
    name, _, action = path.rpartition(":")
    asked = call.asked
    if _API_OF_ACTION.get(action) != asked.api:
        return None
    now_ns = time.time_ns()
    hop = Hop(
        asked.model_requested,
        bare_model(name),
        asked.provider,
        asked.api,
        asked.endpoint,
        asked.port,
        now_ns,
        now_ns,
        path=path,
    )
    if call.attempts:
        call.estimate = None  # which was of the first request alone
    call.attempts = (*call.attempts, hop)
    return _Noted(call, hop)


def _see(noted: _Noted | None, response: Any) -> None:
    if noted is not None:
        noted.call.guarded("watch a response", _read, noted, response.body)


def _read(noted: _Noted, text: str) -> None:
    call, hop = noted
    hop.ended_ns = time.time_ns()
    if hop.seen is None:
        hop.seen = call.seen = Observation(hop.api)
    if hop.api == "embeddings":
        gemini_embeddings.observe(_object(text) if _tells_usage(text) else {}, hop.seen)
        hop.seen.complete = True
    else:
        gemini.observe(_object(text), hop.seen)


def _tells_usage(text: str) -> bool:
    """Whether a body of embeddings says more than its vectors, which take long to parse."""
    return '"usageMetadata"' in text or '"statistics"' in text


def _object(text: str) -> Mapping[str, object]:
    """A JSON object; empty where it is none, which the SDK will say."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def count_sending(request: Any, *_: Any, **__: Any) -> None:
    """A request is about to be sent, by the method that the SDK calls again to repeat it."""
    call = running_call()
    if call is not None and call.attempts:
        call.guarded("count a request", _count, call, request)


def _count(call: LiveCall, request: Any) -> None:
    hop = call.attempts[-1]
    if isinstance(hop, Hop) and hop.path in str(request.url):
        call.retries += hop.sendings > 0
        hop.sendings += 1
