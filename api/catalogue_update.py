"""Reads a newer catalogue from a file, and keeps the one in force in the home."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from costspan.exporters.home import Home
from costspan.pricing.errors import UpdateError
from costspan.pricing.files import BY_HAND, COLUMNS, VERSION
from costspan.pricing.update import Update

_FILES = frozenset((*COLUMNS, *BY_HAND, VERSION))
_LARGEST_BYTES = 64 << 20
"""No catalogue is so large; a file that unpacks to more is refused before it is unpacked."""

UPDATES = "catalogue"
"""The folder in a home that holds a folder for each updated catalogue."""


def read_catalogue(path: Path, sha256: str | None = None) -> dict[str, str]:
    """Read the files of a catalogue from a wheel of costspan, or from a zip file of them.

    Args:
        path: The file.
        sha256: What its hash must be, in hex; None to take any.

    Returns:
        Text by name.

    Raises:
        UpdateError: It is another file than was meant, or none of these.
    """
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.strip().lower():
        raise UpdateError(f"{path} has the SHA-256 {found}, not the one given: fetch it again")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if _is_file_of_catalogue(e.filename)]
            if sum(entry.file_size for entry in entries) > _LARGEST_BYTES:
                raise UpdateError(f"{path} is too large for a catalogue")
            texts = {PurePosixPath(e.filename).name: archive.read(e).decode() for e in entries}
    except (zipfile.BadZipFile, UnicodeDecodeError, EOFError) as error:
        raise UpdateError(f"{path} is no zip file of a catalogue, and no wheel") from error
    return {name: text.replace("\r\n", "\n") for name, text in texts.items()}


def _is_file_of_catalogue(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name in _FILES and path.parent.name in ("", "pricing")


def folder_texts(folder: Path) -> dict[str, str]:
    """Read the files of a catalogue from a folder."""
    return {name: (folder / name).read_text(encoding="utf-8") for name in sorted(_FILES)}


def keep(home: Home, update: Update) -> Path:
    """Write an updated catalogue into the home, whole or not at all.

    Earlier ones stay: a process that began with one reads its files when it needs them.

    Returns:
        Its folder.
    """
    folder = home.path / UPDATES / update.version
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        unready = Path(scratch) / update.version
        unready.mkdir(mode=0o700)
        for name, text in update.texts.items():
            with open(unready / name, "w", encoding="utf-8", newline="") as target:
                target.write(text)
                target.flush()
                os.fsync(target.fileno())
        if folder.exists():  # the very same, by its hash
            os.utime(folder)
        else:
            os.rename(unready, folder)
    return folder


def newest_update(home: Home) -> Path | None:
    """Give the newest updated catalogue of a home, by its day; None if there is none."""
    try:
        folders = [f for f in (home.path / UPDATES).iterdir() if not f.name.startswith(".")]
        return max(folders, key=lambda f: (f.name[:10], f.stat().st_mtime_ns), default=None)
    except OSError:
        return None
