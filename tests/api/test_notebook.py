"""``costspan.report``: rows, errors and interrupts, with the database in another process."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from repricing import call, record, request

import costspan
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.merge import merge
from costspan.pricing.catalogue import Catalogue

NOW = Catalogue.default()


@pytest.fixture
def ledger(home: Path) -> Path:
    """A ledger with one call that cost $0.00422 (see tests/support/repricing.py)."""
    record(home, call(1, request(NOW)))
    return home


def in_a_kernel(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh Python, as a notebook's kernel is."""
    words = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_rows_have_money_as_decimal_and_counts_as_int(ledger: Path) -> None:
    (row,) = costspan.report()

    assert (row["model"], row["calls"], row["cost_usd"]) == (
        "gpt-4o-2024-08-06",
        1,
        Decimal("0.00422"),
    )
    assert (type(row["calls"]), type(row["cost_usd"])) == (int, Decimal)


def test_the_words_are_those_of_the_command_line(ledger: Path) -> None:
    (day,) = costspan.report("day", "2020-01-01", tz="Europe/Berlin", home=ledger)

    assert (next(iter(day)), day["calls"]) == ("day", 1)
    assert costspan.report(by="tag:none", since="2020-01-01")[0]["tag"] is None
    assert costspan.report(until="2020-01-01") == []
    assert costspan.report(estimates=True) == []


def test_what_is_not_known_is_none(home: Path) -> None:
    record(home, call(1, request(NOW, model="no-such-model")))

    assert costspan.report()[0]["cost_usd"] is None


def test_a_ledger_without_calls_has_no_rows(home: Path) -> None:
    assert costspan.report() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": "colour"}, "cannot group by 'colour': give one of model, provider"),
        ({"by": "--home=/elsewhere"}, "cannot group by '--home=/elsewhere'"),
        ({"since": "soon"}, "since 'soon' is not understood"),
        ({"tz": "Nowhere"}, "time zone 'Nowhere' is not known"),
        ({"by": "day", "estimates": True}, "--estimates goes by model"),
        ({"home": "/dev/null"}, "The ledger's folder /dev/null is not a folder"),
    ],
)
def test_errors_are_those_of_the_command_line(
    ledger: Path, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(costspan.ReportError) as caught:
        costspan.report(**arguments)

    assert str(caught.value).startswith(said)


def test_what_the_command_says_beside_the_rows_is_logged(
    ledger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segment = ledger / "spool" / "host.1.0123456789ab.000000.v1.seg"
    segment.write_bytes(b"damaged\n")

    with caplog.at_level(logging.WARNING, logger="costspan"):
        assert len(costspan.report()) == 1
    assert caplog.messages == ["costspan: not shown: 1 damaged record; see: costspan doctor"]


def test_the_database_stays_out_of_the_kernel_and_no_zombie_is_left(ledger: Path) -> None:
    done = in_a_kernel(
        "import os, sys, costspan\n"
        "print(len(costspan.report()), 'duckdb' in sys.modules)\n"
        "try: print(os.waitpid(-1, os.WNOHANG))\n"
        "except ChildProcessError: print('no child')\n"
    )

    assert (done.stdout, done.stderr) == ("1 False\nno child\n", "")


def test_a_running_event_loop_does_not_matter(ledger: Path) -> None:
    async def cell() -> list[dict[str, Any]]:
        return costspan.report()

    assert len(asyncio.run(cell())) == 1


def test_files_of_the_notebooks_folder_are_no_modules(ledger: Path, tmp_path: Path) -> None:
    for name in ("costspan", "click", "decimal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from the folder')")

    assert len(costspan.report()) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("executable", "/usr/sbin/uwsgi"), ("executable", ""), ("frozen", True)]
)
def test_a_program_without_a_python_is_told_another_way(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(sys, name, value, raising=False)

    with pytest.raises(costspan.ReportError, match="ask by `costspan report --format json`"):
        costspan.report()


def test_an_interrupt_ends_both(ledger: Path, tmp_path: Path) -> None:
    merge(ledger)
    path = str(ledger / DATABASE)
    code = f"import duckdb; c = duckdb.connect({path!r}); print('open', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    kernel = subprocess.Popen(
        [sys.executable, "-c", "import costspan; costspan.report()"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        asked = child_of(kernel.pid)
        kernel.send_signal(signal.SIGINT)
        _, told = kernel.communicate(timeout=60)
    finally:
        holder.communicate("\n")

    assert told.rstrip().endswith("KeyboardInterrupt")
    assert has_ended(asked)


def child_of(pid: int) -> int:
    """The process that another has started, once it is at the database."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(1000):
        for child in children.read_text().split():
            if "duckdb" in Path(f"/proc/{child}/maps").read_text():
                return int(child)
        time.sleep(0.01)
    raise AssertionError("no process was started")


def has_ended(pid: int) -> bool:
    """Whether a process ends within seconds; it may wait to be reaped by who inherited it."""
    for _ in range(500):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False
