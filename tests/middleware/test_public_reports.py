"""What users of other libraries reported: wrapped streams and raw responses stay intact.

Each test is named after its report. The numbers are rows of one list of faults; `ROWS` says where
each is tested, because those of one SDK are beside its table, and those of usage and of the ways
out in files of their own.
"""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import anthropic
import openai
import wire
from bench import (
    ASKED,
    CHAT,
    CHAT_PATH,
    MESSAGES_PATH,
    MSG,
    RESPONSES_PATH,
    STREAM,
    Bench,
)
from opentelemetry.sdk.trace import TracerProvider

from costspan.exporters.otel import OTelExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import wrap

TESTS = Path(__file__).resolve().parents[1]
HERE, USAGE = "middleware/test_public_reports.py", "middleware/test_public_reports_of_usage.py"
ENDS = "middleware/test_public_reports_of_ends.py"
FUNCTIONS, LIFETIME = "middleware/test_functions.py", "middleware/test_lifetime.py"
GOOGLE, CORE = "middleware/adapters/test_google_hops.py", "core/test_gemini.py"

ROWS = {
    1: (HERE, "openlit_391"),
    2: (HERE, "langfuse_870"),
    3: (ENDS, "langfuse_899"),
    5: (ENDS, "opentelemetry_4751"),
    6: (HERE, "opentelemetry_4002"),
    7: (HERE, "opentelemetry_4032"),
    8: (HERE, "opentelemetry_4971"),
    10: (HERE, "openllmetry_4058"),
    11: (HERE, "azure_sdk_48646"),
    12: (HERE, "openllmetry_3220"),
    13: (HERE, "openllmetry_3377"),
    14: ("sdks/test_mistral.py", "openllmetry_3421"),
    15: (HERE, "logfire_1348"),
    16: (ENDS, "openllmetry_3681"),
    17: (ENDS, "openlit_1454"),
    19: (ENDS, "opentelemetry_genai_386"),
    20: (ENDS, "langfuse_1566"),
    22: (ENDS, "openlit_1618"),
    23: (ENDS, "onyx_10658"),
    24: (ENDS, "litellm_14457"),
    25: (ENDS, "openlit_1369"),
    26: (ENDS, "openllmetry_3255"),
    28: (USAGE, "logfire_64"),
    29: (USAGE, "langfuse_1648"),
    30: (USAGE, "langfuse_992"),
    31: (USAGE, "litellm_7790"),
    32: (USAGE, "litellm_7260"),
    33: (USAGE, "openllmetry_3976"),
    35: (USAGE, "logfire_1812"),
    36: (CORE, "4152"),
    37: (GOOGLE, "2838"),
    38: (USAGE, "openlit_1379"),
    39: (USAGE, "langfuse_1747"),
    41: (USAGE, "litellm_1787"),
    42: (USAGE, "litellm_2620"),
    43: (USAGE, "mlflow_22280"),
    44: (USAGE, "openllmetry_3473"),
    45: (USAGE, "openlit_893"),
    46: (USAGE, "langfuse_1101"),
    48: (USAGE, "langfuse_1577"),
    49: (USAGE, "litellm_21593"),
    50: (USAGE, "logfire_2157"),
    52: (USAGE, "logfire_1678"),
    53: (ENDS, "logfire_1668"),
    54: (HERE, "logfire_1145"),
    55: (USAGE, "openlit_1383"),
    56: (USAGE, "openlit_1328"),
    58: (USAGE, "litellm_1519"),
    60: (LIFETIME, "a_forked_child"),
    61: (HERE, "agentops_1082"),
    62: (USAGE, "litellm_13264"),
}
"""Row -> the file below ``tests`` and a part of the name of the test in it."""


def test_every_row_of_the_list_has_a_test() -> None:
    for row, (file, name) in ROWS.items():
        tests = [line for line in (TESTS / file).read_text().splitlines() if "def test" in line]
        assert any(name in line for line in tests), f"row {row}: no test {name} in tests/{file}"


async def test_openlit_391_494_a_stream_keeps_its_type_and_both_protocols(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    with bench.openai.chat.completions.create(**STREAM) as stream:
        assert type(stream) is openai.Stream
        assert isinstance(stream, openai.Stream)
        assert len(list(stream)) == 5
    bench.only()
    bench.memory.clear()
    async with await async_openai.chat.completions.create(**STREAM) as astream:
        assert type(astream) is openai.AsyncStream
        assert isinstance(astream, openai.AsyncStream)
        assert len([chunk async for chunk in astream]) == 5
    bench.only()


async def test_langfuse_870_next_and_anext_of_a_stream(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    stream = bench.openai.chat.completions.create(**STREAM)
    assert next(stream).choices[0].delta.content == "One "
    assert [chunk.id for chunk in stream] == ["chatcmpl-2"] * 4
    astream = await async_openai.chat.completions.create(**STREAM)
    assert (await anext(astream)).choices[0].delta.content == "One "
    assert [chunk.id async for chunk in astream] == ["chatcmpl-2"] * 4
    assert [call.status for call in bench.memory.calls] == ["ok", "ok"]


async def test_opentelemetry_4002_4017_a_raw_response_is_untouched(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    expected = bench.plain.chat.completions.with_raw_response.create(**CHAT)
    raw = bench.openai.chat.completions.with_raw_response.create(**CHAT)
    araw = await async_openai.chat.completions.with_raw_response.create(**CHAT)
    for got in (raw, araw):
        assert type(got) is type(expected)
        assert got.headers == expected.headers
        assert got.status_code == 200
        assert repr(got.parse()) == repr(expected.parse())
        assert got.content == expected.content
    assert [call.usage is not None for call in bench.memory.calls] == [True, True]


def test_opentelemetry_4032_4184_4606_a_raw_stream_parses_and_has_headers(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    raw = bench.openai.chat.completions.with_raw_response.create(**STREAM)
    assert raw.headers["content-type"].startswith("text/event-stream")
    stream = raw.parse()
    assert type(stream) is openai.Stream
    assert len(list(stream)) == 5
    assert bench.only().status == "ok"


def test_opentelemetry_4971_a_raw_response_of_embeddings(bench: Bench) -> None:
    bench.answer("/v1/embeddings", wire.EMBEDDING_BODY)
    raw = bench.openai.embeddings.with_raw_response.create(
        model="text-embedding-3-small", input="hi", encoding_format="float"
    )
    assert raw.parse().model == "text-embedding-3-small"
    assert bench.only().model == "text-embedding-3-small"


def test_openllmetry_4058_4078_4476_a_raw_stream_of_responses(bench: Bench) -> None:
    bench.answer(RESPONSES_PATH, wire.RESPONSES_STREAM)
    raw = bench.openai.responses.with_raw_response.create(**ASKED, stream=True)
    assert raw.status_code == 200
    assert [event.type for event in raw.parse()][-1] == "response.completed"
    assert bench.only().last.response_id == "resp_1"


def test_azure_sdk_48646_streams_are_the_same_with_tracing_on(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    expected = [repr(chunk) for chunk in bench.plain.chat.completions.create(**STREAM)]
    bench.meter = Meter(
        exporters=[
            bench.memory,
            OTelExporter(tracer_provider=TracerProvider(shutdown_on_exit=False)),
        ]
    )
    got = [repr(chunk) for chunk in bench.openai.chat.completions.create(**STREAM)]
    assert got == expected
    assert bench.only().trace_id is not None


async def test_openllmetry_3220_3744_an_async_helper_is_entered_with_async_with(
    bench: Bench, async_claude: anthropic.AsyncAnthropic
) -> None:
    bench.answer(MESSAGES_PATH, wire.MESSAGE_STREAM)
    manager = async_claude.messages.stream(**MSG)
    assert type(manager) is anthropic.AsyncMessageStreamManager
    async with manager as stream:
        assert type(stream) is anthropic.AsyncMessageStream
        assert await stream.get_final_text() == "One two three."
    assert bench.only().status == "ok"


def test_openllmetry_3377_a_helper_keeps_its_text_and_final_message(bench: Bench) -> None:
    bench.answer(MESSAGES_PATH, wire.MESSAGE_STREAM)
    with bench.claude.messages.stream(**MSG) as stream:
        assert list(stream.text_stream) == ["One ", "two ", "three."]
        assert stream.get_final_message().usage.output_tokens == 100
        assert stream.current_message_snapshot.id == "msg_1"
        assert stream.response.status_code == 200
    assert bench.only().last.usage is not None


def test_logfire_1348_a_call_without_the_argument_stream(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    bench.openai.chat.completions.create(**CHAT)
    assert bench.only().streaming is False


def test_logfire_1145_an_unsampled_span_changes_nothing(bench: Bench) -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    expected = [repr(chunk) for chunk in bench.plain.chat.completions.create(**STREAM)]
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    bench.meter = Meter(exporters=[bench.memory, OTelExporter(tracer_provider=provider)])
    got = [repr(chunk) for chunk in bench.openai.chat.completions.create(**STREAM)]
    assert got == expected
    assert bench.only().usage is not None


def test_agentops_1082_a_stream_of_openai_is_recorded(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    list(bench.openai.chat.completions.create(**STREAM))
    assert bench.only().streaming


# Found in our own runs.


def test_a_raw_response_pickles_as_before(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    create = "with_raw_response"
    expected = getattr(bench.plain.chat.completions, create).create(**CHAT).http_response
    got = getattr(bench.openai.chat.completions, create).create(**CHAT).http_response
    assert len(pickle.dumps(got)) == len(pickle.dumps(expected))
    assert pickle.loads(pickle.dumps(got)).json() == wire.CHAT_BODY


def test_a_read_stream_s_response_pickles_and_knows_its_time(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    sizes = []
    for client in (bench.plain, bench.openai):
        with client.chat.completions.create(**STREAM) as stream:
            list(stream)
        assert stream.response.elapsed.total_seconds() > 0
        assert stream.response.num_bytes_downloaded == sum(map(len, wire.CHAT_STREAM))
        sizes.append(len(pickle.dumps(stream.response)))
    assert abs(sizes[1] - sizes[0]) < 100


def test_a_body_that_was_read_up_front(bench: Bench) -> None:
    bench.answer(CHAT_PATH, wire.CHAT_STREAM)
    with bench.openai.chat.completions.with_streaming_response.create(**STREAM) as response:
        body = response.read()
    assert body == b"".join(wire.CHAT_STREAM)
    assert bench.only().cost_status == "priced"


async def test_a_function_that_hides_that_it_is_asynchronous(
    bench: Bench, async_openai: openai.AsyncOpenAI
) -> None:
    """``inspect.iscoroutinefunction`` says no of the SDKs' own ``create``."""
    bench.answer(CHAT_PATH, wire.CHAT_BODY)
    plain = openai.AsyncOpenAI.chat
    assert plain is not None
    create = async_openai.chat.completions.create
    wrapped = wrap(create, lambda: bench.meter)
    assert inspect.iscoroutinefunction(wrapped) == inspect.iscoroutinefunction(create)
    reply = await wrapped(**CHAT)
    assert reply.usage is not None
    assert bench.only().status == "ok"
