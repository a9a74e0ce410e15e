"""Results of batches, read with the real SDKs from a real server: each line is one call, once."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anthropic
import duckdb
import openai
import pytest
import wire

from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import merge
from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.recent_ids import RecentIds
from costspan.middleware.record import Call
from costspan.middleware.tags import tags
from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FILE_PATH = "/v1/files/file-out/content"
RESULTS_PATH = "/v1/messages/batches/msgbatch_1/results"

EMBEDDING_BODY = {**wire.EMBEDDING_BODY, "model": "text-embedding-3-small"}
LEGACY_BODY = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1_764_000_000,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "text": "Three.", "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
}


def openai_line(number: int, body: object, status: int = 200) -> dict[str, object]:
    """A line of an output file: https://platform.openai.com/docs/guides/batch, 2026-11."""
    response = {"status_code": status, "request_id": f"req_{number}", "body": body}
    return {
        "id": f"batch_req_{number}",
        "custom_id": f"mine-{number}",
        "response": response,
        "error": None,
    }


def jsonl(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


OUTPUT = jsonl(
    openai_line(1, wire.CHAT_BODY),
    openai_line(2, wire.RESPONSES_BODY),
    openai_line(3, EMBEDDING_BODY),
    openai_line(4, LEGACY_BODY),
)
FAILED = {"error": {"type": "invalid_request_error", "code": "model_not_found", "message": "no"}}
ERRORS = jsonl(
    openai_line(5, FAILED, 404),
    {
        "id": "batch_req_6",
        "custom_id": "mine-6",
        "response": None,
        "error": {"code": "batch_expired", "message": "Too late."},
    },
)
CLAUDE = jsonl(
    {"custom_id": "a", "result": {"type": "succeeded", "message": wire.MESSAGE_BODY}},
    {
        "custom_id": "b",
        "result": {
            "type": "errored",
            "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "x"}},
        },
    },
    {"custom_id": "c", "result": {"type": "canceled"}},
    {"custom_id": "d", "result": {"type": "expired"}},
)
CLAUDE_BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "created_at": "2026-11-25T10:00:00Z",
    "expires_at": "2026-11-26T10:00:00Z",
    "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 1},
}

# At batch rates, per million tokens: gpt-4o 600 x $1.25 + 400 x $1.25 (cached: no cheaper in a
# batch) + 100 x $5; embedding 8 x $0.01; instruct 10 x $0.75 + 4 x $1;
# Sonnet 5 half of 600 x $2 + 400 x $0.20 + 100 x $10.
GPT_4O_USD, EMBEDDING_USD = Decimal("0.00175"), Decimal("0.00000008")
LEGACY_USD, CLAUDE_USD = Decimal("0.0000115"), Decimal("0.00114")


@pytest.fixture
def meter(memory: InMemoryExporter) -> Meter:
    return Meter(exporters=[memory], clock=lambda: int(NOW.timestamp()) * 10**9)


@pytest.fixture
def openai_client(frame_server: FrameServer, meter: Meter) -> Iterator[openai.OpenAI]:
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    with wrap(made, lambda: meter) as client:
        yield client


@pytest.fixture
def claude(frame_server: FrameServer, meter: Meter) -> Iterator[anthropic.Anthropic]:
    made = anthropic.Anthropic(base_url=frame_server.url, api_key="k", max_retries=0)
    with wrap(made, lambda: meter) as client:
        yield client


def _given(meter: Meter) -> Meter:
    return meter


def serve_file(server: FrameServer, content: bytes, *, size: int = 100, gzip: bool = False) -> None:
    """Serve a file in frames that end in the middle of lines."""
    frames = [content[begin : begin + size] for begin in range(0, len(content), size)]
    head = {"content-type": "application/octet-stream"}
    server.script(FILE_PATH, headers=head, frames=frames, gzip=gzip)


def serve_claude(server: FrameServer, content: bytes = CLAUDE, size: int = 100) -> None:
    frames = [content[begin : begin + size] for begin in range(0, len(content), size)]
    server.script(RESULTS_PATH, headers={"content-type": "application/x-jsonl"}, frames=frames)
    url = f"{server.url}{RESULTS_PATH}"
    server.json("/v1/messages/batches/msgbatch_1", {**CLAUDE_BATCH, "results_url": url})


def recorded(meter: Meter, memory: InMemoryExporter) -> list[Call]:
    meter.flush()
    assert meter.guard.failures == {}
    return list(memory.calls)


def check_output(calls: list[Call]) -> None:
    told = [(c.operation, c.last.api, c.last.model, c.cost_usd, c.cost_status) for c in calls]
    assert told == [
        ("chat", "chat", "gpt-4o-2024-08-06", GPT_4O_USD, "priced"),
        ("chat", "responses", "gpt-4o-2024-08-06", GPT_4O_USD, "priced"),
        ("embeddings", "embeddings", "text-embedding-3-small", EMBEDDING_USD, "priced"),
        ("text_completion", "completions", "gpt-3.5-turbo-instruct", LEGACY_USD, "priced"),
    ]
    for call in calls:
        assert (call.status, call.ended_by, call.streaming) == ("ok", "value", False)
        assert call.last.usage is not None
        assert call.last.usage.source == "provider"
        assert call.last.context["batch"] is True


def lines_streamed(client: openai.OpenAI) -> bytes:
    with client.files.with_streaming_response.content("file-out") as response:
        return "\n".join(response.iter_lines()).encode() + b"\n"


def bytes_streamed(client: openai.OpenAI) -> bytes:
    with client.files.with_streaming_response.content("file-out") as response:
        return b"".join(response.iter_bytes(7))


def raw(client: openai.OpenAI) -> bytes:
    return client.files.with_raw_response.content("file-out").parse().content


def by_lines(client: openai.OpenAI) -> bytes:
    lines = client.files.content("file-out").iter_lines()
    return "\n".join(lines).encode() + b"\n"


WAYS: dict[str, Callable[[openai.OpenAI], bytes]] = {
    "content": lambda client: client.files.content("file-out").content,
    "text": lambda client: client.files.content("file-out").text.encode(),
    "read": lambda client: client.files.content("file-out").read(),
    "iter_lines": by_lines,
    "raw response": raw,
    "streaming response by lines": lines_streamed,
    "streaming response by bytes": bytes_streamed,
    "a copy": lambda client: client.with_options(timeout=9).files.content("file-out").content,
}


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_each_line_of_an_output_file_is_a_call_at_batch_rates(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    way: str,
    gzip: bool,
) -> None:
    serve_file(frame_server, OUTPUT, gzip=gzip)

    assert WAYS[way](openai_client) == OUTPUT

    calls = recorded(meter, memory)
    check_output(calls)
    made = datetime.fromtimestamp(1_764_000_000, UTC)  # what the bodies say; embeddings say nothing
    assert [call.started_at for call in calls] == [made, made, NOW, made]
    assert calls[0].last.endpoint == "127.0.0.1"


async def test_an_output_file_read_by_an_asynchronous_client(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    serve_file(frame_server, OUTPUT)
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        assert (await client.files.content("file-out")).content == OUTPUT
        check_output(recorded(meter, memory))
        async with client.files.with_streaming_response.content("file-out") as response:
            assert b"".join([data async for data in response.iter_bytes()]) == OUTPUT

    assert len(recorded(meter, memory)) == 4


async def test_other_tasks_run_while_a_long_file_is_recorded(
    frame_server: FrameServer,
) -> None:
    """A file that is in memory at once is recorded in steps of some milliseconds."""
    turns = 0
    turns_at: list[int] = []

    class Noting:
        def finish(self, record: Call) -> None:
            turns_at.append(turns)

    async def other_task() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    meter = Meter(exporters=[Noting()])
    lines = [jsonl(openai_line(number, EMBEDDING_BODY)) for number in range(900)]
    serve_file(frame_server, b"".join(lines), size=1 << 16)
    task = asyncio.create_task(other_task())
    made = openai.AsyncOpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        await client.files.content("file-out")
    task.cancel()
    assert len(turns_at) == 900
    assert len(set(turns_at)) >= 4  # 250 KB, in steps of 64 KiB


def test_failed_lines_are_recorded_with_their_error_and_cost_nothing(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    serve_file(frame_server, ERRORS)
    openai_client.files.content("file-out")

    one, other = recorded(meter, memory)
    assert one.error is not None
    assert (one.status, one.error.type, one.error.code) == (
        "error",
        "invalid_request_error",
        "model_not_found",
    )
    assert other.error is not None
    assert (other.status, other.error.type, other.error.code) == ("error", "error", "batch_expired")
    for call in (one, other):
        assert call.last.usage is None
        assert (call.cost_usd, call.cost_status) == (Decimal(0), "free")


OTHER_FILES = {
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10,
    "an input file": jsonl(
        {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}
    ),
    "training data": jsonl({"messages": [{"role": "user", "content": "hi"}]}),
    "JSON of another kind": b'{"object": "list"}',
    "words": b"Once upon a time\nthere was a file.\n",
    "nothing": b"",
    "blank lines": b"\n\n\n",
    "a moderation batch": jsonl(openai_line(1, {"id": "modr-1", "results": [{"flagged": False}]})),
}


@pytest.mark.parametrize("name", OTHER_FILES)
def test_other_files_pass_unread(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
    name: str,
) -> None:
    serve_file(frame_server, OTHER_FILES[name])
    assert openai_client.files.content("file-out").content == OTHER_FILES[name]
    assert bytes_streamed(openai_client) == OTHER_FILES[name]
    assert recorded(meter, memory) == []


def test_damaged_lines_do_not_hide_the_others(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    first, *others = OUTPUT.splitlines(keepends=True)
    damaged = [b'{"id": "batch_req_9", "custom_\n', b"\n", b"[]\n", b'{"custom_id": 7}\n']
    serve_file(frame_server, b"".join([first, *damaged, *others]).rstrip(b"\n"))
    openai_client.files.content("file-out")
    check_output(recorded(meter, memory))


def test_lines_read_twice_are_recorded_once(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    serve_file(frame_server, OUTPUT)
    for _ in range(3):
        openai_client.files.content("file-out")
    assert len(recorded(meter, memory)) == 4


def test_another_process_gives_a_line_the_same_id(frame_server: FrameServer) -> None:
    ids = []
    for _ in range(2):
        memory = InMemoryExporter()
        meter = Meter(exporters=[memory])
        made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
        serve_file(frame_server, OUTPUT)
        with wrap(made, partial(_given, meter)) as client:
            client.files.content("file-out")
        ids.append([call.call_id for call in recorded(meter, memory)])

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4
    assert {one.version for one in ids[0]} == {5}


@pytest.mark.parametrize("merged_between", [False, True])
def test_two_processes_that_read_the_same_lines_leave_one_row_each(
    frame_server: FrameServer, tmp_path: Path, merged_between: bool
) -> None:
    for _ in range(2):
        ledger = LedgerExporter(resolve_home(tmp_path), sdk_version="0")
        meter = Meter(exporters=[ledger])
        made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
        serve_file(frame_server, OUTPUT)
        with wrap(made, partial(_given, meter)) as client:
            client.files.content("file-out")
        meter.close()
        assert meter.guard.failures == {}
        if merged_between:
            merge(tmp_path)
    merge(tmp_path)

    with duckdb.connect(str(tmp_path / DATABASE), read_only=True) as connection:
        rows = connection.execute("SELECT count(*), sum(cost_usd) FROM calls").fetchall()
    assert rows == [(4, 2 * GPT_4O_USD + EMBEDDING_USD + LEGACY_USD)]


def test_lines_carry_the_tags_of_who_reads_them_and_are_no_part_of_a_wrapped_function(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    serve_file(frame_server, OUTPUT)

    def collect() -> str:
        with tags(job="nightly"):
            return openai_client.files.content("file-out").text

    wrap(collect, lambda: meter)()
    calls = recorded(meter, memory)
    assert [call.tags for call in calls[:4]] == [{"job": "nightly"}] * 4
    assert len(calls) == 5
    assert calls[4].cost_status == "unpriced"


def test_a_broken_download_records_what_came_and_the_next_one_the_rest(
    frame_server: FrameServer,
    openai_client: openai.OpenAI,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    head = {"content-type": "application/octet-stream"}
    half = OUTPUT.splitlines(keepends=True)[0] + b'{"id": "batch_req_2", "cus'
    frame_server.script(FILE_PATH, headers=head, frames=[half], cut=True)
    serve_file(frame_server, OUTPUT)
    with pytest.raises(Exception, match=r"incomplete|closed"):
        bytes_streamed(openai_client)
    assert len(recorded(meter, memory)) == 1

    assert bytes_streamed(openai_client) == OUTPUT
    check_output(recorded(meter, memory))


def check_claude(calls: list[Call]) -> None:
    told = [(c.status, c.error and c.error.type, c.cost_usd, c.cost_status) for c in calls]
    assert told == [
        ("ok", None, CLAUDE_USD, "priced"),
        ("error", "invalid_request_error", Decimal(0), "free"),
        ("cancelled", "canceled", Decimal(0), "free"),
        ("error", "expired", Decimal(0), "free"),
    ]
    assert {(c.last.provider, c.last.api) for c in calls} == {("anthropic", "messages")}
    assert {c.started_at for c in calls} == {NOW}


def results_of(client: anthropic.Anthropic) -> list[str]:
    return [each.custom_id for each in client.messages.batches.results("msgbatch_1")]


def beta_results_of(client: anthropic.Anthropic) -> list[str]:
    return [each.custom_id for each in client.beta.messages.batches.results("msgbatch_1")]


def raw_results_of(client: anthropic.Anthropic) -> list[str]:
    found = client.messages.batches.with_raw_response.results("msgbatch_1")
    return [each.custom_id for each in found.parse()]


@pytest.mark.parametrize("read", [results_of, beta_results_of, raw_results_of])
def test_results_of_a_batch_of_messages(
    frame_server: FrameServer,
    claude: anthropic.Anthropic,
    meter: Meter,
    memory: InMemoryExporter,
    read: Callable[[anthropic.Anthropic], list[str]],
) -> None:
    serve_claude(frame_server)
    assert read(claude) == ["a", "b", "c", "d"]
    check_claude(recorded(meter, memory))


async def test_results_of_a_batch_of_messages_read_asynchronously(
    frame_server: FrameServer, meter: Meter, memory: InMemoryExporter
) -> None:
    serve_claude(frame_server)
    made = anthropic.AsyncAnthropic(base_url=frame_server.url, api_key="k", max_retries=0)
    async with wrap(made, lambda: meter) as client:
        results = await client.messages.batches.results("msgbatch_1")
        assert type(results).__name__ == "AsyncJSONLDecoder"
        assert [each.custom_id async for each in results] == ["a", "b", "c", "d"]
    check_claude(recorded(meter, memory))


def test_results_come_one_by_one_as_without_us(
    frame_server: FrameServer,
    claude: anthropic.Anthropic,
    meter: Meter,
    memory: InMemoryExporter,
) -> None:
    """Each line is a call as soon as it has been received; what is not received is none."""
    one, two, *rest = CLAUDE.splitlines(keepends=True)
    frames = [one + two, *rest]
    head = {"content-type": "application/x-jsonl"}
    frame_server.script(RESULTS_PATH, headers=head, frames=frames, pause_s=9)
    url = f"{frame_server.url}{RESULTS_PATH}"
    frame_server.json("/v1/messages/batches/msgbatch_1", {**CLAUDE_BATCH, "results_url": url})

    results = claude.messages.batches.results("msgbatch_1")
    assert len(recorded(meter, memory)) == 0
    assert next(results).custom_id == "a"
    assert len(recorded(meter, memory)) == 2
    results.close()
    assert len(recorded(meter, memory)) == 2


def test_ids_are_remembered_up_to_a_limit() -> None:
    ids = RecentIds(10)
    assert [ids.add(str(number)) for number in range(10)] == [True] * 10
    assert [ids.add(str(number)) for number in range(5, 10)] == [False] * 5
    assert all(ids.add(str(number)) for number in range(10, 15))
    assert "14" in ids
    assert "4" not in ids


def test_a_file_of_any_length_leaves_memory_flat(frame_server: FrameServer) -> None:
    """What is kept of a line is its id, and of ids no more than 100,000."""
    count = 2_000
    meter = Meter()
    lines = b"".join(jsonl(openai_line(number, EMBEDDING_BODY)) for number in range(count))
    serve_file(frame_server, lines, size=1 << 14)
    made = openai.OpenAI(base_url=f"{frame_server.url}/v1", api_key="k", max_retries=0)
    with (
        wrap(made, lambda: meter) as client,
        client.files.with_streaming_response.content("file-out") as response,
    ):
        stream = response.iter_lines()
        next(stream)
        tracemalloc.start()
        try:
            assert sum(1 for _ in stream) == count - 1
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert meter.guard.failures == {}
    assert kept < 150 * count
