"""A ledger's folder that several Unix users share: by a group, named when the folder is made.

The folder itself says that it is shared, by its mode (2770), so those who only use it need not
name the group again, and what is made in it is open to the group, whatever their umask is.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GROUP = "COSTSPAN_GROUP"

_SHARED = stat.S_ISGID | stat.S_IRWXG


class GroupError(ValueError):
    """The group that was named cannot be used; a phrase for people."""


def named_group() -> int | None:
    """The id of the group that ``COSTSPAN_GROUP`` names, by name or number; None without one.

    Raises:
        GroupError: There is no such group here, this user is not in it, or the platform has none.
    """
    name = os.environ.get(GROUP)
    if not name:
        return None
    if sys.platform == "win32":
        raise GroupError(f"cannot be shared: {GROUP} is for Unix users")
    import grp

    try:
        group = int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise GroupError(
            f"cannot be shared: {GROUP} names {name}, which is no group here"
        ) from None
    if group not in (os.getegid(), *os.getgroups()) and os.geteuid() != 0:
        raise GroupError(f"cannot be shared: this user is not in the group {name} ({GROUP})")
    return group


def share(folder: Path, group: int) -> None:
    """Open a folder that was just made to a group."""
    if sys.platform != "win32":
        os.chown(folder, -1, group)
        os.chmod(folder, stat.S_IRWXU | _SHARED)


def is_shared(folder: Path) -> bool:
    """Whether a folder is open to a group in the way of `share`."""
    try:
        return os.stat(folder).st_mode & _SHARED == _SHARED
    except OSError:
        return False


def make_folder(path: Path) -> None:
    """Make a folder in a ledger's folder, shared if that is; one that exists will do.

    Raises:
        OSError: It cannot be made.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if path.is_dir():
            return
        raise
    if is_shared(path.parent):
        os.chmod(path, stat.S_IRWXU | _SHARED)


def opener(folder: Path) -> Callable[[str, int], int]:
    """For ``open`` and the like: what is made in the folder gets the mode that belongs there."""
    shared = is_shared(folder)

    def open_file(path: str, flags: int) -> int:
        fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o660 if shared else 0o600)
        if shared and flags & os.O_CREAT:
            _widen(fd)
        return fd

    return open_file


def set_mode(path: Path) -> None:
    """Give a file that others made for us the mode that belongs in its folder."""
    os.chmod(path, 0o660 if is_shared(path.parent) else 0o600)


@contextmanager
def group_umask(folder: Path) -> Iterator[None]:
    """Inside, files that others make for us (DuckDB its log) are open to the group of a shared
    folder. For programs of our own alone: a umask belongs to the whole process."""
    if not is_shared(folder):
        yield
        return
    before = os.umask(0o007)
    try:
        yield
    finally:
        os.umask(before)


def _widen(fd: int) -> None:
    if sys.platform != "win32":  # where no folder is shared
        with suppress(PermissionError):  # it was there, and is another member's
            os.fchmod(fd, 0o660)
