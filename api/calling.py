"""The functions users call: ``wrap``, ``completion``, ``estimate``, ``flush``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack, overload

from costspan import meter as meters
from costspan.catalogue_in_force import read_overlay
from costspan.middleware import config
from costspan.middleware.functions import watch_function
from costspan.middleware.guard import Guard
from costspan.middleware.hashing import tag_hasher, without_tags
from costspan.middleware.meter import Meter
from costspan.middleware.request import AskedCall, from_arguments
from costspan.middleware.switch import disabled
from costspan.middleware.tags import metadata_tags
from costspan.middleware.wrap import unwrap as unwrap
from costspan.middleware.wrap import wrap as wrap_with
from costspan.pricing.types import Estimate

if TYPE_CHECKING:
    from costspan.core.endpoint import Endpoint
    from costspan.core.params import CompletionArguments
    from costspan.core.reply import Reply
    from costspan.core.stream import AsyncStream, Stream

T = TypeVar("T")
Messages: TypeAlias = Sequence[Mapping[str, Any]]

_guard = Guard()


def wrap(x: T, *, meter: Meter | None = None) -> T:
    """Watch every call of a completion function or of an SDK client.

    Args:
        x: A function (also async, generator, bound method, any callable), or a client of an SDK,
            synchronous or not: openai, anthropic, groq and their kin, google-genai, mistralai,
            cohere, ollama, litellm's Router, boto3's bedrock-runtime, a chat model of LangChain.
        meter: The Meter to use; by default the one that the configuration describes.

    Returns:
        A client: the very same object, now watched. A function: a new one with the same signature.
        What is wrapped already is given back as it is. With ``COSTSPAN_DISABLED=1`` in the
        environment ``x`` is given back untouched.

    Raises:
        TypeError: ``x`` can not be watched.
        ConfigError: The configuration file, or the file of own prices that it names, cannot be
            used, or there is no key for the tags to be hashed; said here, never in a call.

    Example:
        >>> import costspan
        >>> def ask(model, messages):
        ...     return {"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2}}
        >>> ask = costspan.wrap(ask)
    """
    if disabled():
        return x
    if meter is None:
        check_configuration()
    return wrap_with(x, meter_source(meter))


def check_configuration(environ: Mapping[str, str] | None = None) -> None:
    """Say what is wrong with the configuration, before there is a call.

    Args:
        environ: Environment variables, ``os.environ`` by default.

    Raises:
        ConfigError: See `wrap`.
    """
    found = config.load(environ)
    tag_hasher(found.hashed_tags)
    if found.prices:
        read_overlay(found.prices)


@overload
def completion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[False] | None = False,
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Reply: ...
@overload
def completion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[True],
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Stream: ...
@overload
def completion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: bool | None,
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Reply | Stream: ...
def completion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: bool | None = False,
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Reply | Stream:
    """Complete a chat with any provider, metered.

    Args:
        model: Model with its provider prefix (``anthropic/claude-sonnet-4-5``); a bare name of a
            well-known family will do.
        messages: The conversation in OpenAI's shape: mappings, or messages of replies.
        stream: Whether to get a stream of chunks.
        meter: The Meter to use; by default the one that the configuration describes.
        params: OpenAI's and LiteLLM's parameters, see `costspan.core.completion.completion`.

    Returns:
        A reply in OpenAI's shape, with ``cost`` and ``estimate`` filled; a stream if asked for.

    Raises:
        APIError: What the provider or the network answered, see `costspan.core.errors`.
    """
    from costspan.core.completion import completion as run

    given = {**params, **own_endpoints(meter, params.get("endpoints"))}
    metered = _metered(run, meter)
    answer: Reply | Stream = metered(model, messages, stream=stream, **given)
    return answer


@overload
async def acompletion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[False] | None = False,
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Reply: ...
@overload
async def acompletion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: Literal[True],
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> AsyncStream: ...
@overload
async def acompletion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: bool | None,
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Reply | AsyncStream: ...
async def acompletion(
    model: str,
    messages: Sequence[Any],
    *,
    stream: bool | None = False,
    meter: Meter | None = None,
    **params: Unpack[CompletionArguments],
) -> Reply | AsyncStream:
    """Asynchronous `completion`."""
    from costspan.core.completion import acompletion as run

    given = {**params, **own_endpoints(meter, params.get("endpoints"))}
    metered = _metered(run, meter)
    answer: Reply | AsyncStream = await metered(model, messages, stream=stream, **given)
    return answer


def estimate(
    *,
    model: str,
    messages: Messages | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    max_tokens: int | None = None,
    provider: str | None = None,
    api: str | None = None,
    meter: Meter | None = None,
    **body: Any,
) -> Estimate:
    """Say what a call would use and cost, before it runs. No network.

    Args:
        model: The model, with or without a provider prefix.
        messages: The conversation, in OpenAI's or Anthropic's shape.
        tools: Tool definitions.
        max_tokens: Limit of the answer; without it the model's own limit is the high bound.
        provider: Canonical provider, where the model's name does not tell it.
        api: Canonical api (``chat``, ``messages``, ``responses`` ...), by default the provider's.
        meter: The Meter whose aliases and prices apply.
        body: Whatever else the request holds.

    Returns:
        Tokens and US dollars, each with low, likely and high; the cost is None for a model
        without a known price.

    Example:
        >>> import costspan
        >>> said = costspan.estimate(
        ...     model="gpt-4o", messages=[{"role": "user", "content": "hi"}], max_tokens=50
        ... )
        >>> said.input_tokens.likely
        8
    """
    given = {"messages": messages, "tools": tools, "max_tokens": max_tokens, **body}
    request = {"model": model, **{key: value for key, value in given.items() if value is not None}}
    return meter_source(meter)().estimate(request, provider=provider, api=api)


def flush(timeout_s: float = 5.0) -> bool:
    """Push out everything that the default Meter holds.

    Returns:
        Whether all of it went out within ``timeout_s`` seconds for each exporter.
    """
    return meters.default_meter().flush(timeout_s)


def _metered(function: Any, meter: Meter | None) -> Any:
    if disabled():
        return function
    return _watched(function) if meter is None else watch_function(function, lambda: meter, _read)


@cache
def _watched(function: Any) -> Any:
    """A function of the core, watched by the default Meter: asked about once, not in every call."""
    return watch_function(function, _default, _read)


def own_endpoints(
    meter: Meter | None, given: Mapping[str, Endpoint] | None = None
) -> Mapping[str, Mapping[str, Endpoint]]:
    """The servers that the Meter or the file names, as an argument of the core; empty for none.

    Args:
        meter: The Meter to use; None for the default one.
        given: Those of the call, which win over them by name.
    """
    if meter is None and disabled():
        found = _guard.run("reading the configuration", config.load)
        own = found.endpoints if found else {}
    else:
        own = getattr(meter_source(meter)(), "endpoints", {})
    return {"endpoints": {**own, **(given or {})}} if own else {}


def _read(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall:
    model, messages = args
    wanted = kwargs.get("response_format")
    if isinstance(wanted, type):
        from costspan.core.structured import is_model, wire_format

        if is_model(wanted):  # its schema counts in the estimate
            kwargs = {**kwargs, "response_format": wire_format(wanted)[0]}
    return of_core(from_arguments({"model": model, "messages": messages, **kwargs}), kwargs)


def of_core(asked: AskedCall, arguments: Mapping[str, Any]) -> AskedCall:
    """What is asked of our own core, which sends the requests itself; ``metadata`` tags a call."""
    metadata = arguments.get("metadata")
    if metadata:
        return asked._replace(is_request=True, tags=metadata_tags(metadata))
    return asked._replace(is_request=True)


def meter_source(meter: Meter | None) -> Callable[[], Meter]:
    """Gives the Meter, or the default one that is in force when it is called."""
    return _default if meter is None else lambda: meter


def _default() -> Meter:
    """The default Meter. If it cannot be made, one without the file, then one without exporters.

    ``wrap`` has said what is wrong with the file already; a call must not fail for it. What is
    recorded then carries no tags.
    """
    found = meters.made_meter() or _guard.run("reading the configuration", meters.default_meter)
    if found is None:
        found = _guard.run("setting up without the file", meters.Meter) or Meter()
        found.protect_tags = without_tags  # which of them were to be hashed stands in the file
        meters.set_default_meter(found)
    return found
