"""A ledger's folder, and processes of all kinds that record into it through ``costspan.wrap``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

import costspan
from costspan.exporters.ledger.errors import NoLedgerError
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.row import RECORD_VERSION, encode

FOLDER = Path(__file__).parent
STRICTLY = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
"""Warnings are errors, but for that of Python 3.12 and later at every fork beside threads."""

END_S = 60
"""How long a test waits for anything; much longer than it takes on a busy machine."""


class Start(Protocol):
    """Starts a Python program: ``start(arguments)``, with the variables of ``environment`` too."""

    def __call__(self, *arguments: object, **environment: object) -> subprocess.Popen[str]: ...


@pytest.fixture
def home(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A ledger's folder that does not exist yet; it is in force here and in what is started."""
    folder = tmp_path / "home"
    monkeypatch.setenv("COSTSPAN_HOME", str(folder))
    monkeypatch.delenv("COSTSPAN_CONFIG", raising=False)
    monkeypatch.delenv("COSTSPAN_DISABLED", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


@pytest.fixture
def start(home: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts Python programs in groups of their own; what is left at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, **environment: object) -> subprocess.Popen[str]:
        words = [sys.executable, *map(str, arguments)]
        variables = {name: str(value) for name, value in environment.items()}
        with open(tmp_path / f"errors-{len(started)}.txt", "w") as errors:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **variables},
                process_group=0,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()


@pytest.fixture
def answer(start: Start, tmp_path: Path) -> Callable[..., Any]:
    """Runs a command of ``programs.py`` to its end and returns the JSON it prints."""

    def run(command: str, *arguments: object) -> Any:
        process = start(*STRICTLY, FOLDER / "programs.py", command, *arguments)
        output, _ = process.communicate(timeout=END_S)
        errors = "".join(path.read_text() for path in tmp_path.glob("errors-*.txt"))
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        return json.loads(output) if output else None

    return run


@pytest.fixture
def stored(home: Path) -> Callable[[], dict[str, list[int]]]:
    """Reads the ledger: the numbers of the calls by the name of who made them, in order."""

    def read() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        try:
            reader = open_ledger(home)
        except NoLedgerError:
            return found
        with reader:
            rows = reader.execute("SELECT session_id, unit_id::INT FROM calls ORDER BY ALL").rows
        for who, number in rows:
            assert isinstance(who, str)
            assert isinstance(number, int)
            found.setdefault(who, []).append(number)
        return found

    return read


@pytest.fixture
def query(home: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    """Asks the ledger: the rows of one query."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with open_ledger(home) as reader:
            return reader.execute(sql).rows

    return ask


@pytest.fixture
def lines() -> Callable[[str, range], list[bytes]]:
    """Makes calls and gives their lines as they would stand in the spool, one of each number."""
    memory = costspan.InMemoryExporter()
    reply: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}

    def answer(model: str, messages: list[object]) -> dict[str, Any]:
        return reply

    ask = costspan.wrap(answer, meter=costspan.Meter(exporters=[memory]))

    def make(who: str, numbers: range) -> list[bytes]:
        memory.clear()
        for number in numbers:
            with costspan.tags(session_id=who, unit_id=number):
                ask("gpt-4o-mini", [])
        return [encode(call) for call in memory.calls]

    return make


@pytest.fixture
def segment(home: Path) -> Callable[..., Path]:
    """Leaves a segment as a dead writer would: ``segment(content, host="host")``."""

    def leave(content: bytes, host: str = "host") -> Path:
        path = home / "spool" / f"{host}.7.{os.urandom(6).hex()}.000000.v{RECORD_VERSION}.seg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return leave


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until something holds, for at most a minute."""

    def wait(holds: Callable[[], object]) -> None:
        end = time.monotonic() + END_S
        while not holds():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.01)

    return wait
