"""What the table of all surfaces (`tests/sdks`) does not ask: errors, and what a cut left."""

from __future__ import annotations

from collections.abc import Callable

import anthropic
import openai
import pytest
import wire
from bench import CHAT, CHAT_PATH, MESSAGES_PATH, MSG, Bench

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "openai.BadRequestError"),
        (401, "openai.AuthenticationError"),
        (404, "openai.NotFoundError"),
        (429, "openai.RateLimitError"),
        (500, "openai.InternalServerError"),
    ],
)
def test_errors_are_rows_with_type_status_and_code(bench: Bench, status: int, name: str) -> None:
    error = {"message": "secret prompt", "type": "some_type", "code": "some_code"}
    bench.server.json(CHAT_PATH, {"error": error}, status=status)
    with pytest.raises(openai.APIStatusError):
        bench.openai.chat.completions.create(**CHAT)

    call = bench.only()
    assert call.status == "error"
    assert call.error is not None
    assert (call.error.type, call.error.http_status, call.error.code) == (name, status, "some_code")
    assert call.cost_usd is None
    assert "secret" not in repr(call)


def test_an_unreachable_server(meter: Meter, memory: InMemoryExporter) -> None:
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    with wrap(client, lambda: meter), pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**CHAT)

    (call,) = memory.calls
    assert call.error is not None
    assert (call.error.type, call.error.http_status) == ("openai.APIConnectionError", None)


@pytest.mark.parametrize(
    "method",
    [
        lambda: openai.OpenAI(api_key="k").chat.completions.stream,
        lambda: openai.AsyncOpenAI(api_key="k").responses.stream,
        lambda: anthropic.Anthropic(api_key="k").messages.stream,
    ],
)
def test_a_method_that_gives_a_manager_is_refused_with_the_cure(
    method: Callable[[], object], meter: Meter
) -> None:
    with pytest.raises(TypeError, match=r"\w+\.stream: it gives a manager.*wrap the client"):
        wrap(method(), lambda: meter)


def test_a_record_says_where_it_was_asked(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    bench.openai.chat.completions.create(**CHAT)
    request = bench.only().last
    assert (request.endpoint, request.port) == ("127.0.0.1", bench.server.port)


def test_a_cut_anthropic_stream_counts_what_came_after_the_last_report(bench: Bench) -> None:
    bench.server.script(MESSAGES_PATH, frames=wire.MESSAGE_STREAM[:6], cut=True)
    with pytest.raises(Exception, match=r"peer closed|incomplete|Connection error"):
        list(bench.claude.messages.create(**MSG, stream=True))

    usage = bench.only().last.usage
    assert usage is not None
    assert usage.source == "partial"
    assert usage.input_tokens == 1000
    assert usage.output_tokens is not None
    assert usage.output_tokens > 1  # message_start said 1; three words came
