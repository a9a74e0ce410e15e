"""The exporter that writes lines of JSON on a stream."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

import costspan
from costspan.core.types import Usage
from costspan.exporters.jsonlines import JsonLinesExporter
from costspan.exporters.ledger.row import encode
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def made(number: int = 1, **changes: Any) -> Call:
    """A call of 100 tokens in and 20 out for 0.5 US dollars."""
    usage = Usage({"tokens.in.text": 100, "tokens.out.text": 20})
    cost = Cost(Decimal("0.5"), "priced")
    request = ProviderRequest("openai", "chat", "gpt-x", "gpt-x", AT, AT, usage, cost)
    return Call(UUID(int=number), "chat", (request,), AT, AT, 1_000, "ok", "value", **changes)


def answer(model: str, messages: list[object]) -> str:
    """A completion function."""
    return "answer"


def ids(lines: bytes) -> list[int]:
    """The numbers of the calls, one a line; fails on a line that is torn."""
    return [UUID(json.loads(line)["call_id"]).int for line in lines.splitlines()]


def test_a_line_is_what_the_spool_holds_and_says_who_wrote_it() -> None:
    stream = io.BytesIO()

    JsonLinesExporter(stream, sdk_version="0.1.0").finish(made())

    columns = orjson.loads(stream.getvalue())
    assert columns.pop("sdk_version") == "0.1.0"
    assert columns.pop("pid") == os.getpid()
    assert columns.pop("host")
    assert columns == orjson.loads(encode(made()))
    assert stream.getvalue().count(b"\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "w", "encoding": "utf-8"},
        {"mode": "w", "encoding": "latin-1"},
        {"mode": "wb"},
        {"mode": "wb", "buffering": 0},
    ],
)
def test_files_of_text_and_of_bytes(options: dict[str, Any], tmp_path: Path) -> None:
    with open(tmp_path / "calls.jsonl", **options) as stream:
        JsonLinesExporter(stream).finish(made(1, tags={"who": "Ünal 東京"}))

        # It is there before anything is closed or flushed.
        written = (tmp_path / "calls.jsonl").read_bytes()
    assert json.loads(written)["tags"] == {"who": "Ünal 東京"}


def test_text_that_was_printed_before_stays_before(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w", encoding="utf-8") as stream:
        exporter = JsonLinesExporter(stream)
        for number in range(3):
            print("before", number, file=stream)
            exporter.finish(made(number))

    lines = (tmp_path / "out").read_text().splitlines()
    assert lines[::2] == ["before 0", "before 1", "before 2"]
    assert ids("\n".join(lines[1::2]).encode()) == [0, 1, 2]


def test_a_stream_that_packs_what_is_written_is_not_bypassed(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "calls.gz", "wb") as stream:
        JsonLinesExporter(stream).finish(made(7))

    with gzip.open(tmp_path / "calls.gz") as packed:
        assert ids(packed.read()) == [7]


def test_the_standard_output_as_it_is_at_the_call(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = JsonLinesExporter()
    exporter.finish(made(1))
    replaced = io.StringIO()
    monkeypatch.setattr("sys.stdout", replaced)
    exporter.finish(made(2))

    assert ids(capfd.readouterr().out.encode()) == [1]
    assert ids(replaced.getvalue().encode()) == [2]


def test_threads_never_tear_a_line() -> None:
    read, write = os.pipe()
    long = {"note": "x" * 200, **{f"tag{number}": "y" * 250 for number in range(20)}}
    with open(write, "wb", buffering=0) as stream, open(read, "rb") as reader:
        exporter = JsonLinesExporter(stream)

        def work(first: int) -> None:
            for number in range(first, first + 100):
                exporter.finish(made(number, tags=long))

        threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(4)]
        for thread in threads:
            thread.start()
        # 5 kB lines: a pipe takes no more than 4,096 bytes at once for certain.
        lines = b"".join(reader.readline() for _ in range(400))
        for thread in threads:
            thread.join(10)

    assert sorted(ids(lines)) == list(range(400))


def test_a_signal_handler_that_interrupts_a_write() -> None:
    """Its call comes after the one that is being written, and nothing hangs."""
    code = """\
import runpy, signal, sys
from costspan.exporters.jsonlines import JsonLinesExporter
made = runpy.run_path(sys.argv[1])["made"]
exporter = JsonLinesExporter()
number = 1_000_000

def interrupt(signum, frame):
    global number
    number += 1
    exporter.finish(made(number))

signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for one in range(3_000):
    exporter.finish(made(one))
signal.setitimer(signal.ITIMER_REAL, 0)
print(number, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, __file__], capture_output=True, timeout=60, check=True
    )

    written = ids(done.stdout)
    last = int(done.stderr)
    assert last > 1_000_000
    assert sorted(written) == [*range(3_000), *range(1_000_001, last + 1)]


def test_a_child_that_is_forked_while_a_thread_writes() -> None:
    """The child has locks of its own, and does not write what waited in its parent."""
    code = """\
import os, runpy, sys, threading
from costspan.exporters.jsonlines import JsonLinesExporter
made = runpy.run_path(sys.argv[1])["made"]
exporter = JsonLinesExporter()

def work():
    for number in range(2_000):
        exporter.finish(made(number))

thread = threading.Thread(target=work)
thread.start()
for child in range(20):
    if os.fork() == 0:
        exporter.finish(made(10_000 + child))
        os._exit(0)
for child in range(20):
    assert os.wait()[1] == 0
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, __file__],
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert sorted(ids(done.stdout)) == [*range(2_000), *range(10_000, 10_020)]
    pids = {json.loads(line)["pid"] for line in done.stdout.splitlines()}
    assert len(pids) == 21


class TestFailure:
    """A stream that cannot be written: counted, never the user's failure."""

    @staticmethod
    def ask(exporter: JsonLinesExporter) -> costspan.Meter:
        meter = costspan.Meter(exporters=[exporter])
        assert costspan.wrap(answer, meter=meter)("gpt-x", []) == "answer"
        return meter

    def test_a_closed_stream(self, caplog: pytest.LogCaptureFixture) -> None:
        stream = io.StringIO()
        stream.close()

        meter = self.ask(JsonLinesExporter(stream))

        assert sum(meter.guard.failures.values()) == 1
        assert "your call is not affected" in caplog.text

    def test_a_broken_pipe(self, caplog: pytest.LogCaptureFixture) -> None:
        read, write = os.pipe()
        os.close(read)
        with open(write, "wb", buffering=0) as stream:
            meter = self.ask(JsonLinesExporter(stream))

        assert sum(meter.guard.failures.values()) == 1

    def test_no_standard_output_at_all(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("sys.stdout", None)

        assert sum(self.ask(JsonLinesExporter()).guard.failures.values()) == 1

    def test_a_line_that_broke_off_does_not_spoil_the_next(self) -> None:
        read, write = os.pipe()
        os.set_blocking(write, False)
        os.set_blocking(read, False)
        long = {f"tag{number}": "y" * 250 for number in range(30)}
        with open(write, "wb", buffering=0) as stream, open(read, "rb", buffering=0) as reader:
            exporter = JsonLinesExporter(stream)

            def fill() -> None:
                for number in range(100):
                    exporter.finish(made(number, tags=long))

            with pytest.raises(BlockingIOError):
                fill()
            full = b""
            while chunk := reader.read(1 << 16):
                full += chunk
            exporter.finish(made(500))
            after = reader.read(1 << 16)

        assert not full.endswith(b"\n")
        assert after is not None
        assert ids(after.removeprefix(b"\n")) == [500]
        assert after.startswith(b"\n")


def test_it_is_public_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, costspan\n"
        "before = set(sys.modules)\n"
        "costspan.Meter(exporters=['jsonlines', costspan.JsonLinesExporter()])\n"
        "print(sorted({'duckdb', 'httpx', 'tiktoken', 'opentelemetry'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_configuration_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "costspan.toml").write_text('exporters = ["jsonlines"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSTSPAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COSTSPAN_CONFIG", raising=False)

    costspan.wrap(answer, meter=costspan.Meter.from_config())("gpt-x", [])

    line = json.loads(capfd.readouterr().out)
    assert line["sdk_version"] == costspan.__version__
    assert not (tmp_path / "home").exists()
