"""Every way in which a program comes to be several: no call is lost, none is there twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.exporters.durability.conftest import Start

Stored = Callable[[], dict[str, list[int]]]
Until = Callable[[Callable[[], object]], None]

PROGRAMS = Path(__file__).with_name("programs.py")


def test_two_processes_import_and_record_at_once(
    start: Start, stored: Stored, tmp_path: Path
) -> None:
    """duckdb/duckdb#13079: the second process of a reloading server meets the first one's lock."""
    both = [start(PROGRAMS, "import_and_record", who, 20) for who in ("one", "two")]
    assert [process.stdout.readline() for process in both if process.stdout] == ["ready\n"] * 2
    assert stored() == {"one": list(range(20)), "two": list(range(20))}

    for process in both:
        process.communicate(timeout=30)

    assert [process.returncode for process in both] == [0, 0]
    assert stored() == {"one": list(range(21)), "two": list(range(21))}


def test_threads(answer: Any, stored: Stored) -> None:
    answer("threads", 100)

    assert stored() == {f"thread-{number}": list(range(100)) for number in range(8)}


def test_concurrent_tasks_some_of_them_cancelled(
    answer: Any, stored: Stored, query: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    answer("tasks", 300)

    assert stored() == {"task": list(range(300))}
    assert query("SELECT status, count(*) FROM calls GROUP BY 1 ORDER BY 1") == [
        ("cancelled", 100),
        ("ok", 200),
    ]


def test_a_prefork_pool(answer: Any, stored: Stored) -> None:
    """duckdb/duckdb-python#292: a connection does not outlive a fork; children die or hang."""
    said = answer("prefork_pool", 4, 10, 5)

    found = stored()
    assert said["children"] == 20
    assert found.pop("master") == list(range(said["master"]))
    assert found == {f"child-{number}": list(range(10)) for number in range(20)}


@pytest.mark.parametrize("kind", ["pool", "futures", "process"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(answer: Any, stored: Stored, method: str, kind: str) -> None:
    answer("pool", method, kind)

    assert stored() == {"master": [0, 1], "child": list(range(16))}


def test_a_fork_while_the_tokenizer_is_imported(answer: Any, stored: Stored) -> None:
    """The child would wait for ever for an import that a thread of its parent had begun."""
    answer("fork_while_importing")

    assert stored() == {"parent": [0], "child": [0]}


def test_a_daemon_by_two_forks(answer: Any, stored: Stored, until: Until, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    answer("daemon", pid_file)
    until(pid_file.exists)

    assert stored() == {"before": [0, 1], "daemon": list(range(10))}


def test_another_program_takes_the_place_of_this_one(answer: Any, stored: Stored) -> None:
    returned = answer("exec_while_recording")

    found = stored()
    assert found.pop("after") == [0]
    for number, calls in enumerate(returned):
        there = found.pop(f"thread-{number}")
        assert there == list(range(len(there)))
        assert len(there) >= calls
    assert found == {}


def test_programs_that_are_started_meanwhile(home: Path, answer: Any, stored: Stored) -> None:
    """A program that inherits descriptors must not keep a segment of ours locked."""
    said = answer("child_programs")
    try:
        assert stored() == {
            f"thread-{number}": list(range(count)) for number, count in enumerate(said["counts"])
        }
        assert not list((home / "spool").iterdir())
    finally:
        os.kill(said["late"], signal.SIGKILL)
