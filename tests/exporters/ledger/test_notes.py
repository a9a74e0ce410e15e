"""Notes of lost records: where they lie, and what several of them come to."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.notes import LossNote, note_paths, read_notes, write_note

SINCE = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = datetime(2026, 11, 1, 13, tzinfo=UTC)


def note(process: str = "host.1", lost: int = 3, error: str = "OSError(ENOSPC)") -> LossNote:
    return LossNote(process, lost, error, SINCE, AT)


@pytest.fixture
def private(temporary: Path) -> Path:
    """The private folder of this user, which does not exist yet."""
    return temporary / f"costspan-{os.getuid()}"


def test_a_note_lies_in_the_home_where_that_can_be_written(home: Home, private: Path) -> None:
    home.path.mkdir()

    assert write_note(home.path, note())

    assert read_notes(home.path) == [note()]
    assert note_paths(home.path, "host.1") == [home.path / "health" / "host.1.json"]
    assert not private.exists()


def test_else_in_a_private_folder_by_the_real_path(
    home: Home, tmp_path: Path, private: Path
) -> None:
    home.path.write_text("a file where the folder should be")
    (tmp_path / "link").symlink_to(home.path)

    assert write_note(home.path, note())

    assert read_notes(home.path) == read_notes(tmp_path / "link") == [note()]
    assert read_notes(tmp_path / "other") == []
    assert [path.parents[1] for path in note_paths(home.path, "host.1")] == [private]


def test_a_process_counts_on_from_one_place_to_the_other(home: Home) -> None:
    write_note(home.path, note(lost=3))  # before there is a folder
    home.path.mkdir()
    write_note(home.path, note(lost=5))
    write_note(home.path, note("host.2", 1))

    assert [(one.process, one.lost) for one in read_notes(home.path)] == [
        ("host.1", 5),
        ("host.2", 1),
    ]
    assert len(note_paths(home.path, "host.1")) == 2


@pytest.mark.parametrize("how", ["link", "open", "file"])
def test_a_planted_folder_is_not_touched(
    home: Home, tmp_path: Path, private: Path, how: str
) -> None:
    if how == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        private.symlink_to(tmp_path / "theirs")
    elif how == "open":
        private.mkdir()
        private.chmod(0o777)
    else:
        private.write_text("")

    assert not write_note(home.path, note())
    assert read_notes(home.path) == []
    assert how == "file" or list(private.iterdir()) == []


def test_without_a_temporary_directory_nothing_is_noted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)

    assert not write_note(home.path, note())
    assert read_notes(home.path) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lost": 1}', '{"lost": "x", "at": 1}'])
def test_a_note_that_cannot_be_understood_is_passed_over(home: Home, text: str) -> None:
    (home.path / "health").mkdir(parents=True)
    (home.path / "health" / "host.1.json").write_text(text)
    write_note(home.path, note("host.2"))

    assert [one.process for one in read_notes(home.path)] == ["host.2"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("OSError(ENOSPC)", "No space left on device"),
        ("PermissionError(EACCES)", "Permission denied"),
        ("HomeError", "the folder could not be used"),
        ("MemoryError", "MemoryError"),
        ("OSError(ENONSENSE)", "OSError(ENONSENSE)"),
    ],
)
def test_the_reason_in_words(error: str, reason: str) -> None:
    assert note(error=error).reason == reason
