"""What a completion is about to do: which models are asked, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from costspan.core import transport
from costspan.core.assembly import Exchange
from costspan.core.auth import authorisation
from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import resolve
from costspan.core.errors import BadRequestError
from costspan.core.legacy import tool_turns, tools_from_functions
from costspan.core.naming import canonical_api
from costspan.core.params import checked_messages, checked_params
from costspan.core.policy import DEFAULT_POLICY, Policy
from costspan.core.protocols import load_protocol
from costspan.core.request import Request, WireRequest
from costspan.core.targets import Target, fallback_targets, target_of
from costspan.core.types import JSON

if TYPE_CHECKING:
    from costspan.core.timeouts import Limits

DEFAULT_TIMEOUT_S = (10.0, 600.0, 600.0, 600.0)
"""To connect, between two reads, between two writes, for a connection of the pool: an address
where nobody answers is to be known in seconds, an answer may take minutes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model to ask, translated: all but the key.

    Attributes:
        target: What the caller wanted.
        exchange: What is asked of whom.
        url, headers, body: What is sent.
        repeats: How many requests are made at once, where one cannot give several answers.
    """

    target: Target
    exchange: Exchange
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    repeats: int = 1

    def call(self, key: str | None, plan: Plan, deadline: float | None) -> transport.Call:
        """The HTTP request, signed.

        Args:
            key: The key for it; None where it needs none.
            plan: Tells for how long it may take.
            deadline: Instant of the monotonic clock at which it must have ended, if there is one.
        """
        endpoint = self.exchange.endpoint
        signed = {} if plan.mocked else authorisation(endpoint, key, url=self.url, body=self.body)
        return transport.Call(
            url=self.url,
            headers={**signed, **self.headers},
            body=self.body,
            timeout=plan.timeout,
            provider=endpoint.provider,
            model=self.exchange.request.model,
            key=key,
            limits=None if plan.mocked else _limits(plan, deadline, self.exchange),
        )


def _limits(plan: Plan, deadline: float | None, exchange: Exchange) -> Limits | None:
    """What the policy limits of a request; None, which costs nothing, where it does not."""
    if deadline is None and not plan.policy.limits_requests:
        return None
    from costspan.core.timeouts import Limits

    return Limits(
        plan.policy,
        deadline,
        stream=plan.stream,
        provider=exchange.endpoint.provider,
        model=exchange.request.model,
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole completion before anything is sent.

    Attributes:
        messages: The conversation, checked.
        params: The parameters for all models, checked.
        stream, drop_params, timeout: As the caller gave them.
        policy: When a request is repeated, and for how long it is waited.
        mocked: Whether a mock answers, in OpenAI's format, and no key is needed.
        targets: The models, in the order in which they are asked.
        own: Endpoints of the caller's own, by name.
    """

    messages: Sequence[JSON]
    params: Mapping[str, object]
    stream: bool
    drop_params: bool
    timeout: object
    policy: Policy
    mocked: bool
    targets: Sequence[Target]
    own: Mapping[str, Endpoint]

    def __post_init__(self) -> None:
        given = self.timeout
        if isinstance(given, (str, bool)) or (isinstance(given, (int, float)) and not given > 0):
            raise BadRequestError(
                f"timeout={given!r}: it must be more than 0 seconds, or None to wait forever"
            )

    def candidate(self, target: Target) -> Candidate:
        """Translate the request for one model.

        Raises:
            BadRequestError: The model says no provider, or its wire format cannot say the request.
        """
        endpoint, model = resolve(
            target.model, base_url=target.base_url, settings=target.settings, own=self.own
        )
        if target.api:
            endpoint = speaking(endpoint, target.api)
        protocol = load_protocol(endpoint.protocol)
        params = {**self.params, **target.params} if target.params else self.params
        legacy = "functions" in params
        if legacy:
            params = tools_from_functions(params)
        reader = None
        if "response_format" in params:
            from costspan.core.structured import wire_format

            wanted, reader = wire_format(params["response_format"])
            params = {**params, "response_format": wanted}
        repeats, has_n = 1, protocol.HAS_N and "n" not in endpoint.unsupported
        if not has_n or model.startswith(endpoint.one_answer):
            repeats, params = _fanned_out(params, endpoint, stream=self.stream)
        request = Request(
            model=model,
            messages=self.messages,
            stream=self.stream,
            params=params,
            extra_body=target.extra_body,
            extra_headers=target.extra_headers,
            drop_params=self.drop_params,
            legacy_functions=legacy,
        )
        wire = protocol.encode(request, endpoint)
        if self.mocked:
            protocol = load_protocol("chat")
        exchange = Exchange(request, endpoint, protocol, wire.dropped, reader)
        return candidate_of(target, exchange, wire, repeats)


def candidate_of(
    target: Target, exchange: Exchange, wire: WireRequest, repeats: int = 1
) -> Candidate:
    """The candidate for a request that is translated."""
    return Candidate(
        target,
        exchange,
        exchange.endpoint.url(wire.path, model=exchange.request.model, query=wire.query),
        # In lower case, so that the caller's win over ours in any spelling.
        {name.lower(): value for name, value in wire.headers.items()},
        transport.encoded(wire.body),
        repeats,
    )


def speaking(endpoint: Endpoint, api: str) -> Endpoint:
    """The endpoint with another of the wire formats that its server speaks.

    Raises:
        BadRequestError: It does not speak this one.
    """
    wanted = canonical_api(api)
    if wanted == endpoint.protocol:
        return endpoint
    known = (endpoint.protocol, *endpoint.protocols)
    if wanted not in known:
        raise BadRequestError(
            f"{endpoint.provider} does not speak the api {api!r}, only {', '.join(known)}",
            provider=endpoint.provider,
        )
    # Google's door for OpenAI's clients takes the key as they send it.
    auth = "bearer" if endpoint.auth == "x-goog-api-key" else endpoint.auth
    return replace(endpoint, protocol=wanted, auth=auth)


def _fanned_out(
    params: Mapping[str, object], endpoint: Endpoint, *, stream: bool
) -> tuple[int, Mapping[str, object]]:
    """How many requests are made for the answers wanted, and the parameters of each."""
    n = params.get("n", 1)
    if not isinstance(n, int) or n == 1:
        return 1, params
    if stream:
        raise BadRequestError(
            f"n={n} cannot be streamed from {endpoint.provider}, which gives one answer a request: "
            "leave out stream, or make a call for each answer",
            provider=endpoint.provider,
        )
    return n, {name: value for name, value in params.items() if name != "n"}


def prepare(
    model: str,
    messages: Sequence[Any],
    *,
    stream: bool,
    mocked: bool = False,
    timeout: object = DEFAULT_TIMEOUT_S,
    drop_params: bool | None = False,
    policy: Policy | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    fallbacks: Sequence[str | Mapping[str, Any]] | None = None,
    endpoints: Mapping[str, Endpoint] | None = None,
    **arguments: Any,
) -> Plan:
    """All that comes before the network: check, resolve. Arguments as `completion`."""
    first, params = target_of(model, arguments)
    wanted = checked_params(params)
    own = endpoints or {}
    return Plan(
        messages=tool_turns(checked_messages(messages)),
        params=wanted,
        stream=stream,
        drop_params=bool(drop_params),
        timeout=timeout,
        policy=policy_of(policy, num_retries, max_retries),
        mocked=mocked,
        targets=[first, *fallback_targets(first, fallbacks, own)] if fallbacks else (first,),
        own=own,
    )


def policy_of(policy: Policy | None, num_retries: int | None, max_retries: int | None) -> Policy:
    """The policy that these arguments mean."""
    if num_retries is not None and max_retries is not None and num_retries != max_retries:
        raise BadRequestError("num_retries and max_retries are one argument: give one of them")
    retries = num_retries if num_retries is not None else max_retries
    found = policy or DEFAULT_POLICY
    if not isinstance(found, Policy):
        raise BadRequestError("policy must be a costspan.Policy, as in Policy(max_retries=4)")
    return found if retries is None else replace(found, max_retries=retries)
