"""Windows and macOS, as far as Linux can play them: the package imports, records and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from costspan.exporters.home import default_path

PROGRAM = Path(__file__).with_name("portable.py")
HOMES = {"win32": "Local/costspan", "darwin": "Library/Application Support/costspan"}
MODES = {"win32": "write", "darwin": "mmap"}

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts ``portable.py`` with folders of its own; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []
    variables = {**os.environ, "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path / "Local")}
    variables |= {"USERNAME": "someone", "COSTSPAN_AUTOMERGE": "0"}
    for name in ("COSTSPAN_HOME", "COSTSPAN_CONFIG", "COSTSPAN_DISABLED", "XDG_DATA_HOME"):
        variables.pop(name, None)

    def run(*words: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAM), *map(str, words)],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def said(start: Start) -> Callable[..., str]:
    """Runs ``portable.py`` to its end and returns what it printed; it has no error to say."""

    def run(*words: object) -> str:
        output, errors = (process := start(*words)).communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        return output

    return run


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_record_merge_and_report(
    start: Start, said: Callable[..., str], tmp_path: Path, platform: str
) -> None:
    recorder = start(platform, "record", 3)
    assert recorder.stdout is not None
    home = tmp_path / HOMES[platform]

    told = json.loads(recorder.stdout.readline())

    assert told == {"home": str(home), "mode": MODES[platform], "lost": 0, "duckdb": False}
    # While the recorder has its segment open, and again when it is gone.
    assert "erged 9 calls" in said(platform, "command", "merge")
    assert len(list((home / "spool").iterdir())) == 1
    output, errors = recorder.communicate("end\n", timeout=30)
    assert (recorder.returncode, output, errors) == (0, "", "")
    (spent,) = json.loads(said(platform, "command", "report", "--format", "json"))
    # 10 calls of 10 tokens at $0.15 and 2 at $0.60 a million.
    assert (spent["calls"], spent["cost_usd"]) == (10, "0.000027")
    assert list((home / "spool").iterdir()) == []


def test_commands(start: Start, said: Callable[..., str], tmp_path: Path) -> None:
    platform = "win32"
    recorder = start(platform, "record", 1)
    recorder.communicate("end\n", timeout=30)
    home = tmp_path / HOMES[platform]

    (last, *_) = json.loads(said(platform, "command", "calls", "--format", "json"))
    assert said(platform, "command", "explain", last["call_id"]).startswith("Call ")
    assert "Nothing to write" in said(platform, "command", "reprice")
    assert f"The ledger's folder is {home}, the default of this user" in said(
        platform, "command", "doctor"
    )
    assert "input" in said(platform, "command", "estimate", "--model", "gpt-4o", PROGRAM)
    backup = tmp_path / "copy.duckdb"
    assert said(platform, "command", "ledger", "backup", backup).startswith("Copied 4 calls")
    assert "error" not in said(platform, "command", "ledger", "check")
    said(platform, "command", "merge", "--background")


def test_segments_come_and_go_beside_merges(start: Start, tmp_path: Path) -> None:
    """On Windows a segment has its name before it is locked, and cannot be removed while open."""
    merger = start("win32", "merge_until_told", tmp_path)
    writers = [start("win32", "put", tmp_path, 2000) for _ in range(2)]
    for writer in writers:
        output, errors = writer.communicate(timeout=60)
        assert errors == ""
        assert json.loads(output) == {"lost": 0, "last_error": None}

    output, errors = merger.communicate(timeout=60)
    assert errors == ""
    assert json.loads(output) == {"rows": 4000}
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_new_segment_that_a_merge_looks_at(said: Callable[..., str], tmp_path: Path) -> None:
    """It holds the lock for the moment between the making of a file and its lock."""
    assert json.loads(said("win32", "put_watched", tmp_path, 300)) == {
        "lost": 0,
        "last_error": None,
    }


def test_what_somebody_reads_is_removed_and_replaced_later(
    said: Callable[..., str], tmp_path: Path
) -> None:
    assert json.loads(said("win32", "merge_while_read", tmp_path).splitlines()[-1]) == [
        [10, 1],
        [0, 1],
        [0, 0],
    ]


def test_windows_rules_are_enforced(said: Callable[..., str], tmp_path: Path) -> None:
    """What the others stand on: without it, they would show nothing."""
    assert json.loads(said("win32", "break_rules", tmp_path)) == [
        *["PermissionError"] * 4,
        "OSError",
        "OSError",
        "ModuleNotFoundError",
        "AttributeError",
    ]


def test_default_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    for platform, folder in HOMES.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert default_path() == tmp_path / folder
