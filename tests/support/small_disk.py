"""A file system of 24 MB that fills up, for users who may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(path: Path) -> Iterator[Callable[[], None]]:
    """Mount a file system of 24 MB; yields what makes it larger."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path], check=True)

    def make_room() -> None:
        subprocess.run(["mount", "-o", "remount,size=96m", path], check=True)

    try:
        yield make_room
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def can_mount() -> bool:
    """Whether this process may mount: root may, where its container lets it."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0
