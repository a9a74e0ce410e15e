"""From a failed response to its error: one table of statuses, names and words for all providers.

Read in the error references of OpenAI, Anthropic, Google, AWS (Bedrock's user guide,
"Troubleshooting API error codes"), Azure, Cohere, Ollama, vLLM and llama.cpp, 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from costspan.core.error_bodies import LONGEST_SAID, Said, decoded, said_by
from costspan.core.errors import (
    APIError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServiceUnavailableError,
    Timeout,
    UnprocessableEntityError,
)
from costspan.core.redaction import redact
from costspan.core.retry_after import retry_after_s

_CLASS_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: Timeout,
    409: ConflictError,
    413: BadRequestError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    503: ServiceUnavailableError,
    504: Timeout,
    521: ServiceUnavailableError,  # of Cloudflare: the server behind it is down,
    523: ServiceUnavailableError,  # cannot be reached,
    524: Timeout,  # or takes too long
    529: OverloadedError,
}

# Names that say more than the status that comes with them. Names are compared in lower case,
# without underscores and the "Exception" at their end.
_CLASS_BY_NAME: dict[str, type[APIError]] = {
    "insufficientquota": QuotaExceededError,
    "billingerror": QuotaExceededError,
    "billinghardlimitreached": QuotaExceededError,
    "servicequotaexceeded": QuotaExceededError,
    "contextlengthexceeded": ContextWindowExceededError,
    "exceedcontextsizeerror": ContextWindowExceededError,
    "contentfilter": ContentPolicyViolationError,
    "contentpolicyviolation": ContentPolicyViolationError,
    "responsibleaipolicyviolation": ContentPolicyViolationError,
    "datainspectionfailed": ContentPolicyViolationError,
    "apikeyinvalid": AuthenticationError,
    "invalidapikey": AuthenticationError,
    "invalidgrant": AuthenticationError,
    "throttling": RateLimitError,
    "modelnotready": ServiceUnavailableError,
    "modeltimeout": Timeout,
    "modelerror": InternalServerError,
    "modelstreamerror": InternalServerError,
}

_AWS_CREDENTIALS = frozenset(
    (
        "unrecognizedclient",
        "invalidclienttokenid",
        "expiredtoken",
        "requestexpired",
        "invalidsignature",
        "signaturedoesnotmatch",
        "incompletesignature",
        "missingauthenticationtoken",
    )
)
"""What AWS says with 400 or 403 of credentials that it does not accept."""

# Names in error events, which come without a status of their own.
_STATUS_BY_NAME: dict[str, int] = {
    "authenticationerror": 401,
    "invalidapikey": 401,
    "unauthenticated": 401,
    "billingerror": 402,
    "insufficientquota": 402,
    "permissionerror": 403,
    "permissiondenied": 403,
    "accessdenied": 403,
    "notfounderror": 404,
    "notfound": 404,
    "resourcenotfound": 404,
    "modeltimeout": 408,
    "requesttoolarge": 413,
    "modelerror": 424,
    "modelstreamerror": 424,
    "ratelimiterror": 429,
    "ratelimitexceeded": 429,
    "resourceexhausted": 429,
    "throttling": 429,
    "modelnotready": 429,
    "invalidrequesterror": 400,
    "invalidargument": 400,
    "failedprecondition": 400,
    "validation": 400,
    "contextlengthexceeded": 400,
    "contentfilter": 400,
    "apierror": 500,
    "servererror": 500,
    "internal": 500,
    "internalserver": 500,
    "unavailable": 503,
    "serviceunavailable": 503,
    "deadlineexceeded": 504,
    "timeouterror": 504,
    "overloadederror": 529,
}

# Failures that some providers tell apart by words alone.
_CLASS_BY_WORDS: tuple[tuple[type[APIError], frozenset[int], re.Pattern[str]], ...] = (
    (
        QuotaExceededError,
        frozenset((400, 403, 429)),
        re.compile(
            r"credit balance is too low|exceeded your current quota"
            r"|insufficient (?:balance|credits)",
            re.IGNORECASE,
        ),
    ),
    (
        ContextWindowExceededError,
        frozenset((400, 413, 422)),
        re.compile(
            r"maximum context length|(?:prompt|input) is too long|context window"
            r"|exceeds? the (?:available )?context (?:size|window|length)"
            r"|exceeds the maximum number of tokens|too many (?:input )?tokens:"
            r"|maximum number of (?:input )?tokens allowed",
            re.IGNORECASE,
        ),
    ),
    (
        ContentPolicyViolationError,
        frozenset((400, 403, 422)),
        re.compile(r"content management policy|content filtering policy", re.IGNORECASE),
    ),
)

_CURES: dict[type[APIError], str] = {
    PermissionDeniedError: "check what the key may use",
    NotFoundError: "check the model's name and base_url",
    ContextWindowExceededError: "shorten the messages or lower max_tokens",
    QuotaExceededError: "raise the limit or add credit in the provider's console",
}


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes | Mapping[str, object],
    *,
    provider: str,
    model: str | None = None,
    key_variables: tuple[str, ...] = (),
    secret: str | None = None,
) -> APIError:
    """The error that a failed response means; the same class for the same failure everywhere.

    Args:
        status: HTTP status.
        headers: Response headers, names in lower case or case-insensitive.
        body: The body as received, or decoded.
        provider, model: Who was asked for what.
        key_variables: Environment variables that may hold the key, to name the cure.
        secret: The API key that was sent, so that no echo of it survives.
    """
    clean = redact(body if isinstance(body, Mapping) else decoded(body), secret)
    said = said_by(clean, headers)
    kind = _class_of(status, said)
    waited_s = retry_after_s(status, headers, said.details)
    cure = _cure(kind, said, provider, model, key_variables)
    if 300 <= status <= 399:
        elsewhere = redact(headers.get("location", "another address"), secret)
        cure = f"it redirects to {elsewhere}, which is not followed: correct base_url"
    elif cure is None and waited_s:
        cure = f"it asks to wait {waited_s:g} seconds"
    error = kind(
        f"{provider}: {said.message or 'no reason given'} (HTTP {status})"
        + (f"; {cure}" if cure else ""),
        provider=provider,
        model=model,
        status_code=status,
        code=said.names[0] if said.names else None,
        request_id=said.request_id,
        retry_after_s=waited_s,
        body=_kept(clean),
    )
    error.should_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    return error


def error_from_event(
    event: Mapping[str, object],
    *,
    provider: str,
    model: str | None = None,
    secret: str | None = None,
) -> APIError:
    """The error that an error event in the middle of a stream means; see `error_from_response`."""
    event = _error_holder(event)
    said = said_by(event, {})
    known = (_STATUS_BY_NAME.get(_plain(name)) for name in said.names)
    status = said.status or next(filter(None, known), 500)
    return error_from_response(status, {}, event, provider=provider, model=model, secret=secret)


def _error_holder(event: Mapping[str, object]) -> Mapping[str, object]:
    """The error of an event that nests it: in the response that failed, or in Cohere's delta."""
    for name in ("response", "delta"):
        inner = event.get(name)
        if isinstance(inner, dict) and inner.get("error"):
            return {"error": inner["error"]}
    return event


def _class_of(status: int, said: Said) -> type[APIError]:
    names = [_plain(name) for name in said.names]
    if not _AWS_CREDENTIALS.isdisjoint(names):
        return AuthenticationError
    told = (_CLASS_BY_NAME.get(name) for name in names)
    kind = next(filter(None, told), None) or _class_of_quota(said)
    if kind is not None:
        return kind
    for kind, statuses, words in _CLASS_BY_WORDS:
        if status in statuses and words.search(said.message):
            return kind
    return _CLASS_BY_STATUS.get(status, InternalServerError if status >= 500 else APIStatusError)


def _class_of_quota(said: Said) -> type[APIError] | None:
    """What of Google's quotas is used up: a minute's is soon there again, a day's is not.

    Its words are the same for all of them, and those that OpenAI has for an empty account.
    """
    violations = [
        each
        for detail in said.details
        if isinstance(found := detail.get("violations"), list)
        for each in found
        if isinstance(each, Mapping)
    ]
    if not violations:
        return None
    for_good = any("PerDay" in str(each.get("quotaId")) for each in violations)
    return QuotaExceededError if for_good or "limit: 0," in said.message else RateLimitError


def _plain(name: str) -> str:
    return name.lower().replace("_", "").removesuffix("exception")


def _cure(
    kind: type[APIError],
    said: Said,
    provider: str,
    model: str | None,
    key_variables: tuple[str, ...],
) -> str | None:
    if kind is AuthenticationError:
        if any(_plain(name) in _AWS_CREDENTIALS for name in said.names):
            return "check or renew the AWS credentials"
        return f"check the key in {' or '.join(key_variables) or 'api_key='}"
    if kind is NotFoundError and provider == "ollama" and model:
        return f"fetch the model with: ollama pull {model}"
    if "DeploymentNotFound" in said.names:
        return "with azure the model is the name of the deployment; check it and base_url"
    return _CURES.get(kind)


def _kept(clean: object) -> Mapping[str, object] | str | None:
    if isinstance(clean, str):
        return clean[:LONGEST_SAID]
    return clean if isinstance(clean, Mapping) else None
