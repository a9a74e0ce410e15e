"""The arguments of `completion`: their names, types and ranges, checked before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from costspan.core.errors import BadRequestError
from costspan.core.types import JSON

if TYPE_CHECKING:
    from costspan.core.endpoint import Endpoint
    from costspan.core.keyring import ApiKey
    from costspan.core.mock import MockResponse
    from costspan.core.policy import Policy


class CompletionParams(TypedDict, total=False):
    """Parameters of a completion, by OpenAI's names. None means not given.

    Attributes:
        temperature: Randomness, 0 to 2.
        top_p: Nucleus sampling, 0 to 1.
        top_k: Sample from the k likeliest tokens only (Anthropic and local servers).
        n: Number of answers, at least 1.
        max_tokens, max_completion_tokens: Bound of the output in tokens, at least 1.
        stop: A text or texts to stop at.
        frequency_penalty, presence_penalty: -2 to 2.
        logit_bias: Bias by token id, -100 to 100.
        logprobs, top_logprobs: Ask for log probabilities, of 0 to 20 tokens.
        seed: Sample repeatably, where the provider can.
        user, safety_identifier: Who the end user is, for the provider's abuse checks.
        tools, tool_choice, parallel_tool_calls: Tools in OpenAI's shape.
        functions, function_call: Their older form; sent as tools.
        response_format: ``{"type": "json_object"}``, a JSON schema, or a pydantic model; see
            ``reply.parsed``.
        reasoning_effort: ``minimal``, ``low``, ``medium``, ``high`` ...
        thinking: Anthropic's ``{"type": "enabled", "budget_tokens": n}``.
        thinking_budget: Tokens for thinking; the same as ``thinking`` with that budget.
        stream_options: ``{"include_usage": True}`` for a last chunk that holds the usage.
        service_tier, store, modalities, audio, prediction, verbosity, web_search_options,
            prompt_cache_key, prompt_cache_retention: As OpenAI has them.
        metadata: Not sent: tags for the caller's own accounting, as ``{"team": "search"}`` or in
            LiteLLM's form, ``{"tags": ["team:search"]}``.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    n: int | None
    max_tokens: int | None
    max_completion_tokens: int | None
    stop: str | Sequence[str] | None
    frequency_penalty: float | None
    presence_penalty: float | None
    logit_bias: Mapping[str, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    seed: int | None
    user: str | None
    safety_identifier: str | None
    tools: Sequence[JSON] | None
    tool_choice: str | JSON | None
    parallel_tool_calls: bool | None
    functions: Sequence[JSON] | None
    function_call: str | JSON | None
    response_format: JSON | type | None
    reasoning_effort: str | None
    thinking: JSON | None
    thinking_budget: int | None
    stream_options: JSON | None
    service_tier: str | None
    store: bool | None
    modalities: Sequence[str] | None
    audio: JSON | None
    prediction: JSON | None
    verbosity: str | None
    web_search_options: JSON | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    metadata: JSON | None


class ServerArguments(TypedDict, total=False):
    """How a provider is reached and asked: the arguments that all calls of the core have.

    Attributes:
        api_key: The key, or a function that returns it; from the environment where not given.
            Several in a list, or in a `KeyRing`: the next one is taken on 401, 403 and 429.
        base_url, api_base: Another server that speaks the provider's wire format: two names of
            one argument.
        region, project, api_version: What the address of the provider needs: the region of AWS
            and Vertex, the project of Vertex, the version of Azure's API. LiteLLM's names
            ``aws_region_name``, ``vertex_location`` and ``vertex_project`` mean the same.
        endpoints: Servers of one's own, by the name before the slash of the model.
        timeout: Seconds without progress on the network, or a timeout object of the HTTP library;
            None waits forever. 600 seconds where not given, and 10 to connect.
        policy: A `Policy`: retries, deadline, limits of waiting, circuit breaker.
        num_retries, max_retries: How often a request is repeated, instead of the policy's number:
            two names of one argument.
        client: An httpx or httpx2 client to send with.
        drop_params: Leave out parameters that the provider lacks, and name them in the reply's
            ``dropped_params``, instead of failing.
        extra_body, extra_headers: Fields and headers that are sent as they are.
    """

    api_key: ApiKey | None
    base_url: str | None
    api_base: str | None
    region: str | None
    aws_region_name: str | None
    vertex_location: str | None
    project: str | None
    vertex_project: str | None
    api_version: str | None
    endpoints: Mapping[str, Endpoint] | None
    timeout: object
    policy: Policy | None
    num_retries: int | None
    max_retries: int | None
    client: Any
    drop_params: bool | None
    extra_body: Mapping[str, object] | None
    extra_headers: Mapping[str, str] | None


class CompletionArguments(CompletionParams, ServerArguments, total=False):
    """All keyword arguments of `completion` but ``stream``.

    Attributes:
        api: Another wire format of the server: ``responses`` for OpenAI's Responses.
        fallbacks: Models that are asked in turn when the one before failed: names, or mappings
            with ``model`` and what else is different for it (``api_key``, ``base_url``,
            ``max_tokens`` ...). The key and address of the first model go to fallbacks of the same
            provider only.
        mock_response: Answer with this, and send nothing; see `costspan.core.mock`.
    """

    api: str | None
    fallbacks: Sequence[str | Mapping[str, Any]] | None
    mock_response: MockResponse | None


_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_k": (0, math.inf),
    "n": (1, math.inf),
    "max_tokens": (1, math.inf),
    "max_completion_tokens": (1, math.inf),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
    "thinking_budget": (1, math.inf),
    "seed": (-math.inf, math.inf),
}
_FRACTIONS = frozenset(("temperature", "top_p", "frequency_penalty", "presence_penalty"))
_TEXTS = ("reasoning_effort", "service_tier", "user", "verbosity")

_ELSEWHERE = {
    "custom_llm_provider": "write it before the model's name, as in openai/gpt-4o",
    "deployment_id": "write it as the model, as in azure/my-deployment",
    "headers": "use extra_headers=",
    "organization": "use extra_headers={'OpenAI-Organization': ...}",
    "stream_timeout": "use policy=Policy(first_token_timeout_s=..., between_tokens_timeout_s=...)",
    "retry_policy": "use policy=Policy(...)",
    "context_window_fallback_dict": "use fallbacks=[...]",
    "mock_timeout": "use mock_response='Timeout'",
    "ssl_verify": "use client=httpx.Client(verify=...)",
}
"""Arguments that LiteLLM has (1.110.2), and what does the same here."""


def checked_params(params: Mapping[str, object]) -> dict[str, object]:
    """The parameters that were given, without those that are None and without ``metadata``.

    Raises:
        BadRequestError: A name is unknown or a value is out of its range; the message says which
            name or range is meant.
    """
    for name in params:
        if name not in CompletionParams.__annotations__:
            known = ("model", "messages", "stream", *CompletionArguments.__annotations__)
            raise unknown_argument(name, known)
    given = {k: v for k, v in params.items() if v is not None and k != "metadata"}
    for name in given.keys() & _RANGES.keys():
        _check_number(name, given[name])
    for name in _TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise BadRequestError(f"{name}={given[name]!r}: it must be a text")
    if "logit_bias" in given:
        _check_bias(given["logit_bias"])
    bounds_given = {
        given[name] for name in ("max_tokens", "max_completion_tokens") if name in given
    }
    if len(bounds_given) > 1:
        raise BadRequestError(
            "max_tokens and max_completion_tokens are one bound under two names: give one of them"
        )
    return given


def _check_number(name: str, value: object) -> None:
    low, high = _RANGES[name]
    kinds = (int, float) if name in _FRACTIONS else (int,)
    if isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high:
        return
    bounds = f"{low} or more" if high == math.inf else f"from {low} to {high}"
    bounds = "any" if low == -math.inf else bounds
    whole = "" if name in _FRACTIONS else ", a whole number"
    raise BadRequestError(f"{name}={value!r} is out of range: it must be {bounds}{whole}")


def _check_bias(given: object) -> None:
    values = given.values() if isinstance(given, Mapping) else [None]
    if not all(isinstance(value, (int, float)) and -100 <= value <= 100 for value in values):
        raise BadRequestError("logit_bias must map token ids to numbers from -100 to 100")


def unknown_argument(name: str, known: Iterable[str]) -> BadRequestError:
    """The error for an argument that nobody knows, with the name that may have been meant.

    Args:
        name: The name that was given.
        known: The names that there are.
    """
    import difflib

    if name in _ELSEWHERE:
        return BadRequestError(f"unknown argument {name!r}: {_ELSEWHERE[name]}")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return BadRequestError(
        f"unknown argument {name!r}: {hint}What only the provider knows goes into "
        f"extra_body={{{name!r}: ...}}"
    )


def checked_messages(messages: object) -> list[JSON]:
    """The messages as plain mappings.

    Args:
        messages: A list of mappings, of our own `Message` or of SDK message objects, which know
            ``model_dump``.

    Raises:
        BadRequestError: There are none, or one has no role.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise BadRequestError(
            "messages must be a list of messages, as in [{'role': 'user', 'content': 'Hello'}]"
        )
    found = [_plain(message, position) for position, message in enumerate(messages)]
    if not found:
        raise BadRequestError("messages is empty: give at least one message")
    return found


def _plain(message: object, position: int) -> JSON:
    if not isinstance(message, Mapping) and hasattr(message, "model_dump"):
        message = message.model_dump(exclude_none=True)
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise BadRequestError(
            f"messages[{position}] must be a mapping with a role: system, developer, user, "
            "assistant or tool"
        )
    return message if isinstance(message, dict) else dict(message)
