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
    assert str(error) == "openai: slow (HTTP 429)"
    assert (error.provider, error.model, error.code) == ("openai", "m", "rate_limit_exceeded")
    assert (error.request_id, error.retry_after_s, error.attempts) == ("req_7", 12, 1)
    assert error.body == openai_body("slow", "rate_limit_exceeded")


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


def test_errors_survive_pickling() -> None:
    error = failed(429, openai_body("slow"), retry_after="3")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.RateLimitError
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


def test_the_tree() -> None:
    assert issubclass(errors.QuotaExceededError, errors.RateLimitError)
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
