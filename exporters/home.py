"""Where the ledger lives: the folder the user named, the platform's data folder, or a private one.

The folder holds the spool, the database and what was lost. It needs a local file system, because
liveness stands on file locks and records travel through mapped files.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from costspan.exporters.sharing import GroupError, named_group, share

ENVIRONMENT = "COSTSPAN_HOME"

_MOUNTINFO = "/proc/self/mountinfo"
_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre"),
        *("fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"),
    )
)


class HomeError(OSError):
    """The folder cannot hold a ledger; the message names it, the reason and the cure."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one ledger.

    Attributes:
        path: The absolute path; nothing is created by resolving it.
        named: Whether the user named it. A named folder is never replaced by another.
        fallback: Whether it is the private temporary folder that stands in for the default.
        reason: Why this folder, as a phrase for people.
    """

    path: Path
    named: bool
    fallback: bool
    reason: str

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def resolve_home(
    named: str | os.PathLike[str] | None = None, by: str = "the configuration"
) -> Home:
    """Say where the ledger lives, without creating or changing anything.

    Args:
        named: The folder that the user named; None or an empty string to go by the environment
            variable ``COSTSPAN_HOME`` and then by the platform's default.
        by: Where the user named it, for people.

    Returns:
        The folder and why it is that one. Whether a named folder can be used is seen only when it
        is prepared for writing; the default is checked here, since another takes its place.
    """
    variable = os.environ.get(ENVIRONMENT)
    # A configuration that has read the variable hands its value on as its own.
    if named and os.fspath(named) != variable:
        return Home(_absolute(named), True, False, f"named by {by}")
    if variable:
        return Home(_absolute(variable), True, False, f"named by {ENVIRONMENT}")
    default = default_path()
    problem = obstacle(default)
    if problem is None:
        return Home(default, False, False, "the default of this user")
    reason = f"temporary, because the default {default} {problem}"
    return Home(private_folder(), False, True, reason)


def private_folder() -> Path:
    """This user's folder under the system's temporary directory; see `planted` before any use.

    Raises:
        OSError: There is no temporary directory that can be written.
    """
    return (Path(tempfile.gettempdir()) / f"costspan-{_user()}").absolute()


def default_path() -> Path:
    """The platform's user data folder for costspan."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or ""
        if not os.path.isabs(base):  # the XDG specification: a relative path is to be ignored
            base = os.path.expanduser("~/.local/share")
    return Path(base) / "costspan"


def obstacle(path: Path) -> str | None:
    """Say what stands against a ledger in a folder that may not exist yet.

    Returns:
        None, or a phrase that follows the folder's name: "cannot be written", "is on a network
        file system (nfs4)".
    """
    if not path.is_absolute():
        return "is not an absolute path (does this user have a home folder?)"
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8, which DuckDB cannot open"
    existing = path
    try:
        while not existing.exists():
            if existing.is_symlink():
                return f"cannot be created, because {existing} is a link to nothing"
            existing = existing.parent
        if not existing.is_dir():
            if existing == path:
                return "is not a folder"
            return f"cannot be created, because {existing} is not a folder"
    except PermissionError:
        return "cannot be written"
    if not os.access(existing, os.W_OK | os.X_OK):
        return "cannot be written"
    kind = file_system(existing)
    return f"is on a network file system ({kind})" if kind in _NETWORK else None


def file_system(path: Path) -> str | None:
    """The type of the file system that an existing path is on; None where it cannot be told."""
    try:
        with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as mounts:
            return _type_of_mount(mounts.read(), os.path.realpath(path))
    except OSError:
        return None


def prepare(home: Home) -> None:
    """Create the folder with mode 0700 and check that a ledger can be written to it.

    Raises:
        HomeError: The folder cannot be used; the message is meant for people.
    """
    if problem := obstacle(home.path):
        raise HomeError(unusable(home.path, problem))
    if not home.path.is_dir():
        _make(home)
    verify(home)


def _make(home: Home) -> None:
    try:
        group = None if home.fallback else named_group()
        home.path.parent.mkdir(parents=True, exist_ok=True)
        home.path.mkdir(mode=0o700)
        if group is not None:
            share(home.path, group)
    except FileExistsError:
        pass  # another process made it meanwhile
    except GroupError as error:
        raise HomeError(unusable(home.path, str(error))) from error
    except OSError as error:
        problem = f"cannot be created ({error.strerror})"
        raise HomeError(unusable(home.path, problem)) from error


def verify(home: Home) -> None:
    """Refuse a fallback folder that others could have planted; other folders pass.

    Raises:
        HomeError: The temporary folder is a link, belongs to another user or is open to others.
    """
    if home.fallback and (problem := planted(home.path)):
        raise HomeError(unusable(home.path, problem))


def planted(path: Path) -> str | None:
    """Say what is wrong with a private folder in a place where others can write too.

    Returns:
        None for a folder that is this user's alone or does not exist, or a phrase that follows
        its name.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder, or is a link to one"
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        return "belongs to another user or is open to others"
    return None


def unusable(path: Path, problem: str) -> str:
    """Put what `obstacle` found into a sentence, with the cure."""
    return (
        f"The ledger's folder {path} {problem}. "
        f"Name a folder on a local disk that you can write, by {ENVIRONMENT}."
    )


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def _type_of_mount(mountinfo: str, path: str) -> str | None:
    """Find the file system of a path in the text of ``mountinfo`` (see proc(5)): longest match."""
    best, kind = -1, None
    for line in mountinfo.splitlines():
        mount, _, rest = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not rest:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        # Of two mounts on the same point the later one hides the earlier.
        if inside and len(point) >= best:
            best, kind = len(point), rest.split(" ", 1)[0]
    return kind
