"""What the doctor finds, and the cures it names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.doctor import Finding, diagnose
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

MakeCall = Callable[..., Call]
OpenWriter = Callable[..., Writer]


def found(home: Home, word: str) -> Finding:
    """The one finding that has a word in it, beside the name of the folder."""
    folder = str(home.path)
    (finding,) = [one for one in diagnose(home) if word in one.what.replace(folder, "HOME")]
    return finding


def levels(home: Home) -> set[str]:
    """The levels of all findings."""
    return {finding.level for finding in diagnose(home)}


def test_a_folder_that_does_not_exist_yet(home: Home) -> None:
    assert levels(home) == {"ok"}
    assert found(home, "folder is").what.endswith(f"{home.path}, named by the test.")
    assert found(home, "Nothing has been recorded")
    assert not home.path.exists()


def test_a_healthy_ledger(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    writer = open_writer(home)
    line = encode(make_call(0, 0))
    writer.put(line)
    assert "no database yet" in found(home, "database").what
    merge(home)
    writer.put(line)

    assert levels(home) == {"ok"}
    assert found(home, "schema").what.startswith("The database holds 1 call in ")
    assert "schema version 2" in found(home, "schema").what
    spool = found(home, "spool").what
    assert "has 1 segment, 1 of running processes" in spool
    assert f"to be merged: {len(line)} bytes." in spool
    assert "free" in found(home, "file system").what


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = Home(tmp_path / "file" / "home", named=True, fallback=False, reason="named")

    finding = found(home, "is not a folder")

    assert finding.level == "error"
    assert "COSTSPAN_HOME" in finding.cure


def test_a_fallback(tmp_path: Path) -> None:
    home = Home(tmp_path / "costspan-0", named=False, fallback=True, reason="temporary, because")

    assert found(home, "temporary").level == "warning"
    home.path.symlink_to(tmp_path)
    assert found(home, "link").level == "error"


def test_losses_of_another_process(home: Home, answer: Any) -> None:
    home.path.mkdir()
    (home.path / "spool").write_text("a file where the folder should be")
    assert answer("lose", 3) == {"lost": 3}
    (home.path / "spool").unlink()

    finding = found(home, "lost 3 records")

    assert finding.level == "error"
    assert "FileExistsError(EEXIST)" in finding.what
    assert str(home.path / "health") in finding.cure
    assert not any("No process" in one.what for one in diagnose(home))


def test_losses_that_could_not_be_noted_in_the_folder(
    home: Home, answer: Any, temporary: Path
) -> None:
    """The home is a file: the note lies in a private folder of this user."""
    home.path.write_text("a file where the folder should be")
    assert answer("lose", 1) == {"lost": 1}

    finding = found(home, "lost 1 record ")

    private = temporary / f"costspan-{os.getuid()}"
    (note,) = private.glob("health-*/*.json")
    assert finding.level == "error"
    assert "the folder could not be used (HomeError)" in finding.what
    assert finding.cure.endswith(f"then remove {note}.")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (private, note.parent)] == [0o700] * 2
    assert {one.level for one in diagnose(home)} == {"error"}  # nor is it said that all is well
    note.unlink()
    assert {one.level for one in diagnose(home)} == {"error"}


def test_damaged_records(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    writer = open_writer(home)
    writer.put(b"{damaged\n")
    writer.put(encode(make_call(0, 0)))
    merge(home)

    finding = found(home, "Set aside")

    assert finding.level == "error"
    assert finding.what.endswith("quarantine: 1 damaged record.")


def test_segments_of_a_newer_costspan(
    home: Home, make_call: MakeCall, open_writer: OpenWriter
) -> None:
    open_writer(home).put(encode(make_call(0, 0)))
    (path,) = segment_paths(home.path)
    path.rename(path.with_name(path.name.replace(".v1.", ".v2.")))

    finding = found(home, "newer")

    assert (finding.level, finding.what) == (
        "warning",
        "Left alone: 1 segment of a newer costspan.",
    )
    assert "Upgrade" in finding.cure


def test_a_database_that_is_held(home: Home, make_call: MakeCall, open_writer: OpenWriter) -> None:
    open_writer(home).put(encode(make_call(0, 0)))
    merge(home)

    with duckdb.connect(str(home.path / "ledger.duckdb")):
        finding = found(home, "open for writing")

    assert finding.level == "error"
    assert finding.cure.startswith("Close the ledger there")


@pytest.mark.parametrize("file", ["ledger.duckdb", "ledger.duckdb.wal"])
def test_a_damaged_file(
    home: Home, make_call: MakeCall, open_writer: OpenWriter, program: Any, file: str
) -> None:
    """gizmodata/gizmosql#53: the message says which file it is."""
    writer = open_writer(home)
    writer.put(encode(make_call(0, 0)))
    assert program("merge_and_die", "committed").wait(30) == -9
    content = bytearray((home.path / file).read_bytes())
    content[len(content) // 4 :] = b"damaged" * 4096
    (home.path / file).write_bytes(content)

    finding = found(home, "is damaged")

    assert (finding.level, str(home.path / file) in finding.what) == ("error", True)
    assert "`costspan ledger repair " in finding.cure


@pytest.mark.parametrize(
    ("name", "is_folder", "what"),
    [
        ("merge.lock", True, "is no file, so calls cannot be merged."),
        ("quarantine", False, "is no folder, so calls cannot be merged."),
        ("published", False, "is no folder, so calls cannot be merged."),
    ],
)
def test_something_in_the_way(home: Home, name: str, is_folder: bool, what: str) -> None:
    home.path.mkdir()
    path = home.path / name
    path.mkdir() if is_folder else path.touch()

    (found,) = [one for one in diagnose(home) if one.level == "error"]

    assert (found.what, found.cure) == (f"{path} {what}", "Move it away.")
