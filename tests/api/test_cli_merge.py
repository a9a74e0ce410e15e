"""``costspan merge``: once, for ever, and in the background."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shell import Said, Shell

from costspan.exporters.ledger.published import read_spend

Watch = Callable[[], subprocess.Popen[str]]

RECORD = """
import sys
from costspan import Meter, wrap
ask = wrap(
    lambda model, messages: {"model": model, "usage": {"prompt_tokens": 8, "completion_tokens": 2}},
    meter=Meter(home=sys.argv[1], exporters=["ledger"]),
)
for _ in range(int(sys.argv[2])):
    ask("gpt-4o", [{"role": "user", "content": "hi"}])
"""


def record(home: Path, calls: int) -> None:
    """Record some calls by a program of their own."""
    subprocess.run([sys.executable, "-c", RECORD, str(home), str(calls)], check=True)


def test_once_is_the_default(shell: Shell, home: Path) -> None:
    record(home, 2)
    assert shell("merge", "--once").out == f"merged 2 calls of 1 segment into {home}\n"


def test_not_both(shell: Shell) -> None:
    assert shell("merge", "--once", "--watch") == Said(
        2, "", "costspan: --once or --watch, not both (see: costspan merge --help)\n"
    )


def test_in_the_background_nothing_is_said(shell: Shell, home: Path) -> None:
    record(home, 2)
    assert shell("merge", "--background") == Said(0, "", "")
    assert read_spend(home) is not None


@pytest.fixture
def watch(home: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts ``merge --watch``; it is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "costspan", "merge", "--watch", "--every", "0.2"]
        started.append(
            subprocess.Popen(
                [*words, "--home", str(home)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_watch_merges_what_comes_until_ctrl_c(home: Path, watch: Watch) -> None:
    record(home, 2)
    watching = watch()
    assert watching.stdout is not None
    assert watching.stderr is not None
    assert watching.stderr.readline() == f"merging what is recorded in {home}; Ctrl-C ends it\n"
    assert watching.stdout.readline() == f"merged 2 calls of 1 segment into {home}\n"
    record(home, 3)
    assert watching.stdout.readline() == f"merged 3 calls of 1 segment into {home}\n"

    started = time.monotonic()
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=10)
    assert (watching.returncode, out, err) == (130, "", "")
    assert time.monotonic() - started < 2


def test_watch_goes_on_after_a_merge_that_failed(home: Path, watch: Watch) -> None:
    (home / "ledger.duckdb").mkdir(parents=True)
    record(home, 1)
    watching = watch()
    assert watching.stdout is not None
    assert watching.stderr is not None
    watching.stderr.readline()
    said = watching.stderr.readline()
    assert said.startswith("costspan: ")
    assert "ledger.duckdb" in said
    (home / "ledger.duckdb").rmdir()
    assert watching.stdout.readline() == f"merged 1 call of 1 segment into {home}\n"
