"""A home in a temporary folder, calls to put into it, and programs to run beside the test."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.read import open_ledger
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ProviderRequest

PROGRAM = Path(__file__).with_name("program.py")
_shared = runpy.run_path(str(PROGRAM), run_name="program")


class Program(Protocol):
    """Starts ``program.py COMMAND HOME ARGUMENT...``."""

    def __call__(self, command: str, *arguments: object) -> subprocess.Popen[str]: ...


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A named home that does not exist yet."""
    return Home(tmp_path / "home", named=True, fallback=False, reason="named by the test")


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary directory, of this test alone: what is lost is noted there too."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


@pytest.fixture
def make_call() -> Callable[..., Call]:
    """Builds a finished call: ``make_call(writer, number, **changes)``."""
    build: Callable[..., Call] = _shared["make_call"]
    return build


@pytest.fixture
def make_request() -> Callable[..., ProviderRequest]:
    """Builds a provider request: ``make_request(**changes)``."""
    build: Callable[..., ProviderRequest] = _shared["make_request"]
    return build


@pytest.fixture
def open_writer() -> Iterator[Callable[..., Writer]]:
    """Opens writers that are closed at the end: ``open_writer(home, **options)``."""
    opened: list[Writer] = []

    def build(home: Home, **options: Any) -> Writer:
        opened.append(Writer(home, record_version=1, **options))
        return opened[-1]

    yield build
    for writer in opened:
        writer.close()


@pytest.fixture
def program(home: Home) -> Iterator[Program]:
    """Starts a program of ``program.py`` on the home; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str, *arguments: object) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, str(PROGRAM), command, str(home), *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def answer(program: Program) -> Callable[..., Any]:
    """Runs a program to its end and returns the JSON it prints; None if it prints nothing."""

    def run(command: str, *arguments: object) -> Any:
        output, _ = (process := program(command, *arguments)).communicate(timeout=60)
        assert process.returncode == 0
        return json.loads(output) if output else None

    return run


@pytest.fixture
def answer_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[Home], Any]:
    """Runs ``read_as_nobody`` on a home and returns what it prints.

    Nobody may not enter the folders of the tests, so the temporary directory is everybody's here.
    """
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr("tempfile.tempdir", None)

    def run(home: Home) -> Any:
        words = [sys.executable, str(PROGRAM), "read_as_nobody", str(home)]
        return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)

    return run


@pytest.fixture
def query(home: Home) -> Callable[[str], list[tuple[Any, ...]]]:
    """Asks the ledger: the rows of one query."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with open_ledger(home) as reader:
            return reader.execute(sql).rows

    return ask
