"""Notes of lost records, left where another process can tell its user.

They lie in the ledger's folder, and where that cannot be written, in this user's private folder
under the system's temporary directory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from costspan.exporters.home import HomeError, planted, private_folder
from costspan.exporters.ledger.folder import SpoolFullError
from costspan.exporters.ledger.layout import HEALTH
from costspan.exporters.ledger.locks import replace
from costspan.exporters.sharing import make_folder, opener

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class LossNote:
    """Records that one process noted as lost.

    Attributes:
        process: ``host.pid`` of the process.
        lost: How many records.
        last_error: The kind of the last error, as ``OSError(ENOSPC)``.
        since, at: When the first was lost, and when this was noted; UTC.
    """

    process: str
    lost: int
    last_error: str
    since: datetime
    at: datetime

    @property
    def reason(self) -> str:
        """The last error in words, where there are any: ``No space left on device``."""
        if self.last_error.startswith(SpoolFullError.__name__):
            return "the spool held as much as it may"
        name = re.search(r"\((\w+)\)", self.last_error)
        number = getattr(errno, name[1], None) if name else None
        if isinstance(number, int):
            return os.strerror(number)
        unusable = self.last_error == HomeError.__name__
        return "the folder could not be used" if unusable else self.last_error


def read_notes(home: Path) -> list[LossNote]:
    """What processes noted as lost, by process; a note that cannot be understood is passed over."""
    found: dict[str, LossNote] = {}
    for folder in _places(home):
        for note in _read(folder):
            known = found.get(note.process)
            # A process counts on: of two notes the larger number holds the smaller one.
            if known is None or note.lost > known.lost:
                found[note.process] = note
    return [found[process] for process in sorted(found)]


def note_paths(home: Path, process: str) -> list[Path]:
    """The files in which a process has noted losses."""
    paths = [_file(folder, process) for folder in _places(home)]
    return [path for path in paths if path.exists()]


def write_note(home: Path, note: LossNote) -> bool:
    """Replace the note of a process, in the ledger's folder or else in the second place.

    Returns:
        Whether it could be written.
    """
    return any(_write(folder, note) for folder in _places(home))


def _places(home: Path) -> Iterator[Path]:
    """Where notes are, the best place first."""
    yield home / HEALTH
    with contextlib.suppress(OSError):
        private = private_folder()
        if planted(private) is None:
            # By the real path, so that a folder has one name however it was spelled.
            name = hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:16]
            yield private / f"{HEALTH}-{name}"


def _file(folder: Path, process: str) -> Path:
    return folder / f"{process}{_SUFFIX}"


def _read(folder: Path) -> Iterator[LossNote]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if not name.endswith(_SUFFIX):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads((folder / name).read_text(encoding="utf-8"))
            since, at = (datetime.fromisoformat(said[key]) for key in ("since", "at"))
            process = name.removesuffix(_SUFFIX)
            yield LossNote(process, int(said["lost"]), str(said["last_error"]), since, at)


def _write(folder: Path, note: LossNote) -> bool:
    said = {
        "lost": note.lost,
        "last_error": note.last_error,
        "since": note.since.isoformat(),
        "at": note.at.isoformat(),
    }
    path = _file(folder, note.process)
    unready = path.with_suffix(".new")
    try:
        if folder.name != HEALTH:
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            if planted(folder.parent):  # since it was looked at
                return False
        make_folder(folder)
        with open(unready, "w", encoding="utf-8", opener=opener(folder)) as file:
            json.dump(said, file)
        replace(unready, path)
    except OSError:
        with contextlib.suppress(OSError):
            unready.unlink()
        return False
    return True
