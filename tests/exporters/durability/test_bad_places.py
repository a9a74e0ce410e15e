"""Something else stands where a file of ours does: one line names it, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shell import Said, Shell

from costspan.exporters.ledger.errors import LedgerWriteError
from costspan.exporters.ledger.merge import merge

Lines = Callable[[str, range], list[bytes]]
LeaveSegment = Callable[..., Path]
Stored = Callable[[], dict[str, list[int]]]

TEN = {"ten": list(range(10))}
SEGMENT = "host.1.0123456789ab.000000.v1.seg"


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands on the ledger in `home`."""
    return Shell(capsys)


@pytest.fixture
def recorded(lines: Lines, segment: LeaveSegment) -> Path:
    """Ten calls wait in the spool."""
    return segment(b"".join(lines("ten", range(10))))


def is_one_line(said: Said, *words: str) -> bool:
    """Whether a command failed with one line on the error output that has some words in it."""
    lines = said.err.splitlines()
    told = all(word in said.err for word in words)
    return said.code == 2 and said.out == "" and len(lines) == 1 and told


def folder_for(name: str) -> Callable[[Path], Path]:
    """Puts a folder where a file of the ledger belongs."""

    def put(home: Path) -> Path:
        (home / name).mkdir()
        return home / name

    return put


def file_for(name: str) -> Callable[[Path], Path]:
    """Puts a file where a folder of the ledger belongs."""

    def put(home: Path) -> Path:
        (home / name).write_text("")
        return home / name

    return put


def unwritable_quarantine(home: Path) -> Path:
    """There is a damaged line, and no place to set it aside."""
    (home / "spool" / SEGMENT).write_bytes(b"{damaged\n")
    return file_for("quarantine")(home)


@pytest.mark.parametrize(
    ("put", "readable"),
    [
        (folder_for("ledger.duckdb"), False),
        (folder_for("merge.lock"), True),
        (file_for("published"), True),
        (unwritable_quarantine, True),
    ],
    ids=["database is a folder", "lock is a folder", "published is a file", "quarantine is a file"],
)
@pytest.mark.usefixtures("recorded")
def test_something_else_stands_there(
    home: Path,
    shell: Shell,
    stored: Stored,
    put: Callable[[Path], Path],
    readable: bool,
) -> None:
    found = put(home)

    for _ in range(2):
        assert is_one_line(shell("merge"), str(found))
        if readable:
            assert shell("report").code == 0
            assert stored() == TEN
        else:
            assert is_one_line(shell("report"), str(found))
            assert is_one_line(shell("calls"), str(found))

    shutil.rmtree(found) if found.is_dir() else found.unlink()
    assert shell("merge").code == 0
    assert stored() == TEN
    assert not list((home / "spool").iterdir())


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing"])
@pytest.mark.usefixtures("recorded")
def test_what_is_named_as_a_segment_and_is_none(
    home: Path, shell: Shell, stored: Stored, kind: str
) -> None:
    path = home / "spool" / SEGMENT
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(home / "nothing")

    assert shell("merge").code == 0
    assert stored() == TEN
    assert shell("doctor").code == 0
    assert [one.name for one in (home / "spool").iterdir()] == [SEGMENT]


@pytest.mark.parametrize("where", ["home", "home/spool"])
def test_calls_go_on_where_there_is_a_file(
    home: Path, answer: Any, shell: Shell, tmp_path: Path, where: str
) -> None:
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("")

    answer("record_some")

    (said,) = [path.read_text() for path in tmp_path.glob("errors-*.txt")]
    assert str(home) in said
    assert "COSTSPAN_HOME" in said  # the cure
    doctor = shell("doctor")
    assert doctor.code == 1
    assert "lost 10 records" in doctor.out
    assert "10 records were lost" in shell("report").err


def test_a_home_behind_a_link(
    home: Path, tmp_path: Path, answer: Any, shell: Shell, stored: Stored
) -> None:
    (tmp_path / "real").mkdir()
    home.symlink_to(tmp_path / "real")

    answer("record_some")

    assert shell("merge").code == 0
    assert stored() == {"some": list(range(10))}
    assert (tmp_path / "real" / "ledger.duckdb").exists()


def test_a_home_behind_a_link_to_nothing(
    home: Path, tmp_path: Path, answer: Any, shell: Shell
) -> None:
    home.symlink_to(tmp_path / "unmounted")

    answer("record_some")

    assert is_one_line(shell("merge"), str(home), "is a link to nothing", "COSTSPAN_HOME")
    doctor = shell("doctor")
    assert doctor.code == 1
    assert "lost 10 records" in doctor.out
    assert not (tmp_path / "unmounted").exists()


def test_a_home_whose_name_is_not_utf_8(
    tmp_path: Path,
    answer: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DuckDB 1.5 raises an error of Python's own here, 2.0 says something about a conversion."""
    monkeypatch.setenv("COSTSPAN_HOME", os.fsdecode(os.fsencode(tmp_path) + b"/no\xff"))

    answer("record_some")

    shell = Shell(capsys)
    assert is_one_line(shell("merge"), "a name that is not UTF-8", "COSTSPAN_HOME")
    assert shell("calls").code == 2
    assert shell("doctor").code == 1


@pytest.mark.parametrize("name", ["two\nlines", "tab\tand \x1b[31mred", "%s {0} $HOME", "-rf"])
def test_a_home_with_a_strange_name(
    tmp_path: Path,
    answer: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    home = tmp_path / name
    monkeypatch.setenv("COSTSPAN_HOME", str(home))

    answer("record_some")

    shell = Shell(capsys)
    assert shell("merge").code == 0
    assert "10" in shell("report").out
    doctor = shell("doctor")
    assert doctor.code == 0
    assert "\x1b" not in doctor.out
    shutil.rmtree(home)
    home.write_text("")
    for command in ("merge", "report"):
        said = shell(command)
        assert is_one_line(said)
        assert "\x1b" not in said.err


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; those of the tests are their owner's alone."""
    with tempfile.TemporaryDirectory(prefix="costspan-test-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


AS_NOBODY = """\
import contextlib, io, os, sys
from costspan.cli import main
warm, command = sys.argv[1:]
# Everything is imported before the change of user, who may not be able to read it.
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main([command, "--home", warm])
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
main([command])
"""


def test_a_home_that_may_only_be_read(open_folder: Path, lines: Lines, recorded: Path) -> None:
    """Another user's: a report is complete, and what would write says why it does not."""
    theirs = open_folder / "home"
    (theirs / "spool").mkdir(parents=True)
    (theirs / "spool" / SEGMENT).write_bytes(b"".join(lines("theirs", range(10))))
    os.chmod(theirs / "spool" / SEGMENT, 0o444)
    os.chmod(theirs / "spool", 0o555)
    os.chmod(theirs, 0o555)

    def run(command: str) -> subprocess.CompletedProcess[str]:
        warm = recorded.parents[1]
        words = [sys.executable, "-c", AS_NOBODY, str(warm), command]
        environment = {**os.environ, "COSTSPAN_HOME": str(theirs), "TMPDIR": "/tmp"}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)

    report, merged = run("report"), run("merge")

    assert report.returncode == 0, report.stderr
    assert "10" in report.stdout
    assert merged.returncode == 2
    assert len(merged.stderr.splitlines()) == 1
    assert "Permission denied" in merged.stderr
    assert f"give this user access to {theirs}" in merged.stderr
    assert len(list((theirs / "spool").iterdir())) == 1


@pytest.mark.usefixtures("recorded")
def test_the_file_that_is_in_the_way_is_named(home: Path) -> None:
    (home / "merge.lock").mkdir()

    with pytest.raises(LedgerWriteError) as raised:
        merge(home)

    assert f"{home / 'ledger.duckdb'} cannot be written: Is a directory: " in str(raised.value)
    assert str(home / "merge.lock") in str(raised.value)
    assert "Records wait in the spool; none is lost." in str(raised.value)
