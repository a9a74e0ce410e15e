"""The exporter: what the Meter sees of the ledger."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.exporter import RECORD_VERSION, LedgerExporter
from costspan.exporters.ledger.layout import host_word
from costspan.exporters.ledger.read import open_ledger
from costspan.middleware.record import Call, Exporter, OpenCall

OPEN_CALL = cast(OpenCall, None)  # the ledger looks at the finished record only


@pytest.fixture
def exporter(home: Home) -> Iterator[LedgerExporter]:
    """An exporter to the home, closed at the end."""
    built = LedgerExporter(home, sdk_version="1.2.3")
    yield built
    built.close()


def test_it_is_an_exporter(exporter: LedgerExporter) -> None:
    taken: list[Exporter] = [exporter]
    assert taken == [exporter]
    assert RECORD_VERSION == 1


def test_a_finished_call_is_in_the_ledger(
    home: Home, exporter: LedgerExporter, make_call: Callable[..., Call]
) -> None:
    exporter.finish(make_call(0, 0))

    assert exporter.flush(5)
    with open_ledger(home) as reader:
        (origin,) = reader.execute("SELECT host, pid, sdk_version FROM calls").rows
    assert origin == (host_word(), os.getpid(), "1.2.3")


def test_a_forked_child_says_its_own_process(home: Home, answer: Any) -> None:
    parent, child = answer("export_from_child")

    with open_ledger(home) as reader:
        pids = reader.execute("SELECT pid FROM calls ORDER BY session_id").rows
    assert pids == [(parent,), (child,)]


def test_health(home: Home, exporter: LedgerExporter, make_call: Callable[..., Call]) -> None:
    before = exporter.health()
    assert (before.lost, before.last_error, before.pending_bytes) == (0, None, 0)

    exporter.finish(make_call(0, 0))

    after = exporter.health()
    assert (after.lost, after.last_error, after.mode, after.home) == (0, None, "mmap", home)
    assert after.pending_bytes == 1 << 20


def test_health_of_a_home_that_cannot_be_written(
    home: Home, exporter: LedgerExporter, make_call: Callable[..., Call]
) -> None:
    home.path.write_text("a file where the folder should be")

    exporter.finish(make_call(0, 0))

    health = exporter.health()
    assert (health.lost, health.last_error, health.pending_bytes) == (1, "HomeError", 0)


def test_flush_says_whether_all_was_kept(
    home: Home, exporter: LedgerExporter, make_call: Callable[..., Call]
) -> None:
    home.path.write_text("a file where the folder should be")
    exporter.finish(make_call(0, 0))
    exporter.finish(make_call(0, 1))  # refused without a look at the disk

    assert not exporter.flush(5)
    assert exporter.flush(5)  # nothing more since then
    home.path.unlink()
    time.sleep(1.05)
    exporter.finish(make_call(0, 2))
    assert exporter.flush(5)
    assert exporter.health().lost == 2


def test_records_after_close_are_ignored(
    home: Home, exporter: LedgerExporter, make_call: Callable[..., Call]
) -> None:
    exporter.finish(make_call(0, 0))
    exporter.close()

    exporter.finish(make_call(0, 1))

    assert exporter.health().lost == 0
    with open_ledger(home) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(1,)]


def test_a_fallback_is_said_once(
    tmp_path: Path, make_call: Callable[..., Call], caplog: pytest.LogCaptureFixture
) -> None:
    reason = "temporary, because the default /x cannot be written"
    fallback = Home(tmp_path / "costspan-0", named=False, fallback=True, reason=reason)
    exporter = LedgerExporter(fallback)
    exporter.finish(make_call(0, 0))
    exporter.flush(1)
    exporter.finish(make_call(0, 1))
    exporter.close()

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{fallback.path}: {reason}" in record.message
    with open_ledger(fallback) as reader:
        assert reader.execute("SELECT count(*) FROM calls").rows == [(2,)]


def test_the_default_home_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_call: Callable[..., Call]
) -> None:
    monkeypatch.setenv("COSTSPAN_HOME", str(tmp_path / "named"))
    exporter = LedgerExporter()
    exporter.finish(make_call(0, 0))
    exporter.close()

    with open_ledger(tmp_path / "named") as reader:
        answer: Any = reader.execute("SELECT count(*) FROM calls").rows
    assert answer == [(1,)]
