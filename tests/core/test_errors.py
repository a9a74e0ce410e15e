"""The same failure is the same class at every provider, says its cure, and shows no key."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core import errors
from costspan.core.failures import error_from_event, error_from_response
from costspan.core.redaction import redact

KEY = "sk-proj-AbCdEf0123456789"


def openai_body(message: str = "no", code: Any = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic_body(kind: str, message: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def failed(status: int, body: Any, provider: str = "openai", **headers: str) -> errors.APIError:
    return error_from_response(
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps(body).encode(),
        provider=provider,
        model="m",
        key_variables=("OPENAI_API_KEY",),
        secret=KEY,
    )


@pytest.mark.parametrize(
    ("status", "kind", "anthropic_type"),
    [
        (400, errors.BadRequestError, "invalid_request_error"),
        (401, errors.AuthenticationError, "authentication_error"),
        (402, errors.QuotaExceededError, "billing_error"),
        (403, errors.PermissionDeniedError, "permission_error"),
        (404, errors.NotFoundError, "not_found_error"),
        (408, errors.Timeout, "timeout_error"),
        (409, errors.ConflictError, "conflict_error"),
        (413, errors.BadRequestError, "request_too_large"),
        (418, errors.APIStatusError, "teapot"),
        (422, errors.UnprocessableEntityError, "invalid_request_error"),
        (429, errors.RateLimitError, "rate_limit_error"),
        (500, errors.InternalServerError, "api_error"),
        (502, errors.InternalServerError, "api_error"),
        (503, errors.ServiceUnavailableError, "api_error"),
        (504, errors.Timeout, "timeout_error"),
        (529, errors.OverloadedError, "overloaded_error"),
    ],
)
def test_litellm_same_failure_same_class_for_each_provider(
    status: int, kind: type[errors.APIError], anthropic_type: str
) -> None:
    for error in (
        failed(status, openai_body()),
        failed(status, anthropic_body(anthropic_type), "anthropic"),
        error_from_response(status, {}, b"<html>", provider="groq"),
    ):
        assert type(error) is kind
        assert error.status_code == status


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, openai_body(code="insufficient_quota"), errors.QuotaExceededError),
        (429, openai_body("You exceeded your current quota"), errors.QuotaExceededError),
        (429, openai_body(code="rate_limit_exceeded"), errors.RateLimitError),
        (
            400,
            anthropic_body("invalid_request_error", "Your credit balance is too low to ..."),
            errors.QuotaExceededError,
        ),
        (400, openai_body(code="context_length_exceeded"), errors.ContextWindowExceededError),
        (
            400,
            anthropic_body("invalid_request_error", "prompt is too long: 210000 tokens > 200000"),
            errors.ContextWindowExceededError,
        ),
        (
            400,
            openai_body("request (900 tokens) exceeds the available context size (512 tokens)"),
            errors.ContextWindowExceededError,
        ),
        (400, openai_body(code="content_filter"), errors.ContentPolicyViolationError),
        (
            400,
            {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            errors.ContentPolicyViolationError,
        ),
        (500, openai_body("context window"), errors.InternalServerError),
    ],
)
def test_failures_of_one_status_are_told_apart(
    status: int, body: Any, kind: type[errors.APIError]
) -> None:
    assert type(failed(status, body)) is kind


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        (anthropic_body("overloaded_error"), errors.OverloadedError, 529),
        (anthropic_body("rate_limit_error"), errors.RateLimitError, 429),
        (anthropic_body("api_error"), errors.InternalServerError, 500),
        (anthropic_body("never_heard_of"), errors.InternalServerError, 500),
        (openai_body(kind="server_error"), errors.InternalServerError, 500),
        (openai_body(code="rate_limit_exceeded"), errors.RateLimitError, 429),
        (openai_body(kind="insufficient_quota"), errors.QuotaExceededError, 402),
        (openai_body(code=503), errors.ServiceUnavailableError, 503),
        (openai_body(code=7), errors.InternalServerError, 500),
        ({"type": "error", "code": "server_error"}, errors.InternalServerError, 500),
        ({"error": "text"}, errors.InternalServerError, 500),
    ],
)
def test_error_events(event: Any, kind: type[errors.APIError], status: int) -> None:
    error = error_from_event(event, provider="p")
    assert (type(error), error.status_code) == (kind, status)


def test_everything_known_stands_on_the_error() -> None:
    error = failed(
        429, openai_body("slow", "rate_limit_exceeded"), x_request_id="req_7", retry_after="12"
    )
    assert str(error) == "openai: slow (HTTP 429); it asks to wait 12 seconds"
    assert (error.provider, error.model, error.code) == ("openai", "m", "rate_limit_exceeded")
    assert (error.request_id, error.retry_after_s) == ("req_7", 12)
    assert error.body == openai_body("slow", "rate_limit_exceeded")


GEMINI_LIMITS = [
    {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
    },
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20.5s"},
]
GEMINI_DAY = [
    {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
            {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"},
            {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"},
        ],
    }
]
GEMINI_KEY = [
    {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
]
PLAN = "You exceeded your current quota, please check your plan and billing details."


def google_body(code: int, status: str, message: str = "no", details: Any = None) -> dict[str, Any]:
    error = {"code": code, "message": message, "status": status}
    return {"error": error if details is None else {**error, "details": details}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            400,
            google_body(400, "INVALID_ARGUMENT", "API key not valid.", GEMINI_KEY),
            errors.AuthenticationError,
            "API_KEY_INVALID",
        ),
        (400, google_body(400, "INVALID_ARGUMENT"), errors.BadRequestError, "INVALID_ARGUMENT"),
        (
            400,
            google_body(
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum number of tokens allowed "
                "(1048575).",
            ),
            errors.ContextWindowExceededError,
            "INVALID_ARGUMENT",
        ),
        (
            429,
            google_body(429, "RESOURCE_EXHAUSTED", PLAN, GEMINI_LIMITS),
            errors.RateLimitError,
            "RESOURCE_EXHAUSTED",
        ),
        (
            429,
            google_body(429, "RESOURCE_EXHAUSTED", PLAN, GEMINI_DAY),
            errors.QuotaExceededError,
            "RESOURCE_EXHAUSTED",
        ),
        (
            429,
            google_body(429, "RESOURCE_EXHAUSTED", f"{PLAN}\n* limit: 0, model: g", GEMINI_LIMITS),
            errors.QuotaExceededError,
            "RESOURCE_EXHAUSTED",
        ),
        (
            429,
            [google_body(429, "RESOURCE_EXHAUSTED", "Resource exhausted.")],
            errors.RateLimitError,
            "RESOURCE_EXHAUSTED",
        ),
        (503, google_body(503, "UNAVAILABLE"), errors.ServiceUnavailableError, "UNAVAILABLE"),
        (504, google_body(504, "DEADLINE_EXCEEDED"), errors.Timeout, "DEADLINE_EXCEEDED"),
    ],
)
def test_gemini(status: int, body: Any, kind: type[errors.APIError], code: str) -> None:
    error = failed(status, body, "google")
    assert (type(error), error.code) == (kind, code)
    assert error.body == (body[0] if isinstance(body, list) else body)


@pytest.mark.parametrize(
    ("status", "name", "message", "kind"),
    [
        (429, "ThrottlingException", "Too many tokens", errors.RateLimitError),
        (400, "ThrottlingException", "Too many requests", errors.RateLimitError),
        (429, "ModelNotReadyException", "not ready", errors.ServiceUnavailableError),
        (424, "ModelErrorException", "the model failed", errors.InternalServerError),
        (408, "ModelTimeoutException", "late", errors.Timeout),
        (503, "ServiceUnavailableException", "busy", errors.ServiceUnavailableError),
        (400, "ServiceQuotaExceededException", "enough", errors.QuotaExceededError),
        (403, "AccessDeniedException", "not allowed", errors.PermissionDeniedError),
        (403, "ExpiredTokenException", "expired", errors.AuthenticationError),
        (403, "UnrecognizedClientException", "invalid", errors.AuthenticationError),
        (403, "InvalidSignatureException", "does not match", errors.AuthenticationError),
        (400, "IncompleteSignature", "incomplete", errors.AuthenticationError),
        (400, "ValidationException", "wrong", errors.BadRequestError),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            errors.ContextWindowExceededError,
        ),
        (404, "ResourceNotFoundException", "none", errors.NotFoundError),
        (500, "InternalServerException", "broken", errors.InternalServerError),
    ],
)
@pytest.mark.parametrize("field", ["message", "Message"])
def test_bedrock(
    status: int, name: str, message: str, kind: type[errors.APIError], field: str
) -> None:
    written = f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    headers = {"x_amzn_errortype": written, "x_amzn_requestid": "aws-1"}
    error = failed(status, {field: message}, "aws", **headers)
    assert (type(error), error.code, error.request_id) == (kind, name, "aws-1")
    assert message in str(error)
    assert ("AWS credentials" in str(error)) is (kind is errors.AuthenticationError)


@pytest.mark.parametrize(
    ("provider", "status", "body", "kind", "said"),
    [
        ("cohere", 429, {"message": "trial key", "id": "c-1"}, errors.RateLimitError, "trial key"),
        (
            "cohere",
            400,
            {"message": "too many tokens: total number of tokens", "id": "c-1"},
            errors.ContextWindowExceededError,
            "too many tokens",
        ),
        (
            "ollama",
            404,
            {"error": "model 'm' not found"},
            errors.NotFoundError,
            "fetch the model with: ollama pull m",
        ),
        (
            "azure",
            404,
            openai_body(
                "The API deployment for this resource does not exist", "DeploymentNotFound"
            ),
            errors.NotFoundError,
            "the model is the name of the deployment",
        ),
        (
            "azure",
            400,
            {
                "error": {
                    "code": "content_filter",
                    "message": "The response was filtered",
                    "innererror": {"code": "ResponsibleAIPolicyViolation"},
                }
            },
            errors.ContentPolicyViolationError,
            "filtered",
        ),
        (
            "azure",
            401,
            {"statusCode": 401, "message": "denied"},
            errors.AuthenticationError,
            "denied",
        ),
        (
            "vllm",
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 16384 tokens.",
                "type": "BadRequestError",
                "code": 400,
            },
            errors.ContextWindowExceededError,
            "16384",
        ),
        (
            "llama_cpp",
            500,
            {"error": {"code": 500, "message": "no", "type": "exceed_context_size_error"}},
            errors.ContextWindowExceededError,
            "shorten",
        ),
        (
            "xai",
            403,
            {"code": "blocked", "error": "no licence"},
            errors.PermissionDeniedError,
            "no l",
        ),
        (
            "vllm",
            422,
            {"detail": [{"loc": ["body", "top_k"], "msg": "must be positive", "input": "Hello"}]},
            errors.UnprocessableEntityError,
            "vllm: body.top_k: must be positive (HTTP 422)",
        ),
        ("deepseek", 402, openai_body("Insufficient Balance"), errors.QuotaExceededError, "credit"),
        (
            "groq",
            413,
            openai_body("too large", "rate_limit_exceeded"),
            errors.BadRequestError,
            "too",
        ),
        ("openai", 424, openai_body(), errors.APIStatusError, "no"),
        ("openai", 425, openai_body(), errors.APIStatusError, "no"),
        ("openai", 499, openai_body(), errors.APIStatusError, "no"),
        *(
            ("openai", status, "<html>", kind, "html")
            for status, kind in (
                (520, errors.InternalServerError),
                (521, errors.ServiceUnavailableError),
                (522, errors.InternalServerError),
                (523, errors.ServiceUnavailableError),
                (524, errors.Timeout),
                (525, errors.InternalServerError),
                (526, errors.InternalServerError),
            )
        ),
    ],
)
def test_other_servers(
    provider: str, status: int, body: Any, kind: type[errors.APIError], said: str
) -> None:
    error = failed(status, body, provider)
    assert type(error) is kind
    assert said in str(error)
    assert "Hello" not in str(error)
    assert error.request_id == ("c-1" if provider == "cohere" else None)


@pytest.mark.parametrize(
    ("headers", "body", "request_id"),
    [
        ({"x-request-id": "a", "cf-ray": "b"}, {}, "a"),
        ({"request-id": "a"}, {"request_id": "b"}, "a"),
        ({"x-amzn-requestid": "a"}, {}, "a"),
        ({"apim-request-id": "a"}, {}, "a"),
        ({"x-goog-request-id": "a"}, {}, "a"),
        ({"cf-ray": "a"}, {}, "a"),
        ({}, anthropic_body("api_error"), "req_1"),
        ({}, {"id": "c", "message": "no"}, "c"),
        ({}, {"id": "chatcmpl-1"}, None),
    ],
)
def test_request_ids(headers: dict[str, str], body: Any, request_id: str | None) -> None:
    assert error_from_response(500, headers, body, provider="p").request_id == request_id


@pytest.mark.parametrize(("said", "heard"), [("true", True), ("false", False), ("x", None)])
def test_openai_says_whether_to_try_again(said: str, heard: bool | None) -> None:
    assert failed(500, openai_body(), x_should_retry=said).should_retry is heard


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"remaining-requests": "0", "reset-requests": "2m59.56s"}, 179.56),
        (429, {"remaining-tokens": "0", "reset-tokens": "120ms"}, 0.12),
        (
            429,
            {
                "remaining-requests": "0",
                "reset-requests": "6m0s",
                "remaining-tokens": "0",
                "reset-tokens": "1h0m1s",
            },
            3601,
        ),
        (
            429,
            {
                "remaining-requests": "9",
                "reset-requests": "6m0s",
                "remaining-tokens": "150",
                "reset-tokens": "7.66s",
            },
            7.66,
        ),
        (429, {"remaining-requests": "0", "reset-requests": "soon"}, None),
        (429, {"reset-tokens": "1.5"}, None),
        (500, {"remaining-tokens": "0", "reset-tokens": "9s"}, None),
    ],
)
def test_when_limits_are_full_again(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    named = {f"x-ratelimit-{name}": value for name, value in headers.items()}
    error = error_from_response(status, named, b"", provider="p")
    assert error.retry_after_s == pytest.approx(seconds)
    if seconds:
        error = error_from_response(status, {**named, "retry-after": "2"}, b"", provider="p")
        assert error.retry_after_s == 2


@pytest.mark.parametrize(
    ("delay", "seconds"), [("20s", 20), ("1.5s", 1.5), ("0s", 0), ("x", None), (None, None)]
)
def test_google_says_when_to_come_back(delay: str | None, seconds: float | None) -> None:
    body = google_body(429, "RESOURCE_EXHAUSTED", details=[{"retryDelay": delay}])
    assert failed(429, body, "google").retry_after_s == seconds


@pytest.mark.parametrize(
    ("event", "kind", "status", "code"),
    [
        (
            {"throttlingException": {"message": "slow"}},
            errors.RateLimitError,
            429,
            "throttlingException",
        ),
        (
            {"serviceUnavailableException": {"message": "slow"}},
            errors.ServiceUnavailableError,
            503,
            "serviceUnavailableException",
        ),
        (
            {"internalServerException": {"message": "slow"}},
            errors.InternalServerError,
            500,
            "internalServerException",
        ),
        (
            {"modelStreamErrorException": {"message": "slow"}},
            errors.InternalServerError,
            424,
            "modelStreamErrorException",
        ),
        (
            {"validationException": {"message": "slow"}},
            errors.BadRequestError,
            400,
            "validationException",
        ),
        (
            {"modelTimeoutException": {"message": "slow"}},
            errors.Timeout,
            408,
            "modelTimeoutException",
        ),
        (
            google_body(503, "UNAVAILABLE", "slow"),
            errors.ServiceUnavailableError,
            503,
            "UNAVAILABLE",
        ),
        ({"error": {"code": "429", "message": "slow"}}, errors.RateLimitError, 429, "429"),
        (
            {"response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}},
            errors.RateLimitError,
            429,
            "rate_limit_exceeded",
        ),
        ({"delta": {"error": "slow"}}, errors.InternalServerError, 500, None),
    ],
)
def test_error_events_of_other_formats(
    event: Any, kind: type[errors.APIError], status: int, code: str | None
) -> None:
    error = error_from_event(event, provider="p")
    assert (type(error), error.status_code, error.code) == (kind, status, code)
    assert "slow" in str(error)


@pytest.mark.parametrize(
    "secret",
    [
        "ya29.a0AfB_byC1234567890",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefg",
        "sk-ant-api03-abcdefghij",
        "gsk_abcdefghijkl",
    ],
)
def test_what_looks_like_a_key_is_removed(secret: str) -> None:
    assert redact({"a": [f"key {secret}, sent"]}) == {"a": ["key [key removed], sent"]}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "https://g.example/v1?key=abc-123_x&alt=sse",
            "https://g.example/v1?key=[key removed]&alt",
        ),
        ("Credential=AKIAIOSFODNN7EXAMPLE/2026/us-east-1/bedrock", "Credential=[key removed]"),
        ("Signature=fe5f80f77d5fa3beca038a248ff027d0", "Signature=[key removed]"),
        ("X-Amz-Signature=fe5f80f77d5fa3beca038a248ff0", "X-Amz-Signature=[key removed]"),
        ("x-amz-security-token:IQoJb3JpZ2luX2VjEAAa", "x-amz-security-token:[key removed]"),
        ("in asia-northeast1, AKIAnd of", "in asia-northeast1, AKIAnd of"),
    ],
)
def test_signatures_are_removed(text: str, left: str) -> None:
    assert str(redact(text)).startswith(left)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        (
            {
                "retry-after": "Wed, 25 Nov 2026 03:00:10 GMT",
                "date": "Wed, 25 Nov 2026 03:00:00 GMT",
            },
            10,
        ),
        (
            {
                "retry-after": "Wed, 25 Nov 2026 03:00:00 GMT",
                "date": "Wed, 25 Nov 2026 03:00:10 GMT",
            },
            0,
        ),
        ({"retry-after": "Wed, 25 Nov 2026 03:00:10 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert error_from_response(429, headers, b"", provider="p").retry_after_s == seconds


@pytest.mark.parametrize(
    ("status", "body", "cure"),
    [
        (401, openai_body(), "check the key in OPENAI_API_KEY"),
        (404, openai_body(), "check the model's name and base_url"),
        (429, openai_body(code="insufficient_quota"), "add credit"),
        (400, openai_body(code="context_length_exceeded"), "shorten the messages"),
    ],
)
def test_messages_name_the_cure(status: int, body: Any, cure: str) -> None:
    assert cure in str(failed(status, body))


def test_keys_appear_nowhere() -> None:
    said = f"Incorrect API key provided: {KEY}. Bearer {KEY}, sk-proj-****6789, AIzaSyAbCdEf012345"
    error = failed(401, openai_body(said, code=f"bad {KEY}"))
    everything = f"{error} {error!r} {error.__dict__}"
    assert KEY not in everything
    assert "6789" not in everything
    assert "AIza" not in everything
    assert "Incorrect API key provided" in str(error)


def test_short_keys_of_local_servers_are_words_and_no_secrets() -> None:
    assert redact("there is none", "none") == "there is none"


def test_bodies_that_are_no_json() -> None:
    error = error_from_response(502, {}, b"<html>bad \xff gateway</html>", provider="p")
    assert error.body == "<html>bad \ufffd gateway</html>"
    assert "bad \ufffd gateway" in str(error)
    assert len(str(error_from_response(500, {}, b"x" * 10_000, provider="p"))) < 600


@given(st.integers(300, 599), st.binary(max_size=200))
def test_garbage_bodies_are_still_errors_of_ours(status: int, body: bytes) -> None:
    assert isinstance(error_from_response(status, {}, body, provider="p"), errors.APIError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["error", "type", "code", "message"]), JSON))
def test_garbage_events_are_still_errors_of_ours(event: dict[str, Any]) -> None:
    assert isinstance(error_from_event(event, provider="p"), errors.APIError)


def every_class() -> list[type[errors.APIError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in dict.fromkeys(found) if issubclass(kind, errors.APIError)]


@pytest.mark.parametrize("kind", every_class())
def test_errors_survive_pickling(kind: type[errors.APIError]) -> None:
    error = kind(
        "slow", provider="p", model="m", code="c", request_id="r", retry_after_s=3, body={}
    )
    error.failures = (errors.RateLimitError("before"),)
    error.answered, error.sent, error.should_retry = False, False, True
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    same = {**vars(error), "failures": None}
    assert {**vars(again), "failures": None} == same
    assert [type(each) for each in again.failures] == [errors.RateLimitError]


def test_the_text_of_an_answer_survives_pickling() -> None:
    error = errors.JSONSchemaValidationError("no JSON", text="Hello", model="m")
    again = pickle.loads(pickle.dumps(error))
    assert (again.text, again.model) == ("Hello", "m")
    assert "Hello" not in f"{error} {error!r}"


def test_the_tree() -> None:
    assert issubclass(errors.QuotaExceededError, errors.RateLimitError)
    assert issubclass(errors.CircuitOpenError, errors.ServiceUnavailableError)
    # As in OpenAI's SDK:
    assert issubclass(errors.APITimeoutError, errors.APIConnectionError)
    assert errors.APITimeoutError is errors.Timeout
    assert issubclass(errors.ConflictError, errors.APIStatusError)
    assert not issubclass(errors.APIConnectionError, errors.APIStatusError)
    for kind in (
        errors.ContextWindowExceededError,
        errors.ContentPolicyViolationError,
        errors.UnsupportedParamsError,
    ):
        assert issubclass(kind, errors.BadRequestError)
    drawn = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert name in drawn, f"{name} is missing from the drawing of the tree"


def test_classes_know_their_status_without_a_response() -> None:
    assert errors.AuthenticationError("no key").status_code == 401
    assert errors.APIConnectionError("no net").status_code is None
