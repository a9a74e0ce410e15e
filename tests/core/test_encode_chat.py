"""Requests as they go over the wire to servers that speak OpenAI chat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import endpoint
from costspan.core.errors import UnsupportedParamsError
from costspan.core.protocols import openai_chat
from costspan.core.request import Request

HELLO = [{"role": "user", "content": "Hello"}]


def body(
    params: dict[str, Any] | None = None,
    *,
    to: Endpoint | None = None,
    messages: list[dict[str, Any]] | None = None,
    **rest: Any,
) -> dict[str, Any]:
    request = Request("gpt-4o", messages or HELLO, params=params or {}, **rest)
    return openai_chat.encode(request, to or endpoint("openai")).body


def test_plain_request_is_sent_as_it_is() -> None:
    params = {"temperature": 0.7, "stop": ["\n\n"], "n": 2, "logit_bias": {"1": 5}, "seed": 1}
    wire = openai_chat.encode(Request("gpt-4o", HELLO, params=params), endpoint("openai"))
    assert wire.path == "/chat/completions"
    assert wire.body == {"model": "gpt-4o", "messages": HELLO, **params}
    assert wire.dropped == ()


@pytest.mark.parametrize(
    ("provider", "given", "sent"),
    [
        ("openai", "max_tokens", "max_completion_tokens"),
        ("openai", "max_completion_tokens", "max_completion_tokens"),
        ("mistral", "max_completion_tokens", "max_tokens"),
        ("openrouter", "max_tokens", "max_tokens"),
        ("openrouter", "max_completion_tokens", "max_completion_tokens"),
    ],
)
def test_bound_of_the_output_has_the_name_that_the_server_takes(
    provider: str, given: str, sent: str
) -> None:
    found = body({given: 5}, to=endpoint(provider))
    assert {k: v for k, v in found.items() if k.startswith("max")} == {sent: 5}


def test_quirks_belong_to_the_providers_own_server() -> None:
    found = body({"max_tokens": 5}, to=endpoint("openai", base_url="http://127.0.0.1:1/v1"))
    assert found["max_tokens"] == 5


@pytest.mark.parametrize(
    ("options", "provider", "sent"),
    [
        (None, "openai", {"include_usage": True}),
        ({"include_usage": True}, "openai", {"include_usage": True}),
        ({"include_usage": False}, "openai", {"include_usage": False}),
        ({"other": 1}, "openai", {"include_usage": True, "other": 1}),
        (None, "mistral", None),
        ({"include_usage": True}, "mistral", None),
    ],
)
def test_streams_ask_for_usage_where_the_server_understands(
    options: dict[str, Any] | None, provider: str, sent: dict[str, Any] | None
) -> None:
    params = {"stream_options": options} if options else {}
    found = body(params, to=endpoint(provider), stream=True)
    assert found["stream"] is True
    assert found.get("stream_options") == sent


def test_whole_replies_have_no_stream_options() -> None:
    assert "stream_options" not in body({"stream_options": {"include_usage": True}})


def test_extra_body_wins_and_extra_headers_go_along() -> None:
    request = Request(
        "m", HELLO, params={"seed": 1}, extra_body={"seed": 2, "x": 3}, extra_headers={"X-A": "b"}
    )
    wire = openai_chat.encode(request, endpoint("openai"))
    assert wire.body == {"model": "m", "messages": HELLO, "seed": 2, "x": 3}
    assert wire.headers == {"X-A": "b"}


def test_parameters_that_the_server_refuses() -> None:
    with pytest.raises(UnsupportedParamsError, match="openai has no thinking_budget, top_k in"):
        body({"top_k": 4, "thinking_budget": 2000})
    request = Request("m", HELLO, params={"top_k": 4, "seed": 1}, drop_params=True)
    wire = openai_chat.encode(request, endpoint("openai"))
    assert wire.body == {"model": "m", "messages": HELLO, "seed": 1}
    assert wire.dropped == ("top_k",)
    assert body({"top_k": 4}, to=endpoint("vllm"))["top_k"] == 4


def test_values_that_ask_for_nothing_are_no_error() -> None:
    lacking = replace(endpoint("openai"), unsupported=("n", "logprobs", "logit_bias", "seed"))
    neutral = {"n": 1, "logprobs": False, "logit_bias": {}, "temperature": 0.5}
    assert body(neutral, to=lacking) == {"model": "gpt-4o", "messages": HELLO, "temperature": 0.5}
    for asking in ({"n": 2}, {"logprobs": True}, {"seed": 0}):
        with pytest.raises(UnsupportedParamsError):
            body(asking, to=lacking)


def test_what_only_another_format_knows_is_not_sent_back() -> None:
    message = {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": "hm",
        "thinking_blocks": [{"type": "thinking"}],
    }
    plain = {"role": "assistant", "content": "Hi"}
    assert body(messages=[message])["messages"] == [plain]
    # DeepSeek wants its reasoning back within a round of tool calls.
    kept = body(messages=[message], to=endpoint("deepseek"))["messages"]
    assert kept == [{**plain, "reasoning_content": "hm"}]
    assert message["thinking_blocks"], "the caller's message was changed"


def test_parameters_of_openai_are_sent_as_they_are() -> None:
    params = {
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "wav"},
        "prediction": {"type": "content", "content": "x"},
        "verbosity": "low",
        "web_search_options": {"search_context_size": "high"},
        "reasoning_effort": "minimal",
        "service_tier": "flex",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "safety_identifier": "u-1",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "store": True,
        "logprobs": True,
        "top_logprobs": 2,
    }
    named = [{"role": "user", "name": "Ann", "content": "Hello"}]
    assert body(params, messages=named) == {"model": "gpt-4o", "messages": named, **params}


def test_spoken_answers_go_back_by_their_id() -> None:
    spoken = {"id": "audio_1", "data": "AAAA", "transcript": "Hi", "expires_at": 5}
    message = {"role": "assistant", "content": None, "audio": spoken}
    sent = {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    assert body(messages=[message])["messages"] == [sent]
    assert message["audio"] is spoken, "the caller's message was changed"


def test_mistral_calls_the_seed_otherwise() -> None:
    request = Request("mistral-small", [{"role": "user", "content": "Hi"}], params={"seed": 7})
    body = openai_chat.encode(request, endpoint("mistral")).body
    assert (body["random_seed"], "seed" in body) == (7, False)
