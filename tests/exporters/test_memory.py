"""The memory exporter and the pytest fixture that users get."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.record import Call, OpenCall, ProviderRequest
from costspan.pricing.types import Cost

AT = datetime(2026, 11, 25, tzinfo=UTC)
OPEN = cast(OpenCall, SimpleNamespace())


def call(total: str | None) -> Call:
    """A finished call that cost so many dollars."""
    amount = None if total is None else Decimal(total)
    cost = Cost(total=amount, status="unpriced" if amount is None else "priced")
    request = ProviderRequest("openai", "chat", "gpt-4o", "gpt-4o", AT, AT, cost=cost)
    return Call(uuid4(), "chat", (request,), AT, AT, 1, "ok", "value")


def test_keeps_finished_calls_in_order() -> None:
    exporter = InMemoryExporter()
    first, second = call("0.1"), call(None)
    exporter.start(OPEN)
    assert (exporter.calls, exporter.last) == ((), None)
    exporter.finish(first)
    exporter.finish(second)
    assert exporter.calls == (first, second)
    assert exporter.last is second
    assert exporter.flush(0.0) is True


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([], None),
        ([None], None),
        (["0"], Decimal(0)),
        (["0.1", "0.2", None], Decimal("0.3")),
    ],
)
def test_total(totals: list[str | None], expected: Decimal | None) -> None:
    exporter = InMemoryExporter()
    for total in totals:
        exporter.finish(call(total))
    assert exporter.total_usd == expected


def test_clear_and_close() -> None:
    exporter = InMemoryExporter()
    exporter.finish(call("1"))
    kept = exporter.calls
    exporter.clear()
    assert (exporter.calls, exporter.last, len(kept)) == ((), None, 1)
    exporter.finish(call("1"))
    exporter.close()
    exporter.finish(call("1"))
    assert len(exporter.calls) == 1


def test_threads_lose_nothing() -> None:
    exporter = InMemoryExporter()
    record = call("0.001")

    def many() -> None:
        for _ in range(500):
            exporter.finish(record)

    threads = [Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(exporter.calls) == 4_000
    assert exporter.total_usd == Decimal(4)


def test_the_plugin_imports_nothing_heavy() -> None:
    code = """
import sys, pytest
before = set(sys.modules)
import costspan.pytest_plugin
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
print(*sorted(name for name in sys.modules if name.startswith("costspan.exporters.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    added, exporters = done.stdout.splitlines()
    heavy = {"duckdb", "httpx", "httpx2", "opentelemetry", "orjson", "rich", "tiktoken"}
    assert not heavy & set(added.split())
    assert exporters == ""


USERS_TEST = """
import costspan
from costspan.meter import default_meter

def test_calls_are_kept(costspan_calls):
    meter = default_meter()
    assert meter.exporters == (costspan_calls,)
    assert costspan_calls.calls == ()

def chunks(model, messages, stream=True):
    yield {"object": "chat.completion.chunk", "choices": []}
    yield {"object": "chat.completion.chunk", "choices": []}

def test_a_stream_that_is_left_is_there_at_once(costspan_calls):
    for _ in costspan.wrap(chunks)("gpt-4o", []):
        break
    assert costspan_calls.last.status == "interrupted"
    assert len(costspan_calls.calls) == 1
    for _ in costspan.wrap(chunks)("gpt-4o", []):
        break
    costspan_calls.clear()
    assert costspan_calls.calls == ()

def test_each_test_has_its_own(costspan_calls):
    assert default_meter().exporters == (costspan_calls,)
    assert costspan.last_call() is None
"""


def test_fixture_replaces_the_default_meter_for_one_test(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "costspan.pytest_plugin"),
            *("-p", "no:cacheprovider", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HOME": str(tmp_path)},
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert [path.name for path in tmp_path.rglob("*ledger*")] == []
