"""`completion` and `acompletion` against a real server on the loopback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    RateLimitError,
    Timeout,
)
from costspan.core.plan import prepare
from costspan.core.reply import Message, Reply, ToolCall

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
KEY = "sk-test-0123456789abcdef"


def check_reply(reply: Reply, provider: str, port: int) -> None:
    assert reply.choices[0].message.content == "Größe 🎈"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 7)
    assert reply.usage.prompt_tokens_details.cached_tokens == 4
    assert (reply.provider, reply.endpoint, reply.port) == (provider, "127.0.0.1", port)


def test_openai_chat(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    frame_server.json(CHAT, chat_body)
    reply = completion(
        "openai/gpt-4o", HELLO, base_url=f"{frame_server.url}/v1", api_key=KEY, temperature=0.7
    )
    check_reply(reply, "openai", frame_server.port)
    (request,) = frame_server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"model": "gpt-4o", "messages": HELLO, "temperature": 0.7}


def test_anthropic_messages(frame_server: FrameServer, message_body: dict[str, object]) -> None:
    frame_server.json(MESSAGES, message_body)
    for address in (frame_server.url, f"{frame_server.url}/v1/"):
        reply = completion("claude-x", HELLO, api_base=address, api_key=KEY)
        check_reply(reply, "anthropic", frame_server.port)
    for request in frame_server.requests:
        assert request.headers["x-api-key"] == KEY
        assert request.headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in request.headers
        assert request.json["max_tokens"] == 4096


async def test_both_asynchronously(
    frame_server: FrameServer, chat_body: dict[str, object], message_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    frame_server.json(MESSAGES, message_body)
    base_url = f"{frame_server.url}/v1"
    chat, message = await asyncio.gather(
        acompletion("openai/m", HELLO, base_url=base_url, api_key=KEY),
        acompletion("anthropic/m", HELLO, base_url=base_url, api_key=KEY),
    )
    check_reply(chat, "openai", frame_server.port)
    check_reply(message, "anthropic", frame_server.port)


def test_connections_are_kept_alive(
    frame_server: FrameServer, chat_body: dict[str, object], chat_frames: list[bytes]
) -> None:
    frame_server.json(CHAT, chat_body)
    frame_server.script(CHAT, frames=chat_frames)
    base_url = f"{frame_server.url}/v1"
    completion("openai/m", HELLO, base_url=base_url, api_key=KEY)
    for _ in range(2):
        list(completion("openai/m", HELLO, base_url=base_url, api_key=KEY, stream=True))
    assert {request.connection for request in frame_server.requests} == {1}


async def test_connections_are_kept_alive_in_a_loop(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    for _ in range(3):
        await acompletion("m", HELLO, base_url=f"{frame_server.url}/v1")
    assert {request.connection for request in frame_server.requests} == {1}


def test_litellm_36548_two_event_loops_after_each_other(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)

    async def ask() -> Reply:
        return await acompletion("m", HELLO, base_url=f"{frame_server.url}/v1")

    for _ in range(2):
        check_reply(asyncio.run(ask()), "openai-compatible", frame_server.port)
    assert [request.connection for request in frame_server.requests] == [1, 2]


def test_no_key_is_sent_to_a_stranger(
    frame_server: FrameServer, chat_body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    frame_server.json(CHAT, chat_body)
    completion("Qwen/Qwen3-8B", HELLO, base_url=f"{frame_server.url}/v1")
    assert "authorization" not in frame_server.requests[0].headers
    assert frame_server.requests[0].json["model"] == "Qwen/Qwen3-8B"


def test_key_from_a_function_and_from_the_environment(
    frame_server: FrameServer, chat_body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_server.json(CHAT, chat_body)
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    base_url = f"{frame_server.url}/v1"
    keys = iter(("first", "second"))
    completion("openai/m", HELLO, base_url=base_url, api_key=lambda: next(keys))
    completion("openai/m", HELLO, base_url=base_url, api_key=lambda: next(keys))
    completion("openai/m", HELLO, base_url=base_url)
    sent = [request.headers["authorization"] for request in frame_server.requests]
    assert sent == ["Bearer first", "Bearer second", "Bearer from-environment"]


def test_extra_body_and_headers(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    frame_server.json(CHAT, chat_body)
    completion(
        "openai/m",
        HELLO,
        base_url=f"{frame_server.url}/v1?api-version=1",
        api_key=KEY,
        extra_body={"foo_bar": 1},
        extra_headers={"Authorization": "Token t", "X-Trace": "1"},
        metadata={"tags": ["a"]},
    )
    (request,) = frame_server.requests
    assert request.path == f"{CHAT}?api-version=1"
    assert request.json == {"model": "m", "messages": HELLO, "foo_bar": 1}
    assert (request.headers["authorization"], request.headers["x-trace"]) == ("Token t", "1")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_clients_of_both_libraries(
    library: Any, frame_server: FrameServer, chat_body: dict[str, object], chat_frames: list[bytes]
) -> None:
    frame_server.json(CHAT, chat_body)
    frame_server.script(CHAT, frames=chat_frames)
    with library.Client(headers={"x-mine": "1"}) as client:
        base_url = f"{frame_server.url}/v1"
        reply = completion("m", HELLO, base_url=base_url, client=client)
        check_reply(reply, "openai-compatible", frame_server.port)
        stream = completion("m", HELLO, base_url=base_url, client=client, stream=True)
        assert len(list(stream)) == 4
        with pytest.raises(APIConnectionError) as caught:
            completion("m", HELLO, base_url=f"http://127.0.0.1:{_closed_port()}", client=client)
        assert isinstance(caught.value.__cause__, library.ConnectError)
    assert {request.headers["x-mine"] for request in frame_server.requests} == {"1"}


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_async_clients_of_both_libraries(
    library: Any, frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    async with library.AsyncClient(headers={"x-mine": "1"}) as client:
        await acompletion("m", HELLO, base_url=f"{frame_server.url}/v1", client=client)
        url = f"http://127.0.0.1:{_closed_port()}"
        with pytest.raises(APIConnectionError) as caught:
            await acompletion("m", HELLO, base_url=url, client=client)
        assert isinstance(caught.value.__cause__, library.ConnectError)
    assert frame_server.requests[0].headers["x-mine"] == "1"


def _closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert isinstance(port, int)
        return port


def test_timeouts(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    frame_server.script(CHAT, frames=[b"{}"], delay_s=5)
    with pytest.raises(Timeout, match="did not answer in time") as caught:
        completion("m", HELLO, base_url=f"{frame_server.url}/v1", timeout=0.1)
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)
    assert (caught.value.provider, caught.value.model) == ("openai-compatible", "m")


async def test_timeouts_asynchronously(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[b"{}"], delay_s=5)
    with pytest.raises(Timeout):
        await acompletion("m", HELLO, base_url=f"{frame_server.url}/v1", timeout=0.1)


def test_addresses_that_are_none() -> None:
    for base_url in ("http://127.0.0.1:99999999/v1", "llm.example.com/v1", "http://[::1/v1"):
        with pytest.raises(BadRequestError, match="is no address: write it as in https://"):
            completion("m", HELLO, base_url=base_url)


@pytest.mark.parametrize("stream", [False, True])
def test_refusals(stream: Any, frame_server: FrameServer) -> None:
    body = {"error": {"message": f"Bad key {KEY}", "code": "invalid_api_key"}}
    frame_server.json(CHAT, body, status=401, headers={"x-request-id": "req_1"})
    base_url = f"{frame_server.url}/v1"
    with pytest.raises(AuthenticationError, match="check the key in OPENAI_API_KEY") as caught:
        completion("openai/m", HELLO, base_url=base_url, api_key=KEY, stream=stream)
    assert caught.value.request_id == "req_1"
    assert KEY not in f"{caught.value!r} {caught.value.__dict__}"


@pytest.mark.parametrize("stream", [False, True])
async def test_refusals_asynchronously(stream: Any, frame_server: FrameServer) -> None:
    frame_server.json(MESSAGES, {"error": {}}, status=429, headers={"retry-after": "7"})
    with pytest.raises(RateLimitError) as caught:
        await acompletion(
            "claude-x", HELLO, base_url=frame_server.url, stream=stream, num_retries=0
        )
    assert caught.value.retry_after_s == 7


def test_redirects_and_wrong_addresses_are_errors(frame_server: FrameServer) -> None:
    frame_server.script("/moved/chat/completions", 307, {"location": "/elsewhere"})
    with pytest.raises(
        APIError, match=r"HTTP 307.; it redirects to /elsewhere, which is not followed"
    ):
        completion("m", HELLO, base_url=f"{frame_server.url}/moved")
    with pytest.raises(NotFoundError, match="check the model's name and base_url"):
        completion("m", HELLO, base_url=f"{frame_server.url}/nowhere")


@pytest.mark.parametrize("frame", [b"<html>", b"[]", b'{"hello": 1}', b""])
def test_answers_that_are_no_completion(frame: bytes, frame_server: FrameServer) -> None:
    frame_server.script(CHAT, frames=[frame], headers={"content-type": "application/json"})
    with pytest.raises(APIResponseValidationError):
        completion("m", HELLO, base_url=f"{frame_server.url}/v1")


def test_an_empty_address_is_not_the_providers_own() -> None:
    with pytest.raises(BadRequestError, match="base_url is empty: leave it out"):
        completion("openai/m", HELLO, base_url="", api_key=KEY)


def test_base_url_and_api_base_are_one_argument() -> None:
    with pytest.raises(BadRequestError, match="are one argument"):
        completion("m", HELLO, base_url="http://127.0.0.1:1", api_base="http://127.0.0.1:2")


def test_a_missing_key_is_said_before_anything_is_sent() -> None:
    with pytest.raises(AuthenticationError, match="set OPENAI_API_KEY, or pass api_key="):
        completion("gpt-4o", HELLO)


def test_plain_http_to_another_machine_warns_once(chat_body: dict[str, object]) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=chat_body))
    with httpx.Client(transport=transport) as client:
        with pytest.warns(UserWarning, match="http://gpu-7 are not encrypted") as caught:
            completion("m", HELLO, base_url="http://gpu-7:8000/v1", client=client)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for host in ("gpu-7", "localhost", "127.0.0.9", "[::1]", "a.localhost"):
                completion("m", HELLO, base_url=f"http://{host}/v1", client=client)
            completion("m", HELLO, base_url="https://gpu-8/v1", client=client)


def test_lone_surrogates_are_sent(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    frame_server.json(CHAT, chat_body)
    messages = [{"role": "user", "content": "cut \ud83c"}]
    completion("m", messages, base_url=f"{frame_server.url}/v1")
    assert frame_server.requests[0].json["messages"] == messages


def test_what_json_cannot_say_is_named() -> None:
    with pytest.raises(BadRequestError, match="cannot be written as JSON"):
        completion("m", HELLO, base_url="http://127.0.0.1:1", extra_body={"x": {1, 2}})


def test_legacy_functions_are_sent_as_tools(frame_server: FrameServer) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    frame_server.json(CHAT, {"choices": [{"index": 0, "message": message}]})
    function = {"name": "now", "parameters": {"type": "object", "properties": {}}}
    reply = completion(
        "m",
        [
            *HELLO,
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "now", "arguments": ""},
            },
            {"role": "function", "name": "now", "content": "noon"},
        ],
        base_url=f"{frame_server.url}/v1",
        functions=[function],
        function_call={"name": "now"},
    )
    sent = frame_server.requests[0].json
    assert sent["tools"] == [{"type": "function", "function": function}]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "now"}}
    assert "functions" not in sent
    messages = sent["messages"]
    assert isinstance(messages, list)
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
    assert messages[2]["role"] == "tool"
    answer = reply.choices[0].message
    assert answer.function_call is not None
    assert answer.function_call.name == "now"


def test_replies_can_be_sent_back(frame_server: FrameServer, chat_body: dict[str, object]) -> None:
    frame_server.json(CHAT, chat_body)
    answer = Message(role="assistant", tool_calls=[ToolCall("t1")])
    completion("m", [*HELLO, answer], base_url=f"{frame_server.url}/v1")
    assert frame_server.requests[0].json["messages"] == [
        *HELLO,
        {
            "role": "assistant",
            "tool_calls": [{"id": "t1", "type": "function", "function": {}}],
        },
    ]


def test_an_error_body_that_is_cut_is_a_broken_connection(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, 500, frames=[b'{"error"'], cut=True)
    with pytest.raises(APIConnectionError):
        completion("m", HELLO, base_url=f"{frame_server.url}/v1", stream=True)


async def test_an_error_body_that_is_cut_asynchronously(frame_server: FrameServer) -> None:
    frame_server.script(CHAT, 500, frames=[b'{"error"'], cut=True)
    with pytest.raises(APIConnectionError):
        await acompletion("m", HELLO, base_url=f"{frame_server.url}/v1", stream=True)


class Lookalike:
    """A client that is neither library's own, as people wrap theirs."""

    def __init__(self, inner: httpx.Client) -> None:
        self.build_request = inner.build_request
        self.send = inner.send


def test_clients_that_only_look_like_one(
    frame_server: FrameServer, chat_body: dict[str, object]
) -> None:
    frame_server.json(CHAT, chat_body)
    with httpx.Client() as inner:
        client = Lookalike(inner)
        completion("m", HELLO, base_url=f"{frame_server.url}/v1", client=client)
        with pytest.raises(APIConnectionError):
            completion("m", HELLO, base_url=f"http://127.0.0.1:{_closed_port()}", client=client)


@pytest.mark.parametrize("model", ["", None])
def test_a_model_must_be_named(model: Any) -> None:
    with pytest.raises(BadRequestError, match="model must be a name"):
        completion(model, HELLO)


def test_guide_anthropic_with_the_parameters_of_the_guide(
    frame_server: FrameServer, message_body: dict[str, object]
) -> None:
    frame_server.json(MESSAGES, message_body)
    reply = completion(
        model="claude-3-opus-20240229",
        messages=HELLO,
        base_url=frame_server.url,
        max_tokens=4000,
        thinking_budget=2000,
        temperature=0.7,
        top_p=0.9,
        frequency_penalty=0.0,
        presence_penalty=0.0,
        stop=["\n\n", "###"],
        n=1,
        logit_bias={},
        drop_params=True,  # Anthropic takes no stop at an empty line
    )
    assert reply.dropped_params == ("stop",)
    assert frame_server.requests[0].json == {
        "model": "claude-3-opus-20240229",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "temperature": 0.7,
        "top_p": 0.9,
        "stop_sequences": ["###"],
    }


def test_a_prepared_call_shows_no_key() -> None:
    headers = {"x-gateway-key": KEY}
    plan = prepare("gpt-4o", HELLO, stream=False, api_key=KEY, extra_headers=headers)
    candidate = plan.candidate(plan.targets[0])
    call = candidate.call(KEY, plan, None)
    assert KEY in str(call.headers)
    assert KEY not in f"{plan!r} {candidate!r} {call!r} {candidate.exchange!r}"
    assert call.url == "https://api.openai.com/v1/chat/completions"


def test_import_loads_no_http_library() -> None:
    code = (
        "import sys, costspan.core.completion as c;"
        "heavy = {'httpx', 'httpx2', 'asyncio', 'duckdb', 'tiktoken', 'opentelemetry', 'ssl'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
